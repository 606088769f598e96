#include "waiter.h"

#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>

#include "clock.h"
#include "sys/socket_system.h"
#include "sys/waker.h"
#include "test/check.h"
#include "test/pollers.h"

namespace evloop {

namespace {

// The test's thread is the loop's thread; wakes arrive as a count it can wait for.
struct Fixture {
  std::unique_ptr<Poller> poller;
  Waiter waiter;
  std::mutex mutex;
  std::condition_variable changed;
  uint32_t wakes = 0;

  explicit Fixture(PollerKind kind) : poller(NewPoller(kind)) {
    REQUIRE(poller->Open() == 0);
    Start();
  }
  ~Fixture() { waiter.Stop(); }

  void Start() {
    CHECK(waiter.Start(
              poller.get(), [](void* data) { static_cast<Fixture*>(data)->Wake(); }, this) == 0);
  }
  void Wake() {
    const std::lock_guard<std::mutex> lock(mutex);
    ++wakes;
    changed.notify_all();
  }
  // False when the wakes do not come within `timeout_ms`.
  bool WaitForWakes(uint32_t count, int timeout_ms = 10000) {
    std::unique_lock<std::mutex> lock(mutex);
    return changed.wait_for(lock, std::chrono::milliseconds(timeout_ms),
                            [&] { return wakes >= count; });
  }
  uint32_t Wakes() {
    const std::lock_guard<std::mutex> lock(mutex);
    return wakes;
  }
};

}  // namespace

TEST_CASE_TEMPLATE("waiter: an event ends the sleep and stays for the loop", Kind, EVERY_POLLER) {
  Fixture fixture(Kind::kKind);
  Waker waker;
  REQUIRE(waker.Open() == 0);
  REQUIRE(fixture.poller->Watch(waker.Descriptor(), 7, READY_READ) == 0);
  CHECK(fixture.waiter.Sleep(-1));
  CHECK_FALSE(fixture.WaitForWakes(1, 2));
  waker.Notify();
  CHECK(fixture.WaitForWakes(1));
  Event event = {};
  CHECK(fixture.poller->Wait(&event, 1, 0) == 1);
  CHECK(event.token == 7);
  fixture.poller->Remove(waker.Descriptor());
}

TEST_CASE_TEMPLATE("waiter: time ends the sleep, never early", Kind, EVERY_POLLER) {
  Fixture fixture(Kind::kKind);
  uint32_t wakes = 0;
  for (const int32_t timeout_ms : {0, 1, 10}) {
    const int64_t began_ns = NowNs();
    CHECK(fixture.waiter.Sleep(timeout_ms));
    CHECK(fixture.WaitForWakes(++wakes));
    CHECK(NowNs() - began_ns >= timeout_ms * 1000000);
  }
}

TEST_CASE_TEMPLATE("waiter: one sleep is answered once", Kind, EVERY_POLLER) {
  Fixture fixture(Kind::kKind);
  fixture.waiter.Interrupt();
  CHECK(fixture.Wakes() == 0);
  CHECK(fixture.waiter.Sleep(-1));
  CHECK_FALSE(fixture.waiter.Sleep(-1));
  fixture.waiter.Interrupt();
  fixture.waiter.Interrupt();
  CHECK(fixture.WaitForWakes(1));
  CHECK_FALSE(fixture.WaitForWakes(2, 3));
  fixture.waiter.Interrupt();
  CHECK_FALSE(fixture.WaitForWakes(2, 3));
}

TEST_CASE_TEMPLATE("waiter: stopping ends a sleep without an answer", Kind, EVERY_POLLER) {
  Fixture fixture(Kind::kKind);
  CHECK(fixture.waiter.Start(fixture.poller.get(), nullptr, nullptr) == -EALREADY);
  CHECK(fixture.waiter.Sleep(-1));
  fixture.waiter.Stop();
  fixture.waiter.Stop();
  CHECK(fixture.Wakes() == 0);
  CHECK_FALSE(fixture.waiter.Sleep(0));
  fixture.waiter.Interrupt();
  fixture.Start();
  CHECK(fixture.waiter.Sleep(0));
  CHECK(fixture.WaitForWakes(1));
}

TEST_CASE_TEMPLATE("waiter: it may be stopped at any moment", Kind, EVERY_POLLER) {
  Random random(FreshSeed());
  Fixture fixture(Kind::kKind);
  for (int round = 0; round < 300; ++round) {
    const bool sleeps = random.OneIn(2);
    if (sleeps) CHECK(fixture.waiter.Sleep(random.OneIn(2) ? -1 : 0));
    if (random.OneIn(2)) fixture.waiter.Interrupt();
    if (random.OneIn(2)) std::this_thread::yield();
    fixture.waiter.Stop();
    const uint32_t wakes = fixture.Wakes();
    std::this_thread::yield();
    CHECK(fixture.Wakes() == wakes);
    fixture.Start();
  }
}

// A loop as the thread host has it: turns, changes of the set while nobody sleeps or after an
// interrupt, sleeps; another thread sends and interrupts all the while.
TEST_CASE_TEMPLATE("waiter: sleeps and wakes stay in step under traffic", Kind, EVERY_POLLER) {
  Random random(FreshSeed());
  Fixture fixture(Kind::kKind);
  Waker waker;
  REQUIRE(waker.Open(fixture.poller->IsEdgeTriggered()) == 0);
  REQUIRE(fixture.poller->Add(waker.Descriptor(), 1) == 0);
  std::atomic<bool> over{false};
  std::atomic<uint32_t> sent{0};
  std::thread sender([&] {
    while (!over) {
      ++sent;
      waker.Notify();
      if (sent % 3 == 0) fixture.waiter.Interrupt();
      std::this_thread::sleep_for(std::chrono::microseconds(20));
    }
  });
  uint32_t sleeps = 0;
  uint32_t events_seen = 0;
  int sockets[2] = {-1, -1};
  for (int turn = 0; turn < 1000; ++turn) {
    Event events[8];
    const int32_t count = fixture.poller->Wait(events, 8, 0);
    for (int32_t i = 0; i < count; ++i) {
      if (events[i].token != 1 || (events[i].ready & READY_READ) == 0) continue;
      ++events_seen;
      waker.Drain();
      fixture.poller->Arm(waker.Descriptor(), 1, READY_READ);
    }
    REQUIRE(fixture.waiter.Sleep(random.OneIn(4) ? 1 : -1));
    ++sleeps;
    // What foreign callbacks do in the meantime: the set changes, so the sleep has to be renewed.
    if (random.OneIn(3)) {
      if (sockets[0] >= 0) {
        fixture.poller->Remove(sockets[0]);
        close(sockets[0]);
        close(sockets[1]);
      }
      REQUIRE(SystemSocketPair(AF_UNIX, SOCK_STREAM, sockets) == 0);
      REQUIRE(fixture.poller->Add(sockets[0], 2) == 0);
      fixture.waiter.Interrupt();
    }
    REQUIRE(fixture.WaitForWakes(sleeps));
    REQUIRE(fixture.Wakes() == sleeps);
  }
  over = true;
  sender.join();
  CHECK(events_seen > 0);
  fixture.waiter.Stop();
  CHECK(fixture.Wakes() == sleeps);
  close(sockets[0]);
  close(sockets[1]);
}

}  // namespace evloop
