#include "wheel.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "test/check.h"
#include "test/wheel_model.h"

namespace evloop {

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

std::vector<uint32_t> Expired(Wheel* wheel, double now_ms, uint32_t limit = UINT32_MAX) {
  std::vector<uint32_t> indexes;
  wheel->Expire(now_ms, limit, [&](uint32_t index, uint32_t) { indexes.push_back(index); });
  return indexes;
}

using Indexes = std::vector<uint32_t>;

}  // namespace

TEST_CASE("wheel: a timer is due at its deadline and not before") {
  Wheel wheel;
  CHECK(wheel.NextDeadline() == kInfinity);
  CHECK(wheel.Start(7, 1, 10.5));
  CHECK(wheel.size() == 1);
  CHECK(wheel.NextDeadline() == 10.5);
  CHECK(Expired(&wheel, 10.499).empty());
  CHECK(wheel.NextDeadline() == 10.5);
  CHECK(Expired(&wheel, 10.5) == Indexes{7});
  CHECK(wheel.size() == 0);
  CHECK(Expired(&wheel, 1e6).empty());
}

TEST_CASE("wheel: equal deadlines go in start order, fractions of one tick in theirs") {
  Wheel wheel;
  for (uint32_t i = 0; i < 5; ++i) wheel.Start(i, 1, 100);
  wheel.Start(5, 1, 99.75);
  wheel.Start(6, 1, 99.25);
  wheel.Start(7, 1, 99.5);
  // The same deadline reached over another level.
  CHECK(Expired(&wheel, 50).empty());
  for (uint32_t i = 8; i < 10; ++i) wheel.Start(i, 1, 100);
  CHECK(Expired(&wheel, 200) == Indexes{6, 7, 5, 0, 1, 2, 3, 4, 8, 9});
}

TEST_CASE("wheel: many timers of one tick are sorted, however many pieces that takes") {
  for (const uint32_t count : {1u, 2u, 255u, 256u, 257u, 511u, 512u, 1000u, 5000u}) {
    Wheel wheel;
    std::vector<std::pair<double, uint32_t>> expected;
    for (uint32_t i = 0; i < count; ++i) {
      // Few enough deadlines that many are equal.
      const double deadline = 100 + (i * 2654435761u >> 24) / 256.0;
      wheel.Start(i, 1, deadline);
      expected.emplace_back(deadline, i);
    }
    std::sort(expected.begin(), expected.end());
    Indexes order;
    for (const auto& timer : expected) order.push_back(timer.second);
    const uint32_t half = count / 2;
    Indexes expired = Expired(&wheel, 101, half);
    // One that waits in the sorted run can still be taken back.
    if (half < count) {
      CHECK(wheel.Cancel(order.back(), 1));
      order.pop_back();
    }
    for (const uint32_t index : Expired(&wheel, 101)) expired.push_back(index);
    CHECK(expired == order);
    CHECK(wheel.size() == 0);
  }
}

TEST_CASE("wheel: the past and the open tick are due at once, in order with the rest") {
  Wheel wheel;
  CHECK(Expired(&wheel, 1000.5).empty());
  wheel.Start(0, 1, 1000.75);
  wheel.Start(1, 1, 1000.25);
  wheel.Start(2, 1, -5);
  wheel.Start(3, 1, 999);
  wheel.Start(4, 1, -kInfinity);
  wheel.Start(5, 1, 1000.5);
  CHECK(wheel.NextDeadline() == -kInfinity);
  CHECK(Expired(&wheel, 1000.5) == Indexes{4, 2, 3, 1, 5});
  CHECK(wheel.NextDeadline() == 1000.75);
  CHECK(Expired(&wheel, 1000.75) == Indexes{0});
}

TEST_CASE("wheel: infinity and NaN never come, and do not keep others from coming") {
  Wheel wheel;
  wheel.Start(0, 1, kInfinity);
  wheel.Start(1, 1, std::nan(""));
  wheel.Start(2, 1, 1e300);
  wheel.Start(3, 1, 1e15);
  CHECK(wheel.NextDeadline() <= 1e15);
  CHECK(Expired(&wheel, 1e12).empty());
  CHECK(Expired(&wheel, 1e15) == Indexes{3});
  CHECK(wheel.size() == 3);
  CHECK(wheel.Cancel(0, 1));
  CHECK(wheel.Cancel(1, 1));
  CHECK(wheel.Cancel(2, 1));
  CHECK(wheel.NextDeadline() == kInfinity);
}

