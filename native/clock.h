// native/clock.h - the monotonic clock, the only one the engine reads. See clock_gettime(2).
#pragma once

#include <time.h>

#include <cstdint>

namespace evloop {

// The clock that the runtime reads as well: deadlines are compared with its own.
#ifdef __APPLE__
constexpr clockid_t kClock = CLOCK_MONOTONIC_RAW;  // mach_continuous_time
#else
constexpr clockid_t kClock = CLOCK_MONOTONIC;
#endif

inline int64_t NowNs() {
  timespec now;
  clock_gettime(kClock, &now);
  return static_cast<int64_t>(now.tv_sec) * 1000000000 + now.tv_nsec;
}

// Milliseconds with a fraction. A double holds nanoseconds exactly for 104 days of uptime and
// quarter microseconds for 70 years, which is finer than any timer needs.
inline double NowMs() { return static_cast<double>(NowNs()) / 1e6; }

// A wait that an interrupted system call may have to resume. The clock is read only for waits that
// have an end, because waits of 0 are the hot ones.
class WaitBudget {
 public:
  // timeout_ms: < 0 waits without end, 0 does not wait.
  explicit WaitBudget(int32_t timeout_ms)
      : timeout_ms_(timeout_ms), end_ns_(timeout_ms > 0 ? NowNs() + timeout_ms * 1000000LL : 0) {}

  // What is left after an interruption, rounded up so that a wait never ends early.
  int32_t RemainingMs() const {
    if (timeout_ms_ <= 0) return timeout_ms_;
    const int64_t left_ns = end_ns_ - NowNs();
    return left_ns <= 0 ? 0 : static_cast<int32_t>((left_ns + 999999) / 1000000);
  }

 private:
  int32_t timeout_ms_;
  int64_t end_ns_;  // Meaningful only when timeout_ms_ > 0.
};

}  // namespace evloop
