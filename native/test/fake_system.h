// native/test/fake_system.h - a system without a kernel, in place of sys/: sockets are numbers,
// what calls answer is decided by whoever tests, and every call is counted.
//
// Programs that link fake_system.cc instead of the pollers and sockets of sys/ run the engine with
// as many connections as they like. Using a descriptor that is not open ends the program.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "fifo.h"
#include "sys/poller.h"

namespace evloop {

class FakeSystem {
 public:
  // Decides what a call answers: of `most` bytes, or for a call without size (`most` 0).
  using Decide = int32_t (*)(void* context, size_t most);

  void Reset(Decide decide, void* context);
  int32_t Answer(size_t most) { return decide_(context_, most); }

  int Open();
  void Close(int fd);
  bool IsOpen(int fd) const;
  // The program ends unless it is open.
  void Require(int fd) const;
  size_t open_count() const { return open_count_; }

  // A connection for the next SocketAccept(); without one it answers EAGAIN.
  void Arrive() { waiting_++; }
  int Accept();

  void Watch(int fd, uint64_t token);
  void Unwatch(int fd);
  // The next Wait() tells that `fd` is ready, if it is watched.
  void Tell(int fd, uint32_t ready);
  uint32_t Wait(Event* events, uint32_t capacity);
  bool HasEvents() const { return !events_.empty(); }

  // Calls of the poller and of sockets.
  uint64_t calls = 0;

 private:
  struct Descriptor {
    bool is_open;
    bool is_watched;
    uint64_t token;
  };

  Decide decide_ = nullptr;
  void* context_ = nullptr;
  std::vector<Descriptor> descriptors_;
  std::vector<int> free_;
  Fifo<Event> events_;
  size_t open_count_ = 0;
  size_t waiting_ = 0;
};

FakeSystem& TheSystem();

}  // namespace evloop
