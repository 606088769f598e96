// native/slab.h - where received bytes land: a few buffers of JS, filled by bump allocation.
//
//   |== committed, owned by Buffers in JS ==|------ left ------|
//   base                                    used               size
//
// A read is given room with Reserve(), and Commit() keeps what it really used. Native never reuses
// committed bytes: a slab whose rest is too small is marked in CTL_SLAB_CONSUMED_MASK, and JS puts
// a new buffer in its place with Set(). The memory is JS's; it must stay alive while it is set
// here.
#pragma once

#include <cstddef>
#include <cstdint>

#include "abi.h"

namespace evloop {

// Below this rest a slab is not worth another read.
constexpr uint32_t kReceiveMinimumBytes = 4096;
// What JS hands out from a slab starts on a double's boundary.
constexpr uint32_t kReceiveAlignBytes = 8;

class ReceiveSlabs {
 public:
  void Attach(uint32_t* control) { control_ = control; }

  // Puts a buffer into a slot, fresh and unused. `base` is 8-byte aligned.
  void Set(uint32_t slot, uint8_t* base, uint32_t size) {
    slabs_[slot] = {base, size, 0};
    usable_ |= 1u << slot;
    control_[CTL_SLAB_CONSUMED_MASK] &= ~(1u << slot);
  }

  // Forgets a slot's buffer; JS may let go of it afterwards.
  void Clear(uint32_t slot) {
    slabs_[slot] = {};
    usable_ &= ~(1u << slot);
  }

  // Finds room for one read: `wanted` bytes if any slab has them, else as much as there is but at
  // least `minimum`. False, and counted, when no slab has that: the read is put off until JS has
  // replaced the consumed slabs.
  bool Reserve(uint32_t wanted, uint32_t minimum, uint32_t* slot, uint8_t** at,
               uint32_t* available) {
    if (Left(current_) < wanted) {
      const uint32_t found = Find(wanted, minimum);
      if (found == kReceiveSlabCount) {
        RetireBelow(minimum);
        ++control_[CTL_SLAB_STARVED];
        return false;
      }
      current_ = found;
    }
    const Slab& slab = slabs_[current_];
    *slot = current_;
    *at = slab.base + slab.used;
    *available = slab.size - slab.used;
    return true;
  }

  // Offset of the room that Reserve() found, for the completion.
  uint32_t Used(uint32_t slot) const { return slabs_[slot].used; }

  // Keeps the first `length` bytes of the room that Reserve() gave.
  void Commit(uint32_t slot, uint32_t length) {
    Slab& slab = slabs_[slot];
    const uint32_t end = (slab.used + length + kReceiveAlignBytes - 1) & ~(kReceiveAlignBytes - 1);
    slab.used = end < slab.size ? end : slab.size;
    if (slab.size - slab.used < kReceiveMinimumBytes) Retire(slot);
  }

 private:
  static_assert(kReceiveSlabCount <= 32, "slots are bits of one control word");

  struct Slab {
    uint8_t* base;  // JS's memory.
    uint32_t size;  // 0 while the slot is empty.
    uint32_t used;  // Bytes from the start that are committed.
  };

  // 0 for a slot that is not usable.
  uint32_t Left(uint32_t slot) const { return slabs_[slot].size - slabs_[slot].used; }

  // Best fit: the smallest rest that holds `wanted`, so that small reads finish begun slabs and
  // fresh ones remain for large reads; failing that the largest rest, if it is at least `minimum`.
  uint32_t Find(uint32_t wanted, uint32_t minimum) const {
    uint32_t fit = kReceiveSlabCount;
    uint32_t largest = kReceiveSlabCount;
    for (uint32_t bits = usable_; bits != 0; bits &= bits - 1) {
      const uint32_t slot = static_cast<uint32_t>(__builtin_ctz(bits));
      const uint32_t left = Left(slot);
      if (left >= wanted && (fit == kReceiveSlabCount || left < Left(fit))) fit = slot;
      if (left >= minimum && (largest == kReceiveSlabCount || left > Left(largest))) largest = slot;
    }
    return fit != kReceiveSlabCount ? fit : largest;
  }

  // Begun slabs that cannot serve `minimum` are given back, because otherwise a caller that only
  // makes large reads would wait for ever. Unused ones stay: another buffer would be no larger.
  void RetireBelow(uint32_t minimum) {
    for (uint32_t bits = usable_; bits != 0; bits &= bits - 1) {
      const uint32_t slot = static_cast<uint32_t>(__builtin_ctz(bits));
      if (slabs_[slot].used != 0 && Left(slot) < minimum) Retire(slot);
    }
  }

  void Retire(uint32_t slot) {
    slabs_[slot].used = slabs_[slot].size;
    usable_ &= ~(1u << slot);
    control_[CTL_SLAB_CONSUMED_MASK] |= 1u << slot;
  }

  uint32_t* control_ = nullptr;  // JS's control block.
  uint32_t usable_ = 0;          // Bit per slot that is set and not consumed.
  uint32_t current_ = 0;         // Slot that served the last read.
  Slab slabs_[kReceiveSlabCount] = {};
};

}  // namespace evloop
