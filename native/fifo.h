// native/fifo.h - a queue in one block of memory, for what waits its turn.
//
// What std::deque does in blocks of half a kilobyte, without one allocation per block: the places
// that were served are given back once they are more than those that wait, so every entry moves
// once on average.
#pragma once

#include <cstddef>
#include <vector>

namespace evloop {

template <class T>
class Fifo {
 public:
  bool empty() const { return first_ == entries_.size(); }
  size_t size() const { return entries_.size() - first_; }
  const T& front() const { return entries_[first_]; }

  void Push(const T& entry) { entries_.push_back(entry); }

  // Takes the front away; there is one.
  void Pop() {
    if (++first_ == entries_.size()) return clear();
    if (first_ < kFewest || first_ < size()) return;
    entries_.erase(entries_.begin(), entries_.begin() + static_cast<ptrdiff_t>(first_));
    first_ = 0;
  }

  void clear() {
    entries_.clear();
    first_ = 0;
  }

 private:
  // Served places that are not worth moving anything for.
  static constexpr size_t kFewest = 64;

  std::vector<T> entries_;  // From first_ on; those before it were served.
  size_t first_ = 0;
};

}  // namespace evloop
