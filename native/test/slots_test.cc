#include "slots.h"

#include <utility>
#include <vector>

#include "test/check.h"

namespace evloop {

namespace {

struct Item {
  uint32_t index;
  uint32_t generation;
  uint32_t value = 42;
  std::vector<uint32_t> owned;  // Leaks, which the sanitizer sees, unless the item is destroyed.
};

}  // namespace

TEST_CASE("slots: an item is found by its pair until it is freed") {
  Slots<Item> slots;
  uint32_t index = 99;
  CHECK(slots.Get(0, 1) == nullptr);
  Item* item = slots.Allocate(&index);
  REQUIRE(item != nullptr);
  CHECK(index == 0);
  CHECK(item->index == 0);
  CHECK(item->generation == 1);
  CHECK(slots.Get(0, 1) == item);
  CHECK(slots.Get(0, 2) == nullptr);
  CHECK(slots.Get(0, 0) == nullptr);
  CHECK(slots.Get(1, 1) == nullptr);
  CHECK(slots.Get(UINT32_MAX, 1) == nullptr);
  slots.Free(0);
  CHECK(slots.size() == 0);
  CHECK(slots.Get(0, 1) == nullptr);
  // Not even by the generation that comes next.
  CHECK(slots.Get(0, 2) == nullptr);
}

TEST_CASE("slots: freed places come back last in, first out, as new") {
  Slots<Item> slots;
  uint32_t index = 0;
  for (uint32_t i = 0; i < 3; ++i) {
    Item* item = slots.Allocate(&index);
    item->value = 7;
    item->owned.resize(100);
  }
  slots.Free(0);
  slots.Free(2);
  slots.Free(2);
  slots.Free(1000);
  CHECK(slots.size() == 1);
  Item* item = slots.Allocate(&index);
  CHECK(index == 2);
  CHECK(item->generation == 2);
  CHECK(item->value == 42);
  CHECK(item->owned.empty());
  slots.Allocate(&index);
  CHECK(index == 0);
  slots.Allocate(&index);
  CHECK(index == 3);
}

TEST_CASE("slots: a generation is never 0") {
  Slots<Item> slots;
  uint32_t index = 0;
  slots.Allocate(&index)->generation = UINT32_MAX;
  slots.Free(index);
  CHECK(slots.Allocate(&index)->generation == 1);
}

TEST_CASE("slots: the limit refuses, and freeing makes room") {
  Slots<Item> slots(2);
  uint32_t index = 0;
  slots.Allocate(&index);
  slots.Allocate(&index);
  CHECK(slots.Allocate(&index) == nullptr);
  CHECK(index == 1);
  slots.Free(0);
  CHECK(slots.Allocate(&index) != nullptr);
  CHECK(index == 0);
}

TEST_CASE("slots: every item is visited, though the visitor frees and allocates") {
  Slots<Item> slots;
  uint32_t index = 0;
  for (uint32_t i = 0; i < 2000; ++i) slots.Allocate(&index)->value = i;
  for (uint32_t i = 0; i < 2000; i += 2) slots.Free(i);
  uint32_t count = 0;
  uint64_t sum = 0;
  slots.ForEach([&](Item* item) {
    ++count;
    sum += item->value;
    slots.Free(item->index);
  });
  CHECK(count == 1000);
  CHECK(sum == 1000000);
  CHECK(slots.size() == 0);
  slots.ForEach([](Item*) { FAIL_CHECK("nothing is left"); });
}

TEST_CASE("slots: a million items stay where they are, and stale pairs find nothing") {
  constexpr uint32_t kCount = 1000000;
  Random random(FreshSeed());
  struct Small {
    uint32_t index;
    uint32_t generation;
    uint32_t value;
  };
  Slots<Small> slots;
  std::vector<Small*> items(kCount);
  std::vector<uint32_t> generations(kCount, 1);
  uint32_t index = 0;
  uint32_t wrong = 0;
  for (uint32_t i = 0; i < kCount; ++i) {
    items[i] = slots.Allocate(&index);
    items[i]->value = i;
    wrong += index != i;
  }
  CHECK(slots.size() == kCount);
  for (uint32_t round = 0; round < kCount; ++round) {
    const uint32_t place = random.Below(kCount);
    wrong += slots.Get(place, generations[place]) != items[place];
    slots.Free(place);
    wrong += slots.Get(place, generations[place]) != nullptr;
    wrong += slots.Allocate(&index) != items[place] || index != place;
    wrong += slots.Get(place, generations[place]) != nullptr;
    generations[place] = items[place]->generation;
  }
  CHECK(wrong == 0);
  for (uint32_t i = 0; i < kCount; ++i) slots.Free(i);
  CHECK(slots.size() == 0);
}

}  // namespace evloop
