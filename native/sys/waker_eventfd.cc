#include <sys/eventfd.h>
#include <unistd.h>

#include "status.h"
#include "sys/waker.h"

namespace evloop {

int32_t Waker::Open(bool edge_triggered) {
  edge_triggered_ = edge_triggered;
  pending_.store(false, std::memory_order_relaxed);
  fd_ = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  write_fd_ = fd_;
  return fd_ < 0 ? LastError() : kOk;
}

void Waker::Close() {
  if (fd_ >= 0) close(fd_);
  fd_ = -1;
  write_fd_ = -1;
}

void Waker::Notify() {
  // SAFETY: release publishes the caller's work to the Drain() that clears the flag; acquire keeps
  // the write below from moving before it.
  if (pending_.exchange(true, std::memory_order_acq_rel)) return;
  const uint64_t one = 1;
  // EAGAIN would mean a counter that is nearly full, hence readable: the loop wakes anyway.
  while (write(write_fd_, &one, sizeof one) < 0 && errno == EINTR) {
  }
}

void Waker::Drain() {
  // Read first: a notification that comes between the two finds the flag set and is content with
  // the look that follows. The other way round its wake-up could be read away and the flag stay
  // set.
  if (!edge_triggered_) {
    uint64_t count;
    while (read(fd_, &count, sizeof count) < 0 && errno == EINTR) {
    }
  }
  // SAFETY: acquire sees everything that was published by those who found or set the flag.
  pending_.exchange(false, std::memory_order_acq_rel);
}

}  // namespace evloop
