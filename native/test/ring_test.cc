#include "ring.h"

#include <cstring>
#include <vector>

#include "test/check.h"

namespace evloop {

namespace {

constexpr uint32_t kCapacity = 8;

// The memory that JS would have allocated, and JS's side of it.
struct RingMemory {
  std::vector<uint32_t> control = std::vector<uint32_t>(kControlWords);
  std::vector<uint32_t> entries = std::vector<uint32_t>(kCapacity * kEntryWords);

  void Submit(uint32_t op) {
    const uint32_t tail = control[CTL_SUBMISSION_TAIL]++;
    entries[tail % kCapacity * kEntryWords] = op;
  }
  const uint32_t* Completed() {
    return &entries[control[CTL_COMPLETION_HEAD]++ % kCapacity * kEntryWords];
  }
};

}  // namespace

TEST_CASE("ring: submissions are seen in order and given back") {
  RingMemory memory;
  SubmissionQueue queue;
  queue.Attach(memory.control.data(), memory.entries.data(), kCapacity);
  CHECK(queue.Pending() == 0);
  for (uint32_t i = 0; i < kCapacity; ++i) memory.Submit(100 + i);
  CHECK(queue.Pending() == kCapacity);
  CHECK(queue.At(0)[0] == 100);
  CHECK(queue.At(7)[0] == 107);
  queue.Consume(3);
  CHECK(memory.control[CTL_SUBMISSION_HEAD] == 3);
  CHECK(queue.Pending() == 5);
  CHECK(queue.At(0)[0] == 103);
}

TEST_CASE("ring: positions survive the wrap at 2^32") {
  RingMemory memory;
  SubmissionQueue queue;
  queue.Attach(memory.control.data(), memory.entries.data(), kCapacity);
  memory.control[CTL_SUBMISSION_HEAD] = memory.control[CTL_SUBMISSION_TAIL] = UINT32_MAX - 2;
  for (uint32_t i = 0; i < kCapacity; ++i) memory.Submit(i);
  CHECK(queue.Pending() == kCapacity);
  for (uint32_t i = 0; i < kCapacity; ++i) CHECK(queue.At(i)[0] == i);
  queue.Consume(kCapacity);
  CHECK(queue.Pending() == 0);
  CHECK(memory.control[CTL_SUBMISSION_HEAD] == kCapacity - 3);
}

TEST_CASE("ring: an entry's double is read whole") {
  std::vector<uint32_t> entry(kEntryWords);
  const double value = 1234567890.123;
  std::memcpy(&entry[6], &value, sizeof value);
  CHECK(EntryDouble(entry.data()) == value);
}

TEST_CASE("ring: a full completion ring refuses and counts") {
  RingMemory memory;
  CompletionQueue queue;
  queue.Attach(memory.control.data(), memory.entries.data(), kCapacity);
  memory.control[CTL_COMPLETION_HEAD] = memory.control[CTL_COMPLETION_TAIL] = UINT32_MAX - 3;
  CHECK(queue.Free() == kCapacity);
  for (uint32_t i = 0; i < kCapacity; ++i) CHECK(queue.Push(CQ_RECEIVE, i, 2, -11, 4, 5));
  CHECK(queue.Free() == 0);
  CHECK_FALSE(queue.Push(CQ_TIMER, 0, 0, 0));
  CHECK_FALSE(queue.Push(CQ_TIMER, 0, 0, 0));
  CHECK(memory.control[CTL_COMPLETION_FULL] == 2);
  CHECK(queue.Pending() == kCapacity);

  const uint32_t* entry = memory.Completed();
  CHECK(entry[0] == CQ_RECEIVE);
  CHECK(entry[1] == 0);
  CHECK(entry[2] == 2);
  CHECK(static_cast<int32_t>(entry[3]) == -11);
  CHECK(entry[4] == 4);
  CHECK(entry[5] == 5);
  CHECK(queue.Free() == 1);
  CHECK(queue.Push(CQ_TIMER, 99, 0, 0));
  CHECK_FALSE(queue.Push(CQ_TIMER, 0, 0, 0));
  for (uint32_t i = 1; i < kCapacity; ++i) CHECK(memory.Completed()[1] == i);
  CHECK(memory.Completed()[1] == 99);
  CHECK(queue.Pending() == 0);
}

TEST_CASE("ring: random traffic arrives complete and in order") {
  Random random(FreshSeed());
  RingMemory memory;
  CompletionQueue queue;
  queue.Attach(memory.control.data(), memory.entries.data(), kCapacity);
  uint32_t pushed = 0;
  uint32_t taken = 0;
  uint32_t refused = 0;
  for (uint32_t i = 0; i < 100000; ++i) {
    if (random.OneIn(2)) {
      const bool has_room = pushed - taken < kCapacity;
      if (queue.Push(CQ_TIMER, pushed, 0, 0) != has_room) FAIL_CHECK("room at " << i);
      if (has_room) {
        ++pushed;
      } else {
        ++refused;
      }
    } else if (taken != pushed) {
      if (memory.Completed()[1] != taken++) FAIL_CHECK("order at " << i);
    }
  }
  CHECK(memory.control[CTL_COMPLETION_FULL] == refused);
}

}  // namespace evloop
