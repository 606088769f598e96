// native/sys/poller_epoll.cc - epoll(7), edge-triggered: one system call registers a descriptor for
// its whole life, and none is needed to change what is watched.
//
// The risk of edges is an arrival that nobody consumes: it is not told twice. The contract of Arm()
// puts that on the caller, and the same suite runs on poll(2), which forgives nothing less.
#include "sys/poller_epoll.h"

#include <poll.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <new>

#include "clock.h"
#include "status.h"
#include "sys/waker.h"

namespace evloop {

namespace {

// Events taken from the kernel at a time. More would only be more cache to pass through.
constexpr uint32_t kBatch = 256;

constexpr uint32_t kTrouble = EPOLLERR | EPOLLHUP;
constexpr uint32_t kReadMask = EPOLLIN | EPOLLRDHUP | EPOLLPRI | kTrouble;
constexpr uint32_t kWriteMask = EPOLLOUT | kTrouble;
constexpr uint32_t kHangupMask = EPOLLRDHUP | EPOLLPRI | kTrouble;

uint32_t ReadyFrom(uint32_t events) {
  return ((events & kReadMask) != 0 ? READY_READ : 0u) |
         ((events & kWriteMask) != 0 ? READY_WRITE : 0u) |
         ((events & kHangupMask) != 0 ? READY_HANGUP : 0u);
}

class EpollPoller final : public Poller {
 public:
  ~EpollPoller() override { Close(); }

  int32_t Open() override {
    fd_ = epoll_create1(EPOLL_CLOEXEC);
    if (fd_ < 0) return LastError();
    const int32_t status = interrupt_.Open();
    if (IsError(status)) Close();
    return status;
  }

  void Close() override {
    if (fd_ >= 0) close(fd_);
    fd_ = -1;
    interrupt_.Close();
  }

  int32_t Add(int fd, uint64_t token) override {
    return Control(EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLPRI | EPOLLET, token);
  }

  // An edge comes by itself.
  void Arm(int, uint64_t, uint32_t) override {}

  int32_t Watch(int fd, uint64_t token, uint32_t interest) override {
    // Errors and hangups cannot be masked, so a paused descriptor has to leave.
    if (interest == 0) {
      Remove(fd);
      return kOk;
    }
    // Urgent data would be told again and again: an ordinary read does not take it.
    const uint32_t events = ((interest & READY_READ) != 0 ? EPOLLIN | EPOLLRDHUP : 0u) |
                            ((interest & READY_WRITE) != 0 ? EPOLLOUT : 0u);
    const int32_t status = Control(EPOLL_CTL_MOD, fd, events, token);
    return status == -ENOENT ? Control(EPOLL_CTL_ADD, fd, events, token) : status;
  }

  void Remove(int fd) override {
    // ENOENT and EBADF: not watched or closed already, which is what was asked for.
    epoll_ctl(fd_, EPOLL_CTL_DEL, fd, nullptr);
  }

  int32_t Wait(Event* events, uint32_t capacity, int32_t timeout_ms) override {
    const int32_t limit = static_cast<int32_t>(capacity < kBatch ? capacity : kBatch);
    const WaitBudget budget(timeout_ms);
    epoll_event batch[kBatch];
    int32_t count = epoll_wait(fd_, batch, limit, timeout_ms);
    while (count < 0 && errno == EINTR) count = epoll_wait(fd_, batch, limit, budget.RemainingMs());
    if (count < 0) return LastError();
    for (int32_t i = 0; i < count; ++i) {
      events[i] = {batch[i].data.u64, ReadyFrom(batch[i].events)};
    }
    return count;
  }

  int Descriptor() const override { return fd_; }
  bool IsEdgeTriggered() const override { return true; }

  // The kernel's table may be changed while Block() looks at it.
  void PrepareBlock() override {}

  // An epoll descriptor is itself pollable, and polling it takes no event.
  int32_t Block(int32_t timeout_ms) override {
    pollfd watched[2] = {{fd_, POLLIN, 0}, {interrupt_.Descriptor(), POLLIN, 0}};
    const WaitBudget budget(timeout_ms);
    int32_t count = poll(watched, 2, timeout_ms);
    while (count < 0 && errno == EINTR) count = poll(watched, 2, budget.RemainingMs());
    if (count < 0) return LastError();
    if (watched[1].revents != 0) interrupt_.Drain();
    return watched[0].revents != 0 ? 1 : 0;
  }

  void Interrupt() override { interrupt_.Notify(); }

 private:
  int32_t Control(int operation, int fd, uint32_t events, uint64_t token) {
    epoll_event event = {};
    event.events = events;
    event.data.u64 = token;
    return FromSystem(epoll_ctl(fd_, operation, fd, &event));
  }

  int fd_ = -1;      // The epoll descriptor; owned.
  Waker interrupt_;  // Ends Block(); not part of the epoll set.
};

}  // namespace

Poller* NewEpollPoller() { return new (std::nothrow) EpollPoller; }

}  // namespace evloop
