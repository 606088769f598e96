#include "waiter.h"

#include "status.h"

namespace evloop {

int32_t Waiter::Start(Poller* poller, OnWake on_wake, void* data) {
  if (thread_.IsStarted()) return -EALREADY;
  const std::lock_guard<std::mutex> lock(mutex_);
  poller_ = poller;
  on_wake_ = on_wake;
  data_ = data;
  state_ = State::kIdle;
  const int32_t status = thread_.Start(Run, this);
  if (IsError(status)) state_ = State::kStopped;
  return status;
}

bool Waiter::Sleep(int32_t timeout_ms) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (state_ != State::kIdle) return false;
  // Idle means that the thread is not in Block(), so the snapshot is ours to take.
  poller_->PrepareBlock();
  timeout_ms_ = timeout_ms;
  state_ = State::kAsleep;
  ordered_.notify_one();
  return true;
}

void Waiter::Interrupt() {
  const std::lock_guard<std::mutex> lock(mutex_);
  // The thread may have left Block() already; then the next one returns early, which is allowed.
  if (state_ == State::kAsleep) poller_->Interrupt();
}

void Waiter::Stop() {
  if (!thread_.IsStarted()) return;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (state_ == State::kAsleep) poller_->Interrupt();
    state_ = State::kStopped;
    ordered_.notify_one();
  }
  thread_.Join();
}

void* Waiter::Run(void* waiter) {
  static_cast<Waiter*>(waiter)->Serve();
  return nullptr;
}

void Waiter::Serve() {
  std::unique_lock<std::mutex> lock(mutex_);
  for (;;) {
    ordered_.wait(lock, [this] { return state_ != State::kIdle; });
    if (state_ == State::kStopped) return;
    const int32_t timeout_ms = timeout_ms_;
    lock.unlock();
    // An error ends the sleep like an event: the loop's own Wait() will meet and report it.
    poller_->Block(timeout_ms);
    lock.lock();
    if (state_ == State::kStopped) return;
    state_ = State::kIdle;
    lock.unlock();
    on_wake_(data_);
    lock.lock();
  }
}

}  // namespace evloop
