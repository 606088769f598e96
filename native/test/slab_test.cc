#include "slab.h"

#include <vector>

#include "test/check.h"

namespace evloop {

namespace {

constexpr uint32_t kSize = kReceiveSlabBytes;
constexpr uint32_t kSmall = 8192;
constexpr uint32_t kMinimum = kReceiveMinimumBytes;

struct SlabMemory {
  std::vector<uint32_t> control = std::vector<uint32_t>(kControlWords);
  std::vector<std::vector<uint64_t>> buffers;
  ReceiveSlabs slabs;
  uint32_t slot = 0;
  uint8_t* at = nullptr;
  uint32_t available = 0;

  explicit SlabMemory(uint32_t count) {
    slabs.Attach(control.data());
    buffers.resize(kReceiveSlabCount);
    for (uint32_t i = 0; i < count; ++i) Replace(i);
  }
  uint8_t* Base(uint32_t of) { return reinterpret_cast<uint8_t*>(buffers[of].data()); }
  void Replace(uint32_t of, uint32_t size = kSize) {
    buffers[of].assign(size / 8, 0);
    slabs.Set(of, Base(of), size);
  }
  bool Reserve(uint32_t wanted, uint32_t minimum = kMinimum) {
    return slabs.Reserve(wanted, minimum, &slot, &at, &available);
  }
  uint32_t consumed() const { return control[CTL_SLAB_CONSUMED_MASK]; }
  uint32_t starved() const { return control[CTL_SLAB_STARVED]; }
};

}  // namespace

TEST_CASE("slab: reads follow one another in a slab, on multiples of 8") {
  SlabMemory memory(2);
  REQUIRE(memory.Reserve(kSmall));
  CHECK(memory.slot == 0);
  CHECK(memory.at == memory.Base(0));
  CHECK(memory.available == kSize);
  memory.slabs.Commit(0, 13);
  CHECK(memory.slabs.Used(0) == 16);
  REQUIRE(memory.Reserve(kSmall));
  CHECK(memory.at == memory.Base(0) + 16);
  CHECK(memory.available == kSize - 16);
  memory.slabs.Commit(0, 8);
  CHECK(memory.slabs.Used(0) == 24);
  // A read that got nothing costs nothing.
  memory.slabs.Commit(0, 0);
  CHECK(memory.slabs.Used(0) == 24);
}

TEST_CASE("slab: small reads finish a begun slab before they begin another") {
  SlabMemory memory(kReceiveSlabCount);
  for (uint32_t used = 0; kSize - used >= kSmall; used += 1000) {
    REQUIRE(memory.Reserve(kSmall));
    CHECK(memory.slot == 0);
    memory.slabs.Commit(memory.slot, 1000);
  }
  REQUIRE(memory.Reserve(kSmall));
  CHECK(memory.slot == 1);
}

TEST_CASE("slab: large reads take an unused slab and leave its rest to small ones") {
  SlabMemory memory(3);
  REQUIRE(memory.Reserve(kSmall));
  memory.slabs.Commit(0, 1000);
  REQUIRE(memory.Reserve(kSize));
  CHECK(memory.slot == 1);
  CHECK(memory.available == kSize);
  memory.slabs.Commit(1, 20000);
  REQUIRE(memory.Reserve(kSmall));
  CHECK(memory.slot == 1);
  memory.slabs.Commit(1, 1000);
  REQUIRE(memory.Reserve(kSize));
  CHECK(memory.slot == 2);
  memory.slabs.Commit(2, kSize);
  CHECK(memory.consumed() == 1u << 2);
  // None is unused any more: the largest rest has to do.
  REQUIRE(memory.Reserve(kSize));
  CHECK(memory.slot == 0);
  CHECK(memory.available == kSize - 1000);
}

TEST_CASE("slab: a used-up slab is reported once and serves again when it was replaced") {
  SlabMemory memory(1);
  REQUIRE(memory.Reserve(kSize));
  memory.slabs.Commit(0, kSize - kMinimum + 1);
  CHECK(memory.consumed() == 1);
  CHECK_FALSE(memory.Reserve(kSmall));
  CHECK_FALSE(memory.Reserve(16));
  CHECK(memory.starved() == 2);
  memory.Replace(0);
  CHECK(memory.consumed() == 0);
  REQUIRE(memory.Reserve(kSmall));
  CHECK(memory.at == memory.Base(0));
}

TEST_CASE("slab: exactly the minimum is still used") {
  SlabMemory memory(1);
  REQUIRE(memory.Reserve(kSize));
  memory.slabs.Commit(0, kSize - kMinimum);
  CHECK(memory.consumed() == 0);
  REQUIRE(memory.Reserve(kSmall));
  CHECK(memory.available == kMinimum);
}

TEST_CASE("slab: begun slabs do not starve those who need a large minimum") {
  SlabMemory memory(2);
  REQUIRE(memory.Reserve(kSize, kSize));
  memory.slabs.Commit(memory.slot, 100);
  REQUIRE(memory.Reserve(kSize, kSize));
  memory.slabs.Commit(memory.slot, 100);
  CHECK_FALSE(memory.Reserve(kSize, kSize));
  CHECK(memory.consumed() == 3);
  memory.Replace(1);
  CHECK(memory.Reserve(kSize, kSize));
}

TEST_CASE("slab: a cleared slot is not used") {
  SlabMemory memory(2);
  memory.slabs.Clear(0);
  REQUIRE(memory.Reserve(kSmall));
  CHECK(memory.slot == 1);
  memory.slabs.Clear(1);
  CHECK_FALSE(memory.Reserve(16, 8));
}

TEST_CASE("slab: committed bytes are never handed out again") {
  Random random(FreshSeed());
  SlabMemory memory(kReceiveSlabCount);
  std::vector<uint32_t> ends(kReceiveSlabCount);
  for (uint32_t i = 0; i < 100000; ++i) {
    const uint32_t wanted = random.OneIn(4) ? kSize : kSmall;
    if (!memory.Reserve(wanted)) {
      CHECK(memory.consumed() == (1u << kReceiveSlabCount) - 1);
      for (uint32_t slot = 0; slot < kReceiveSlabCount; ++slot) {
        memory.Replace(slot);
        ends[slot] = 0;
      }
      continue;
    }
    const uint32_t offset = static_cast<uint32_t>(memory.at - memory.Base(memory.slot));
    if (offset < ends[memory.slot] || offset % 8 != 0 || offset + memory.available != kSize ||
        memory.available < kMinimum || offset != memory.slabs.Used(memory.slot)) {
      FAIL_CHECK("room at " << offset);
    }
    const uint32_t length =
        random.Below((wanted < memory.available ? wanted : memory.available) + 1);
    memory.slabs.Commit(memory.slot, length);
    ends[memory.slot] = offset + length;
  }
}

}  // namespace evloop
