// native/test/poller_test.cc - the contract of sys/poller.h, one body for every poller.
#include "sys/poller.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <memory>
#include <thread>
#include <vector>

#include "clock.h"
#include "sys/descriptor.h"
#include "sys/socket_system.h"
#include "test/check.h"
#include "test/pollers.h"

namespace evloop {

namespace {

// Closes what it holds.
class Fd {
 public:
  explicit Fd(int fd = -1) : fd_(fd) {}
  ~Fd() { Close(); }
  Fd(Fd&& other) noexcept : fd_(other.Release()) {}
  Fd& operator=(Fd&& other) noexcept {
    Close();
    fd_ = other.Release();
    return *this;
  }
  void Close() {
    if (fd_ >= 0) close(fd_);
    fd_ = -1;
  }
  int Release() {
    const int fd = fd_;
    fd_ = -1;
    return fd;
  }
  operator int() const { return fd_; }

 private:
  int fd_;
};

struct Pair {
  Fd ours;
  Fd theirs;
};

Pair SocketPair() {
  int fds[2];
  REQUIRE(SystemSocketPair(AF_UNIX, SOCK_STREAM, fds) == 0);
  return {Fd(fds[0]), Fd(fds[1])};
}

Pair PipePair() {
  int fds[2];
  REQUIRE(pipe(fds) == 0);
  for (const int fd : fds) REQUIRE(DescriptorPrepare(fd) >= 0);
  return {Fd(fds[0]), Fd(fds[1])};
}

sockaddr_in Loopback() {
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

Fd TcpSocket() { return Fd(SystemSocket(AF_INET, SOCK_STREAM, 0)); }

// Listens on a free port, which goes into `address`.
Fd Listener(sockaddr_in* address) {
  Fd listener = TcpSocket();
  *address = Loopback();
  socklen_t length = sizeof *address;
  REQUIRE(bind(listener, reinterpret_cast<sockaddr*>(address), length) == 0);
  REQUIRE(listen(listener, 64) == 0);
  REQUIRE(getsockname(listener, reinterpret_cast<sockaddr*>(address), &length) == 0);
  return listener;
}

int Connect(int fd, const sockaddr_in& address) {
  const int status = connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address);
  return status < 0 ? -errno : 0;
}

Pair TcpPair() {
  sockaddr_in address;
  const Fd listener = Listener(&address);
  Pair pair{TcpSocket(), Fd()};
  const int status = Connect(pair.ours, address);
  REQUIRE((status == 0 || status == -EINPROGRESS));
  pollfd waiting = {listener, POLLIN, 0};
  REQUIRE(poll(&waiting, 1, 1000) == 1);
  pair.theirs = Fd(SystemAccept(listener, nullptr, nullptr));
  REQUIRE(pair.theirs >= 0);
  return pair;
}

// Sends `size` bytes, or as many as go when it is 0; returns how many went.
size_t Fill(int fd, size_t size = 0) {
  static const char bytes[65536] = {};
  size_t sent = 0;
  for (;;) {
    const size_t want = size == 0 || size - sent > sizeof bytes ? sizeof bytes : size - sent;
    const ssize_t got = write(fd, bytes, want);
    if (got < 0) return sent;
    sent += static_cast<size_t>(got);
    if (sent == size) return sent;
  }
}

// Reads until there is no more. Returns 0 at the end of the stream, else -errno.
int Drain(int fd) {
  char bytes[65536];
  for (;;) {
    const ssize_t got = read(fd, bytes, sizeof bytes);
    if (got <= 0) return got == 0 ? 0 : -errno;
  }
}

struct Fixture {
  std::unique_ptr<Poller> poller;

  explicit Fixture(PollerKind kind) : poller(NewPoller(kind)) {
    REQUIRE(poller != nullptr);
    REQUIRE(poller->Open() == 0);
  }

