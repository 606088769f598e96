#include "host.h"

#include <cstring>

#include "clock.h"

namespace evloop {

namespace {

// Events taken from the poller at a time. Each is about 7 us of work, and what else the process
// serves waits for all of them: while there is anything else, fewer are taken. Measured: bench,
// coexistence.
constexpr uint32_t kEventsAlone = 16;
constexpr uint32_t kEventsBesideOthers = 10;
// A round of the runtime's loop without callbacks of others is shorter.
constexpr double kEmptyRoundMs = 0.012;
// How long others count as busy after they were seen.
constexpr double kOthersMs = 10;

double Read(const uint32_t* control, uint32_t index) {
  double value;
  memcpy(&value, control + index * 2, sizeof(value));
  return value;
}

}  // namespace

void Host::Start() {
  is_started_ = true;
  Wake();
}

void Host::Stop() {
  is_started_ = false;
  if (!is_running_) Rearm();
}

double Host::BudgetMs() const { return Read(engine_->control(), CTL_F64_BUDGET_MS); }

void Host::EndRound() {
  const double now = NowMs();
  if (now - left_ms_ > kEmptyRoundMs) others_until_ms_ = now + kOthersMs;
}

void Host::RunNotified() {
  // Left where it is meanwhile.
  if (!is_started_ || is_running_) return;
  engine_->TakeNotification();
  RunTurns(false);
}

void Host::RunTurns(bool polls) {
  // A callback that spins the runtime's loop must not re-enter the batch it is part of.
  if (!is_started_ || is_running_) return;
  uint32_t* control = engine_->control();
  is_running_ = true;
  control[CTL_IN_HOST] = 1;
  control[CTL_WAKE_REQUESTED] = 0;
  control[CTL_WAKEUPS]++;
  const double begin = NowMs();
  const double deadline = begin + BudgetMs();
  const uint32_t max_events = begin < others_until_ms_ ? kEventsBesideOthers : kEventsAlone;
  double now = begin;
  do {
    engine_->Drain();
    // Like asyncio's, a batch is run to its end before anything new is taken from the kernel: what
    // JS has not looked at yet cannot slow a peer down.
    if (control[CTL_TURN_RESULT] == TURN_DONE || control[CTL_READY] == 0) {
      if (polls) engine_->Poll(max_events);
      polls = true;
      engine_->Expire(now);
    }
    if (!engine_->HasCompletions() && control[CTL_READY] == 0) break;
    control[CTL_TURNS]++;
    bool is_alive = caller_.call(caller_.data);
    while (is_alive && control[CTL_TURN_RESULT] == TURN_DRAIN && DrainsBetweenTurns()) {
      control[CTL_DRAINS]++;
      is_alive = caller_.call(caller_.data);
    }
    if (!is_alive) is_started_ = false;
    now = NowMs();
  } while (is_started_ && control[CTL_TURN_RESULT] == TURN_DONE && now < deadline);
  engine_->Drain();
  left_ms_ = NowMs();
  const double busy = Read(control, CTL_F64_BUSY_MS) + now - begin;
  memcpy(control + CTL_F64_BUSY_MS * 2, &busy, sizeof(busy));
  control[CTL_IN_HOST] = 0;
  is_running_ = false;
  Rearm();
}

}  // namespace evloop
