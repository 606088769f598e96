// native/sys/poller_kqueue.cc - kqueue(2), edge-triggered by EV_CLEAR: one system call registers
// both directions of a descriptor for its whole life, and none is needed to change what is watched.
//
// Every event is a hint: a filter may fire although nothing can be done.
//
// The two system calls come from <sys/event.h>; test/kqueue has another one, over epoll(7).
#include "sys/poller_kqueue.h"

#include <poll.h>
#include <sys/event.h>
#include <unistd.h>

#include <new>
#include <vector>

#include "clock.h"
#include "status.h"
#include "sys/always_ready.h"
#include "sys/waker.h"

namespace evloop {

namespace {

// Events taken from the kernel at a time. More would only be more cache to pass through.
constexpr uint32_t kBatch = 256;

uint32_t ReadyFrom(const struct kevent& event) {
  const bool is_read = event.filter == EVFILT_READ;
  // A read ends at the mark of urgent data. What stands in fflags at the end is an errno.
  const bool is_short = (event.flags & EV_EOF) != 0 || (is_read && (event.fflags & NOTE_OOB) != 0);
  return (is_read ? READY_READ : READY_WRITE) | (is_short ? READY_HANGUP : 0u);
}

// A change of one direction of `fd`.
struct kevent ChangeOf(int fd, int16_t filter, uint16_t action, uint32_t fflags, uint64_t token) {
  struct kevent change;
  // SAFETY: the kernel hands udata back and never looks at it; it is as wide as a token.
  static_assert(sizeof(change.udata) == sizeof(token), "tokens need 64-bit pointers");
  EV_SET(&change, static_cast<uintptr_t>(fd), filter, action, fflags, 0,
         reinterpret_cast<void*>(token));
  return change;
}

class KqueuePoller final : public Poller {
 public:
  ~KqueuePoller() override { Close(); }

  int32_t Open() override {
    fd_ = kqueue();
    if (fd_ < 0) return LastError();
    const int32_t status = interrupt_.Open();
    if (IsError(status)) Close();
    return status;
  }

  void Close() override {
    if (fd_ >= 0) close(fd_);
    fd_ = -1;
    is_added_.clear();
    interrupt_.Close();
  }

  int32_t Add(int fd, uint64_t token) override {
    // A second EV_ADD would change the first.
    if (IsAdded(fd)) return -EEXIST;
    // The filters of files tell of growth, not of readiness.
    if (IsAlwaysReady(fd)) return -EPERM;
    // NOTE_OOB stands in the manual of EVFILT_EXCEPT, but the read filter of sockets heeds it as
    // well, which saves a third registration (xnu, filt_soread_common).
    struct kevent changes[2] = {ChangeOf(fd, EVFILT_READ, EV_ADD | EV_CLEAR, NOTE_OOB, token),
                                ChangeOf(fd, EVFILT_WRITE, EV_ADD | EV_CLEAR, 0, token)};
    const int32_t status = Apply(changes, 2);
    if (IsError(status)) {
      Remove(fd);
      return status;
    }
    const auto place = static_cast<size_t>(fd);
    if (is_added_.size() <= place) is_added_.resize(place + 1);
    is_added_[place] = true;
    return kOk;
  }

  // An edge comes by itself.
  void Arm(int, uint64_t, uint32_t) override {}

  int32_t Watch(int fd, uint64_t token, uint32_t interest) override {
    if (interest != 0 && IsAlwaysReady(fd)) return -EPERM;
    // Added anew even if it is watched already: closing the descriptor has ended that.
    const auto change = [=](int16_t filter, uint32_t direction) {
      const uint16_t action = (interest & direction) != 0 ? EV_ADD : EV_DELETE;
      return ChangeOf(fd, filter, action, 0, token);
    };
    struct kevent changes[2] = {change(EVFILT_READ, READY_READ), change(EVFILT_WRITE, READY_WRITE)};
    return Apply(changes, 2);
  }

  void Remove(int fd) override {
    struct kevent changes[2] = {ChangeOf(fd, EVFILT_READ, EV_DELETE, 0, 0),
                                ChangeOf(fd, EVFILT_WRITE, EV_DELETE, 0, 0)};
    Apply(changes, 2);
    if (IsAdded(fd)) is_added_[static_cast<size_t>(fd)] = false;
  }

  int32_t Wait(Event* events, uint32_t capacity, int32_t timeout_ms) override {
    const int limit = static_cast<int>(capacity < kBatch ? capacity : kBatch);
    const WaitBudget budget(timeout_ms);
    struct kevent batch[kBatch];
    int count = Take(batch, limit, timeout_ms);
    while (count < 0 && errno == EINTR) count = Take(batch, limit, budget.RemainingMs());
    if (count < 0) return LastError();
    return Merge(batch, count, events);
  }

  int Descriptor() const override { return fd_; }
  // It is, for sockets. But the waker is a kqueue of its own, which has no edge while it is full.
  bool IsEdgeTriggered() const override { return false; }

  // The kernel's table may be changed while Block() looks at it.
  void PrepareBlock() override {}

  // A kqueue is itself pollable, and polling it takes no event.
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
  int Take(struct kevent* batch, int limit, int32_t timeout_ms) {
    const timespec timeout = {timeout_ms / 1000, timeout_ms % 1000 * 1000000};
    return kevent(fd_, nullptr, 0, batch, limit, timeout_ms < 0 ? nullptr : &timeout);
  }

  // One event for both directions of a descriptor, whose order is up to the caller then. Engines
  // ask for few events at a time.
  static int32_t Merge(const struct kevent* batch, int count, Event* events) {
    int32_t merged = 0;
    for (int i = 0; i < count; ++i) {
      const auto token = reinterpret_cast<uint64_t>(batch[i].udata);
      int32_t place = 0;
      while (place < merged && events[place].token != token) ++place;
      if (place == merged) events[merged++] = {token, 0};
      events[place].ready |= ReadyFrom(batch[i]);
    }
    return merged;
  }

  // Makes every change, also behind one that fails. 0, or what is wrong with the first that adds;
  // there may be nothing to delete.
  int32_t Apply(struct kevent (&changes)[2], int count) {
    struct kevent receipts[2];
    // With EV_RECEIPT each change is answered, and no pending event is taken.
    for (struct kevent& change : changes) change.flags |= EV_RECEIPT;
    const int answered = kevent(fd_, changes, count, receipts, count, nullptr);
    if (answered < 0) return LastError();
    for (int i = 0; i < answered; ++i) {
      const bool adds = (changes[i].flags & EV_ADD) != 0;
      if (adds && receipts[i].data != 0) return -static_cast<int32_t>(receipts[i].data);
    }
    return kOk;
  }

  bool IsAdded(int fd) const {
    const auto place = static_cast<size_t>(fd);
    return fd >= 0 && place < is_added_.size() && is_added_[place];
  }

  int fd_ = -1;                 // The kqueue; owned.
  std::vector<bool> is_added_;  // By descriptor.
  Waker interrupt_;             // Ends Block(); not part of the kqueue.
};

}  // namespace

Poller* NewKqueuePoller() { return new (std::nothrow) KqueuePoller; }

}  // namespace evloop
