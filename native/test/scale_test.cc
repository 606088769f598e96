// Nothing is quadratic: what one entry costs among a million is what it costs among ten thousand,
// give or take a cache. Calls are counted; where there are none to count, processor time is
// compared, with a limit that only more than linear growth exceeds: that would cost a hundred times
// as much.
#include <fcntl.h>
#include <poll.h>
#include <time.h>

#include <cstdarg>
#include <vector>

#include "slots.h"
#include "sys/poller_poll.h"
#include "test/engine_memory.h"
#include "wheel.h"

namespace {

// The poll(2) poller is run on descriptors that do not exist.
bool is_faking_descriptors = false;

}  // namespace

extern "C" int fcntl(int, int command, ...) {
  // Nothing else in this program asks.
  return command == F_GETFD && is_faking_descriptors ? 0 : -1;
}

// Named otherwise here, because the header declares that poll(2) reads nothing of its argument.
int Poll(pollfd* polled, nfds_t count, int timeout_ms) asm("poll");

int Poll(pollfd* polled, nfds_t count, int) {
  int ready = 0;
  for (nfds_t i = 0; i < count; i++) {
    // Every thousandth has something to tell.
    polled[i].revents = polled[i].fd >= 0 && polled[i].fd % 1000 == 0 ? polled[i].events : 0;
    ready += polled[i].revents != 0 ? 1 : 0;
  }
  return ready;
}

namespace evloop {

namespace {

constexpr uint32_t kFew = 10000;
constexpr uint32_t kMany = 1000000;
constexpr double kMostGrowth = 30;

double CpuNs() {
  timespec time;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) * 1e9 + static_cast<double>(time.tv_nsec);
}

// Runs `work` with few and with many entries and compares what each takes.
template <class F>
void CheckLinear(const char* what, F&& work) {
  const auto time_each = [&](uint32_t count) {
    const double begin = CpuNs();
    work(count);
    return (CpuNs() - begin) / count;
  };
  time_each(kFew);
  const double few = time_each(kFew);
  const double many = time_each(kMany);
  INFO(what << ": " << few << " ns each of " << kFew << ", " << many << " ns each of " << kMany);
  CHECK(many < kMostGrowth * few);
}

int32_t TakeAll(void*, size_t most) { return static_cast<int32_t>(most); }
// A read is short, so that the socket is drained by it.
int32_t TakeLittle(void*, size_t most) { return most < 64 ? static_cast<int32_t>(most) : 64; }

struct Item {
  uint32_t index;
  uint32_t generation;
  uint64_t payload[8] = {};
};

double Spread(uint32_t i) { return static_cast<double>(i * 2654435761u) * (60000 / 4294967296.0); }

struct Calls {
  double accept, receive, send, close;
};

// A life of `count` connections, all in the same state at any time; calls of the system for each.
Calls LiveWith(uint32_t count) {
  EngineOnFake fake(TakeLittle);
  std::vector<uint32_t> generations(count + 1);
  const int32_t listener = fake.engine.Listen({}, {}, 1);
  REQUIRE(listener >= 0);
  generations[0] = fake.control(CTL_RESULT_GENERATION);
  uint32_t accepted = 0;
  uint32_t received = 0;
  uint32_t closed = 0;
  const auto hear = [&](const Outcome& outcome) {
    if (outcome.kind == CQ_ACCEPT) {
      generations[static_cast<uint32_t>(outcome.result)] = outcome.a;
      accepted++;
    }
    if (outcome.kind == CQ_RECEIVE) received++;
    if (outcome.kind == CQ_CLOSED) closed++;
  };
  const auto calls_for_each = [&](uint64_t* mark) {
    const uint64_t since = TheSystem().calls - *mark;
    *mark = TheSystem().calls;
    return static_cast<double>(since) / count;
  };
  uint64_t mark = TheSystem().calls;
  Calls calls;

  fake.Submit(OP_ACCEPT_START, 0, generations[0]);
  for (uint32_t i = 0; i < count; i++) TheSystem().Arrive();
  TheSystem().Tell(1000, READY_READ);
  fake.Settle(hear);
  REQUIRE(accepted == count);
  calls.accept = calls_for_each(&mark);

  for (uint32_t i = 1; i <= count; i++) fake.Submit(OP_RECEIVE_START, i, generations[i]);
  for (uint32_t i = 1; i <= count; i++) TheSystem().Tell(1000 + static_cast<int>(i), READY_READ);
  fake.Settle(hear);
  REQUIRE(received == count);
  calls.receive = calls_for_each(&mark);

  for (uint32_t i = 1; i <= count; i++) fake.Submit(OP_SEND, i, generations[i], 0, 64);
  fake.Settle(hear);
  calls.send = calls_for_each(&mark);

  for (uint32_t i = 1; i <= count; i++) fake.Submit(OP_CLOSE, i, generations[i]);
  fake.Settle(hear);
  REQUIRE(closed == count);
  calls.close = calls_for_each(&mark);
  CHECK(TheSystem().open_count() == 1);
  return calls;
}

}  // namespace

