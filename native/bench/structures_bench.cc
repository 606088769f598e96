#include <vector>

#include "bench/bench.h"
#include "ring.h"
#include "slab.h"
#include "slots.h"

namespace evloop {

namespace {

// As large as the engine's sockets are about to be.
struct Item {
  uint32_t index;
  uint32_t generation;
  uint64_t payload[12] = {};
};

constexpr uint32_t kItems = 1000;

}  // namespace

// Batches of 64 entries, as a busy turn submits them; JS's writes are part of it.
int64_t RingSubmission(uint32_t count) {
  std::vector<uint32_t> control(kControlWords);
  std::vector<uint32_t> entries(kSubmissionCapacity * kEntryWords);
  SubmissionQueue queue;
  queue.Attach(control.data(), entries.data(), kSubmissionCapacity);
  uint32_t sum = 0;
  const Stopwatch watch;
  for (uint32_t done = 0; done < count; done += 64) {
    control[CTL_SUBMISSION_TAIL] += 64;
    const uint32_t pending = queue.Pending();
    for (uint32_t i = 0; i < pending; ++i) {
      const uint32_t* entry = queue.At(i);
      Keep(entry);
      sum += entry[1] + entry[2];
    }
    queue.Consume(pending);
  }
  Keep(sum);
  return watch.ElapsedNs();
}

int64_t RingCompletion(uint32_t count) {
  std::vector<uint32_t> control(kControlWords);
  std::vector<uint32_t> entries(kCompletionCapacity * kEntryWords);
  CompletionQueue queue;
  queue.Attach(control.data(), entries.data(), kCompletionCapacity);
  const Stopwatch watch;
  for (uint32_t done = 0; done < count; done += 64) {
    for (uint32_t i = 0; i < 64; ++i) {
      Keep(queue.Push(CQ_RECEIVE, i, 1, 64, 0, i * 64));
    }
    control[CTL_COMPLETION_HEAD] += 64;
  }
  Keep(entries[0]);
  return watch.ElapsedNs();
}

int64_t SlotsAllocateFree(uint32_t count) {
  Slots<Item> slots;
  uint32_t index = 0;
  for (uint32_t i = 0; i < kItems; ++i) slots.Allocate(&index);
  const Stopwatch watch;
  for (uint32_t i = 0; i < count; ++i) {
    slots.Free(i * 7 % kItems);
    Keep(slots.Allocate(&index));
  }
  return watch.ElapsedNs();
}

int64_t SlotsGet(uint32_t count) {
  Slots<Item> slots;
  uint32_t index = 0;
  for (uint32_t i = 0; i < kItems; ++i) slots.Allocate(&index);
  uint64_t found = 0;
  const Stopwatch watch;
  for (uint32_t i = 0; i < count; ++i) {
    found += slots.Get(i * 7 % kItems, 1 + (i & 1)) != nullptr ? 1 : 0;
  }
  Keep(found);
  return watch.ElapsedNs();
}

namespace {

int64_t Reads(uint32_t count, uint32_t large_every) {
  std::vector<uint32_t> control(kControlWords);
  std::vector<uint8_t> memory(kReceiveSlabBytes * kReceiveSlabCount);
  ReceiveSlabs slabs;
  slabs.Attach(control.data());
  const auto replace = [&](uint32_t slot) {
    slabs.Set(slot, memory.data() + slot * kReceiveSlabBytes, kReceiveSlabBytes);
  };
  for (uint32_t slot = 0; slot < kReceiveSlabCount; ++slot) replace(slot);
  const Stopwatch watch;
  for (uint32_t i = 0; i < count; ++i) {
    const bool large = i % large_every == large_every - 1;
    uint32_t slot = 0;
    uint8_t* at = nullptr;
    uint32_t available = 0;
    if (slabs.Reserve(large ? kReceiveSlabBytes : kReceiveMinimumBytes, kReceiveMinimumBytes, &slot,
                      &at, &available)) {
      slabs.Commit(slot, large ? available / 2 : 64);
    }
    // Once in a while JS replaces what was used up, as it does every turn.
    if (i % 64 != 0) continue;
    for (uint32_t bits = control[CTL_SLAB_CONSUMED_MASK]; bits != 0; bits &= bits - 1) {
      replace(static_cast<uint32_t>(__builtin_ctz(bits)));
    }
  }
  Keep(control[CTL_SLAB_STARVED]);
  return watch.ElapsedNs();
}

}  // namespace

int64_t SlabSmallReads(uint32_t count) { return Reads(count, UINT32_MAX); }

int64_t SlabMixedReads(uint32_t count) { return Reads(count, 16); }

}  // namespace evloop
