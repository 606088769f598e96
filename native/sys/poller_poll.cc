// native/sys/poller_poll.cc - poll(2): works everywhere, costs time in proportion to the
// descriptors watched. It is the oracle that the other pollers are compared with, and the last
// resort.
//
// poll(2) is level-triggered, so edges are imitated: a direction that was reported is not watched
// again until Arm() asks for it.
#include "sys/poller_poll.h"

#include <fcntl.h>
#include <poll.h>

#include <condition_variable>
#include <mutex>
#include <new>
#include <vector>

#include "clock.h"
#include "status.h"
#include "sys/always_ready.h"
#include "sys/waker.h"

namespace evloop {

namespace {

#ifdef POLLRDHUP
constexpr short kReadEvents = POLLIN | POLLPRI | POLLRDHUP;
constexpr short kEndEvents = POLLPRI | POLLRDHUP;
#else
// Without it the end of a stream shows as POLLIN, and a reader that stops at a short read sees it
// at its next event.
constexpr short kReadEvents = POLLIN | POLLPRI;
constexpr short kEndEvents = POLLPRI;
#endif
constexpr short kTrouble = POLLERR | POLLHUP;
constexpr uint32_t kBoth = READY_READ | READY_WRITE;
constexpr uint32_t kNoPlace = UINT32_MAX;

class PollPoller final : public Poller {
 public:
  ~PollPoller() override { Close(); }

  int32_t Open() override { return interrupt_.Open(); }

  void Close() override {
    polled_.clear();
    entries_.clear();
    place_of_.clear();
    snapshot_.clear();
    cursor_ = 0;
    interrupt_.Close();
  }

  int32_t Add(int fd, uint64_t token) override {
    const uint32_t place = PlaceOf(fd);
    if (place == kNoPlace) return Insert(fd, {token, kBoth, false});
    if (!entries_[place].is_level_watched) return -EEXIST;
    // A foreign descriptor was closed while it was watched, and its number is in use again.
    entries_[place] = {token, kBoth, false};
    SetArmed(place, kBoth);
    return kOk;
  }

  void Arm(int fd, uint64_t token, uint32_t interest) override {
    const uint32_t place = PlaceOf(fd);
    if (place == kNoPlace || entries_[place].token != token) return;
    SetArmed(place, entries_[place].armed | (interest & kBoth));
  }

  int32_t Watch(int fd, uint64_t token, uint32_t interest) override {
    // poll(2) would tell of it without end.
    if (interest != 0 && IsAlwaysReady(fd)) return -EPERM;
    const uint32_t place = PlaceOf(fd);
    if (place == kNoPlace) return Insert(fd, {token, interest & kBoth, true});
    entries_[place].token = token;
    SetArmed(place, interest & kBoth);
    return kOk;
  }

  void Remove(int fd) override {
    const uint32_t place = PlaceOf(fd);
    if (place == kNoPlace) return;
    const uint32_t last = static_cast<uint32_t>(polled_.size()) - 1;
    polled_[place] = polled_[last];
    entries_[place] = entries_[last];
    place_of_[static_cast<size_t>(DescriptorAt(place))] = place;
    place_of_[static_cast<size_t>(fd)] = kNoPlace;
    polled_.pop_back();
    entries_.pop_back();
    EndBlock();
  }

  int32_t Wait(Event* events, uint32_t capacity, int32_t timeout_ms) override {
    const int32_t ready = PollAll(&polled_, timeout_ms);
    if (ready <= 0) return ready;
    return Collect(static_cast<uint32_t>(ready), events, capacity);
  }

  int Descriptor() const override { return -1; }
  bool IsEdgeTriggered() const override { return false; }

  void PrepareBlock() override {
    snapshot_ = polled_;
    snapshot_.push_back({interrupt_.Descriptor(), POLLIN, 0});
    is_snapshot_stale_ = false;
  }

  int32_t Block(int32_t timeout_ms) override {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      if (is_snapshot_stale_) return 0;
      is_blocked_ = true;
    }
    const int32_t ready = PollAll(&snapshot_, timeout_ms);
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      is_blocked_ = false;
    }
    unblocked_.notify_one();
    if (ready <= 0) return ready;
    if (snapshot_.back().revents == 0) return 1;
    interrupt_.Drain();
    return ready > 1 ? 1 : 0;
  }

  void Interrupt() override { interrupt_.Notify(); }

 private:
  struct Entry {
    uint64_t token;
    uint32_t armed;         // READY_READ | READY_WRITE: what is watched at present.
    bool is_level_watched;  // Stays armed when it is reported.
  };

