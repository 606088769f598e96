// native/sys/waker_kqueue.cc - a kqueue that holds nothing but an event of the user's, so that it
// is readable while that is triggered; a pipe where there are no such events.
#include <fcntl.h>
#include <sys/event.h>
#include <unistd.h>

#include "status.h"
#include "sys/waker.h"

namespace evloop {

namespace {

// Of the only event.
constexpr uintptr_t kIdent = 1;

int32_t ChangeEvent(int fd, uint16_t flags, uint32_t fflags) {
  struct kevent change;
  EV_SET(&change, kIdent, EVFILT_USER, flags, fflags, 0, nullptr);
  return FromSystem(kevent(fd, &change, 1, nullptr, 0, nullptr));
}

int32_t OpenPipe(int fds[2]) {
  if (pipe(fds) != 0) return LastError();
  for (int i = 0; i < 2; ++i) {
    if (fcntl(fds[i], F_SETFD, FD_CLOEXEC) == 0 && fcntl(fds[i], F_SETFL, O_NONBLOCK) == 0)
      continue;
    const int32_t status = LastError();
    close(fds[0]);
    close(fds[1]);
    return status;
  }
  return kOk;
}

}  // namespace

int32_t Waker::Open(bool edge_triggered) {
  edge_triggered_ = edge_triggered;
  pending_.store(false, std::memory_order_relaxed);
  fd_ = kqueue();
  if (fd_ < 0) return LastError();
  if (!IsError(ChangeEvent(fd_, EV_ADD | EV_CLEAR, 0))) return kOk;
  Close();
  int fds[2];
  const int32_t status = OpenPipe(fds);
  if (IsError(status)) return status;
  fd_ = fds[0];
  write_fd_ = fds[1];
  return kOk;
}

void Waker::Close() {
  if (fd_ >= 0) close(fd_);
  if (write_fd_ >= 0) close(write_fd_);
  fd_ = -1;
  write_fd_ = -1;
}

void Waker::Notify() {
  // SAFETY: as in waker_eventfd.cc.
  if (pending_.exchange(true, std::memory_order_acq_rel)) return;
  if (write_fd_ < 0) {
    while (ChangeEvent(fd_, 0, NOTE_TRIGGER) == -EINTR) {
    }
    return;
  }
  // EAGAIN means a full pipe, hence readable: the loop wakes anyway.
  while (write(write_fd_, "", 1) < 0 && errno == EINTR) {
  }
}

void Waker::Drain() {
  // Emptied first, for the reason that waker_eventfd.cc gives; and always, as neither a kqueue nor
  // a pipe has a new edge while it is full.
  if (write_fd_ < 0) {
    struct kevent event;
    const timespec now = {0, 0};
    while (kevent(fd_, nullptr, 0, &event, 1, &now) < 0 && errno == EINTR) {
    }
  } else {
    char bytes[64];
    ssize_t count;
    do {
      count = read(fd_, bytes, sizeof bytes);
    } while (count == static_cast<ssize_t>(sizeof bytes) || (count < 0 && errno == EINTR));
  }
  // SAFETY: acquire sees everything that was published by those who found or set the flag.
  pending_.exchange(false, std::memory_order_acq_rel);
}

}  // namespace evloop
