#include "wheel.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <limits>

#include "pages.h"

namespace evloop {

namespace {

// Above any deadline that is meant to come (142,000 years), below the end of exact doubles.
constexpr double kMaxTick = 4503599627370496.0;
constexpr double kInfinity = std::numeric_limits<double>::infinity();
// Compares false with everything: no Expire() is under way.
constexpr double kNotExpiring = std::numeric_limits<double>::quiet_NaN();
// Looking at this many timers for the exact next deadline costs less than waking up too early.
constexpr uint32_t kScanLimit = 16;

}  // namespace

Wheel::Wheel() : expiring_ms_(kNotExpiring) {}

Wheel::~Wheel() {
  for (uint32_t i = 0; i < chunk_capacity_; ++i) {
    if (chunks_[i].nodes != nullptr) UnmapChunk(&chunks_[i]);
  }
  std::free(chunks_);
}

bool Wheel::Start(uint32_t index, uint32_t generation, double deadline_ms) {
  const uint32_t place = index >> kChunkBits;
  if ((place >= chunk_capacity_ || chunks_[place].nodes == nullptr) && !MapChunk(place)) {
    return false;
  }
  Chunk* chunk = &chunks_[place];
  Node* node = &chunk->nodes[index & (kChunkNodes - 1)];
  ++chunk->started;
  if (HomeOf(*node) != kHomeNowhere) {
    Detach(index, node);
  } else {
    ++chunk->running;
    ++size_;
  }
  node->deadline = deadline_ms;
  node->generation = generation;
  node->key = sequence_++ << kHomeBits;
  if (deadline_ms <= expiring_ms_) {
    Append(kHomeFresh, index, node);
  } else {
    Place(index, node);
  }
  return true;
}

bool Wheel::Cancel(uint32_t index, uint32_t generation) {
  const uint32_t place = index >> kChunkBits;
  if (place >= chunk_capacity_ || chunks_[place].nodes == nullptr) return false;
  Node* node = &At(index);
  if (node->generation != generation || HomeOf(*node) == kHomeNowhere) return false;
  Detach(index, node);
  Finish(index, node);
  return true;
}

double Wheel::NextDeadline() const {
  double next = kInfinity;
  if (HasList(kHomeRun)) next = At(lists_[kHomeRun].head).deadline;
  if (heap_root_ != kNone && At(heap_root_).deadline < next) next = At(heap_root_).deadline;
  if (next < kInfinity) return next;
  uint32_t level = 0;
  uint32_t home = 0;
  uint64_t tick = 0;
  if (!NextSlot(&level, &home, &tick)) return kInfinity;
  return EarliestIn(lists_[home], tick, tick + (uint64_t{1} << (level * kDigitBits)));
}

uint64_t Wheel::MemoryBytes() const {
  return uint64_t{mapped_} * kChunkNodes * sizeof(Node) + uint64_t{chunk_capacity_} * sizeof(Chunk);
}

// Expiry

void Wheel::BeginExpire(double now_ms) {
  expiring_ms_ = now_ms;
  target_ = TickOf(now_ms);
}

// Places what `emit` started. Only now, so that this call could not reach it.
void Wheel::EndExpire() {
  expiring_ms_ = kNotExpiring;
  for (uint32_t index = TakeList(kHomeFresh); index != kNone;) {
    Node* node = &At(index);
    const uint32_t next = node->next;
    Place(index, node);
    index = next;
  }
}

// The earliest of the run and the heap comes before everything that still waits in a slot, so slots
// are opened only when both are empty.
bool Wheel::TakeDue(double now_ms, uint32_t* index, uint32_t* generation) {
  while (!HasList(kHomeRun) && heap_root_ == kNone) {
    if (!Advance()) return false;
  }
  uint32_t first = HasList(kHomeRun) ? lists_[kHomeRun].head : heap_root_;
  if (heap_root_ != kNone && first != heap_root_ && Before(At(heap_root_), At(first))) {
    first = heap_root_;
  }
  Node* node = &At(first);
  if (!(node->deadline <= now_ms)) return false;
  *index = first;
  *generation = node->generation;
  Detach(first, node);
  Finish(first, node);
  return true;
}

// Moves to the next slot that has timers, if time has come that far.
bool Wheel::Advance() {
  if (elapsed_ >= target_) return false;
  uint32_t level = 0;
  uint32_t home = 0;
  uint64_t tick = 0;
  if (!NextSlot(&level, &home, &tick) || tick > target_) {
    elapsed_ = target_;
    return false;
  }
  elapsed_ = tick;
  if (level == 0) {
    const uint32_t head = TakeList(home);
    MakeRun(head, lists_[home].tail);
  } else {
    Cascade(home);
  }
  return true;
}

// Moves the timers of a slot that has begun to lower levels; those of its first tick are the run.
// The whole list is taken off first, because a timer beyond the horizon returns to the same slot.
void Wheel::Cascade(uint32_t home) {
  uint32_t run = kNone;
  uint32_t* link = &run;
  uint32_t last = kNone;
  for (uint32_t index = TakeList(home); index != kNone;) {
    Node* node = &At(index);
    const uint32_t next = node->next;
    if (TickOf(node->deadline) == elapsed_) {
      *link = index;
      link = &node->next;
      node->prev = last;
      last = index;
    } else {
      Place(index, node);
    }
    index = next;
  }
  *link = kNone;
  if (run != kNone) MakeRun(run, last);
}

// The slot that begins next, on any level. The slots of a level lie within one slot of the level
// above, so the lowest level that has timers has the next ones. Only the top level wraps: what is
// found in its current slot belongs to the next round, hence the search begins behind it.
bool Wheel::NextSlot(uint32_t* level, uint32_t* home, uint64_t* tick) const {
  static_assert(kMaskWords == 4, "the test for an empty level is written out");
  for (uint32_t row = 1; row <= kLevels; ++row) {
    const uint64_t* mask = occupied_ + row * kMaskWords;
    if ((mask[0] | mask[1] | mask[2] | mask[3]) == 0) continue;
    const uint32_t shift = (row - 1) * kDigitBits;
    uint64_t slot = (elapsed_ >> shift) + 1;
    uint64_t bits = mask[slot / 64 % kMaskWords] >> slot % 64;
    while (bits == 0) {
      slot = (slot / 64 + 1) * 64;
      bits = mask[slot / 64 % kMaskWords];
    }
    slot += static_cast<uint32_t>(__builtin_ctzll(bits));
    *level = row - 1;
    *home = row * kSlotCount + static_cast<uint32_t>(slot % kSlotCount);
    *tick = slot << shift;
    return true;
  }
  return false;
}

// The next deadline, given that the next slot is [begin, end). A list of the top level may hold
// timers of later rounds, which other slots precede: hence not after `end`.
double Wheel::EarliestIn(const List& list, uint64_t begin_tick, uint64_t end_tick) const {
  double earliest = static_cast<double>(end_tick);
  uint32_t index = list.head;
  for (uint32_t seen = 0; index != kNone; ++seen) {
    if (seen == kScanLimit) return static_cast<double>(begin_tick);
    const Node& node = At(index);
    if (node.deadline < earliest) earliest = node.deadline;
    index = node.next;
  }
  return earliest;
}

// Places

uint64_t Wheel::TickOf(double ms) {
  // Written so that NaN never comes.
  if (!(ms < kMaxTick)) return static_cast<uint64_t>(kMaxTick);
  return ms > 0 ? static_cast<uint64_t>(ms) : 0;
}

void Wheel::Place(uint32_t index, Node* node) {
  const uint64_t tick = TickOf(node->deadline);
  if (tick <= elapsed_) return HeapPush(index, node);
  const uint32_t highest_bit = 63 - static_cast<uint32_t>(__builtin_clzll(tick ^ elapsed_));
  const uint32_t digit = highest_bit / kDigitBits;
  const uint32_t level = digit < kLevels ? digit : kLevels - 1;
  const uint32_t slot = static_cast<uint32_t>(tick >> (level * kDigitBits)) % kSlotCount;
  Append(kHomeSlots + level * kSlotCount + slot, index, node);
}

void Wheel::Detach(uint32_t index, Node* node) {
  const uint32_t home = HomeOf(*node);
  if (home == kHomeHeap) return HeapRemove(index, node);
  Unlink(home, node);
}

// The timer is detached and over.
void Wheel::Finish(uint32_t index, Node* node) {
  SetHome(node, kHomeNowhere);
  --size_;
  Chunk* chunk = &chunks_[index >> kChunkBits];
  if (--chunk->running == 0 && chunk->started >= kChunkNodes / 2 && chunk != chunks_) {
    UnmapChunk(chunk);
  }
}

void Wheel::SetHome(Node* node, uint32_t home) {
  node->key = (node->key & ~uint64_t{(1u << kHomeBits) - 1}) | home;
}

// Lists

void Wheel::Append(uint32_t home, uint32_t index, Node* node) {
  List* list = &lists_[home];
  SetHome(node, home);
  node->next = kNone;
  if (HasList(home)) {
    node->prev = list->tail;
    At(list->tail).next = index;
  } else {
    node->prev = kNone;
    list->head = index;
    occupied_[home / 64] |= uint64_t{1} << home % 64;
  }
  list->tail = index;
}

void Wheel::Unlink(uint32_t home, Node* node) {
  List* list = &lists_[home];
  if (node->prev == kNone) {
    list->head = node->next;
  } else {
    At(node->prev).next = node->next;
  }
  if (node->next == kNone) {
    list->tail = node->prev;
  } else {
    At(node->next).prev = node->prev;
  }
  if (node->prev == kNone && node->next == kNone) ClearList(home);
}

// Empties a list and returns what was in it, linked by `next`.
uint32_t Wheel::TakeList(uint32_t home) {
  if (!HasList(home)) return kNone;
  ClearList(home);
  return lists_[home].head;
}

// The run

// The timers from `head` to `tail` are linked both ways and at least one; the run is empty.
void Wheel::MakeRun(uint32_t head, uint32_t tail) {
  lists_[kHomeRun].head = Sort(head, tail);
  uint32_t prev = kNone;
  for (uint32_t index = lists_[kHomeRun].head; index != kNone;) {
    Node* node = &At(index);
    SetHome(node, kHomeRun);
    node->prev = prev;
    prev = index;
    index = node->next;
  }
  lists_[kHomeRun].tail = prev;
  occupied_[0] |= 1u << kHomeRun;
}

// Sorts pieces of the chain in an array and merges them: the nodes are scattered over memory, so
// each is visited once. The chain is read from both ends, because the processor can then fetch two
// nodes at the same time. pending[i] is the merge of 2^i pieces or nothing, as in a binary counter.
uint32_t Wheel::Sort(uint32_t head, uint32_t tail) {
  if (head == tail) return head;
  bool is_last = false;
  const uint32_t piece = SortPiece(&head, &tail, &is_last);
  if (is_last) return piece;
  uint32_t pending[32];
  for (uint32_t& chain : pending) chain = kNone;
  pending[0] = piece;
  while (!is_last) {
    uint32_t sorted = SortPiece(&head, &tail, &is_last);
    uint32_t i = 0;
    for (; pending[i] != kNone; ++i) {
      sorted = Merge(pending[i], sorted);
      pending[i] = kNone;
    }
    pending[i] = sorted;
  }
  uint32_t sorted = kNone;
  for (const uint32_t chain : pending) {
    if (chain != kNone) sorted = sorted == kNone ? chain : Merge(chain, sorted);
  }
  return sorted;
}

// Takes timers from both ends of a chain and returns them as a sorted one.
uint32_t Wheel::SortPiece(uint32_t* head, uint32_t* tail, bool* is_last) {
  Ordered piece[kSortPiece];
  uint32_t front = *head;
  uint32_t back = *tail;
  uint32_t first = 0;          // Behind those taken from the front.
  uint32_t last = kSortPiece;  // The first of those taken from the back.
  *is_last = false;
  while (first < last) {
    const Node& node = At(front);
    piece[first++] = {node.deadline, node.key, front};
    if (front == back) {
      *is_last = true;
      break;
    }
    const uint32_t next = node.next;
    const Node& end = At(back);
    piece[--last] = {end.deadline, end.key, back};
    if (next == back) {
      *is_last = true;
      break;
    }
    front = next;
    back = end.prev;
  }
  *head = front;
  *tail = back;
  // Close the gap that the last piece leaves.
  uint32_t count = first;
  for (; last < kSortPiece; ++last) piece[count++] = piece[last];
  const auto is_before = [](const Ordered& a, const Ordered& b) {
    return a.deadline < b.deadline || (a.deadline == b.deadline && a.key < b.key);
  };
  // Started in the order of their deadlines, as those with one common delay are.
  if (!std::is_sorted(piece, piece + count, is_before)) std::sort(piece, piece + count, is_before);
  for (uint32_t i = 0; i + 1 < count; ++i) At(piece[i].index).next = piece[i + 1].index;
  At(piece[count - 1].index).next = kNone;
  return piece[0].index;
}

uint32_t Wheel::Merge(uint32_t first, uint32_t second) {
  uint32_t head = kNone;
  uint32_t* link = &head;
  while (first != kNone && second != kNone) {
    uint32_t* earlier = Before(At(second), At(first)) ? &second : &first;
    *link = *earlier;
    link = &At(*earlier).next;
    *earlier = *link;
  }
  *link = first != kNone ? first : second;
  return head;
}

// The heap: a pairing heap (Fredman, Sedgewick, Sleator, Tarjan 1986), because it lives in the
// nodes, takes a timer in one comparison and lets any of them go.

void Wheel::HeapPush(uint32_t index, Node* node) {
  SetHome(node, kHomeHeap);
  node->next = kNone;
  node->prev = kNone;
  node->child = kNone;
  heap_root_ = HeapMeld(heap_root_, index);
}

void Wheel::HeapRemove(uint32_t index, Node* node) {
  const uint32_t children = HeapMeldSiblings(node->child);
  if (index == heap_root_) {
    heap_root_ = children;
    return;
  }
  Node* prev = &At(node->prev);
  if (prev->child == index) {
    prev->child = node->next;
  } else {
    prev->next = node->next;
  }
  if (node->next != kNone) At(node->next).prev = node->prev;
  heap_root_ = HeapMeld(heap_root_, children);
}

// The later of two roots becomes the first child of the earlier one.
uint32_t Wheel::HeapMeld(uint32_t first, uint32_t second) {
  if (first == kNone) return second;
  if (second == kNone) return first;
  const bool swapped = Before(At(second), At(first));
  const uint32_t parent = swapped ? second : first;
  const uint32_t child = swapped ? first : second;
  Node* parent_node = &At(parent);
  Node* child_node = &At(child);
  child_node->next = parent_node->child;
  child_node->prev = parent;
  if (parent_node->child != kNone) At(parent_node->child).prev = child;
  parent_node->child = child;
  return parent;
}

// Melds siblings into one root: in pairs from the left, then all pairs from the right, which is
// what keeps the amortized cost of taking the earliest logarithmic.
uint32_t Wheel::HeapMeldSiblings(uint32_t first) {
  uint32_t pairs = kNone;
  while (first != kNone) {
    const uint32_t second = At(first).next;
    const uint32_t rest = second == kNone ? kNone : At(second).next;
    const uint32_t pair = HeapMeld(first, second);
    At(pair).next = pairs;
    pairs = pair;
    first = rest;
  }
  uint32_t root = kNone;
  while (pairs != kNone) {
    Node* pair = &At(pairs);
    const uint32_t next = pair->next;
    pair->next = kNone;
    pair->prev = kNone;
    root = HeapMeld(root, pairs);
    pairs = next;
  }
  return root;
}

// Memory

bool Wheel::MapChunk(uint32_t chunk) {
  if (chunk >= chunk_capacity_) {
    uint32_t capacity = chunk_capacity_ == 0 ? 16 : chunk_capacity_;
    while (capacity <= chunk) capacity *= 2;
    void* table = std::realloc(chunks_, capacity * sizeof(Chunk));
    if (table == nullptr) return false;
    chunks_ = static_cast<Chunk*>(table);
    std::memset(chunks_ + chunk_capacity_, 0, (capacity - chunk_capacity_) * sizeof(Chunk));
    chunk_capacity_ = capacity;
  }
  // Zeroed: every node is nowhere.
  void* nodes = AllocatePages(kChunkNodes * sizeof(Node));
  if (nodes == nullptr) return false;
  chunks_[chunk] = {static_cast<Node*>(nodes), 0, 0};
  ++mapped_;
  return true;
}

void Wheel::UnmapChunk(Chunk* chunk) {
  FreePages(chunk->nodes, kChunkNodes * sizeof(Node));
  *chunk = {};
  --mapped_;
}

}  // namespace evloop
