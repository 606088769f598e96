// native/ring.h - native's ends of the two rings that JS allocated (layout: abi.h).
//
//   submissions: JS writes entries and the tail, native reads them and writes the head
//   completions: native writes entries and the tail, JS reads them and writes the head
//
// Both sides run on one thread, so the words are plain memory; heads and tails run freely, wrap at
// 2^32 and are masked only to find an entry. Nothing here owns memory: JS keeps the buffers alive
// until the engine is closed.
#pragma once

#include <cstdint>
#include <cstring>

#include "abi.h"

namespace evloop {

// The double in words 6-7 of an entry. Copied, because entries are words to the compiler.
inline double EntryDouble(const uint32_t* entry) {
  double value;
  std::memcpy(&value, entry + 6, sizeof value);
  return value;
}

inline void SetEntryDouble(uint32_t* entry, double value) {
  std::memcpy(entry + 6, &value, sizeof value);
}

class SubmissionQueue {
 public:
  // `capacity` is a power of two; `entries` holds capacity * kEntryWords words.
  void Attach(uint32_t* control, uint32_t* entries, uint32_t capacity) {
    control_ = control;
    entries_ = entries;
    mask_ = capacity - 1;
  }

  uint32_t Pending() const { return control_[CTL_SUBMISSION_TAIL] - Head(); }

  // The entry `position` places behind the oldest one: 0 ... Pending() - 1. Positions shift with
  // Consume(); any value is safe to pass, because it is masked.
  uint32_t* At(uint32_t position) const {
    return entries_ + static_cast<size_t>((Head() + position) & mask_) * kEntryWords;
  }

  // Gives the oldest `count` entries back to JS; they may be overwritten from then on.
  void Consume(uint32_t count) { control_[CTL_SUBMISSION_HEAD] += count; }

 private:
  uint32_t Head() const { return control_[CTL_SUBMISSION_HEAD]; }

  uint32_t* control_ = nullptr;  // JS's control block.
  uint32_t* entries_ = nullptr;  // JS's entries.
  uint32_t mask_ = 0;            // Capacity - 1.
};

class CompletionQueue {
 public:
  // `capacity` is a power of two; `entries` holds capacity * kEntryWords words.
  void Attach(uint32_t* control, uint32_t* entries, uint32_t capacity) {
    control_ = control;
    entries_ = entries;
    capacity_ = capacity;
  }

  uint32_t Pending() const { return control_[CTL_COMPLETION_TAIL] - control_[CTL_COMPLETION_HEAD]; }

  uint32_t Free() const { return Pending() < capacity_ ? capacity_ - Pending() : 0; }

  // False when the ring is full, which is counted: the caller keeps the work for the next turn.
  // Words 6-7 are reserved and left as they are.
  bool Push(uint32_t kind, uint32_t index, uint32_t generation, int32_t result, uint32_t a = 0,
            uint32_t b = 0) {
    const uint32_t tail = control_[CTL_COMPLETION_TAIL];
    if (tail - control_[CTL_COMPLETION_HEAD] >= capacity_) {
      ++control_[CTL_COMPLETION_FULL];
      return false;
    }
    uint32_t* entry = entries_ + static_cast<size_t>(tail & (capacity_ - 1)) * kEntryWords;
    entry[0] = kind;
    entry[1] = index;
    entry[2] = generation;
    entry[3] = static_cast<uint32_t>(result);
    entry[4] = a;
    entry[5] = b;
    control_[CTL_COMPLETION_TAIL] = tail + 1;
    return true;
  }

 private:
  uint32_t* control_ = nullptr;  // JS's control block.
  uint32_t* entries_ = nullptr;  // JS's entries.
  uint32_t capacity_ = 0;        // A power of two.
};

}  // namespace evloop
