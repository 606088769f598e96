#include "wheel.h"

#include "bench/bench.h"

namespace evloop {

namespace {

constexpr uint32_t kMillion = 1000000;
constexpr double kNow = 1e7;
// Delays of timers that nobody expects to expire: up to a minute.
constexpr double kSpreadMs = 60000;

// A cheap sequence without a pattern the wheel could profit from (Knuth's multiplicative hashing).
double Spread(uint32_t i) {
  return static_cast<double>(i * 2654435761u) * (kSpreadMs / 4294967296.0);
}

void GoTo(Wheel* wheel, double now_ms) {
  wheel->Expire(now_ms, UINT32_MAX, [](uint32_t, uint32_t) {});
}

void Fill(Wheel* wheel, uint32_t count) {
  GoTo(wheel, kNow);
  for (uint32_t i = 0; i < count; ++i) wheel->Start(i, 1, kNow + Spread(i));
}

int64_t StartCancel(uint32_t live, uint32_t count) {
  Wheel wheel;
  Fill(&wheel, live);
  const Stopwatch watch;
  for (uint32_t i = 0; i < count; ++i) {
    wheel.Start(live, i, kNow + Spread(i));
    wheel.Cancel(live, i);
  }
  return watch.ElapsedNs();
}

// Starts `count` timers, then lets time run by turns of 0.7 ms until all have expired.
template <class Delay>
int64_t StartExpire(uint32_t count, Delay&& delay) {
  Wheel wheel;
  GoTo(&wheel, kNow);
  uint64_t sum = 0;
  const Stopwatch watch;
  for (uint32_t i = 0; i < count; ++i) wheel.Start(i, 1, kNow + delay(i));
  double now_ms = kNow;
  while (wheel.size() > 0) {
    const double next_ms = wheel.NextDeadline();
    now_ms = next_ms > now_ms + 0.7 ? next_ms : now_ms + 0.7;
    while (wheel.Expire(now_ms, 1024, [&](uint32_t index, uint32_t) { sum += index; }) == 1024) {
    }
  }
  Keep(sum);
  return watch.ElapsedNs();
}

}  // namespace

// The life of a time-out: among a thousand others, started and cancelled.
int64_t WheelStartCancel(uint32_t count) { return StartCancel(1000, count); }

int64_t WheelStartCancelMillion(uint32_t count) { return StartCancel(kMillion, count); }

// One delay for all, started over time: the deadlines ascend.
int64_t WheelStartExpireEqual(uint32_t count) {
  return StartExpire(count, [](uint32_t i) { return 100 + i * 0.01; });
}

int64_t WheelStartExpireSpread(uint32_t count) {
  return StartExpire(count, [](uint32_t i) { return Spread(i); });
}

// Delays of 0 and of fractions of the open tick, which take the way over the heap.
int64_t WheelStartExpirePast(uint32_t count) {
  Wheel wheel;
  GoTo(&wheel, kNow);
  uint64_t sum = 0;
  const Stopwatch watch;
  for (uint32_t done = 0; done < count; done += 16) {
    for (uint32_t i = 0; i < 16; ++i) wheel.Start(i, 1, kNow - Spread(i));
    wheel.Expire(kNow, 1024, [&](uint32_t index, uint32_t) { sum += index; });
  }
  Keep(sum);
  return watch.ElapsedNs();
}

int64_t WheelNextDeadline(uint32_t count) {
  Wheel wheel;
  Fill(&wheel, 1000);
  const Stopwatch watch;
  for (uint32_t i = 0; i < count; ++i) Keep(wheel.NextDeadline());
  return watch.ElapsedNs();
}

}  // namespace evloop
