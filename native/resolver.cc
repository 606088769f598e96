#include "resolver.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <utility>

#include "status.h"
#include "sys/thread.h"

namespace evloop {

struct Resolver::State {
  explicit State(const Settings& settings) : settings(settings) {}

  const Settings settings;
  std::mutex mutex;  // Guards what follows.
  std::condition_variable changed;
  std::deque<std::unique_ptr<Lookup>> waiting;
  std::deque<std::unique_ptr<Lookup>> finished;
  uint32_t threads = 0;
  uint32_t idle = 0;  // Threads that wait, also those that were told of work but do not run yet.
  bool is_closed = false;
};

Resolver::Resolver(const Settings& settings) : state_(std::make_shared<State>(settings)) {}

int32_t Resolver::Add(std::unique_ptr<Lookup> lookup) {
  State& state = *state_;
  const std::lock_guard<std::mutex> lock(state.mutex);
  state.waiting.push_back(std::move(lookup));
  if (state.idle >= state.waiting.size()) {
    state.changed.notify_one();
    return kOk;
  }
  if (state.threads == state.settings.threads) return kOk;
  auto share = std::make_unique<std::shared_ptr<State>>(state_);
  const int32_t status = StartDetachedThread(Run, share.get());
  if (!IsError(status)) {
    static_cast<void>(share.release());  // The thread has it.
    state.threads++;
    return kOk;
  }
  // The threads that there are will come to it.
  if (state.threads > 0) return kOk;
  state.waiting.pop_back();
  return status;
}

bool Resolver::Drop(uint32_t id) {
  const std::lock_guard<std::mutex> lock(state_->mutex);
  auto& waiting = state_->waiting;
  const auto found = std::find_if(waiting.begin(), waiting.end(),
                                  [id](const auto& lookup) { return lookup->id == id; });
  if (found == waiting.end()) return false;
  waiting.erase(found);
  return true;
}

std::unique_ptr<Lookup> Resolver::Take() {
  const std::lock_guard<std::mutex> lock(state_->mutex);
  auto& finished = state_->finished;
  if (finished.empty()) return nullptr;
  std::unique_ptr<Lookup> lookup = std::move(finished.front());
  finished.pop_front();
  return lookup;
}

void Resolver::Close() {
  if (state_ == nullptr) return;
  {
    const std::lock_guard<std::mutex> lock(state_->mutex);
    state_->is_closed = true;
    state_->waiting.clear();
    state_->finished.clear();
    state_->changed.notify_all();
  }
  state_.reset();
}

void* Resolver::Run(void* data) {
  const std::unique_ptr<std::shared_ptr<State>> share(static_cast<std::shared_ptr<State>*>(data));
  Serve(share->get());
  return nullptr;
}

void Resolver::Serve(State* state) {
  const Settings& settings = state->settings;
  const auto has_news = [state] { return state->is_closed || !state->waiting.empty(); };
  std::unique_lock<std::mutex> lock(state->mutex);
  for (;;) {
    state->idle++;
    const bool is_wanted =
        state->changed.wait_for(lock, std::chrono::milliseconds(settings.idle_ms), has_news);
    state->idle--;
    if (!is_wanted || state->is_closed) break;
    std::unique_ptr<Lookup> lookup = std::move(state->waiting.front());
    state->waiting.pop_front();
    lock.unlock();
    settings.look_up(lookup.get());
    lock.lock();
    if (state->is_closed) break;
    state->finished.push_back(std::move(lookup));
    if (state->finished.size() > 1) continue;
    lock.unlock();
    settings.notify(settings.notify_id);
    lock.lock();
  }
  state->threads--;
}

}  // namespace evloop
