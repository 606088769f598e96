// native/mailbox.h - the producers' end of a mailbox: shared memory through which other threads
// call functions of a loop. The loop's end, the only consumer, is JavaScript (src/core/remote.ts).
//
// Records are [size, function, payload padded to words], in a ring behind the header (abi.h).
// Positions count words, run to twice the capacity and wrap there, so that full and empty differ.
//
// Producers take a lock, and they do it here because a worker can be terminated between any two
// operations of its JavaScript: the lock it held would stay locked. It is held for one copy, so
// waiting for it is spinning. Waiting for room is left to JavaScript, where termination ends it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <thread>

#include "abi.h"

namespace evloop {

class Mailbox {
 public:
  // The caller keeps the memory.
  Mailbox(uint32_t* words, size_t count)
      : words_(words), capacity_(static_cast<uint32_t>(count) - kMailboxHeaderWords) {}

  // `payload` is null for a call without arguments.
  PostResult Put(uint32_t function, const uint8_t* payload, size_t size) {
    const size_t needed = kMailboxRecordWords + (payload == nullptr ? 0 : (size + 3) / 4);
    while (__atomic_exchange_n(words_ + MAIL_LOCK, 1, __ATOMIC_ACQUIRE) != 0)
      std::this_thread::yield();
    const PostResult result = PutLocked(function, payload, size, needed);
    __atomic_store_n(words_ + MAIL_LOCK, 0, __ATOMIC_RELEASE);
    return result;
  }

  // True for the first since the loop last looked: it then has to be woken.
  bool MarkNotified() {
    return __atomic_exchange_n(words_ + MAIL_NOTIFIED, 1, __ATOMIC_SEQ_CST) == 0;
  }

 private:
  PostResult PutLocked(uint32_t function, const uint8_t* payload, size_t size, size_t needed) {
    if (__atomic_load_n(words_ + MAIL_CLOSED, __ATOMIC_SEQ_CST) != 0) return POST_CLOSED;
    const uint32_t tail = words_[MAIL_TAIL];
    const uint32_t head = __atomic_load_n(words_ + MAIL_HEAD, __ATOMIC_SEQ_CST);
    const uint32_t used = (tail + 2 * capacity_ - head) % (2 * capacity_);
    if (used + needed > capacity_) return POST_FULL;
    *At(tail) = payload == nullptr ? kMailboxNoPayload : static_cast<uint32_t>(size);
    *At(tail + 1) = function;
    if (payload != nullptr) {
      uint8_t* const into = reinterpret_cast<uint8_t*>(At(tail + kMailboxRecordWords));
      const size_t room = static_cast<size_t>(
          reinterpret_cast<uint8_t*>(words_ + kMailboxHeaderWords + capacity_) - into);
      const size_t first = size < room ? size : room;
      memcpy(into, payload, first);
      memcpy(words_ + kMailboxHeaderWords, payload + first, size - first);
    }
    const uint32_t next = static_cast<uint32_t>(tail + needed) % (2 * capacity_);
    __atomic_store_n(words_ + MAIL_TAIL, next, __ATOMIC_SEQ_CST);
    return POST_DONE;
  }

  uint32_t* At(uint32_t position) const {
    return words_ + kMailboxHeaderWords + position % capacity_;
  }

  uint32_t* const words_;
  const uint32_t capacity_;  // Words of the ring.
};

}  // namespace evloop
