// native/test/pollers.h - the pollers that the tests of the contract run on.
#pragma once

#include "sys/poller.h"

namespace evloop {

struct Epoll {
  static constexpr PollerKind kKind = PollerKind::kEpoll;
};
struct Poll {
  static constexpr PollerKind kKind = PollerKind::kPoll;
};
struct Kqueue {
  static constexpr PollerKind kKind = PollerKind::kKqueue;
};

// A system's own header, or that of test/kqueue.
#if __has_include(<sys/event.h>)
#define EVERY_POLLER Kqueue, Poll
#else
#define EVERY_POLLER Epoll, Poll
#endif

}  // namespace evloop