TEST_CASE("scale: slots") {
  CheckLinear("allocate, get, free", [](uint32_t count) {
    Slots<Item> slots;
    uint32_t index = 0;
    for (uint32_t i = 0; i < count; i++) slots.Allocate(&index);
    uint32_t found = 0;
    for (uint32_t i = 0; i < count; i++) found += slots.Get(i, 1) != nullptr ? 1 : 0;
    CHECK(found == count);
    for (uint32_t i = 0; i < count; i++) slots.Free((i * 7919ULL) % count);
    for (uint32_t i = 0; i < count; i++) slots.Allocate(&index);
    CHECK(slots.size() == count);
  });
}

TEST_CASE("scale: wheel") {
  const auto expire_all = [](Wheel* wheel, double now_ms) {
    uint32_t expired = 0;
    const auto count = [&](uint32_t, uint32_t) { expired++; };
    while (wheel->size() > 0) wheel->Expire(now_ms, 1024, count);
    return expired;
  };
  CheckLinear("spread over a minute, all due at once", [&](uint32_t count) {
    Wheel wheel;
    for (uint32_t i = 0; i < count; i++) wheel.Start(i, 1, Spread(i));
    CHECK(expire_all(&wheel, 1e6) == count);
  });
  CheckLinear("one deadline", [&](uint32_t count) {
    Wheel wheel;
    for (uint32_t i = 0; i < count; i++) wheel.Start(i, 1, 5000);
    CHECK(expire_all(&wheel, 1e6) == count);
  });
  CheckLinear("all in the past", [&](uint32_t count) {
    Wheel wheel;
    wheel.Expire(1e6, 1, [](uint32_t, uint32_t) {});
    for (uint32_t i = 0; i < count; i++) wheel.Start(i, 1, Spread(i));
    CHECK(expire_all(&wheel, 1e6) == count);
  });
  CheckLinear("started and cancelled", [](uint32_t count) {
    Wheel wheel;
    for (uint32_t i = 0; i < count; i++) wheel.Start(i, 1, Spread(i));
    for (uint32_t i = 0; i < count; i++) CHECK_UNARY(wheel.Cancel((i * 7919ULL) % count, 1));
    CHECK(wheel.size() == 0);
  });
}

TEST_CASE("scale: connections need the same calls, however many there are") {
  const Calls few = LiveWith(kFew);
  const Calls many = LiveWith(kMany);
  // Polling is shared by many, so the last digits differ.
  CHECK(many.accept == doctest::Approx(few.accept).epsilon(0.02));
  CHECK(many.receive == doctest::Approx(few.receive).epsilon(0.02));
  CHECK(many.send == doctest::Approx(few.send).epsilon(0.02));
  CHECK(many.close == doctest::Approx(few.close).epsilon(0.02));
}

TEST_CASE("scale: connections need the same time, however many there are") {
  CheckLinear("accept, receive, send, close", [](uint32_t count) { LiveWith(count); });
}

TEST_CASE("scale: connections that wait for memory cost nothing while they wait") {
  // Each receive fills what it is given, so that slabs run out in every turn; so many turns are
  // run.
  CheckLinear("a thousand turns beside many that wait", [](uint32_t count) {
    EngineOnFake fake(TakeAll);
    for (uint32_t i = 0; i < count; i++) {
      const int32_t index = fake.engine.Connect({}, {}, {});
      fake.Submit(OP_RECEIVE_START, static_cast<uint32_t>(index),
                  fake.control(CTL_RESULT_GENERATION));
      TheSystem().Tell(1000 + index, READY_READ);
    }
    // As many turns for each connection, few as they are.
    for (uint32_t turn = 0; turn < count / 10; turn++) {
      fake.engine.Drain();
      fake.engine.Poll(64);
      fake.Reap([](const Outcome&) {});
    }
  });
}

TEST_CASE("scale: the poll(2) poller keeps a million descriptors") {
  is_faking_descriptors = true;
  CheckLinear("add, arm, watch, remove", [](uint32_t count) {
    Poller* poller = NewPollPoller();
    REQUIRE(poller->Open() == 0);
    const auto fd_of = [](uint32_t i) { return static_cast<int>(i) + 1000; };
    for (uint32_t i = 0; i < count; i++) REQUIRE(poller->Add(fd_of(i), MakeToken(i, 1)) == 0);
    for (uint32_t i = 0; i < count; i++) poller->Arm(fd_of(i), MakeToken(i, 1), READY_READ);
    // Ten passes over all of them, each with as many events as a thousandth.
    std::vector<Event> events(count / 1000);
    for (uint32_t pass = 0; pass < 10; pass++) {
      const int32_t told = poller->Wait(events.data(), count / 1000, 0);
      REQUIRE(told == (pass == 0 ? static_cast<int32_t>(count / 1000) : 0));
    }
    poller->PrepareBlock();
    for (uint32_t i = 0; i < count; i++) poller->Remove(fd_of((i * 7919ULL) % count));
    CHECK(poller->Wait(events.data(), count / 1000, 0) == 0);
    delete poller;
  });
  is_faking_descriptors = false;
}

}  // namespace evloop
