// native/sys/poller_linux.cc - which mechanisms Linux has.
#include "sys/poller.h"
#include "sys/poller_epoll.h"
#include "sys/poller_poll.h"

namespace evloop {

Poller* NewPoller(PollerKind kind) {
  switch (kind) {
    case PollerKind::kEpoll:
      return NewEpollPoller();
    case PollerKind::kPoll:
      return NewPollPoller();
    case PollerKind::kKqueue:
      return nullptr;
  }
  return nullptr;
}

}  // namespace evloop
