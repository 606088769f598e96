// native/sys/poller_kqueue.h - makes the kqueue(2) poller; see NewPoller() for the general way.
#pragma once

#include "sys/poller.h"

namespace evloop {

// Null when memory is out.
Poller* NewKqueuePoller();

}  // namespace evloop
