#include "engine.h"

#include <unistd.h>

#include <cerrno>
#include <limits>
#include <vector>

#include "test/engine_memory.h"

namespace evloop {

namespace {

int32_t TakeAll(void*, size_t most) { return static_cast<int32_t>(most); }
int32_t TakeNothing(void*, size_t most) { return most == 0 ? 0 : -EAGAIN; }

// The first descriptor of the fake system.
constexpr int kFirst = 1000;

struct Connection {
  uint32_t index;
  uint32_t generation;
};

// Connected, and JS has been told.
Connection Connected(EngineOnFake* fake) {
  const int32_t index = fake->engine.Connect({}, {}, {});
  REQUIRE(index >= 0);
  const uint32_t generation = fake->control(CTL_RESULT_GENERATION);
  fake->Settle([](const Outcome& outcome) { CHECK(outcome.kind == CQ_CONNECT); });
  return {static_cast<uint32_t>(index), generation};
}

std::vector<Outcome> Turn(EngineOnFake* fake) {
  std::vector<Outcome> outcomes;
  fake->engine.Drain();
  fake->engine.Poll(64);
  fake->Reap([&](const Outcome& outcome) { outcomes.push_back(outcome); });
  return outcomes;
}

}  // namespace

TEST_CASE("engine: bytes outside of the send slab fail their socket, once") {
  const uint32_t outside[][2] = {{kSendSlabBytes, 1},     {kSendSlabBytes + 1, 0},
                                 {0, kSendSlabBytes + 1}, {UINT32_MAX, 2},
                                 {1, UINT32_MAX},         {64, kSendSlabBytes - 63}};
  for (const auto& range : outside) {
    EngineOnFake fake(TakeAll);
    const Connection connection = Connected(&fake);
    fake.Submit(OP_SEND, connection.index, connection.generation, range[0], range[1]);
    fake.Submit(OP_SEND, connection.index, connection.generation, range[0], range[1]);
    const std::vector<Outcome> outcomes = Turn(&fake);
    REQUIRE(outcomes.size() == 1);
    CHECK(outcomes[0].kind == CQ_SEND);
    CHECK(outcomes[0].result == -EFAULT);
    CHECK(Turn(&fake).empty());
  }
}

TEST_CASE("engine: a detached waker is not readable once its notification was taken") {
  EngineOnFake fake(TakeAll);
  const int descriptor = fake.engine.DetachWaker();
  for (int round = 0; round < 2; ++round) {
    fake.engine.Notify();
    fake.engine.Notify();
    // Whoever watches the descriptor takes it, or else the next poll.
    if (round == 0) fake.engine.TakeNotification();
    const std::vector<Outcome> outcomes = Turn(&fake);
    REQUIRE(outcomes.size() == 1);
    CHECK(outcomes[0].kind == CQ_NOTIFY);
    uint64_t count = 0;
    CHECK(read(descriptor, &count, sizeof count) == -1);
    CHECK(Turn(&fake).empty());
  }
}

TEST_CASE("engine: the last bytes of the send slab are sent") {
  EngineOnFake fake(TakeAll);
  const Connection connection = Connected(&fake);
  fake.Submit(OP_SEND, connection.index, connection.generation, kSendSlabBytes - 1, 1);
  fake.Submit(OP_SEND, connection.index, connection.generation, kSendSlabBytes, 0);
  const uint64_t before = TheSystem().calls;
  CHECK(Turn(&fake).empty());
  // One send and one poll.
  CHECK(TheSystem().calls - before == 2);
}

TEST_CASE("engine: a ring whose ends do not fit is emptied, and serves again") {
  EngineOnFake fake(TakeAll);
  const Connection connection = Connected(&fake);
  fake.Submit(OP_RESET, connection.index, connection.generation);
  for (const uint32_t ahead : {kSubmissionCapacity + 1, uint32_t{1} << 31, UINT32_MAX}) {
    fake.control(CTL_SUBMISSION_TAIL) = fake.control(CTL_SUBMISSION_HEAD) + ahead;
    CHECK(Turn(&fake).empty());
    CHECK(fake.control(CTL_SUBMISSION_TAIL) == fake.control(CTL_SUBMISSION_HEAD));
  }
  fake.Submit(OP_CLOSE, connection.index, connection.generation);
  REQUIRE(Turn(&fake).size() == 1);
  CHECK(TheSystem().open_count() == 0);
}

TEST_CASE("engine: a completion ring whose ends do not fit takes nothing") {
  EngineOnFake fake(TakeAll);
  const Connection connection = Connected(&fake);
  fake.Submit(OP_RECEIVE_START, connection.index, connection.generation);
  fake.engine.Drain();
  TheSystem().Tell(kFirst, READY_READ);
  fake.control(CTL_COMPLETION_HEAD) += 2;
  const uint64_t before = TheSystem().calls;
  fake.engine.Poll(64);
  // No receive: what it brought could not be told.
  CHECK(TheSystem().calls - before == 1);
  fake.control(CTL_COMPLETION_HEAD) -= 2;
  CHECK(Turn(&fake).size() == 1);
}

TEST_CASE("engine: operations, sockets and timers that do not exist are passed over") {
  EngineOnFake fake(TakeAll);
  const Connection connection = Connected(&fake);
  for (const uint32_t op : {12U, 13U, 255U, UINT32_MAX}) {
    fake.Submit(op, connection.index, connection.generation, UINT32_MAX, UINT32_MAX);
  }
  for (const uint32_t index : {connection.index + 1, 1U << 24, UINT32_MAX}) {
    for (uint32_t op = OP_SEND; op <= OP_ACCEPT_STOP; op++) fake.Submit(op, index, 1, 0, 1);
  }
  for (uint32_t op = OP_SEND; op <= OP_ACCEPT_STOP; op++) fake.Submit(op, connection.index, 0);
  const double nan = std::numeric_limits<double>::quiet_NaN();
  fake.Submit(OP_TIMER_START, UINT32_MAX, 1, 0, 0, 1);
  fake.Submit(OP_TIMER_START_IN, UINT32_MAX - 1, 1, 0, 0, nan);
  fake.Submit(OP_TIMER_CANCEL, UINT32_MAX, 1);
  CHECK(Turn(&fake).empty());
  fake.engine.Expire(1e12);
  CHECK(Turn(&fake).empty());
  CHECK(TheSystem().open_count() == 1);
}

TEST_CASE("engine: a backlog that nobody can mean fails its socket") {
  EngineOnFake fake(TakeNothing);
  const Connection connection = Connected(&fake);
  constexpr uint32_t kLimit = 1U << 28;
  for (uint32_t sent = 0; sent < kLimit; sent += kSendSlabBytes) {
    fake.Submit(OP_SEND, connection.index, connection.generation, 0, kSendSlabBytes);
  }
  CHECK(fake.engine.Backlog(connection.index, connection.generation) == int32_t{kLimit});
  fake.Submit(OP_SEND, connection.index, connection.generation, 0, 1);
  const std::vector<Outcome> outcomes = Turn(&fake);
  REQUIRE(outcomes.size() == 1);
  CHECK(outcomes[0].result == -ENOBUFS);
  CHECK(fake.engine.Backlog(connection.index, connection.generation) == 0);
}

TEST_CASE("engine: an error that a send took is not told as the end") {
  // Sends fail, receives answer 0, as after a reset.
  const auto reset = [](void*, size_t most) { return most == 64 ? -ECONNRESET : 0; };
  EngineOnFake fake(reset);
  const Connection connection = Connected(&fake);
  fake.Submit(OP_RECEIVE_START, connection.index, connection.generation);
  fake.Submit(OP_SEND, connection.index, connection.generation, 0, 64);
  TheSystem().Tell(kFirst, READY_READ | READY_HANGUP);
  const std::vector<Outcome> outcomes = Turn(&fake);
  REQUIRE(outcomes.size() == 1);
  CHECK(outcomes[0].kind == CQ_SEND);
  CHECK(outcomes[0].result == -ECONNRESET);
  CHECK(Turn(&fake).empty());
}

TEST_CASE("engine: nor is it when the caller receives into memory of its own") {
  const auto reset = [](void*, size_t most) { return most == 64 ? -ECONNRESET : 0; };
  EngineOnFake fake(reset);
  const Connection connection = Connected(&fake);
  uint8_t memory[16];
  CHECK(fake.engine.ReceiveInto(connection.index, connection.generation, memory, 16) == 0);
  fake.Submit(OP_SEND, connection.index, connection.generation, 0, 64);
  REQUIRE(Turn(&fake).size() == 1);
  CHECK(fake.engine.ReceiveInto(connection.index, connection.generation, memory, 16) == -EAGAIN);
}

TEST_CASE("engine: a watched descriptor is told of in each poll that finds it ready") {
  EngineOnFake fake(TakeAll);
  const int foreign = TheSystem().Open();
  REQUIRE(fake.engine.Watch(foreign, READY_READ) == 0);
  const uint32_t generation = fake.control(CTL_RESULT_GENERATION);
  TheSystem().Tell(foreign, READY_READ | READY_WRITE | READY_HANGUP);
  const std::vector<Outcome> outcomes = Turn(&fake);
  REQUIRE(outcomes.size() == 1);
  CHECK(outcomes[0].kind == CQ_READY);
  CHECK(outcomes[0].index == static_cast<uint32_t>(foreign));
  CHECK(outcomes[0].generation == generation);
  CHECK(outcomes[0].result == READY_READ);
  // What was told of the watch before is not told of the next.
  TheSystem().Tell(foreign, READY_READ);
  CHECK(fake.engine.Watch(foreign, 0) == 0);
  REQUIRE(fake.engine.Watch(foreign, READY_READ) == 0);
  CHECK(fake.control(CTL_RESULT_GENERATION) != generation);
  CHECK(Turn(&fake).empty());
  fake.engine.Watch(foreign, 0);
  TheSystem().Close(foreign);
}

TEST_CASE("engine: its own descriptors are not watched for others") {
  EngineOnFake fake(TakeAll);
  const Connection connection = Connected(&fake);
  CHECK(fake.engine.Watch(kFirst, READY_READ) == -EEXIST);
  CHECK(fake.engine.Watch(kFirst, 0) == -EEXIST);
  fake.Submit(OP_CLOSE, connection.index, connection.generation);
  Turn(&fake);
}

TEST_CASE("engine: sockets that always have more do not starve those behind them") {
  // Every receive comes back full, so that the slabs are used up again and again.
  EngineOnFake fake(TakeAll);
  constexpr uint32_t kCount = 200;
  std::vector<Connection> connections;
  for (uint32_t i = 0; i < kCount; i++) connections.push_back(Connected(&fake));
  for (const Connection& connection : connections) {
    fake.Submit(OP_RECEIVE_START, connection.index, connection.generation);
  }
  fake.engine.Drain();
  for (uint32_t i = 0; i < kCount; i++) TheSystem().Tell(kFirst + static_cast<int>(i), READY_READ);
  // Until the last event was taken.
  while (TheSystem().HasEvents()) Turn(&fake);
  std::vector<uint32_t> received(kCount);
  for (uint32_t turn = 0; turn < 2000; turn++) {
    for (const Outcome& outcome : Turn(&fake)) received[outcome.index]++;
  }
  uint32_t least = UINT32_MAX;
  uint32_t most = 0;
  for (const uint32_t count : received) {
    least = count < least ? count : least;
    most = count > most ? count : most;
  }
  CHECK(fake.control(CTL_SLAB_STARVED) > 0);
  CHECK(least > 0);
  CHECK(most - least <= 1);
}

}  // namespace evloop