TEST_CASE("wheel: cancel takes the exact generation, once") {
  Wheel wheel;
  CHECK_FALSE(wheel.Cancel(0, 0));
  CHECK_FALSE(wheel.Cancel(1u << 20, 0));
  wheel.Start(3, 9, 5);
  CHECK_FALSE(wheel.Cancel(3, 8));
  CHECK(wheel.Cancel(3, 9));
  CHECK_FALSE(wheel.Cancel(3, 9));
  CHECK(wheel.size() == 0);
  CHECK(Expired(&wheel, 10).empty());
}

TEST_CASE("wheel: starting a running timer moves it behind those of equal deadline") {
  Wheel wheel;
  wheel.Start(0, 1, 10);
  wheel.Start(1, 1, 10);
  wheel.Start(0, 2, 10);
  CHECK(wheel.size() == 2);
  CHECK_FALSE(wheel.Cancel(0, 1));
  CHECK(Expired(&wheel, 10) == Indexes{1, 0});
}

TEST_CASE("wheel: a limit stops anywhere and the next call goes on") {
  Wheel wheel;
  for (uint32_t i = 0; i < 10; ++i) wheel.Start(i, 1, i < 5 ? 10 : 20 + 64.0 * i);
  CHECK(Expired(&wheel, 5000, 0).empty());
  CHECK(Expired(&wheel, 5000, 3) == Indexes{0, 1, 2});
  // What is started in between takes its place in the order.
  wheel.Start(10, 1, 9);
  wheel.Start(11, 1, 10);
  wheel.Start(12, 1, 400);
  CHECK(wheel.NextDeadline() == 9);
  CHECK(Expired(&wheel, 5000, 4) == Indexes{10, 3, 4, 11});
  CHECK(Expired(&wheel, 5000) == Indexes{5, 12, 6, 7, 8, 9});
}

TEST_CASE("wheel: what emit starts waits for the next call") {
  Wheel wheel;
  wheel.Start(0, 1, 10);
  wheel.Start(1, 1, 300);
  Indexes emitted;
  const auto emit = [&](uint32_t index, uint32_t) {
    emitted.push_back(index);
    wheel.Start(index, 2, 10);
    wheel.Start(index + 10, 1, 200);
    wheel.Start(index + 20, 1, 1000);
    wheel.Cancel(1, 1);
  };
  CHECK(wheel.Expire(500, UINT32_MAX, emit) == 1);
  CHECK(emitted == Indexes{0});
  CHECK(wheel.NextDeadline() <= 10);
  CHECK(Expired(&wheel, 500) == Indexes{0, 10});
  CHECK(Expired(&wheel, 1000) == Indexes{20});
}

TEST_CASE("wheel: a clock that goes back changes nothing") {
  Wheel wheel;
  wheel.Start(0, 1, 100);
  CHECK(Expired(&wheel, 90).empty());
  CHECK(Expired(&wheel, 20).empty());
  wheel.Start(1, 1, 50);
  CHECK(Expired(&wheel, 49).empty());
  CHECK(Expired(&wheel, 50) == Indexes{1});
  CHECK(Expired(&wheel, 100) == Indexes{0});
}

