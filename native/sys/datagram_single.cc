// Datagrams one by one, for systems without recvmmsg(2): a call for each.
#include <sys/socket.h>

#include "status.h"
#include "sys/datagram.h"
#include "sys/sockaddr.h"
#include "sys/socket_system.h"

namespace evloop {

namespace {

int32_t ReceiveOne(int fd, IncomingDatagram* datagram) {
  sockaddr_storage name = {};
  iovec piece = {datagram->data, datagram->capacity};
  msghdr message = {};
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  message.msg_name = &name;
  message.msg_namelen = sizeof(name);
  ssize_t size;
  do {
    size = recvmsg(fd, &message, MSG_DONTWAIT);
  } while (size < 0 && errno == EINTR);
  if (size < 0) return LastError();
  datagram->size = static_cast<size_t>(size);
  datagram->segment = 0;
  datagram->is_truncated = (message.msg_flags & MSG_TRUNC) != 0;
  datagram->from = FromSockaddr(name);
  return 0;
}

int32_t SendOne(int fd, const OutgoingDatagram& datagram) {
  sockaddr_storage name;
  const bool is_named = datagram.to != nullptr;
  const socklen_t size = is_named ? ToSockaddr(*datagram.to, &name) : 0;
  const auto* to = is_named ? reinterpret_cast<const sockaddr*>(&name) : nullptr;
  ssize_t sent;
  do {
    sent = sendto(fd, datagram.data, datagram.size, kNoSignal | MSG_DONTWAIT, to, size);
  } while (sent < 0 && errno == EINTR);
  return sent < 0 ? LastError() : 0;
}

// How many of `count` calls succeed in a row, or what is wrong with the first.
template <typename Call>
int32_t Repeat(uint32_t count, Call call) {
  for (uint32_t i = 0; i < count; i++) {
    const int32_t status = call(i);
    if (status < 0) return i == 0 ? status : static_cast<int32_t>(i);
  }
  return static_cast<int32_t>(count);
}

}  // namespace

int32_t DatagramCoalesce(int /*fd*/) { return -ENOPROTOOPT; }

int32_t DatagramReceive(int fd, IncomingDatagram* datagrams, uint32_t count) {
  if (count > kDatagramBatch) count = kDatagramBatch;
  return Repeat(count, [=](uint32_t i) { return ReceiveOne(fd, &datagrams[i]); });
}

int32_t DatagramSend(int fd, const OutgoingDatagram* datagrams, uint32_t count) {
  if (count > kDatagramBatch) count = kDatagramBatch;
  return Repeat(count, [=](uint32_t i) { return SendOne(fd, datagrams[i]); });
}

}  // namespace evloop
