// The uv host: a guest inside libuv, without a thread or a hop.
//
// - uv_poll watches our poller's descriptor: something became ready.
// - another uv_poll watches the waker's: as a part of the poller it would be told a level later.
// - uv_timer holds the wheel's next deadline.
// - uv_prepare runs right before libuv would block: it picks up what callbacks outside of our
//   turns submitted, and sees how long they took.
// - uv_idle keeps libuv from blocking while handles are ready.
//
// Only the poll handle is referenced, and only while the loop has references: it alone decides
// whether the process stays.
//
// The uv_* functions are looked up at run time: one binary serves every runtime, and links no
// symbol that is not Node-API. Handles are allocated by uv_handle_size(), so no struct layout of
// libuv is compiled in.
#include <dlfcn.h>
#include <node_api.h>

#include <cerrno>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <new>

#include "host.h"

namespace evloop {

namespace {

using uv_loop_t = struct uv_loop_s;
using uv_handle_t = void;
using HandleCallback = void (*)(uv_handle_t*);
using PollCallback = void (*)(uv_handle_t*, int status, int events);

// uv_handle_type of libuv 1.x, which its ABI promise keeps.
enum HandleType : int { kIdle = 6, kPoll = 8, kPrepare = 9, kTimer = 13 };
constexpr int kReadable = 1;

struct Uv {
  size_t (*handle_size)(int type);
  void* (*handle_get_data)(const uv_handle_t*);
  void (*handle_set_data)(uv_handle_t*, void*);
  void (*close)(uv_handle_t*, HandleCallback);
  void (*ref)(uv_handle_t*);
  void (*unref)(uv_handle_t*);
  uint64_t (*now)(const uv_loop_t*);
  int (*poll_init)(uv_loop_t*, uv_handle_t*, int fd);
  int (*poll_start)(uv_handle_t*, int events, PollCallback);
  int (*poll_stop)(uv_handle_t*);
  int (*prepare_init)(uv_loop_t*, uv_handle_t*);
  int (*prepare_start)(uv_handle_t*, HandleCallback);
  int (*prepare_stop)(uv_handle_t*);
  int (*idle_init)(uv_loop_t*, uv_handle_t*);
  int (*idle_start)(uv_handle_t*, HandleCallback);
  int (*idle_stop)(uv_handle_t*);
  int (*timer_init)(uv_loop_t*, uv_handle_t*);
  int (*timer_start)(uv_handle_t*, HandleCallback, uint64_t delay_ms, uint64_t repeat_ms);
  int (*timer_stop)(uv_handle_t*);
};

template <typename Function>
bool Find(const char* name, Function* function) {
  // SAFETY: POSIX promises that a data pointer from dlsym converts to a function pointer.
  *function = reinterpret_cast<Function>(dlsym(RTLD_DEFAULT, name));
  return *function != nullptr;
}

bool FindAll(Uv* uv) {
  return Find("uv_handle_size", &uv->handle_size) &&
         Find("uv_handle_get_data", &uv->handle_get_data) &&
         Find("uv_handle_set_data", &uv->handle_set_data) && Find("uv_close", &uv->close) &&
         Find("uv_ref", &uv->ref) && Find("uv_unref", &uv->unref) && Find("uv_now", &uv->now) &&
         Find("uv_poll_init", &uv->poll_init) && Find("uv_poll_start", &uv->poll_start) &&
         Find("uv_poll_stop", &uv->poll_stop) && Find("uv_prepare_init", &uv->prepare_init) &&
         Find("uv_prepare_start", &uv->prepare_start) &&
         Find("uv_prepare_stop", &uv->prepare_stop) && Find("uv_idle_init", &uv->idle_init) &&
         Find("uv_idle_start", &uv->idle_start) && Find("uv_idle_stop", &uv->idle_stop) &&
         Find("uv_timer_init", &uv->timer_init) && Find("uv_timer_start", &uv->timer_start) &&
         Find("uv_timer_stop", &uv->timer_stop);
}

// The functions are the same for every environment of the process; null when the runtime lacks one.
const Uv* Functions() {
  static Uv uv;
  static const bool is_complete = FindAll(&uv);
  return is_complete ? &uv : nullptr;
}

class UvHost : public Host {
 public:
  UvHost(Engine* engine, TurnCaller caller, const Uv& uv, uv_loop_t* loop)
      : Host(engine, caller), uv_(uv), loop_(loop) {}

  int32_t Open() override {
    const int fd = engine_->poller()->Descriptor();
    // A poller without a descriptor (poll(2)) cannot be nested.
    if (fd < 0) return -ENOTSUP;
    int status = OpenHandle(kPoll, &poll_, fd);
    if (status == 0) status = OpenHandle(kPoll, &waker_, engine_->DetachWaker());
    if (status == 0) status = OpenHandle(kPrepare, &prepare_);
    if (status == 0) status = OpenHandle(kIdle, &idle_);
    if (status == 0) status = OpenHandle(kTimer, &timer_);
    return status;
  }

  void Wake() override {
    if (!is_watching_ && is_started_) {
      is_watching_ = true;
      uv_.poll_start(poll_, kReadable, OnPoll);
      uv_.poll_start(waker_, kReadable, OnNotified);
      uv_.prepare_start(prepare_, OnTurn);
    }
    // Held until the turn has run: only then is it known what keeps the process.
    SetReferenced(is_started_);
    SetIdle(is_started_);
  }

