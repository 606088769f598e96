#include "sys/waker.h"

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include "sys/poller.h"
#include "test/check.h"
#include "test/pollers.h"

namespace evloop {

namespace {

constexpr uint64_t kToken = 42;

struct Fixture {
  std::unique_ptr<Poller> poller;
  Waker waker;

  explicit Fixture(PollerKind kind) : poller(NewPoller(kind)) {
    REQUIRE(poller->Open() == 0);
    REQUIRE(waker.Open(poller->IsEdgeTriggered()) == 0);
    REQUIRE(poller->Add(waker.Descriptor(), kToken) == 0);
    // An eventfd is always writable, which is told once.
    IsReadable(0);
  }
  ~Fixture() { poller->Remove(waker.Descriptor()); }

  bool IsReadable(int32_t timeout_ms) {
    Event event = {};
    return poller->Wait(&event, 1, timeout_ms) == 1 && (event.ready & READY_READ) != 0;
  }
  // What the engine does with the event.
  void Accept() {
    waker.Drain();
    poller->Arm(waker.Descriptor(), kToken, READY_READ);
  }
};

}  // namespace

TEST_CASE_TEMPLATE("waker: many notifications are one event, and the next ones another", Kind,
                   EVERY_POLLER) {
  Fixture fixture(Kind::kKind);
  CHECK_FALSE(fixture.IsReadable(0));
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 100; ++i) fixture.waker.Notify();
    CHECK(fixture.IsReadable(0));
    CHECK_FALSE(fixture.IsReadable(0));
    fixture.Accept();
    CHECK_FALSE(fixture.IsReadable(0));
  }
}

TEST_CASE_TEMPLATE("waker: a notification between the event and the drain belongs to that event",
                   Kind, EVERY_POLLER) {
  Fixture fixture(Kind::kKind);
  fixture.waker.Notify();
  CHECK(fixture.IsReadable(0));
  fixture.waker.Notify();
  fixture.Accept();
  fixture.waker.Notify();
  CHECK(fixture.IsReadable(0));
}

TEST_CASE("waker: opens again after closing, closes twice") {
  Waker waker;
  CHECK(waker.Descriptor() == -1);
  CHECK(waker.Open() == 0);
  waker.Notify();
  waker.Close();
  waker.Close();
  CHECK(waker.Descriptor() == -1);
  CHECK(waker.Open() == 0);
  std::unique_ptr<Poller> poller(NewPoller(PollerKind::kPoll));
  REQUIRE(poller->Open() == 0);
  CHECK(poller->Watch(waker.Descriptor(), kToken, READY_READ) == 0);
  Event event;
  CHECK(poller->Wait(&event, 1, 0) == 0);
  waker.Notify();
  CHECK(poller->Wait(&event, 1, 0) == 1);
}

TEST_CASE_TEMPLATE("waker: threads lose no work", Kind, EVERY_POLLER) {
  constexpr int kThreads = 3;
  constexpr uint32_t kEach = 20000;
  Fixture fixture(Kind::kKind);
  // Plain counters behind a flag each: the sanitizer sees whether Notify() and Drain() order them.
  struct Mailbox {
    std::atomic<uint32_t> published{0};
    uint32_t payload[1024] = {};
    std::atomic<uint32_t> taken{0};
  };
  std::vector<Mailbox> mailboxes(kThreads);
  std::vector<std::thread> threads;
  threads.reserve(kThreads);
  for (Mailbox& mailbox : mailboxes) {
    threads.emplace_back([&] {
      for (uint32_t i = 0; i < kEach; ++i) {
        while (i - mailbox.taken.load(std::memory_order_acquire) >= 1024) std::this_thread::yield();
        mailbox.payload[i % 1024] = i;
        mailbox.published.store(i + 1, std::memory_order_release);
        fixture.waker.Notify();
      }
    });
  }
  uint32_t received = 0;
  uint32_t wakeups = 0;
  uint32_t wrong = 0;
  while (received < kThreads * kEach) {
    // A lost notification shows as a wait without end; here it ends the test.
    REQUIRE(fixture.IsReadable(10000));
    ++wakeups;
    fixture.Accept();
    for (Mailbox& mailbox : mailboxes) {
      uint32_t taken = mailbox.taken.load(std::memory_order_relaxed);
      const uint32_t published = mailbox.published.load(std::memory_order_acquire);
      for (; taken != published; ++taken, ++received) {
        wrong += mailbox.payload[taken % 1024] != taken;
      }
      mailbox.taken.store(taken, std::memory_order_release);
    }
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(wrong == 0);
  CHECK(wakeups <= kThreads * kEach);
}

}  // namespace evloop
