// kqueue(2) over epoll(7). Each filter has an epoll of its own, because in a kqueue the directions
// of a descriptor are independent; the one around them is the queue's descriptor.
#include <sys/epoll.h>
#include <sys/event.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <map>
#include <memory>
#include <mutex>

namespace {

std::atomic<bool> has_user_events{true};

// One filter of a queue: what was added to it, by ident.
class Filter {
 public:
  explicit Filter(int queue) : fd_(epoll_create1(EPOLL_CLOEXEC)) {
    epoll_event event = {};
    event.events = EPOLLIN;
    epoll_ctl(queue, EPOLL_CTL_ADD, fd_, &event);
  }
  ~Filter() { close(fd_); }
  Filter(const Filter&) = delete;
  Filter& operator=(const Filter&) = delete;

  // 0 or an errno.
  int Add(const struct kevent& change, uint32_t events) {
    epoll_event event = {};
    event.events = events | ((change.flags & EV_CLEAR) != 0 ? EPOLLET : 0u);
    event.data.u64 = change.ident;
    const int fd = static_cast<int>(change.ident);
    // A descriptor that was closed has left the epoll, but not the table.
    if (epoll_ctl(fd_, EPOLL_CTL_MOD, fd, &event) != 0 &&
        (errno != ENOENT || epoll_ctl(fd_, EPOLL_CTL_ADD, fd, &event) != 0)) {
      return errno;
    }
    added_[change.ident] = change;
    return 0;
  }

  int Delete(uintptr_t ident) {
    added_.erase(ident);
    return epoll_ctl(fd_, EPOLL_CTL_DEL, static_cast<int>(ident), nullptr) == 0 ? 0 : errno;
  }

  int Take(struct kevent* events, int limit, uint32_t end) {
    epoll_event batch[256];
    int count = limit > 0 ? epoll_wait(fd_, batch, limit < 256 ? limit : 256, 0) : 0;
    if (count < 0) count = 0;
    int taken = 0;
    for (int i = 0; i < count; ++i) {
      const auto found = added_.find(batch[i].data.u64);
      if (found == added_.end()) continue;
      struct kevent event = found->second;
      event.flags = static_cast<uint16_t>(event.flags & EV_CLEAR);
      if ((batch[i].events & end) != 0) event.flags |= EV_EOF;
      event.fflags = (batch[i].events & EPOLLPRI) != 0 ? NOTE_OOB : 0;
      events[taken++] = event;
    }
    return taken;
  }

 private:
  int fd_;
  std::map<uintptr_t, struct kevent> added_;
};

class Queue {
 public:
  explicit Queue(int fd) : fd_(fd), read_(fd), write_(fd) {}
  ~Queue() {
    if (user_fd_ >= 0) close(user_fd_);
  }

  int Apply(const struct kevent& change) {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (change.filter == EVFILT_USER) return ApplyUser(change);
    const bool is_read = change.filter == EVFILT_READ;
    Filter& filter = is_read ? read_ : write_;
    if ((change.flags & EV_DELETE) != 0) return filter.Delete(change.ident);
    const uint32_t urgent = (change.fflags & NOTE_OOB) != 0 ? EPOLLPRI : 0u;
    return filter.Add(change, is_read ? EPOLLIN | EPOLLRDHUP | urgent : EPOLLOUT);
  }

  int Take(struct kevent* events, int limit) {
    const std::lock_guard<std::mutex> lock(mutex_);
    int count = 0;
    uint64_t triggers;
    if (user_fd_ >= 0 && limit > 0 && read(user_fd_, &triggers, sizeof triggers) > 0) {
      events[count++] = user_;
    }
    // The directions take turns, as a kqueue is first in, first out.
    writes_first_ = !writes_first_;
    for (const bool is_write : {writes_first_, !writes_first_}) {
      const uint32_t trouble = EPOLLHUP | EPOLLERR;
      count += is_write ? write_.Take(events + count, limit - count, trouble)
                        : read_.Take(events + count, limit - count, trouble | EPOLLRDHUP);
    }
    return count;
  }

 private:
  int ApplyUser(const struct kevent& change) {
    if (!has_user_events) return EINVAL;
    if ((change.flags & EV_ADD) != 0) {
      user_ = change;
      user_fd_ = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
      epoll_event event = {};
      event.events = EPOLLIN;
      return epoll_ctl(fd_, EPOLL_CTL_ADD, user_fd_, &event) == 0 ? 0 : errno;
    }
    if (user_fd_ < 0 || user_.ident != change.ident) return ENOENT;
    const uint64_t one = 1;
    if ((change.fflags & NOTE_TRIGGER) == 0) return 0;
    return write(user_fd_, &one, sizeof one) > 0 ? 0 : errno;
  }

  int fd_;  // Whoever called kqueue() closes it.
  Filter read_;
  Filter write_;
  struct kevent user_ = {};
  int user_fd_ = -1;
  bool writes_first_ = false;
  std::mutex mutex_;
};

std::mutex queues_mutex;
// By descriptor. A queue that was closed goes when its number comes again.
std::map<int, std::shared_ptr<Queue>> queues;

std::shared_ptr<Queue> Find(int fd) {
  const std::lock_guard<std::mutex> lock(queues_mutex);
  const auto found = queues.find(fd);
  return found == queues.end() ? nullptr : found->second;
}

}  // namespace

int kqueue() {
  const int fd = epoll_create1(EPOLL_CLOEXEC);
  if (fd < 0) return -1;
  const std::lock_guard<std::mutex> lock(queues_mutex);
  queues.erase(fd);
  queues[fd] = std::make_shared<Queue>(fd);
  return fd;
}

int kevent(int fd, const struct kevent* changes, int change_count, struct kevent* events,
           int event_count, const struct timespec* timeout) {
  const std::shared_ptr<Queue> queue = Find(fd);
  if (queue == nullptr) {
    errno = EBADF;
    return -1;
  }
  int count = 0;
  for (int i = 0; i < change_count; ++i) {
    const int error = queue->Apply(changes[i]);
    if (error == 0 && (changes[i].flags & EV_RECEIPT) == 0) continue;
    if (count == event_count) {
      errno = error;
      return -1;
    }
    events[count] = changes[i];
    events[count].flags = EV_ERROR;
    events[count++].data = error;
  }
  if (count > 0 || event_count == 0) return count;
  epoll_event ready;
  const int timeout_ms =
      timeout == nullptr ? -1
                         : static_cast<int>(timeout->tv_sec * 1000 + timeout->tv_nsec / 1000000);
  const int waited = epoll_wait(fd, &ready, 1, timeout_ms);
  return waited <= 0 ? waited : queue->Take(events, event_count);
}

void SetUserEvents(bool exist) { has_user_events = exist; }