  void Close(void (*closed)(void* data), void* data) override {
    is_started_ = false;
    closed_ = closed;
    closed_data_ = data;
    if (open_handles_ == 0) return closed(data);
    for (uv_handle_t* handle : {poll_, waker_, prepare_, idle_, timer_}) {
      if (handle != nullptr) uv_.close(handle, OnClose);
    }
  }

 protected:
  void Rearm() override {
    // A turn may have closed the loop.
    if (closed_ != nullptr) return;
    if (!is_started_) return Rest();
    SetReferenced(engine_->IsReferenced());
    SetIdle(engine_->HasWork());
    SetTimer(engine_->NextTimerMs());
  }

 private:
  // The handle is unreferenced; `opened` stays null when it fails.
  int OpenHandle(int type, uv_handle_t** opened, int fd = -1) {
    uv_handle_t* handle = calloc(1, uv_.handle_size(type));
    if (handle == nullptr) return -ENOMEM;
    const int status = Init(type, handle, fd);
    if (status != 0) {
      free(handle);
      return status;
    }
    uv_.handle_set_data(handle, this);
    uv_.unref(handle);
    open_handles_++;
    *opened = handle;
    return 0;
  }

  int Init(int type, uv_handle_t* handle, int fd) {
    switch (type) {
      case kPoll:
        return uv_.poll_init(loop_, handle, fd);
      case kPrepare:
        return uv_.prepare_init(loop_, handle);
      case kIdle:
        return uv_.idle_init(loop_, handle);
      default:
        return uv_.timer_init(loop_, handle);
    }
  }

  // The loop was stopped: nothing of ours runs or holds the process until it starts again.
  void Rest() {
    SetReferenced(false);
    SetIdle(false);
    SetTimer(std::numeric_limits<double>::infinity());
    if (!is_watching_) return;
    is_watching_ = false;
    uv_.poll_stop(poll_);
    uv_.poll_stop(waker_);
    uv_.prepare_stop(prepare_);
  }

  void SetReferenced(bool on) {
    if (on == is_referenced_) return;
    is_referenced_ = on;
    if (on) {
      uv_.ref(poll_);
    } else {
      uv_.unref(poll_);
    }
  }

  void SetIdle(bool on) {
    if (on == is_idle_on_) return;
    is_idle_on_ = on;
    if (on) {
      uv_.idle_start(idle_, OnIdle);
    } else {
      uv_.idle_stop(idle_);
    }
  }

  void SetTimer(double deadline_ms) {
    if (deadline_ms == armed_ms_) return;
    armed_ms_ = deadline_ms;
    if (deadline_ms == std::numeric_limits<double>::infinity()) {
      uv_.timer_stop(timer_);
      return;
    }
    // libuv counts whole milliseconds of the same clock, cached once per iteration; rounding the
    // deadline up to its grid means that it never wakes us before the timer is due.
    const double now_ms = static_cast<double>(uv_.now(loop_));
    const double delay_ms = std::ceil(deadline_ms) - now_ms;
    uv_.timer_start(timer_, OnTimer, delay_ms > 0 ? static_cast<uint64_t>(delay_ms) : 0, 0);
  }

  static void OnPoll(uv_handle_t* handle, int /*status*/, int /*events*/) {
    Self(handle)->RunTurns();
  }
  static void OnNotified(uv_handle_t* handle, int /*status*/, int /*events*/) {
    Self(handle)->RunNotified();
  }
  static void OnTurn(uv_handle_t* handle) {
    UvHost* host = Self(handle);
    host->EndRound();
    // Most iterations of Node's loop have nothing for us. A turn that was asked for may have
    // nothing to do either, but to find out what keeps the process.
    if (host->is_idle_on_ || host->engine_->HasWork()) host->RunTurns();
  }
  static void OnIdle(uv_handle_t* /*handle*/) {}
  static void OnTimer(uv_handle_t* handle) {
    UvHost* host = Self(handle);
    host->armed_ms_ = std::numeric_limits<double>::infinity();
    host->RunTurns();
  }

  static void OnClose(uv_handle_t* handle) {
    UvHost* host = Self(handle);
    free(handle);
    if (--host->open_handles_ == 0) host->closed_(host->closed_data_);
  }

  static UvHost* Self(uv_handle_t* handle) {
    return static_cast<UvHost*>(Functions()->handle_get_data(handle));
  }

  const Uv& uv_;
  uv_loop_t* const loop_;
  uv_handle_t* poll_ = nullptr;
  uv_handle_t* waker_ = nullptr;
  uv_handle_t* prepare_ = nullptr;
  uv_handle_t* idle_ = nullptr;
  uv_handle_t* timer_ = nullptr;
  int open_handles_ = 0;
  bool is_watching_ = false;
  bool is_referenced_ = false;
  bool is_idle_on_ = false;
  // The deadline the uv timer is set to, ms.
  double armed_ms_ = std::numeric_limits<double>::infinity();
  void (*closed_)(void* data) = nullptr;
  void* closed_data_ = nullptr;
};

}  // namespace

bool HasUvHost() { return Functions() != nullptr; }

Host* NewUvHost(Engine* engine, TurnCaller caller, void* env) {
  const Uv* uv = Functions();
  if (uv == nullptr) return nullptr;
  uv_loop_t* loop = nullptr;
  if (napi_get_uv_event_loop(static_cast<napi_env>(env), &loop) != napi_ok) return nullptr;
  return new (std::nothrow) UvHost(engine, caller, *uv, loop);
}

}  // namespace evloop
