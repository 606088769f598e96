// native/test/wheel_model.h - a timer wheel done the obvious way, a sorted set, and the comparison
// that drives it and a real wheel through the same random life.
#pragma once

#include <cstdint>
#include <limits>
#include <set>
#include <sstream>
#include <string>
#include <tuple>
#include <vector>

#include "test/check.h"

namespace evloop {

class WheelModel {
 public:
  explicit WheelModel(uint32_t count) : timers_(count) {}

  void Start(uint32_t index, uint32_t generation, double deadline_ms) {
    Timer& timer = timers_[index];
    if (timer.runs) order_.erase({timer.deadline, timer.sequence, index});
    timer = {true, generation, deadline_ms, next_sequence_++};
    order_.insert({timer.deadline, timer.sequence, index});
  }

  bool Cancel(uint32_t index, uint32_t generation) {
    Timer& timer = timers_[index];
    if (!timer.runs || timer.generation != generation) return false;
    timer.runs = false;
    order_.erase({timer.deadline, timer.sequence, index});
    return true;
  }

  // Takes the first timer that is due and was started before `sequence`. False when there is none.
  bool TakeDue(double now_ms, uint64_t sequence, uint32_t* index, uint32_t* generation) {
    for (const auto& [deadline, started, candidate] : order_) {
      if (deadline > now_ms) return false;
      if (started >= sequence) continue;
      *index = candidate;
      *generation = timers_[candidate].generation;
      return Cancel(candidate, *generation);
    }
    return false;
  }

  double NextDeadline() const {
    return order_.empty() ? std::numeric_limits<double>::infinity() : std::get<0>(*order_.begin());
  }
  uint32_t generation(uint32_t index) const { return timers_[index].generation; }
  uint64_t next_sequence() const { return next_sequence_; }
  uint32_t size() const { return static_cast<uint32_t>(order_.size()); }

 private:
  struct Timer {
    bool runs = false;
    uint32_t generation = 0;
    double deadline = 0;
    uint64_t sequence = 0;
  };

  std::vector<Timer> timers_;
  std::set<std::tuple<double, uint64_t, uint32_t>> order_;
  uint64_t next_sequence_ = 0;
};

// Drives a wheel and the model with the same random operations. The first difference ends it.
template <class AnyWheel>
class WheelComparison {
 public:
  WheelComparison(uint64_t seed, uint32_t timer_count)
      : random_(seed), timer_count_(timer_count), model_(timer_count) {
    now_ms_ = random_.OneIn(2) ? 0 : random_.Fraction() * 1e9;
  }

  // Empty, or what differed first.
  std::string Run(uint32_t operations) {
    for (uint32_t i = 0; i < operations && difference_.empty(); ++i) Step();
    for (uint32_t i = 0; i < 100 && model_.size() > 0 && difference_.empty(); ++i) {
      now_ms_ = model_.NextDeadline();
      Expire(UINT32_MAX);
    }
    return difference_;
  }

 private:
  void Step() {
    switch (random_.Below(8)) {
      case 0:
      case 1:
      case 2:
      case 3:
        Start();
        break;
      case 4:
      case 5:
        Cancel();
        break;
      default:
        now_ms_ += Advance();
        Expire(random_.OneIn(3) ? 1 + random_.Below(5) : UINT32_MAX);
    }
    CheckCommon();
  }

  // Distances around every level's slot, so that boundaries are met often.
  double Distance() {
    const double slot = static_cast<double>(uint64_t{1} << (8 * random_.Below(6)));
    double distance = slot * random_.Below(258);
    if (random_.OneIn(2)) distance += static_cast<double>(random_.Below(3)) - 1;
    if (random_.OneIn(2)) distance += random_.Fraction();
    return distance;
  }

  double Advance() {
    switch (random_.Below(6)) {
      case 0:
        return 0;
      case 1:
        return random_.Fraction();
      case 2:
        return random_.OneIn(20) ? Distance() : random_.Below(200);
      case 3:
        // Exactly to the next deadline, or just not.
        if (model_.size() == 0 || model_.NextDeadline() < now_ms_) return 0;
        return (model_.NextDeadline() - now_ms_) * (random_.OneIn(2) ? 1 : 0.999);
      default:
        return random_.Below(3) + random_.Fraction();
    }
  }

  double Deadline() {
    switch (random_.Below(8)) {
      case 0:
        return now_ms_ - Distance();
      case 1:
        return now_ms_ + random_.Fraction();
      case 2:
        // Ties, across ticks that were reached on different ways.
        return static_cast<double>(static_cast<uint64_t>(now_ms_ / 64 + random_.Below(3)) * 64);
      case 3:
        return random_.OneIn(10) ? 1e15 : now_ms_;
      default:
        return now_ms_ + Distance();
    }
  }

  void Start() {
    const uint32_t index = random_.Below(timer_count_);
    const uint32_t generation = model_.generation(index) + random_.Below(2);
    const double deadline_ms = Deadline();
    model_.Start(index, generation, deadline_ms);
    if (!wheel_.Start(index, generation, deadline_ms)) Differ("start failed");
  }

  void Cancel() {
    const uint32_t index = random_.Below(timer_count_);
    const uint32_t generation = model_.generation(index) + (random_.OneIn(4) ? 1 : 0);
    const bool expected = model_.Cancel(index, generation);
    if (wheel_.Cancel(index, generation) != expected) Differ("cancel should be ", expected);
  }

  void Expire(uint32_t limit) {
    const uint64_t sequence = model_.next_sequence();
    uint32_t count = 0;
    const uint32_t emitted =
        wheel_.Expire(now_ms_, limit, [&](uint32_t index, uint32_t generation) {
          ++count;
          uint32_t expected = 0;
          uint32_t expected_generation = 0;
          if (!model_.TakeDue(now_ms_, sequence, &expected, &expected_generation)) {
            Differ("timer ", index, " emitted, nothing is due");
          } else if (index != expected || generation != expected_generation) {
            Differ("timer ", index, "/", generation, " emitted instead of ", expected, "/",
                   expected_generation);
          } else if (random_.OneIn(8)) {
            Start();
            Cancel();
          }
        });
    if (emitted != count) Differ("expire returned ", emitted, ", emitted ", count);
    if (count >= limit) return;
    uint32_t missing = 0;
    uint32_t generation = 0;
    if (model_.TakeDue(now_ms_, sequence, &missing, &generation)) {
      Differ("timer ", missing, " was due and not emitted");
    }
    // Otherwise a host would wake up for nothing, again and again.
    if (model_.NextDeadline() > now_ms_ && wheel_.NextDeadline() <= now_ms_) {
      Differ("next deadline ", wheel_.NextDeadline(), " is over");
    }
  }

  void CheckCommon() {
    if (wheel_.size() != model_.size()) {
      Differ("size ", wheel_.size(), " instead of ", model_.size());
    }
    const double bound = wheel_.NextDeadline();
    if (bound > model_.NextDeadline() || (model_.size() > 0) != (bound < kNever)) {
      Differ("next deadline ", bound, " oversleeps ", model_.NextDeadline());
    }
  }

  // Keeps the first difference only.
  template <class... Parts>
  void Differ(const Parts&... parts) {
    if (!difference_.empty()) return;
    std::ostringstream text;
    text.precision(17);
    text << "at " << now_ms_ << " ms: ";
    (text << ... << parts);
    difference_ = text.str();
  }

  static constexpr double kNever = std::numeric_limits<double>::infinity();

  Random random_;
  uint32_t timer_count_;
  WheelModel model_;
  AnyWheel wheel_;
  double now_ms_;
  std::string difference_;
};

}  // namespace evloop
