// native/slots.h - objects addressed by index + generation instead of by pointer.
//
// An index names a place, a generation names one stay in it: whoever comes back with the pair after
// the object is gone gets null, so late kernel events and late submissions need no bookkeeping.
// Objects live in chunks that never move, so a pointer is good until Free(). Freed places are
// reused last-in-first-out to stay within warm cache lines; chunks are kept until destruction.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <new>

namespace evloop {

constexpr uint32_t kSlotChunk = 1024;
constexpr uint32_t kSlotLimit = 1u << 24;

// T is default-constructible and has two members that belong to Slots: `uint32_t index` and
// `uint32_t generation`. Every other member holds its default whenever Allocate() hands one out.
template <class T>
class Slots {
 public:
  explicit Slots(uint32_t limit = kSlotLimit) : limit_(limit < kSlotLimit ? limit : kSlotLimit) {}
  Slots(const Slots&) = delete;
  Slots& operator=(const Slots&) = delete;

  ~Slots() {
    for (uint32_t index = 0; index < built_; ++index) At(index)->~T();
    for (uint32_t chunk = 0; chunk < chunk_count_; ++chunk) std::free(chunks_[chunk]);
    std::free(chunks_);
  }

  // Null when the limit is reached or memory is out; `*index` is then left alone.
  T* Allocate(uint32_t* index) {
    uint32_t place = free_head_;
    T* item;
    if (place != kNone) {
      item = At(place);
      free_head_ = item->index;
    } else {
      item = Build();
      if (item == nullptr) return nullptr;
      place = built_ - 1;
    }
    item->index = place;
    ++size_;
    *index = place;
    return item;
  }

  // Null when the place was freed since, was never used, or does not exist.
  T* Get(uint32_t index, uint32_t generation) const {
    if (index >= built_) return nullptr;
    T* item = At(index);
    // A free place keeps the link to the next free one in `index`, which is never its own.
    return item->generation == generation && item->index == index ? item : nullptr;
  }

  // The generation of a place that is in use.
  uint32_t GenerationOf(uint32_t index) const { return At(index)->generation; }

  // Ends this stay. Freeing a free place does nothing.
  void Free(uint32_t index) {
    if (index >= built_) return;
    T* item = At(index);
    if (item->index != index) return;
    const uint32_t next = item->generation + 1;
    item->~T();
    new (item) T();
    item->generation = next == 0 ? 1 : next;
    item->index = free_head_;
    free_head_ = index;
    --size_;
  }

  uint32_t size() const { return size_; }

  // Visits in order of index. The visitor may free what it is given and may allocate.
  template <class F>
  void ForEach(F&& visit) {
    for (uint32_t index = 0; index < built_; ++index) {
      T* item = At(index);
      if (item->index == index) visit(item);
    }
  }

 private:
  static constexpr uint32_t kNone = UINT32_MAX;

  T* At(uint32_t index) const { return chunks_[index / kSlotChunk] + index % kSlotChunk; }

  // Constructs the next place that was never used. Places are built one by one, so that a chunk
  // costs resident memory only as far as it is used.
  T* Build() {
    if (built_ == limit_) return nullptr;
    if (built_ == chunk_count_ * kSlotChunk && !AddChunk()) return nullptr;
    T* item = new (static_cast<void*>(At(built_))) T();
    item->generation = 1;
    ++built_;
    return item;
  }

  bool AddChunk() {
    if (chunk_count_ == chunk_capacity_) {
      const uint32_t capacity = chunk_capacity_ == 0 ? 16 : chunk_capacity_ * 2;
      void* table = std::realloc(chunks_, capacity * sizeof(T*));
      if (table == nullptr) return false;
      chunks_ = static_cast<T**>(table);
      chunk_capacity_ = capacity;
    }
    static_assert(alignof(T) <= alignof(std::max_align_t), "malloc must suffice for T's alignment");
    void* chunk = std::malloc(kSlotChunk * sizeof(T));
    if (chunk == nullptr) return false;
    chunks_[chunk_count_++] = static_cast<T*>(chunk);
    return true;
  }

  T** chunks_ = nullptr;         // Table of chunks; the table moves, chunks do not.
  uint32_t chunk_count_ = 0;     // Chunks in the table.
  uint32_t chunk_capacity_ = 0;  // Room in the table.
  uint32_t built_ = 0;           // Places constructed so far: the high-water mark.
  uint32_t size_ = 0;            // Places in use.
  uint32_t free_head_ = kNone;   // Most recently freed place.
  uint32_t limit_;               // Places that may ever be built.
};

}  // namespace evloop
