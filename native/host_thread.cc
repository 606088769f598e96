// The thread host: a waiter thread blocks in the poller and wakes JS through a threadsafe function.
//
// It needs nothing of the runtime but Node-API, so it serves Windows and runtimes without libuv.
// The threadsafe function's callback runs inside a callback scope of the runtime's own, so
// microtasks drain when that callback returns, not between our turns: a batch that wants a drain
// goes on in the next callback.
#include <node_api.h>

#include <cerrno>
#include <cmath>
#include <limits>
#include <new>

#include "clock.h"
#include "host.h"
#include "waiter.h"

namespace evloop {

namespace {

// A day, as asyncio: far enough to sleep, near enough for an int of milliseconds.
constexpr double kLongestSleepMs = 24.0 * 3600 * 1000;

class ThreadHost : public Host {
 public:
  ThreadHost(Engine* engine, TurnCaller caller, napi_env env) : Host(engine, caller), env_(env) {}

  int32_t Open() override {
    napi_value name;
    napi_create_string_latin1(env_, "EVLOOP", NAPI_AUTO_LENGTH, &name);
    if (napi_create_threadsafe_function(env_, nullptr, nullptr, name, 0, 1, this, OnFinalize, this,
                                        OnCall, &function_) != napi_ok) {
      function_ = nullptr;
      return -ENOMEM;
    }
    napi_unref_threadsafe_function(env_, function_);
    return waiter_.Start(engine_->poller(), OnWake, this);
  }

  void Wake() override {
    // Held until the turn has run: only then is it known what keeps the process.
    SetReferenced(is_started_);
    if (is_started_) RequestTurns(kFromOutside);
  }

  void Close(void (*closed)(void* data), void* data) override {
    is_started_ = false;
    closed_ = closed;
    closed_data_ = data;
    // Joined before anything it might touch goes away.
    waiter_.Stop();
    if (function_ == nullptr) return closed(data);
    napi_release_threadsafe_function(function_, napi_tsfn_abort);
  }

 protected:
  bool DrainsBetweenTurns() const override { return false; }

  void Rearm() override {
    if (closed_ != nullptr || function_ == nullptr) return;
    SetReferenced(is_started_ && engine_->IsReferenced());
    if (!is_started_) return waiter_.Interrupt();
    const uint32_t result = engine_->control()[CTL_TURN_RESULT];
    if (!engine_->HasWork() && result != TURN_DRAIN) return Sleep(TimeoutMs());
    // The runtime serves calls that are made from within one at once, a thousand in a row. Past the
    // budget we come back by way of the waiter, so that the runtime's own work gets its turn.
    if (result == TURN_YIELD || NowMs() >= direct_until_ms_) return Sleep(0);
    RequestTurns(kFromWithin);
  }

 private:
  enum Origin : uintptr_t { kFromOutside = 0, kFromWithin = 1 };

  void RequestTurns(Origin origin) {
    if (is_requested_) return;
    is_requested_ = true;
    // SAFETY: a number in a pointer's clothes; nobody follows it.
    napi_call_threadsafe_function(function_, reinterpret_cast<void*>(origin),
                                  napi_tsfn_nonblocking);
  }

  int32_t TimeoutMs() const {
    const double deadline_ms = engine_->NextTimerMs();
    if (deadline_ms == std::numeric_limits<double>::infinity()) return -1;
    const double delay_ms = std::ceil(deadline_ms - NowMs());
    return static_cast<int32_t>(delay_ms < 0                 ? 0
                                : delay_ms < kLongestSleepMs ? delay_ms
                                                             : kLongestSleepMs);
  }

  void Sleep(int32_t timeout_ms) {
    // It still sleeps with what was known before: its answer brings us back here.
    if (!waiter_.Sleep(timeout_ms)) waiter_.Interrupt();
  }

  void SetReferenced(bool on) {
    if (on == is_referenced_ || function_ == nullptr) return;
    is_referenced_ = on;
    if (on) {
      napi_ref_threadsafe_function(env_, function_);
    } else {
      napi_unref_threadsafe_function(env_, function_);
    }
  }

  // Waiter's thread.
  static void OnWake(void* data) {
    napi_call_threadsafe_function(static_cast<ThreadHost*>(data)->function_, nullptr,
                                  napi_tsfn_nonblocking);
  }

  static void OnCall(napi_env env, napi_value /*callback*/, void* context, void* data) {
    auto* host = static_cast<ThreadHost*>(context);
    // The environment is going away, or the loop was closed while the call was on its way.
    if (env == nullptr || host->closed_ != nullptr) return;
    host->is_requested_ = false;
    if (data == nullptr) host->direct_until_ms_ = NowMs() + host->BudgetMs();
    host->RunTurns();
  }

  // The runtime finalizes on its own when the environment goes away before Close().
  static void OnFinalize(napi_env /*env*/, void* data, void* /*hint*/) {
    auto* host = static_cast<ThreadHost*>(data);
    host->waiter_.Stop();
    host->function_ = nullptr;
    if (host->closed_ != nullptr) host->closed_(host->closed_data_);
  }

  const napi_env env_;
  napi_threadsafe_function function_ = nullptr;
  Waiter waiter_;
  bool is_requested_ = false;
  double direct_until_ms_ =
      0;  // Until then turns may follow each other within one call's iteration.
  bool is_referenced_ = false;
  void (*closed_)(void* data) = nullptr;
  void* closed_data_ = nullptr;
};

}  // namespace

Host* NewThreadHost(Engine* engine, TurnCaller caller, void* env) {
  return new (std::nothrow) ThreadHost(engine, caller, static_cast<napi_env>(env));
}

}  // namespace evloop
