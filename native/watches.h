// native/watches.h - foreign descriptors that the engine only watches, and which ones are its own.
//
// A watch is named by its descriptor and a generation, so that what was told of a descriptor that
// was closed and opened again does not reach whoever watches it now. Tokens have a bit that no slot
// has (slots.h), which keeps them apart from those of sockets.
#pragma once

#include <cstddef>
#include <cstdint>
#include <unordered_map>
#include <vector>

#include "sys/poller.h"

namespace evloop {

class Watches {
 public:
  static bool IsToken(uint64_t token) { return (TokenIndex(token) & kTokenBit) != 0; }
  static int DescriptorOf(uint64_t token) {
    return static_cast<int>(TokenIndex(token) & ~kTokenBit);
  }

  // Watches `fd` for `interest` (READY_READ | READY_WRITE) in place of what was watched before; 0
  // ends it. `*generation` is that of the watch. 0, -EEXIST for a descriptor of the engine's own,
  // -EPERM for one that is always ready, or -errno.
  int32_t Set(Poller* poller, int fd, uint32_t interest, uint32_t* generation);
  // What of the event its watch asked for: READY_READ | READY_WRITE, 0 when nobody did.
  uint32_t Ready(const Event& event) const;
  // Neither watched nor owned.
  bool IsFree(int fd) const { return watches_.count(fd) == 0 && !IsOwned(fd); }

  // The engine owns `fd` from now on. If it was watched, it had been closed without a word.
  void Claim(int fd);
  void Unclaim(int fd) { owned_[static_cast<size_t>(fd)] = false; }
  void Clear();

 private:
  static constexpr uint32_t kTokenBit = 1U << 31;

  struct Watch {
    uint32_t generation;
    uint32_t interest;
  };

  bool IsOwned(int fd) const {
    return static_cast<size_t>(fd) < owned_.size() && owned_[static_cast<size_t>(fd)];
  }

  std::unordered_map<int, Watch> watches_;
  std::vector<bool> owned_;  // By descriptor.
  uint32_t last_generation_ = 0;
};

}  // namespace evloop
