#include "resolver.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "test/check.h"

namespace evloop {

namespace {

// A resolver of the system that answers `hang...` only when it is told to.
struct Network {
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<std::string> begun;
  bool is_up = true;
  uint32_t inside = 0;
  uint32_t most_inside = 0;
  uint32_t notifications = 0;

  void Reset(bool up) {
    WaitUntilLeft();
    const std::lock_guard<std::mutex> lock(mutex);
    begun.clear();
    is_up = up;
    most_inside = notifications = 0;
  }
  void BringUp() {
    const std::lock_guard<std::mutex> lock(mutex);
    is_up = true;
    changed.notify_all();
  }
  void WaitUntilBegun(size_t count) {
    std::unique_lock<std::mutex> lock(mutex);
    changed.wait(lock, [&] { return begun.size() >= count; });
  }
  void WaitUntilLeft() {
    std::unique_lock<std::mutex> lock(mutex);
    changed.wait(lock, [&] { return inside == 0; });
  }
  void WaitUntilNotified() {
    std::unique_lock<std::mutex> lock(mutex);
    changed.wait(lock, [&] { return notifications > 0; });
    notifications = 0;
  }
  size_t Begun() {
    const std::lock_guard<std::mutex> lock(mutex);
    return begun.size();
  }
};

Network& TheNetwork() {
  // Threads may be in there when the tests are over.
  static Network* const network = new Network;
  return *network;
}

void FakeLookUp(Lookup* lookup) {
  Network& network = TheNetwork();
  std::unique_lock<std::mutex> lock(network.mutex);
  network.begun.push_back(lookup->host);
  network.most_inside = std::max(network.most_inside, ++network.inside);
  network.changed.notify_all();
  const bool hangs = lookup->host.rfind("hang", 0) == 0;
  network.changed.wait(lock, [&] { return network.is_up || !hangs; });
  lookup->status = -static_cast<int32_t>(lookup->id);
  network.inside--;
  network.changed.notify_all();
}

bool FakeNotify(uint32_t id) {
  Network& network = TheNetwork();
  const std::lock_guard<std::mutex> lock(network.mutex);
  CHECK(id == 7);
  network.notifications++;
  network.changed.notify_all();
  return true;
}

Resolver::Settings Fake(uint32_t threads, int64_t idle_ms = 10000) {
  Resolver::Settings settings;
  settings.threads = threads;
  settings.idle_ms = idle_ms;
  settings.look_up = FakeLookUp;
  settings.notify = FakeNotify;
  settings.notify_id = 7;
  return settings;
}

std::unique_ptr<Lookup> Named(uint32_t id, const std::string& host) {
  auto lookup = std::make_unique<Lookup>();
  lookup->id = id;
  lookup->has_host = true;
  lookup->host = host;
  return lookup;
}

// Everything that comes until `count` answers were there, by id.
std::map<uint32_t, int32_t> TakeAll(Resolver* resolver, size_t count) {
  std::map<uint32_t, int32_t> answers;
  while (answers.size() < count) {
    TheNetwork().WaitUntilNotified();
    while (const auto lookup = resolver->Take()) {
      CHECK(answers.emplace(lookup->id, lookup->status).second);
    }
  }
  return answers;
}

}  // namespace

TEST_CASE("resolver: every look-up is answered once, on as many threads as allowed") {
  Network& network = TheNetwork();
  network.Reset(true);
  Resolver resolver(Fake(3));
  for (uint32_t id = 1; id <= 200; id++) CHECK(resolver.Add(Named(id, "name")) == 0);
  const auto answers = TakeAll(&resolver, 200);
  for (const auto& [id, status] : answers) CHECK(status == -static_cast<int32_t>(id));
  CHECK(network.most_inside <= 3);
  CHECK(resolver.Take() == nullptr);
}

TEST_CASE("resolver: look-ups that hang leave those of another resolver alone") {
  Network& network = TheNetwork();
  network.Reset(false);
  Resolver stuck(Fake(2));
  Resolver other(Fake(1));
  for (uint32_t id = 1; id <= 100; id++) CHECK(stuck.Add(Named(id, "hang")) == 0);
  network.WaitUntilBegun(2);
  CHECK(other.Add(Named(1, "name")) == 0);
  CHECK(TakeAll(&other, 1).size() == 1);
  CHECK(stuck.Take() == nullptr);
  CHECK(network.Begun() == 3);
  network.BringUp();
  CHECK(TakeAll(&stuck, 100).size() == 100);
}

TEST_CASE("resolver: what no thread has begun is dropped") {
  Network& network = TheNetwork();
  network.Reset(false);
  Resolver resolver(Fake(1));
  CHECK(resolver.Add(Named(1, "hang 1")) == 0);
  CHECK(resolver.Add(Named(2, "second")) == 0);
  CHECK(resolver.Add(Named(3, "third")) == 0);
  network.WaitUntilBegun(1);
  CHECK_FALSE(resolver.Drop(1));
  CHECK(resolver.Drop(2));
  CHECK_FALSE(resolver.Drop(2));
  CHECK_FALSE(resolver.Drop(4));
  network.BringUp();
  const auto answers = TakeAll(&resolver, 2);
  CHECK(answers.count(1) == 1);
  CHECK(answers.count(3) == 1);
  CHECK(network.Begun() == 2);
}

TEST_CASE("resolver: closes at once while threads hang, and they leave without a word") {
  Network& network = TheNetwork();
  network.Reset(false);
  {
    Resolver resolver(Fake(2));
    for (uint32_t id = 1; id <= 10; id++) CHECK(resolver.Add(Named(id, "hang")) == 0);
    network.WaitUntilBegun(2);
    resolver.Close();
    resolver.Close();
  }
  network.BringUp();
  network.WaitUntilLeft();
  // Those that were waiting are never begun.
  CHECK(network.Begun() == 2);
  CHECK(network.notifications == 0);
}

TEST_CASE("resolver: closes at any moment") {
  Network& network = TheNetwork();
  Random random(FreshSeed());
  for (int round = 0; round < 200; round++) {
    network.Reset(random.OneIn(2));
    Resolver resolver(Fake(1 + random.Below(3)));
    const uint32_t count = random.Below(6);
    for (uint32_t id = 1; id <= count; id++) {
      resolver.Add(Named(id, random.OneIn(2) ? "hang" : "name"));
      if (random.OneIn(3)) resolver.Drop(1 + random.Below(id));
      if (random.OneIn(3)) std::this_thread::yield();
      if (random.OneIn(3)) resolver.Take();
    }
    resolver.Close();
    network.BringUp();
  }
  network.WaitUntilLeft();
}

TEST_CASE("resolver: a thread without work ends, and another one begins when there is some") {
  Network& network = TheNetwork();
  network.Reset(true);
  Resolver resolver(Fake(1, 0));
  for (uint32_t id = 1; id <= 100; id++) {
    CHECK(resolver.Add(Named(id, "name")) == 0);
    CHECK(TakeAll(&resolver, 1).count(id) == 1);
    if (id % 10 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

TEST_CASE("resolver: the system's own answers numeric names without asking anybody") {
  Lookup lookup;
  lookup.has_host = lookup.has_service = true;
  lookup.host = "127.0.0.1";
  lookup.service = "80";
  lookup.type = SocketType::kStream;
  LookUp(&lookup);
  CHECK(lookup.status == 0);
  REQUIRE(lookup.addresses.size() == 1);
  CHECK(lookup.addresses[0].family == 4);
  CHECK(lookup.addresses[0].type == SocketType::kStream);
  CHECK(lookup.addresses[0].protocol == 6);
  CHECK(lookup.addresses[0].address == "127.0.0.1");
  CHECK(lookup.addresses[0].port == 80);

  lookup.addresses.clear();
  lookup.family = 6;
  LookUp(&lookup);
  CHECK(lookup.status < -3000 + 1);
  CHECK(lookup.addresses.empty());

  Lookup reverse;
  reverse.is_reverse = true;
  reverse.host = "::1";
  reverse.service = "80";
  reverse.flags = LOOKUP_NUMERIC_HOST | LOOKUP_NUMERIC_SERVICE;
  LookUp(&reverse);
  CHECK(reverse.status == 0);
  CHECK(reverse.host == "::1");
  CHECK(reverse.service == "80");
}

}  // namespace evloop
