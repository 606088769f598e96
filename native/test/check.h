// native/test/check.h - the test framework as these tests use it: doctest without exceptions, and a
// random generator whose seed is printed.
#pragma once

#define DOCTEST_CONFIG_NO_EXCEPTIONS_BUT_WITH_ALL_ASSERTS
#include <doctest/doctest.h>

#include <cstdint>

namespace evloop {

// splitmix64 (Steele, Lea, Flood 2014): the same numbers on every platform and library.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}

  uint64_t Next() {
    state_ += 0x9e3779b97f4a7c15;
    uint64_t mixed = state_;
    mixed = (mixed ^ mixed >> 30) * 0xbf58476d1ce4e5b9;
    mixed = (mixed ^ mixed >> 27) * 0x94d049bb133111eb;
    return mixed ^ mixed >> 31;
  }
  // 0 ... bound - 1.
  uint32_t Below(uint64_t bound) { return static_cast<uint32_t>(Next() % bound); }
  // [0, 1).
  double Fraction() { return static_cast<double>(Next() >> 11) / 9007199254740992.0; }
  bool OneIn(uint32_t times) { return Below(times) == 0; }

 private:
  uint64_t state_;
};

// Fixed seeds, and one of the day that is printed; EVLOOP_SEED replaces the latter.
uint64_t FreshSeed();

}  // namespace evloop
