// native/wheel.h - a hierarchical timer wheel: pure, with no clock and no idea what a timer does.
//
//   level   a slot covers   256 slots cover
//     0     1 ms            256 ms
//     1     256 ms          66 s
//     2     66 s            4.7 h
//     3     4.7 h           50 days
//     4     50 days         35 years; later deadlines go round and are placed anew each time
//
// A timer waits at the level of the highest 8-bit digit in which its tick differs from the current
// one, and moves down when that slot begins. Start and cancel are O(1); advancing skips empty slots
// by bit masks. The mechanism is Varghese & Lauck's scheme 6, laid out as in tokio's
// runtime/time/wheel. Levels of 256 slots instead of 64 spare most timers one move through cold
// memory: of a million timers spread over a minute, each took 205 ns to expire instead of 360.
//
// A tick is a whole millisecond, but deadlines keep their fraction: the timers of the tick that is
// open wait in a sorted run, and those that are started into it (or into the past) in a heap. So a
// timer is never early, never late by a tick, and equal deadlines go in start order.
//
// Timers are named by the caller's own index; the wheel allocates nothing per timer.
#pragma once

#include <cstdint>

namespace evloop {

class Wheel {
 public:
  Wheel();
  ~Wheel();
  Wheel(const Wheel&) = delete;
  Wheel& operator=(const Wheel&) = delete;

  // Starts the timer `index`, or moves it if it runs. `deadline_ms` is on the clock that is given
  // to Expire(); any double will do: the past is due at once, infinity and NaN never. False when
  // memory is out; the timer then does not run.
  bool Start(uint32_t index, uint32_t generation, double deadline_ms);

  // False when no timer of that index and generation runs.
  bool Cancel(uint32_t index, uint32_t generation);

  // Calls emit(index, generation) for at most `limit` timers with deadline <= now_ms, ordered by
  // (deadline, start). Each is over before it is emitted. `emit` may start and cancel timers, but
  // what it starts is not emitted by this call; it must not call Expire(). Returns how many were
  // emitted: when that is `limit`, more may be due.
  template <class F>
  uint32_t Expire(double now_ms, uint32_t limit, F&& emit) {
    BeginExpire(now_ms);
    uint32_t count = 0;
    uint32_t index = 0;
    uint32_t generation = 0;
    while (count < limit && TakeDue(now_ms, &index, &generation)) {
      ++count;
      emit(index, generation);
    }
    EndExpire();
    return count;
  }

  // No timer is due before this moment, and never later than the first one is: usually its deadline
  // itself, at worst the start of the slot it waits in. Infinity when no timer runs.
  double NextDeadline() const;

  uint32_t size() const { return size_; }

  // Memory held for timers, in bytes.
  uint64_t MemoryBytes() const;

 private:
  static constexpr uint32_t kLevels = 5;
  static constexpr uint32_t kDigitBits = 8;
  static constexpr uint32_t kSlotCount = 1u << kDigitBits;
  static constexpr uint32_t kMaskWords = kSlotCount / 64;
  static constexpr uint32_t kChunkBits = 12;
  static constexpr uint32_t kChunkNodes = 1u << kChunkBits;
  static constexpr uint32_t kNone = UINT32_MAX;
  static constexpr uint32_t kSortPiece = 256;
  static constexpr uint32_t kHomeBits = 11;

  // Where a timer waits. Row 0 holds the special places, row 1 + level the slots of a level.
  enum Home : uint32_t {
    kHomeNowhere = 0,  // Does not run; zero, as fresh memory is.
    kHomeRun = 1,      // In the sorted run of the open tick.
    kHomeFresh = 2,    // Started by emit, already due: held back from this Expire().
    kHomeHeap = 3,     // Started into the open tick or the past.
    kHomeSlots = kSlotCount,
  };

