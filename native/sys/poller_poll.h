// native/sys/poller_poll.h - makes the poll(2) poller; see NewPoller() for the general way.
#pragma once

#include "sys/poller.h"

namespace evloop {

// Null when memory is out.
Poller* NewPollPoller();

}  // namespace evloop
