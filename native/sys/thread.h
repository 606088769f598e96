// native/sys/thread.h - threads. Unlike those of the standard library, one that cannot be had is an
// error to report, not the end of the process.
#pragma once

#include <cstdint>

namespace evloop {

// Runs `run(data)` in a thread of its own. 0, or -EAGAIN when the system has none to spare.
int32_t StartDetachedThread(void* (*run)(void* data), void* data);

// The same with a thread that has to be joined.
class Thread {
 public:
  Thread() = default;
  ~Thread() { Join(); }
  Thread(const Thread&) = delete;
  Thread& operator=(const Thread&) = delete;

  // 0, -EAGAIN, -ENOMEM, or -EALREADY while there is one.
  int32_t Start(void* (*run)(void* data), void* data);
  // Returns when it has ended, at once without one.
  void Join();
  bool IsStarted() const { return system_ != nullptr; }

 private:
  void* system_ = nullptr;  // The system's name of it; owned.
};

}  // namespace evloop