  // Two fit into a cache line.
  struct Node {
    double deadline;      // ms.
    uint64_t key;         // Start sequence << kHomeBits | home: orders ties, and says where it is.
    uint32_t generation;  // The caller's.
    uint32_t next;        // In a list: the next. In the heap: the next sibling.
    uint32_t prev;        // In a list: the one before. In the heap: that sibling, or the parent.
    uint32_t child;       // In the heap: the first child.
  };

  // Chunks of nodes are given back one by one. Mapping one is dear, so a chunk must have served
  // half its size in starts before it goes: then the cost per start is lost in the noise.
  struct Chunk {
    Node* nodes;       // Null while not mapped.
    uint32_t running;  // Timers that run in it.
    uint32_t started;  // Starts since it was mapped.
  };

  // What the order of a timer depends on, next to each other while they are sorted.
  struct Ordered {
    double deadline;
    uint64_t key;
    uint32_t index;
  };

  struct List {
    uint32_t head;
    uint32_t tail;
  };

  Node& At(uint32_t index) const {
    return chunks_[index >> kChunkBits].nodes[index & (kChunkNodes - 1)];
  }

  static uint32_t HomeOf(const Node& node) {
    return static_cast<uint32_t>(node.key) & ((1u << kHomeBits) - 1);
  }
  static bool Before(const Node& a, const Node& b) {
    return a.deadline < b.deadline || (a.deadline == b.deadline && a.key < b.key);
  }
  static uint64_t TickOf(double ms);

  void BeginExpire(double now_ms);
  bool TakeDue(double now_ms, uint32_t* index, uint32_t* generation);
  void EndExpire();

  bool Advance();
  void Cascade(uint32_t home);
  bool NextSlot(uint32_t* level, uint32_t* home, uint64_t* tick) const;
  double EarliestIn(const List& list, uint64_t begin_tick, uint64_t end_tick) const;

  void Place(uint32_t index, Node* node);
  void Detach(uint32_t index, Node* node);
  void Finish(uint32_t index, Node* node);
  static void SetHome(Node* node, uint32_t home);

  bool HasList(uint32_t home) const { return (occupied_[home / 64] >> home % 64 & 1) != 0; }
  void ClearList(uint32_t home) { occupied_[home / 64] &= ~(uint64_t{1} << home % 64); }
  void Append(uint32_t home, uint32_t index, Node* node);
  void Unlink(uint32_t home, Node* node);
  uint32_t TakeList(uint32_t home);

  void MakeRun(uint32_t head, uint32_t tail);
  uint32_t Sort(uint32_t head, uint32_t tail);
  uint32_t SortPiece(uint32_t* head, uint32_t* tail, bool* is_last);
  uint32_t Merge(uint32_t first, uint32_t second);

  void HeapPush(uint32_t index, Node* node);
  void HeapRemove(uint32_t index, Node* node);
  uint32_t HeapMeld(uint32_t first, uint32_t second);
  uint32_t HeapMeldSiblings(uint32_t first);

  bool MapChunk(uint32_t chunk);
  void UnmapChunk(Chunk* chunk);

  Chunk* chunks_ = nullptr;                             // By index >> kChunkBits.
  uint32_t chunk_capacity_ = 0;                         // Entries in chunks_.
  uint32_t mapped_ = 0;                                 // Chunks that have nodes.
  uint32_t size_ = 0;                                   // Timers that run.
  uint64_t sequence_ = 0;                               // Of the next start.
  uint64_t elapsed_ = 0;                                // The open tick: slots up to it are empty.
  uint64_t target_ = 0;                                 // The tick Expire() may advance to.
  double expiring_ms_;                                  // Expire()'s now while it emits, else NaN.
  uint32_t heap_root_ = kNone;                          // Earliest timer of the heap.
  uint64_t occupied_[(1 + kLevels) * kMaskWords] = {};  // By home: bit per list that is not empty.
  List lists_[(1 + kLevels) * kSlotCount] = {};         // By home.
};

}  // namespace evloop