  // READY_* bits that came for `token`, from one wait.
  uint32_t Ready(uint64_t token, int32_t timeout_ms = 0) {
    Event events[64];
    const int32_t count = poller->Wait(events, 64, timeout_ms);
    REQUIRE(count >= 0);
    uint32_t ready = 0;
    for (int32_t i = 0; i < count; ++i) {
      if (events[i].token == token) ready |= events[i].ready;
    }
    return ready;
  }
  int32_t WaitCount(int32_t timeout_ms = 0) {
    Event events[64];
    return poller->Wait(events, 64, timeout_ms);
  }
};

constexpr uint64_t kToken = MakeToken(5, 77);
constexpr uint64_t kOther = MakeToken(6, 78);

}  // namespace

TEST_CASE("poller: tokens are taken apart as they were put together") {
  CHECK(TokenIndex(kToken) == 5);
  CHECK(TokenGeneration(kToken) == 77);
  CHECK(TokenIndex(MakeToken(UINT32_MAX, UINT32_MAX)) == UINT32_MAX);
}

TEST_CASE_TEMPLATE("poller: opens, closes twice and opens again", Kind, EVERY_POLLER) {
  Fixture fixture(Kind::kKind);
  Pair pair = SocketPair();
  CHECK(fixture.poller->Add(pair.ours, kToken) == 0);
  fixture.poller->Close();
  fixture.poller->Close();
  CHECK(fcntl(pair.ours, F_GETFD) >= 0);
  CHECK(fixture.poller->Open() == 0);
  CHECK(fixture.WaitCount() == 0);
  CHECK(fixture.poller->Add(pair.ours, kOther) == 0);
  CHECK(fixture.Ready(kOther) == READY_WRITE);
}

TEST_CASE_TEMPLATE("poller: bad and doubled descriptors are refused", Kind, EVERY_POLLER) {
  Fixture fixture(Kind::kKind);
  Pair pair = SocketPair();
  CHECK(fixture.poller->Add(-1, kToken) == -EBADF);
  CHECK(fixture.poller->Watch(1000000, kToken, READY_READ) == -EBADF);
  CHECK(fixture.poller->Add(pair.ours, kToken) == 0);
  CHECK(fixture.poller->Add(pair.ours, kToken) == -EEXIST);
  fixture.poller->Remove(pair.theirs);
  fixture.poller->Remove(-1);
}

TEST_CASE_TEMPLATE("poller: a new descriptor tells what it is ready for, once", Kind,
                   EVERY_POLLER) {
  Fixture fixture(Kind::kKind);
  Pair pair = SocketPair();
  Fill(pair.theirs, 1);
  CHECK(fixture.poller->Add(pair.ours, kToken) == 0);
  CHECK(fixture.Ready(kToken) == (READY_READ | READY_WRITE));
  CHECK(fixture.WaitCount() == 0);
  CHECK(fixture.WaitCount(1) == 0);
}

TEST_CASE_TEMPLATE("poller: every arrival after a drained read is told", Kind, EVERY_POLLER) {
  Fixture fixture(Kind::kKind);
  Pair pair = SocketPair();
  CHECK(fixture.poller->Add(pair.ours, kToken) == 0);
  CHECK(fixture.Ready(kToken) == READY_WRITE);
  for (int i = 0; i < 3; ++i) {
    Fill(pair.theirs, 100);
    CHECK((fixture.Ready(kToken) & READY_READ) != 0);
    CHECK(Drain(pair.ours) == -EAGAIN);
    fixture.poller->Arm(pair.ours, kToken, READY_READ);
    CHECK((fixture.Ready(kToken) & READY_READ) == 0);
  }
}

TEST_CASE_TEMPLATE("poller: an arrival between EAGAIN and Arm is told", Kind, EVERY_POLLER) {
  Fixture fixture(Kind::kKind);
  Pair pair = SocketPair();
  Fill(pair.theirs, 1);
  CHECK(fixture.poller->Add(pair.ours, kToken) == 0);
  CHECK((fixture.Ready(kToken) & READY_READ) != 0);
  CHECK(Drain(pair.ours) == -EAGAIN);
  Fill(pair.theirs, 1);
  fixture.poller->Arm(pair.ours, kToken, READY_READ);
  CHECK((fixture.Ready(kToken) & READY_READ) != 0);
}

TEST_CASE_TEMPLATE("poller: a short read counts as drained", Kind, EVERY_POLLER) {
  Fixture fixture(Kind::kKind);
  Pair pair = TcpPair();
  CHECK(fixture.poller->Add(pair.ours, kToken) == 0);
  fixture.Ready(kToken);
  for (int i = 0; i < 3; ++i) {
    Fill(pair.theirs, 100);
    CHECK((fixture.Ready(kToken, 1000) & READY_READ) != 0);
    char bytes[4096];
    CHECK(read(pair.ours, bytes, sizeof bytes) == 100);
    fixture.poller->Arm(pair.ours, kToken, READY_READ);
  }
  pair.theirs.Close();
  CHECK(fixture.Ready(kToken, 1000) >= (READY_READ | READY_HANGUP));
}

TEST_CASE_TEMPLATE("poller: room to write is told after a full buffer", Kind, EVERY_POLLER) {
  Fixture fixture(Kind::kKind);
  Pair pair = SocketPair();
  CHECK(fixture.poller->Add(pair.ours, kToken) == 0);
  CHECK(fixture.Ready(kToken) == READY_WRITE);
  Fill(pair.ours);
  fixture.poller->Arm(pair.ours, kToken, READY_WRITE);
  CHECK(fixture.WaitCount() == 0);
  CHECK(Drain(pair.theirs) == -EAGAIN);
  CHECK((fixture.Ready(kToken, 1000) & READY_WRITE) != 0);
}

TEST_CASE_TEMPLATE("poller: the end of a stream is told behind its last bytes", Kind,
                   EVERY_POLLER) {
  Fixture fixture(Kind::kKind);
  Pair pair = SocketPair();
  CHECK(fixture.poller->Add(pair.ours, kToken) == 0);
  fixture.Ready(kToken);
  Fill(pair.theirs, 10);
  pair.theirs.Close();
  CHECK((fixture.Ready(kToken) & (READY_READ | READY_HANGUP)) == (READY_READ | READY_HANGUP));
  CHECK(Drain(pair.ours) == 0);
  CHECK(fixture.WaitCount() == 0);
}

TEST_CASE_TEMPLATE("poller: a peer that stopped sending does not disturb a waiting writer", Kind,
                   EVERY_POLLER) {
  Fixture fixture(Kind::kKind);
  Pair pair = TcpPair();
  CHECK(fixture.poller->Add(pair.ours, kToken) == 0);
  fixture.Ready(kToken);
  shutdown(pair.theirs, SHUT_WR);
  CHECK((fixture.Ready(kToken, 1000) & (READY_READ | READY_HANGUP)) == (READY_READ | READY_HANGUP));
  CHECK(Drain(pair.ours) == 0);
  // As long as bytes move in the kernel there may be edges; then there is silence.
  for (int i = 0; i < 100 && Fill(pair.ours) > 0; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  fixture.poller->Arm(pair.ours, kToken, READY_WRITE);
  fixture.WaitCount();
  Fill(pair.ours);
  fixture.poller->Arm(pair.ours, kToken, READY_WRITE);
  CHECK(fixture.WaitCount(5) == 0);
  for (uint32_t ready = 0; (ready & READY_WRITE) == 0;) {
    Drain(pair.theirs);
    ready = fixture.Ready(kToken, 1000);
    REQUIRE(ready != 0);
  }
}

TEST_CASE_TEMPLATE("poller: a reset is told and found by the next call", Kind, EVERY_POLLER) {
  Fixture fixture(Kind::kKind);
  Pair pair = TcpPair();
  CHECK(fixture.poller->Add(pair.ours, kToken) == 0);
  fixture.Ready(kToken);
  const linger reset = {1, 0};
  setsockopt(pair.theirs, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
  pair.theirs.Close();
  CHECK((fixture.Ready(kToken, 1000) & (READY_READ | READY_HANGUP)) == (READY_READ | READY_HANGUP));
  CHECK(Drain(pair.ours) == -ECONNRESET);
  CHECK(fixture.WaitCount() == 0);
}

TEST_CASE_TEMPLATE("poller: a reset reaches one who only waits to write", Kind, EVERY_POLLER) {
  Fixture fixture(Kind::kKind);
  Pair pair = TcpPair();
  CHECK(fixture.poller->Add(pair.ours, kToken) == 0);
  Fill(pair.theirs, 1);
  CHECK((fixture.Ready(kToken, 1000) & READY_READ) != 0);
  Fill(pair.ours);
  fixture.poller->Arm(pair.ours, kToken, READY_WRITE);
  // Closed with unread bytes, which makes TCP reset.
  pair.theirs.Close();
  CHECK((fixture.Ready(kToken, 1000) & READY_WRITE) != 0);
  CHECK(write(pair.ours, "x", 1) < 0);
  CHECK(errno != EAGAIN);
}

TEST_CASE_TEMPLATE("poller: urgent data does not hide what follows it", Kind, EVERY_POLLER) {
  Fixture fixture(Kind::kKind);
  Pair pair = TcpPair();
  CHECK(fixture.poller->Add(pair.ours, kToken) == 0);
  fixture.Ready(kToken);
  Fill(pair.theirs, 3);
  CHECK(send(pair.theirs, "!", 1, MSG_OOB) == 1);
  Fill(pair.theirs, 5);
  std::this_thread::sleep_for(std::chrono::milliseconds(1));
  CHECK((fixture.Ready(kToken, 1000) & (READY_READ | READY_HANGUP)) == (READY_READ | READY_HANGUP));
  // A read ends at the mark: a short one is no proof, as READY_HANGUP says.
  CHECK(Drain(pair.ours) == -EAGAIN);
  fixture.poller->Arm(pair.ours, kToken, READY_READ);
  CHECK(fixture.WaitCount() == 0);
}

TEST_CASE_TEMPLATE("poller: pipes tell data, end and the loss of the reader", Kind, EVERY_POLLER) {
  Fixture fixture(Kind::kKind);
  Pair pair = PipePair();
  CHECK(fixture.poller->Add(pair.ours, kToken) == 0);
  CHECK(fixture.poller->Add(pair.theirs, kOther) == 0);
  CHECK(fixture.Ready(kOther) == READY_WRITE);
  Fill(pair.theirs, 1);
  CHECK((fixture.Ready(kToken) & READY_READ) != 0);
  CHECK(Drain(pair.ours) == -EAGAIN);
  fixture.poller->Arm(pair.ours, kToken, READY_READ);
  fixture.poller->Remove(pair.theirs);
  pair.theirs.Close();
  CHECK((fixture.Ready(kToken) & (READY_READ | READY_HANGUP)) == (READY_READ | READY_HANGUP));
  CHECK(Drain(pair.ours) == 0);
  fixture.poller->Remove(pair.ours);

  pair = PipePair();
  Fill(pair.theirs);
  CHECK(fixture.poller->Add(pair.theirs, kOther) == 0);
  CHECK((fixture.Ready(kOther) & READY_WRITE) == 0);
  pair.ours.Close();
  CHECK((fixture.Ready(kOther) & (READY_WRITE | READY_HANGUP)) == (READY_WRITE | READY_HANGUP));
}

TEST_CASE_TEMPLATE("poller: a listener tells connections, a connect its outcome", Kind,
                   EVERY_POLLER) {
  Fixture fixture(Kind::kKind);
  sockaddr_in address;
  Fd listener = Listener(&address);
  CHECK(fixture.poller->Add(listener, kToken) == 0);
  CHECK(fixture.WaitCount() == 0);
  Fd client = TcpSocket();
  const int status = Connect(client, address);
  CHECK((status == 0 || status == -EINPROGRESS));
  CHECK(fixture.poller->Add(client, kOther) == 0);
  uint32_t listening = 0;
  uint32_t connecting = 0;
  for (int i = 0; i < 100 && ((listening & READY_READ) == 0 || connecting == 0); ++i) {
    Event events[8];
    const int32_t count = fixture.poller->Wait(events, 8, 10);
    for (int32_t j = 0; j < count; ++j) {
      (events[j].token == kToken ? listening : connecting) |= events[j].ready;
    }
  }
  CHECK((listening & READY_READ) != 0);
  CHECK(connecting == READY_WRITE);
  fixture.poller->Remove(listener);
  fixture.poller->Remove(client);
  // Nobody listens there any more.
  listener.Close();
  Fd refused = TcpSocket();
  if (Connect(refused, address) == -EINPROGRESS) {
    CHECK(fixture.poller->Add(refused, kOther) == 0);
    CHECK((fixture.Ready(kOther, 1000) & (READY_WRITE | READY_HANGUP)) ==
          (READY_WRITE | READY_HANGUP));
  }
}

TEST_CASE_TEMPLATE("poller: a removed descriptor is silent, its number can serve again", Kind,
                   EVERY_POLLER) {
  Fixture fixture(Kind::kKind);
  Pair pair = SocketPair();
  Pair other = SocketPair();
  CHECK(fixture.poller->Add(pair.ours, kToken) == 0);
  CHECK(fixture.poller->Add(other.ours, kOther) == 0);
  Fill(pair.theirs, 1);
  fixture.poller->Remove(pair.ours);
  CHECK(fixture.WaitCount() == 1);
  fixture.poller->Remove(pair.ours);
  // Late calls with the old token do no harm to the new owner of the number.
  CHECK(fixture.poller->Add(pair.ours, MakeToken(5, 79)) == 0);
  CHECK(fixture.Ready(MakeToken(5, 79)) == (READY_READ | READY_WRITE));
  fixture.poller->Arm(pair.ours, kToken, READY_READ);
  CHECK(fixture.WaitCount() == 0);
  fixture.poller->Remove(pair.ours);
  pair.theirs.Close();
  CHECK(fixture.WaitCount() == 0);
}

TEST_CASE_TEMPLATE("poller: few places for many events starve nobody", Kind, EVERY_POLLER) {
  constexpr uint32_t kPairs = 400;
  Fixture fixture(Kind::kKind);
  std::vector<Pair> pairs;
  for (uint32_t i = 0; i < kPairs; ++i) {
    pairs.push_back(SocketPair());
    Fill(pairs[i].theirs, 1);
    REQUIRE(fixture.poller->Add(pairs[i].ours, i) == 0);
  }
  std::vector<uint32_t> seen(kPairs);
  uint32_t waits = 0;
  Event events[7];
  for (int32_t count; (count = fixture.poller->Wait(events, 7, 0)) > 0; ++waits) {
    REQUIRE(count <= 7);
    for (int32_t i = 0; i < count; ++i) {
      const uint32_t index = TokenIndex(events[i].token);
      ++seen[index];
      // The first ones are kept busy, and must not come again before the last ones came.
      if (seen[index] > 1) continue;
      Drain(pairs[index].ours);
      Fill(pairs[index].theirs, 1);
      fixture.poller->Arm(pairs[index].ours, index, READY_READ);
    }
    // A backend may tell of both directions one by one.
    if (waits == 2 * kPairs / 7) {
      for (const uint32_t times : seen) REQUIRE(times >= 1);
    }
  }
  CHECK(waits >= kPairs / 7);
}

TEST_CASE_TEMPLATE("poller: a foreign descriptor is told as long as it is ready", Kind,
                   EVERY_POLLER) {
  Fixture fixture(Kind::kKind);
  Pair pair = SocketPair();
  CHECK(fixture.poller->Watch(pair.ours, kToken, READY_READ) == 0);
  CHECK(fixture.WaitCount() == 0);
  Fill(pair.theirs, 1);
  for (int i = 0; i < 3; ++i) CHECK(fixture.Ready(kToken) == READY_READ);
  CHECK(fixture.poller->Watch(pair.ours, kToken, 0) == 0);
  CHECK(fixture.WaitCount() == 0);
  CHECK(fixture.poller->Watch(pair.ours, kOther, READY_WRITE) == 0);
  for (int i = 0; i < 3; ++i) CHECK(fixture.Ready(kOther) == READY_WRITE);
  CHECK(fixture.poller->Watch(pair.ours, kOther, READY_READ | READY_WRITE) == 0);
  CHECK(fixture.Ready(kOther) == (READY_READ | READY_WRITE));
  // A hangup is told again and again too, but not while the descriptor is paused.
  pair.theirs.Close();
  for (int i = 0; i < 3; ++i) CHECK((fixture.Ready(kOther) & READY_HANGUP) != 0);
  CHECK(fixture.poller->Watch(pair.ours, kOther, 0) == 0);
  CHECK(fixture.WaitCount() == 0);
  fixture.poller->Remove(pair.ours);
  CHECK(fixture.WaitCount() == 0);
}

TEST_CASE_TEMPLATE("poller: urgent data alone does not make a foreign descriptor ready", Kind,
                   EVERY_POLLER) {
  Fixture fixture(Kind::kKind);
  Pair pair = TcpPair();
  CHECK(fixture.poller->Watch(pair.ours, kToken, READY_READ) == 0);
  CHECK(send(pair.theirs, "!", 1, MSG_OOB) == 1);
  CHECK(fixture.WaitCount() == 0);
  Fill(pair.theirs, 1);
  CHECK(fixture.Ready(kToken) == READY_READ);
  fixture.poller->Remove(pair.ours);
}

TEST_CASE_TEMPLATE("poller: a foreign file is refused", Kind, EVERY_POLLER) {
  Fixture fixture(Kind::kKind);
  Fd file(open("/bin/sh", O_RDONLY | O_CLOEXEC));
  Fd directory(open("/", O_RDONLY | O_CLOEXEC));
  CHECK(fixture.poller->Watch(file, kToken, READY_READ) == -EPERM);
  CHECK(fixture.poller->Watch(directory, kToken, READY_WRITE) == -EPERM);
}

TEST_CASE_TEMPLATE("poller: a wait is never early, even when signals arrive", Kind, EVERY_POLLER) {
  Fixture fixture(Kind::kKind);
  struct sigaction action = {};
  struct sigaction before = {};
  action.sa_handler = [](int) {};
  sigaction(SIGUSR1, &action, &before);
  std::atomic<bool> over{false};
  const pthread_t self = pthread_self();
  std::thread nagger([&] {
    while (!over) {
      pthread_kill(self, SIGUSR1);
      std::this_thread::sleep_for(std::chrono::microseconds(300));
    }
  });
  for (const int32_t timeout_ms : {1, 5, 20}) {
    int64_t began_ns = NowNs();
    CHECK(fixture.WaitCount(timeout_ms) == 0);
    CHECK(NowNs() - began_ns >= timeout_ms * 1000000);
    fixture.poller->PrepareBlock();
    began_ns = NowNs();
    CHECK(fixture.poller->Block(timeout_ms) == 0);
    CHECK(NowNs() - began_ns >= timeout_ms * 1000000);
  }
  over = true;
  nagger.join();
  sigaction(SIGUSR1, &before, nullptr);
}

TEST_CASE_TEMPLATE("poller: its descriptor is readable while there is something to tell", Kind,
                   EVERY_POLLER) {
  Fixture fixture(Kind::kKind);
  const int fd = fixture.poller->Descriptor();
  CHECK(fixture.poller->IsEdgeTriggered() == (Kind::kKind == PollerKind::kEpoll));
  if (fd < 0) return;
  pollfd nested = {fd, POLLIN, 0};
  CHECK(poll(&nested, 1, 0) == 0);
  Pair pair = SocketPair();
  CHECK(fixture.poller->Add(pair.ours, kToken) == 0);
  CHECK(poll(&nested, 1, 0) == 1);
  CHECK(poll(&nested, 1, 0) == 1);
  CHECK(fixture.WaitCount() == 1);
  CHECK(poll(&nested, 1, 0) == 0);
  Fill(pair.theirs, 1);
  CHECK(poll(&nested, 1, 0) == 1);
}

TEST_CASE_TEMPLATE("poller: blocking sees what a wait would, and takes nothing", Kind,
                   EVERY_POLLER) {
  Fixture fixture(Kind::kKind);
  Pair pair = SocketPair();
  CHECK(fixture.poller->Add(pair.ours, kToken) == 0);
  fixture.poller->PrepareBlock();
  CHECK(fixture.poller->Block(-1) == 1);
  CHECK(fixture.poller->Block(-1) == 1);
  CHECK(fixture.Ready(kToken) == READY_WRITE);
  fixture.poller->PrepareBlock();
  CHECK(fixture.poller->Block(1) == 0);
  std::thread sender([&] { Fill(pair.theirs, 1); });
  CHECK(fixture.poller->Block(-1) == 1);
  sender.join();
  CHECK((fixture.Ready(kToken) & READY_READ) != 0);
}

TEST_CASE_TEMPLATE("poller: an interrupt ends this block or the next one", Kind, EVERY_POLLER) {
  Fixture fixture(Kind::kKind);
  fixture.poller->PrepareBlock();
  fixture.poller->Interrupt();
  fixture.poller->Interrupt();
  CHECK(fixture.poller->Block(-1) == 0);
  CHECK(fixture.poller->Block(1) == 0);
  for (int i = 0; i < 20; ++i) {
    std::thread interrupter([&] { fixture.poller->Interrupt(); });
    CHECK(fixture.poller->Block(-1) == 0);
    interrupter.join();
  }
  // It is not an event.
  fixture.poller->Interrupt();
  CHECK(fixture.WaitCount() == 0);
}

TEST_CASE_TEMPLATE("poller: the loop's thread may change the set while another blocks", Kind,
                   EVERY_POLLER) {
  Fixture fixture(Kind::kKind);
  std::vector<Pair> pairs;
  for (uint32_t i = 0; i < 8; ++i) {
    pairs.push_back(SocketPair());
    REQUIRE(fixture.poller->Add(pairs[i].ours, i) == 0);
  }
  for (uint32_t round = 0; round < 200; ++round) {
    fixture.poller->PrepareBlock();
    std::thread waiter([&] { fixture.poller->Block(-1); });
    Pair& pair = pairs[round % 8];
    fixture.poller->Remove(pair.ours);
    pair = SocketPair();
    REQUIRE(fixture.poller->Add(pair.ours, round % 8) == 0);
    fixture.poller->Arm(pair.ours, round % 8, READY_READ);
    fixture.poller->Interrupt();
    waiter.join();
    if (round % 3 == 0) fixture.WaitCount();
  }
}

TEST_CASE_TEMPLATE("poller: a removed descriptor can be closed at once while another blocks", Kind,
                   EVERY_POLLER) {
  Fixture fixture(Kind::kKind);
  for (int round = 0; round < 50; ++round) {
    Pair pair = SocketPair();
    REQUIRE(fixture.poller->Add(pair.ours, kToken) == 0);
    // Room to write is told once, so that only the end of the sleep can end the block.
    while (fixture.WaitCount() > 0) {
    }
    fixture.poller->PrepareBlock();
    std::thread waiter([&] { fixture.poller->Block(-1); });
    if (round % 2 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    fixture.poller->Remove(pair.ours);
    pair.ours.Close();
    char byte;
    CHECK(recv(pair.theirs, &byte, 1, MSG_DONTWAIT) == 0);
    fixture.poller->Interrupt();
    waiter.join();
    // An interrupt that came too late for this block would end the next one.
    fixture.poller->PrepareBlock();
    while (fixture.poller->Block(0) != 0) {
    }
  }
}

namespace {

// One end of a socket pair as the engine keeps it: what the poller said, until EAGAIN.
struct Watched {
  Pair pair;
  bool readable = false;
  bool writable = false;
  uint32_t token = 0;
};

// What poll(2) says directly, the judge over every backend.
short TruthOf(const Watched& watched) {
  pollfd truth = {watched.pair.ours, POLLIN | POLLOUT, 0};
  poll(&truth, 1, 0);
  return truth.revents;
}

}  // namespace

TEST_CASE_TEMPLATE("poller: random traffic never leaves a ready direction untold", Kind,
                   EVERY_POLLER) {
  Random random(FreshSeed());
  Fixture fixture(Kind::kKind);
  std::vector<Watched> sockets(20);
  uint32_t next_token = 1;
  const auto renew = [&](Watched* watched) {
    if (watched->token != 0) fixture.poller->Remove(watched->pair.ours);
    *watched = Watched();
    watched->pair = SocketPair();
    watched->token = next_token++;
    REQUIRE(fixture.poller->Add(watched->pair.ours, watched->token) == 0);
  };
  for (Watched& watched : sockets) renew(&watched);
  uint32_t untold = 0;
  uint32_t strays = 0;
  for (uint32_t step = 0; step < 20000; ++step) {
    Watched& watched = sockets[random.Below(sockets.size())];
    switch (random.Below(7)) {
      case 0:
      case 1:
        if (watched.pair.theirs >= 0) Fill(watched.pair.theirs, 1 + random.Below(5000));
        break;
      case 2:
        if (watched.pair.theirs >= 0) Drain(watched.pair.theirs);
        break;
      case 3:
        if (watched.readable && Drain(watched.pair.ours) == -EAGAIN) {
          watched.readable = false;
          fixture.poller->Arm(watched.pair.ours, watched.token, READY_READ);
        }
        break;
      case 4:
        if (watched.writable && watched.pair.theirs >= 0) {
          Fill(watched.pair.ours);
          watched.writable = false;
          fixture.poller->Arm(watched.pair.ours, watched.token, READY_WRITE);
        }
        break;
      case 5:
        if (random.OneIn(20)) watched.pair.theirs.Close();
        break;
      default:
        if (random.OneIn(20)) renew(&watched);
    }
    Event events[5];
    for (int32_t count; (count = fixture.poller->Wait(events, 5, 0)) > 0;) {
      for (int32_t i = 0; i < count; ++i) {
        bool known = false;
        for (Watched& candidate : sockets) {
          if (candidate.token != events[i].token) continue;
          known = true;
          candidate.readable |= (events[i].ready & READY_READ) != 0;
          candidate.writable |= (events[i].ready & READY_WRITE) != 0;
        }
        strays += known ? 0 : 1;
      }
    }
    const short truth = TruthOf(watched);
    untold += (truth & POLLIN) != 0 && !watched.readable ? 1 : 0;
    untold += (truth & POLLOUT) != 0 && !watched.writable ? 1 : 0;
  }
  CHECK(untold == 0);
  CHECK(strays == 0);
}

}  // namespace evloop
