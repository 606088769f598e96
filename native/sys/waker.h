// native/sys/waker.h - how another thread wakes a poller: one descriptor that becomes readable.
//
// Many Notify() before the loop looks make one event and one system call; none is lost:
//   other thread                         loop's thread
//     publish the work                     Wait() reports the descriptor
//     Notify()                             Drain()
//                                          look for work
// Whoever finds the flag already set published before the Drain() that will clear it, so the look
// that follows that Drain() finds its work.
//
// With an edge-triggered poller the descriptor is never read: every write to an eventfd is a new
// edge (eventfd(2), epoll(7)), and its counter would take centuries to fill. A level-triggered one
// must empty it. Either way the engine then arms the descriptor again.
#pragma once

#include <atomic>
#include <cstdint>

namespace evloop {

class Waker {
 public:
  Waker() = default;
  ~Waker() { Close(); }
  Waker(const Waker&) = delete;
  Waker& operator=(const Waker&) = delete;

  // `edge_triggered` says how the poller watches it: Poller::IsEdgeTriggered(). When in doubt
  // false, which costs a system call per wake-up. 0 or -errno.
  int32_t Open(bool edge_triggered = false);
  // Idempotent. The owner sees to it that no Notify() runs at the same time or later.
  void Close();

  // From now on it is watched by something that is not edge-triggered. Before the first Notify().
  void BeLevelTriggered() { edge_triggered_ = false; }

  // Watch it for reading; -1 while closed.
  int Descriptor() const { return fd_; }

  // Any thread.
  void Notify();

  // Loop's thread, before it looks for work.
  void Drain();
  // Loop's thread: whether there is something to drain, without a system call.
  bool IsPending() const { return pending_.load(std::memory_order_relaxed); }

 private:
  int fd_ = -1;                       // eventfd, kqueue or read end of a pipe; owned.
  int write_fd_ = -1;                 // The same, or the write end; -1 when nothing is written.
  bool edge_triggered_ = false;       // Drain() need not read.
  std::atomic<bool> pending_{false};  // A notification is on its way to the loop.
};

}  // namespace evloop
