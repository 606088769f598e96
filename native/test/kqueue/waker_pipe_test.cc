// sys/waker_kqueue.cc on a system without EVFILT_USER.
#include <sys/event.h>

#include <atomic>
#include <memory>
#include <thread>

#include "sys/poller.h"
#include "sys/waker.h"
#include "test/check.h"

namespace evloop {

namespace {

constexpr uint64_t kToken = 42;

struct Fixture {
  std::unique_ptr<Poller> poller;
  Waker waker;

  Fixture() : poller(NewPoller(PollerKind::kKqueue)) {
    SetUserEvents(false);
    REQUIRE(poller->Open() == 0);
    REQUIRE(waker.Open() == 0);
    REQUIRE(poller->Add(waker.Descriptor(), kToken) == 0);
  }
  ~Fixture() { SetUserEvents(true); }

  bool IsReadable(int32_t timeout_ms) {
    Event event = {};
    return poller->Wait(&event, 1, timeout_ms) == 1 && (event.ready & READY_READ) != 0;
  }
};

}  // namespace

TEST_CASE("waker over a pipe: many notifications are one event, and the next ones another") {
  Fixture fixture;
  CHECK_FALSE(fixture.IsReadable(0));
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 100; ++i) fixture.waker.Notify();
    CHECK(fixture.IsReadable(0));
    CHECK_FALSE(fixture.IsReadable(0));
    fixture.waker.Drain();
    CHECK_FALSE(fixture.IsReadable(0));
  }
}

TEST_CASE("waker over a pipe: none is lost") {
  constexpr uint32_t kTimes = 20000;
  Fixture fixture;
  std::atomic<uint32_t> published{0};
  std::thread notifier([&] {
    for (uint32_t i = 1; i <= kTimes; ++i) {
      published.store(i, std::memory_order_relaxed);
      fixture.waker.Notify();
    }
  });
  uint32_t seen = 0;
  while (seen < kTimes) {
    REQUIRE(fixture.IsReadable(10000));
    fixture.waker.Drain();
    seen = published.load(std::memory_order_relaxed);
  }
  notifier.join();
}

TEST_CASE("waker over a pipe: interrupts end a block, and closing twice is harmless") {
  Fixture fixture;
  fixture.poller->PrepareBlock();
  fixture.poller->Interrupt();
  CHECK(fixture.poller->Block(-1) == 0);
  CHECK(fixture.poller->Block(1) == 0);
  fixture.waker.Close();
  fixture.waker.Close();
  CHECK(fixture.waker.Descriptor() == -1);
}

}  // namespace evloop