TEST_CASE("wheel: every boundary of every level, give or take one") {
  // Bases in the middle, at the end and at the beginning of slots of every level.
  std::vector<double> bases = {0, 1, 1e9, 123456789.5, 1e15 - 1e12};
  for (uint32_t bits = 8; bits <= 40; bits += 8) {
    const double slot = std::ldexp(1, static_cast<int>(bits));
    bases.push_back(slot - 1);
    bases.push_back(slot);
    bases.push_back(5 * slot + 0.25);
  }
  for (const double base : bases) {
    for (int bits = 0; bits <= 41; ++bits) {
      for (const double off : {-1.0, -0.001, 0.0, 0.001, 1.0}) {
        const double deadline = base + std::ldexp(1, bits) + off;
        CAPTURE(base);
        CAPTURE(deadline);
        Wheel wheel;
        CHECK(Expired(&wheel, base).empty());
        wheel.Start(0, 1, deadline);
        if (deadline <= base) {
          REQUIRE(Expired(&wheel, base) == Indexes{0});
          continue;
        }
        // One timer alone: the exact deadline is known, whatever the level.
        REQUIRE(wheel.NextDeadline() <= deadline);
        if (deadline - base < std::ldexp(1, 40)) REQUIRE(wheel.NextDeadline() == deadline);
        REQUIRE(Expired(&wheel, std::nextafter(deadline, 0)).empty());
        REQUIRE(wheel.NextDeadline() == deadline);
        REQUIRE(Expired(&wheel, deadline) == Indexes{0});
      }
    }
  }
}

TEST_CASE("wheel: going from next deadline to next deadline meets every timer on time") {
  Random random(3);
  Wheel wheel;
  std::vector<double> deadlines;
  const double base = 5e8;
  CHECK(Expired(&wheel, base).empty());
  for (uint32_t i = 0; i < 3000; ++i) {
    deadlines.push_back(base + std::exp(random.Fraction() * 27));
    wheel.Start(i, 1, deadlines.back());
  }
  uint32_t wakeups = 0;
  while (wheel.size() > 0) {
    const double now_ms = wheel.NextDeadline();
    ++wakeups;
    wheel.Expire(now_ms, UINT32_MAX, [&](uint32_t index, uint32_t) {
      if (deadlines[index] != now_ms) FAIL_CHECK("timer " << index << " came late");
    });
  }
  // Few wake-ups find nothing, although crowded slots only know where they begin.
  CHECK(wakeups < 4000);
}

TEST_CASE("wheel: beyond the horizon a timer goes round and still comes on time") {
  Wheel wheel;
  const double round = std::ldexp(1, 40);
  wheel.Start(0, 1, 3 * round + 5);
  wheel.Start(1, 1, round + 7);
  wheel.Start(2, 1, round - 1);
  wheel.Start(3, 1, 1e15);
  CHECK(Expired(&wheel, round - 2).empty());
  CHECK(Expired(&wheel, round + 6) == Indexes{2});
  // In the current slot of the top level, but of the next round: others come first.
  wheel.Start(4, 1, 2 * round + 6);
  wheel.Start(5, 1, 2 * round - 1);
  CHECK(wheel.NextDeadline() <= round + 7);
  CHECK(Expired(&wheel, 3 * round) == Indexes{1, 5, 4});
  CHECK(Expired(&wheel, 1e15) == Indexes{0, 3});
}

TEST_CASE("wheel: random lives agree with a sorted set") {
  const uint64_t seeds[] = {1, 2, 3, 4, 5, 6, 7, 8, FreshSeed()};
  for (const uint64_t seed : seeds) {
    for (const uint32_t timers : {1u, 8u, 300u, 5000u}) {
      CAPTURE(seed);
      CAPTURE(timers);
      const std::string difference = WheelComparison<Wheel>(seed, timers).Run(20000);
      CHECK(difference == "");
    }
  }
}

namespace {

// Canaries: wheels with one defect each. A comparison that accepts one of them is no comparison.
struct EarlyWheel : Wheel {
  bool Start(uint32_t index, uint32_t generation, double deadline_ms) {
    return Wheel::Start(index, generation, deadline_ms - 1e-3);
  }
};
struct LateWheel : Wheel {
  bool Start(uint32_t index, uint32_t generation, double deadline_ms) {
    return Wheel::Start(index, generation, std::ceil(deadline_ms));
  }
};
struct ForgetfulWheel : Wheel {
  bool Cancel(uint32_t index, uint32_t generation) {
    return index % 64 == 63 ? false : Wheel::Cancel(index, generation);
  }
};
struct StayingWheel : Wheel {
  bool Start(uint32_t index, uint32_t generation, double deadline_ms) {
    return Wheel::Cancel(index, generation) ? Wheel::Start(index, generation, deadline_ms + 1)
                                            : Wheel::Start(index, generation, deadline_ms);
  }
};
struct OversleepingWheel : Wheel {
  double NextDeadline() const { return Wheel::NextDeadline() + 1e-3; }
};
// Ties leave in the order of the index, which is what sorting by deadline alone could give.
struct UnfairWheel : Wheel {
  template <class F>
  uint32_t Expire(double now_ms, uint32_t limit, F&& emit) {
    std::vector<std::pair<uint32_t, uint32_t>> due;
    Wheel::Expire(now_ms, limit, [&](uint32_t index, uint32_t generation) {
      due.push_back({index, generation});
    });
    std::sort(due.begin(), due.end());
    for (const auto& [index, generation] : due) emit(index, generation);
    return static_cast<uint32_t>(due.size());
  }
};

}  // namespace

