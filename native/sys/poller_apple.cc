// native/sys/poller_apple.cc - which mechanisms macOS has.
#include "sys/poller.h"
#include "sys/poller_kqueue.h"
#include "sys/poller_poll.h"

namespace evloop {

Poller* NewPoller(PollerKind kind) {
  switch (kind) {
    case PollerKind::kKqueue:
      return NewKqueuePoller();
    case PollerKind::kPoll:
      return NewPollPoller();
    case PollerKind::kEpoll:
      return nullptr;
  }
  return nullptr;
}

}  // namespace evloop
