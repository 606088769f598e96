#include "test/fake_system.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <new>

#include "sys/datagram.h"
#include "sys/descriptor.h"
#include "sys/socket.h"

namespace evloop {

namespace {

class FakePoller final : public Poller {
 public:
  int32_t Open() override { return 0; }
  void Close() override {}
  int32_t Add(int fd, uint64_t token) override {
    // The waker's descriptor is a real one.
    if (token == 0) return 0;
    TheSystem().Watch(fd, token);
    return 0;
  }
  void Arm(int fd, uint64_t token, uint32_t) override {
    if (token != 0) TheSystem().Require(fd);
  }
  int32_t Watch(int fd, uint64_t token, uint32_t) override {
    TheSystem().Watch(fd, token);
    return 0;
  }
  void Remove(int fd) override { TheSystem().Unwatch(fd); }
  int32_t Wait(Event* events, uint32_t capacity, int32_t) override {
    return static_cast<int32_t>(TheSystem().Wait(events, capacity));
  }
  int Descriptor() const override { return -1; }
  bool IsEdgeTriggered() const override { return true; }
  void PrepareBlock() override {}
  int32_t Block(int32_t) override { return 0; }
  void Interrupt() override {}
};

// Above those that the process really has.
constexpr int kFirst = 1000;

}  // namespace

FakeSystem& TheSystem() {
  static FakeSystem system;
  return system;
}

void FakeSystem::Reset(Decide decide, void* context) {
  *this = FakeSystem();
  decide_ = decide;
  context_ = context;
}

int FakeSystem::Open() {
  open_count_++;
  if (free_.empty()) {
    descriptors_.push_back({true, false, 0});
    return kFirst + static_cast<int>(descriptors_.size()) - 1;
  }
  const int fd = free_.back();
  free_.pop_back();
  descriptors_[static_cast<size_t>(fd - kFirst)] = {true, false, 0};
  return fd;
}

void FakeSystem::Close(int fd) {
  Require(fd);
  open_count_--;
  descriptors_[static_cast<size_t>(fd - kFirst)].is_open = false;
  free_.push_back(fd);
}

bool FakeSystem::IsOpen(int fd) const {
  const auto place = static_cast<size_t>(fd - kFirst);
  return fd >= kFirst && place < descriptors_.size() && descriptors_[place].is_open;
}

void FakeSystem::Require(int fd) const {
  if (!IsOpen(fd)) abort();
}

int FakeSystem::Accept() {
  if (waiting_ == 0) return -EAGAIN;
  waiting_--;
  return Open();
}

void FakeSystem::Watch(int fd, uint64_t token) {
  calls++;
  Require(fd);
  Descriptor& descriptor = descriptors_[static_cast<size_t>(fd - kFirst)];
  descriptor.is_watched = true;
  descriptor.token = token;
}

void FakeSystem::Unwatch(int fd) {
  calls++;
  if (fd < kFirst) return;
  Require(fd);
  descriptors_[static_cast<size_t>(fd - kFirst)].is_watched = false;
}

void FakeSystem::Tell(int fd, uint32_t ready) {
  const auto place = static_cast<size_t>(fd - kFirst);
  if (place >= descriptors_.size() || !descriptors_[place].is_watched) return;
  events_.Push({descriptors_[place].token, ready});
}

// What was told of a descriptor is delivered even when it was closed meanwhile: so does epoll,
// within one batch.
uint32_t FakeSystem::Wait(Event* events, uint32_t capacity) {
  calls++;
  uint32_t count = 0;
  for (; count < capacity && !events_.empty(); events_.Pop()) events[count++] = events_.front();
  return count;
}

Poller* NewPoller(PollerKind) { return new (std::nothrow) FakePoller; }

// sys/socket.h

namespace {

int32_t Transfer(int fd, size_t most) {
  TheSystem().calls++;
  TheSystem().Require(fd);
  return TheSystem().Answer(most);
}

}  // namespace

int32_t SocketListen(const AddressText&, const SocketOptions&, int) { return TheSystem().Open(); }

int32_t SocketPrepareListener(int, const SocketOptions&) { return -ENOTSOCK; }

int32_t SocketAccept(int listener, InternetAddress*) {
  TheSystem().calls++;
  TheSystem().Require(listener);
  return TheSystem().Accept();
}

int32_t SocketConnect(const AddressText&, const AddressText&, const SocketOptions&,
                      InternetAddress*, bool* in_progress) {
  *in_progress = TheSystem().Answer(0) != 0;
  return TheSystem().Open();
}

int32_t SocketConnectResult(int fd) { return Transfer(fd, 0); }

int32_t SocketReceive(int fd, uint8_t* into, size_t capacity) {
  const int32_t count = Transfer(fd, capacity);
  // Every byte is written, so that a checker sees each that is not ours.
  if (count > 0) memset(into, 'r', static_cast<size_t>(count));
  return count;
}
int32_t SocketReceiveUnix(int fd, uint8_t* into, size_t capacity, bool*) {
  return SocketReceive(fd, into, capacity);
}

namespace {

// Reads all that it is given, for the same reason.
uint32_t Sum(const uint8_t* data, size_t size) {
  uint32_t sum = 0;
  for (size_t i = 0; i < size; i++) sum += data[i];
  return sum;
}

volatile uint32_t sink;

}  // namespace

int32_t SocketSend(int fd, const uint8_t* data, size_t size) {
  sink = Sum(data, size);
  return Transfer(fd, size);
}

int32_t SocketSendPieces(int fd, const Piece* pieces, uint32_t count) {
  size_t size = 0;
  for (uint32_t i = 0; i < count; i++) {
    sink = Sum(pieces[i].data, pieces[i].size);
    size += pieces[i].size;
  }
  return Transfer(fd, size);
}

// sys/descriptor.h

int32_t DescriptorCheckSocket(int fd, InternetAddress*) {
  return TheSystem().IsOpen(fd) ? 0 : -EBADF;
}
int32_t DescriptorDuplicate(int fd) {
  TheSystem().Require(fd);
  return TheSystem().Open();
}
int32_t DescriptorPrepare(int fd) {
  TheSystem().Require(fd);
  return 0;
}
void DescriptorRestore(int fd, int32_t) { TheSystem().Require(fd); }
int32_t PipeReceive(int fd, uint8_t* into, size_t capacity) {
  return SocketReceive(fd, into, capacity);
}
int32_t PipeSendPieces(int fd, const Piece* pieces, uint32_t count) {
  return SocketSendPieces(fd, pieces, count);
}

// sys/datagram.h

int32_t DatagramOpen(const InternetAddress&, const InternetAddress&, uint32_t) {
  return TheSystem().Open();
}
int32_t DatagramCoalesce(int) { return 0; }
int32_t DatagramReceive(int fd, IncomingDatagram* datagrams, uint32_t count) {
  const int32_t received = Transfer(fd, count);
  for (int32_t i = 0; i < received; i++) {
    memset(datagrams[i].data, 'd', datagrams[i].capacity / 64);
    datagrams[i].size = datagrams[i].capacity / 64;
    datagrams[i].segment = 0;
    datagrams[i].is_truncated = false;
    datagrams[i].from.family = 4;
  }
  return received;
}
int32_t DatagramSend(int fd, const OutgoingDatagram* datagrams, uint32_t count) {
  for (uint32_t i = 0; i < count; i++) sink = Sum(datagrams[i].data, datagrams[i].size);
  const int32_t sent = Transfer(fd, count);
  return sent == 0 ? -EAGAIN : sent;
}
int32_t DatagramSetBroadcast(int, bool) { return 0; }
int32_t DatagramSetTtl(int, uint8_t, int) { return 0; }
int32_t DatagramSetMulticastTtl(int, uint8_t, int) { return 0; }
int32_t DatagramSetMulticastLoopback(int, uint8_t, bool) { return 0; }
int32_t DatagramSetMulticastInterface(int, uint8_t, uint32_t) { return 0; }
int32_t DatagramSetMembership(int, const InternetAddress&, uint32_t, bool) { return 0; }

int32_t SocketSendFile(int fd, int, uint64_t, size_t count) { return Transfer(fd, count); }

int32_t SocketShutdown(int fd) { return Transfer(fd, 0); }

void SocketClose(int fd, bool) { TheSystem().Close(fd); }

int32_t SocketPeerPath(int, AddressText*) { return -ENOTCONN; }

int32_t FormatPeer(const InternetAddress&, AddressText*) { return -ENOTCONN; }

}  // namespace evloop
