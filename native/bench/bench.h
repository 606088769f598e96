// native/bench/bench.h - what a benchmark of a structure looks like.
//
// A case runs `count` operations and answers how long they took, its preparation left out. The
// preparation must not depend on `count`: instructions per operation are counted as the difference
// between two runs (scripts/check-instructions.mjs).
#pragma once

#include <cstdint>

#include "clock.h"

namespace evloop {

struct BenchCase {
  const char* name;
  int64_t (*run_ns)(uint32_t count);
};

// Keeps the compiler from dropping a result.
template <class T>
inline void Keep(const T& value) {
  asm volatile("" : : "r,m"(value) : "memory");
}

class Stopwatch {
 public:
  int64_t ElapsedNs() const { return NowNs() - began_ns_; }

 private:
  int64_t began_ns_ = NowNs();
};

int64_t WheelStartCancel(uint32_t count);
int64_t WheelStartCancelMillion(uint32_t count);
int64_t WheelStartExpireEqual(uint32_t count);
int64_t WheelStartExpireSpread(uint32_t count);
int64_t WheelStartExpirePast(uint32_t count);
int64_t WheelNextDeadline(uint32_t count);
int64_t RingSubmission(uint32_t count);
int64_t RingCompletion(uint32_t count);
int64_t SlotsAllocateFree(uint32_t count);
int64_t SlotsGet(uint32_t count);
int64_t SlabSmallReads(uint32_t count);
int64_t SlabMixedReads(uint32_t count);

}  // namespace evloop
