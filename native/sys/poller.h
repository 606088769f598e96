// native/sys/poller.h - the contract every poller keeps.
//
// One instance per engine. Add, Arm, Watch, Remove, Wait and PrepareBlock come from the loop's
// thread only; Block from one waiter thread while the loop's thread does not wait; Interrupt from
// any thread.
//
// Two ways to watch a descriptor:
//   - Add() is for descriptors the engine owns and drives by trying: both directions from the
//     start, edge-like. After an event the caller uses that direction until EAGAIN (a short
//     transfer counts as one, unless READY_HANGUP came with it) and then calls Arm(): only from
//     then on is the next event promised.
//   - Watch() is for foreign descriptors: level-triggered, exactly the directions asked for, again
//     and again until changed.
// One descriptor is watched in one way, once, with one token.
//
// Promised by every backend:
//   - a direction that is ready when it is added or watched, or that becomes ready at any time
//     after the EAGAIN that led to Arm(), is told by a later Wait(), once at least.
//   - after Remove() returned, the token is not delivered by a later Wait(). Events that an earlier
//     Wait() returned are the caller's to drop: that is what the generation in the token is for.
//     No Block() holds the descriptor any more: closing it takes effect at once.
//   - error and hangup are told as readiness of at least the armed directions plus READY_HANGUP;
//     the next system call then finds out which of them it is.
//   - a Wait() with too small a capacity delivers the rest in the next ones, starving nobody.
//   - Wait() and Block() are never early, and signals do not end them.
// Not promised: absence of spurious events (the caller takes EAGAIN for "wait again"); order within
// one Wait(); hangup events while READ is not armed; survival of fork(); what happens with
// descriptors closed before Remove(), except that their number may be added or watched anew.
// Sources: epoll(7), poll(2), kqueue(2).
#pragma once

#include <cstdint>

namespace evloop {

enum Ready : uint32_t {
  READY_READ = 1,
  READY_WRITE = 2,
  READY_HANGUP = 4,  // End, error or urgent data: a short read is no proof of being drained.
};

struct Event {
  uint64_t token;  // Slot index in the low half, generation in the high half (slots.h).
  uint32_t ready;  // READY_* bits; READY_HANGUP never comes alone.
};

constexpr uint64_t MakeToken(uint32_t index, uint32_t generation) {
  return static_cast<uint64_t>(generation) << 32 | index;
}
constexpr uint32_t TokenIndex(uint64_t token) { return static_cast<uint32_t>(token); }
constexpr uint32_t TokenGeneration(uint64_t token) { return static_cast<uint32_t>(token >> 32); }

enum class PollerKind : uint32_t { kEpoll, kPoll, kKqueue };

class Poller {
 public:
  Poller() = default;
  virtual ~Poller() = default;  // Closes.
  Poller(const Poller&) = delete;
  Poller& operator=(const Poller&) = delete;

  // 0 or -errno. After Close() it may be opened again.
  virtual int32_t Open() = 0;
  // Idempotent. Watched descriptors stay open: they belong to the caller.
  virtual void Close() = 0;

  // Watches both directions of an owned, non-blocking descriptor. 0, -EPERM for some of what is
  // always ready, or -errno.
  virtual int32_t Add(int fd, uint64_t token) = 0;
  // Asks for the next event of `interest` (READY_READ | READY_WRITE) of a descriptor that was
  // added.
  virtual void Arm(int fd, uint64_t token, uint32_t interest) = 0;
  // Watches a foreign descriptor level-triggered, or changes what is watched; 0 pauses. 0, -EPERM
  // for files and directories, which are always ready, or -errno.
  virtual int32_t Watch(int fd, uint64_t token, uint32_t interest) = 0;
  // Ends either. Unknown descriptors are ignored.
  virtual void Remove(int fd) = 0;

  // Fills at most `capacity` events. timeout_ms: < 0 waits without end, 0 does not wait.
  // Returns the number of events, 0 when time ran out, or -errno.
  virtual int32_t Wait(Event* events, uint32_t capacity, int32_t timeout_ms) = 0;

  // A descriptor that is readable while Wait() has something to tell, for another loop to watch;
  // -1 when this mechanism has none.
  virtual int Descriptor() const = 0;
  // True when Add() reports every new arrival even if nothing was read in between, so that a waker
  // needs no draining.
  virtual bool IsEdgeTriggered() const = 0;

  // Takes what Block() needs to know. No Block() may be running.
  virtual void PrepareBlock() = 0;
  // Returns 1 when Wait() would return something, 0 after timeout_ms or an interrupt, or -errno.
  // Consumes no event. Descriptors that were added, armed or watched after PrepareBlock() may go
  // unseen: interrupt and block again.
  virtual int32_t Block(int32_t timeout_ms) = 0;
  // Ends the current Block(), or else the next one.
  virtual void Interrupt() = 0;
};

// The caller owns it. Null when this platform does not have that mechanism.
Poller* NewPoller(PollerKind kind);

}  // namespace evloop
