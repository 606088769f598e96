// native/sys/thread.h - a thread that nobody joins.
#pragma once

#include <cstdint>

namespace evloop {

// Runs `run(data)` in a thread of its own. 0, or -EAGAIN when the system has none to spare.
int32_t StartDetachedThread(void* (*run)(void* data), void* data);

}  // namespace evloop
