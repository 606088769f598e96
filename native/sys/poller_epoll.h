// native/sys/poller_epoll.h - makes the epoll(7) poller; see NewPoller() for the general way.
#pragma once

#include "sys/poller.h"

namespace evloop {

// Null when memory is out.
Poller* NewEpollPoller();

}  // namespace evloop
