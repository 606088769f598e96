// native/notifiers.h - how a thread names another thread's loop: an id that outlives it safely.
//
// A worker may notify a loop at the moment that loop is closed. The table's lock makes the two
// exclusive; an id is never used twice, so a late one is refused.
#pragma once

#include <cstdint>

namespace evloop {

class Engine;

// Any thread.
uint32_t RegisterNotifier(Engine* engine);
void UnregisterNotifier(uint32_t id);
// Wakes the loop. False when it is closed.
bool Notify(uint32_t id);

}  // namespace evloop
