#include "watches.h"

#include <cerrno>

namespace evloop {

int32_t Watches::Set(Poller* poller, int fd, uint32_t interest, uint32_t* generation) {
  if (IsOwned(fd)) return -EEXIST;
  const auto found = watches_.find(fd);
  if (interest == 0) {
    if (found == watches_.end()) return 0;
    watches_.erase(found);
    poller->Remove(fd);
    return 0;
  }
  *generation = found == watches_.end() ? ++last_generation_ : found->second.generation;
  const uint64_t token = MakeToken(static_cast<uint32_t>(fd) | kTokenBit, *generation);
  const int32_t status = poller->Watch(fd, token, interest);
  if (status < 0) {
    // The descriptor was closed behind our back, and its watch with it.
    if (found != watches_.end()) watches_.erase(found);
    return status;
  }
  watches_[fd] = {*generation, interest};
  return 0;
}

uint32_t Watches::Ready(const Event& event) const {
  const auto found = watches_.find(DescriptorOf(event.token));
  if (found == watches_.end() || found->second.generation != TokenGeneration(event.token)) return 0;
  return event.ready & found->second.interest;
}

void Watches::Claim(int fd) {
  if (!watches_.empty()) watches_.erase(fd);
  const auto place = static_cast<size_t>(fd);
  if (owned_.size() <= place) owned_.resize(place + 1);
  owned_[place] = true;
}

void Watches::Clear() {
  watches_.clear();
  owned_.clear();
}

}  // namespace evloop
