// native/resolver.h - one loop's look-ups, on threads of their own.
//
// A thread that hangs in the system's resolver cannot be ended. So nobody waits for the threads:
// they are detached, share the state with the resolver, and whoever comes back after Close() finds
// that nobody wants the answer, and leaves. The addon is linked so that it is never unloaded.
//
//   Add() -> waiting -> (a thread is busy with it) -> finished -> Take()
//               |
//             Drop()
#pragma once

#include <cstdint>
#include <memory>

#include "sys/names.h"

namespace evloop {

class Resolver {
 public:
  struct Settings {
    // At most so many look-ups at the same time.
    uint32_t threads = 2;
    // A thread without work ends after that time.
    int64_t idle_ms = 10000;
    // Blocks for as long as it likes. Any thread.
    void (*look_up)(Lookup* lookup) = LookUp;
    // Tells the loop that Take() has something, once until it was emptied; refuses to once the loop
    // is gone. Any thread.
    bool (*notify)(uint32_t id) = nullptr;
    uint32_t notify_id = 0;
  };

  explicit Resolver(const Settings& settings);
  ~Resolver() { Close(); }
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;

  // All calls come from the loop's thread, and none after Close().

  // Starts a thread when none is idle. 0, or -EAGAIN when it needs one and there is none to spare.
  int32_t Add(std::unique_ptr<Lookup> lookup);
  // Forgets a look-up that no thread has begun; false when it is too late for that.
  bool Drop(uint32_t id);
  // The next answer, or null. The caller goes on until it is null.
  std::unique_ptr<Lookup> Take();
  // Returns at once, whatever the threads do. Idempotent.
  void Close();

 private:
  struct State;
  static void* Run(void* data);
  static void Serve(State* state);

  std::shared_ptr<State> state_;
};

}  // namespace evloop
