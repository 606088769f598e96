// native/host.h - how Node's loop wakes ours, and how long ours may stay.
//
// A host is a guest of the runtime's own loop. It calls RunTurns() when something became ready, a
// timer is due, or JS asked for it with Wake(); afterwards Rearm() tells the runtime when to come
// back. Two exist: host_uv.cc hangs our poller's descriptor into libuv; host_thread.cc lets a
// thread wait and wakes JS through a threadsafe function.
//
// All calls come from the loop's thread.
#pragma once

#include <cstdint>

#include "engine.h"

namespace evloop {

// Runs turn() once, through a callback scope. False when JS can no longer be called.
struct TurnCaller {
  bool (*call)(void* data);
  void* data;
};

class Host {
 public:
  Host(Engine* engine, TurnCaller caller) : engine_(engine), caller_(caller) {}
  virtual ~Host() = default;
  Host(const Host&) = delete;
  Host& operator=(const Host&) = delete;

  // 0, or -errno when this host cannot work here.
  virtual int32_t Open() = 0;
  void Start();
  void Stop();
  // Asks for a turn soon; the process is held until it has run.
  virtual void Wake() = 0;
  // Lets go of the runtime's handles; `closed` is called once none refers to this host any more.
  virtual void Close(void (*closed)(void* data), void* data) = 0;

 protected:
  // Turns until nothing is ready or the budget is spent.
  void RunTurns() { RunTurns(true); }
  // The same because of a notification alone, so that the first turn need not poll; what is ready
  // besides, the runtime's loop has seen as well.
  void RunNotified();
  // Tells the runtime when to call RunTurns() next.
  virtual void Rearm() = 0;
  // Whether leaving a turn drains microtasks, so that a batch can go on in the same stay.
  virtual bool DrainsBetweenTurns() const { return true; }
  // How long one stay may last.
  double BudgetMs() const;
  // The runtime's loop has run what was ready besides us since the last stay, and has not slept
  // yet.
  void EndRound();

  Engine* engine_;
  TurnCaller caller_;
  bool is_started_ = false;
  bool is_running_ = false;
  // The end of the last stay, and until when the runtime's other work counts as busy; ms.
  double left_ms_ = 0;
  double others_until_ms_ = 0;

 private:
  void RunTurns(bool polls);
};

// Answers null when the runtime lacks what the host needs.
// Whether the runtime has what the uv host needs. Some export functions that they do not implement.
bool HasUvHost();
Host* NewUvHost(Engine* engine, TurnCaller caller, void* env);
Host* NewThreadHost(Engine* engine, TurnCaller caller, void* env);

}  // namespace evloop