TEST_CASE_TEMPLATE("wheel: the comparison notices a broken wheel", Broken, EarlyWheel, LateWheel,
                   ForgetfulWheel, StayingWheel, OversleepingWheel, UnfairWheel) {
  const std::string difference = WheelComparison<Broken>(1, 300).Run(20000);
  CHECK(difference != "");
}

TEST_CASE("wheel: a million timers come in order and give their memory back") {
  constexpr uint32_t kCount = 1000000;
  Random random(11);
  Wheel wheel;
  wheel.Start(0, 1, 1e12);
  const uint64_t memory_before = wheel.MemoryBytes();
  std::vector<double> deadlines(kCount + 1);
  for (uint32_t i = 1; i <= kCount; ++i) {
    deadlines[i] = 1000 + random.Fraction() * 60000;
    if (i % 4 == 0) deadlines[i] = std::floor(deadlines[i]);
    wheel.Start(i, i, deadlines[i]);
  }
  CHECK(wheel.size() == kCount + 1);
  CHECK(wheel.MemoryBytes() < kCount * 40ull);
  for (uint32_t i = 10; i <= kCount; i += 10) CHECK_FALSE(!wheel.Cancel(i, i));
  double last = 0;
  uint32_t last_index = 0;
  uint32_t count = 0;
  bool ordered = true;
  for (double now_ms = 1000; wheel.size() > 1; now_ms += 7.3) {
    while (wheel.Expire(now_ms, 1000, [&](uint32_t index, uint32_t) {
      const double deadline = deadlines[index];
      ordered = ordered && deadline <= now_ms && deadline > now_ms - 7.4;
      ordered = ordered && (deadline > last || (deadline == last && index > last_index));
      last = deadline;
      last_index = index;
      ++count;
    }) == 1000) {
    }
  }
  CHECK(ordered);
  CHECK(count == kCount - kCount / 10);
  // Left are the table of chunks and the last chunk, which was used too little to be given back.
  CHECK(wheel.MemoryBytes() < memory_before + (140 << 10));
}

TEST_CASE("wheel: one timer at a high index does not map memory each time") {
  Wheel wheel;
  wheel.Start(1u << 20, 1, 10);
  const uint64_t memory = wheel.MemoryBytes();
  for (uint32_t i = 0; i < 100; ++i) {
    CHECK(wheel.Cancel(1u << 20, 1));
    CHECK(wheel.MemoryBytes() == memory);
    CHECK(wheel.Start(1u << 20, 1, 10));
  }
}

TEST_CASE("wheel: many timers in the past cost no quadratic time") {
  Wheel wheel;
  CHECK(Expired(&wheel, 1e6).empty());
  constexpr uint32_t kCount = 200000;
  for (uint32_t i = 0; i < kCount; ++i) wheel.Start(i, 1, kCount - i);
  for (uint32_t i = 0; i < kCount; i += 3) wheel.Cancel(i, 1);
  uint32_t last = kCount;
  uint32_t count = 0;
  while (wheel.size() > 0) {
    wheel.Expire(1e6, 10, [&](uint32_t index, uint32_t) {
      if (index >= last) FAIL_CHECK("order");
      last = index;
      ++count;
    });
    wheel.Start(kCount, 1, 2e6);
    wheel.Cancel(kCount, 1);
  }
  CHECK(count == kCount - (kCount + 2) / 3);
}

}  // namespace evloop