  static int32_t PollAll(std::vector<pollfd>* polled, int32_t timeout_ms) {
    const WaitBudget budget(timeout_ms);
    int32_t ready = poll(polled->data(), polled->size(), timeout_ms);
    while (ready < 0 && errno == EINTR) {
      ready = poll(polled->data(), polled->size(), budget.RemainingMs());
    }
    return ready < 0 ? LastError() : ready;
  }

  // poll(2) keeps everything it looks at open: a socket that is closed meanwhile would go on
  // listening, and its peer would see no end, until the waiter happens to wake.
  void EndBlock() {
    std::unique_lock<std::mutex> lock(mutex_);
    is_snapshot_stale_ = true;
    if (!is_blocked_) return;
    interrupt_.Notify();
    unblocked_.wait(lock, [this] { return !is_blocked_; });
  }

  // Turns `ready` entries into events, beginning where the last Wait() ran out of capacity, so that
  // a crowd at the front cannot hide those behind it.
  int32_t Collect(uint32_t ready, Event* events, uint32_t capacity) {
    const uint32_t size = static_cast<uint32_t>(polled_.size());
    uint32_t place = cursor_ < size ? cursor_ : 0;
    uint32_t count = 0;
    while (ready > 0 && count < capacity) {
      if (polled_[place].revents != 0) {
        --ready;
        const uint32_t bits = Report(place);
        if (bits != 0) events[count++] = {entries_[place].token, bits};
      }
      if (++place == size) place = 0;
    }
    cursor_ = place;
    return static_cast<int32_t>(count);
  }

  // What an entry has to tell, which disarms it.
  uint32_t Report(uint32_t place) {
    const Entry& entry = entries_[place];
    const short got = polled_[place].revents;
    // Closed behind our back: it has nothing to tell, but must not keep poll(2) from waiting.
    if ((got & POLLNVAL) != 0) {
      SetArmed(place, 0);
      return 0;
    }
    uint32_t bits = ((got & kReadEvents) != 0 ? READY_READ : 0u) |
                    ((got & POLLOUT) != 0 ? READY_WRITE : 0u) |
                    ((got & kEndEvents) != 0 ? READY_HANGUP : 0u);
    if ((got & kTrouble) != 0) bits |= entry.armed | READY_HANGUP;
    if (!entry.is_level_watched) SetArmed(place, entry.armed & ~bits);
    return bits;
  }

  int32_t Insert(int fd, const Entry& entry) {
    // poll(2) would report a bad descriptor only later, and not as an error of this call.
    if (fcntl(fd, F_GETFD) < 0) return LastError();
    if (place_of_.size() <= static_cast<size_t>(fd)) {
      place_of_.resize(static_cast<size_t>(fd) + 1, kNoPlace);
    }
    const uint32_t place = static_cast<uint32_t>(polled_.size());
    place_of_[static_cast<size_t>(fd)] = place;
    polled_.push_back({fd, 0, 0});
    entries_.push_back(entry);
    SetArmed(place, entry.armed);
    return kOk;
  }

  // A negative descriptor is skipped by poll(2): nothing else silences errors and hangups.
  void SetArmed(uint32_t place, uint32_t armed) {
    const int fd = DescriptorAt(place);
    entries_[place].armed = armed;
    polled_[place].fd = armed != 0 ? fd : ~fd;
    // Urgent data would be told of a watched one again and again: an ordinary read does not take
    // it.
    const short read_events =
        entries_[place].is_level_watched ? kReadEvents & ~POLLPRI : kReadEvents;
    polled_[place].events = static_cast<short>(((armed & READY_READ) != 0 ? read_events : 0) |
                                               ((armed & READY_WRITE) != 0 ? POLLOUT : 0));
  }

  int DescriptorAt(uint32_t place) const {
    const int fd = polled_[place].fd;
    return fd < 0 ? ~fd : fd;
  }

  uint32_t PlaceOf(int fd) const {
    const size_t index = static_cast<size_t>(fd);
    return fd >= 0 && index < place_of_.size() ? place_of_[index] : kNoPlace;
  }

  std::vector<pollfd> polled_;      // What poll(2) is given.
  std::vector<Entry> entries_;      // By the same place.
  std::vector<uint32_t> place_of_;  // By descriptor; kNoPlace when not watched.
  std::vector<pollfd> snapshot_;    // The waiter's during Block(); the interrupt is its last.
  uint32_t cursor_ = 0;             // Place where the next Wait() begins.
  std::mutex mutex_;                // Guards the next three.
  std::condition_variable unblocked_;
  bool is_blocked_ = false;         // The waiter is in poll(2).
  bool is_snapshot_stale_ = false;  // A descriptor of the snapshot was removed.
  Waker interrupt_;                 // Ends Block().
};

}  // namespace

Poller* NewPollPoller() { return new (std::nothrow) PollPoller; }

}  // namespace evloop
