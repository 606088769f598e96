// native/waiter.h - a thread that waits in the poller for the loop's thread: the core of the thread
// host, which serves where another loop cannot watch our descriptor.
//
// Per sleep: the loop's thread calls Sleep(), the waiter blocks in Poller::Block(), and when there
// is something to see, the time is over or somebody interrupts, it calls on_wake once. on_wake only
// passes the word on to the loop's thread, which then runs a turn and may sleep again.
//
//            Start()          Sleep()           Block() returned; on_wake follows
//   kStopped -------> kIdle ---------> kAsleep ---------> kIdle
//      ^                |                 |
//      +---- Stop() ----+---- Stop() -----+   a sleep that Stop() ends is not answered
//
// The poller's state belongs to the loop's thread. What Block() reads is either the kernel's
// (epoll) or a snapshot that Sleep() takes before the waiter goes (poll).
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>

#include "sys/poller.h"
#include "sys/thread.h"

namespace evloop {

class Waiter {
 public:
  using OnWake = void (*)(void* data);

  Waiter() = default;
  ~Waiter() { Stop(); }
  Waiter(const Waiter&) = delete;
  Waiter& operator=(const Waiter&) = delete;

  // Makes the thread. `poller` is open and outlives Stop(). on_wake runs on the waiter's thread,
  // holds no lock of ours, and must not call Stop(). 0, -EALREADY, or -EAGAIN when the system has
  // no thread to spare.
  int32_t Start(Poller* poller, OnWake on_wake, void* data);

  // Loop's thread only. timeout_ms < 0 sleeps without end. Each sleep is answered by exactly one
  // on_wake, unless Stop() comes first. False, and nothing is started, while a sleep is unanswered
  // or the waiter is stopped.
  bool Sleep(int32_t timeout_ms);

  // Any thread. Ends the sleep if there is one; its on_wake follows.
  void Interrupt();

  // Loop's thread. Joins; after it returns on_wake is not called any more. Idempotent.
  void Stop();

 private:
  enum class State {
    kStopped,  // No thread, or it is on its way out. -> kIdle by Start().
    kIdle,     // The thread waits for orders or calls on_wake. -> kAsleep by Sleep().
    kAsleep,   // The thread is in Block() or about to be. -> kIdle by the thread, before on_wake,
               // so that whoever on_wake tells may sleep again at once.
  };

  static void* Run(void* waiter);
  void Serve();

  Poller* poller_ = nullptr;
  OnWake on_wake_ = nullptr;
  void* data_ = nullptr;  // on_wake's.
  std::mutex mutex_;      // Guards what follows.
  std::condition_variable ordered_;
  State state_ = State::kStopped;
  int32_t timeout_ms_ = -1;  // Of the current sleep.
  Thread thread_;            // Loop's thread only.
};

}  // namespace evloop
