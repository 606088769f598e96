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
  }
  return nullptr;
}

}  // namespace evloop
