#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "sys/socket.h"

namespace evloop {

namespace {

// The longest transfer whose count still fits the int32 results.
constexpr size_t kMaxTransfer = 1U << 30;

struct Address {
  sockaddr_storage storage;
  socklen_t size;
};

bool Parse(const char* host, uint16_t port, Address* address) {
  memset(&address->storage, 0, sizeof(address->storage));
  auto* v4 = reinterpret_cast<sockaddr_in*>(&address->storage);
  if (inet_pton(AF_INET, host, &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(port);
    address->size = sizeof(*v4);
    return true;
  }
  auto* v6 = reinterpret_cast<sockaddr_in6*>(&address->storage);
  if (inet_pton(AF_INET6, host, &v6->sin6_addr) != 1) return false;
  v6->sin6_family = AF_INET6;
  v6->sin6_port = htons(port);
  address->size = sizeof(*v6);
  return true;
}

int32_t Format(const Address& from, AddressText* address) {
  if (from.storage.ss_family == AF_INET) {
    const auto* v4 = reinterpret_cast<const sockaddr_in*>(&from.storage);
    address->family = 4;
    address->port = ntohs(v4->sin_port);
    return inet_ntop(AF_INET, &v4->sin_addr, address->text, sizeof(address->text)) ? 0 : -errno;
  }
  if (from.storage.ss_family == AF_INET6) {
    const auto* v6 = reinterpret_cast<const sockaddr_in6*>(&from.storage);
    address->family = 6;
    address->port = ntohs(v6->sin6_port);
    return inet_ntop(AF_INET6, &v6->sin6_addr, address->text, sizeof(address->text)) ? 0 : -errno;
  }
  return -EAFNOSUPPORT;
}

PeerAddress Compact(const sockaddr_storage& from) {
  PeerAddress peer;
  if (from.ss_family == AF_INET) {
    const auto* v4 = reinterpret_cast<const sockaddr_in*>(&from);
    memcpy(peer.bytes, &v4->sin_addr, sizeof(v4->sin_addr));
    peer.port = ntohs(v4->sin_port);
    peer.family = 4;
  } else if (from.ss_family == AF_INET6) {
    const auto* v6 = reinterpret_cast<const sockaddr_in6*>(&from);
    memcpy(peer.bytes, &v6->sin6_addr, sizeof(v6->sin6_addr));
    peer.port = ntohs(v6->sin6_port);
    peer.family = 6;
  }
  return peer;
}

int32_t SetOption(int fd, int level, int name, int value) {
  return setsockopt(fd, level, name, &value, sizeof(value)) == 0 ? 0 : -errno;
}

int32_t Open(const Address& address) {
  const int fd = socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  return fd >= 0 ? fd : -errno;
}

// Closes what a failed set-up opened and hands the error on.
int32_t Abandon(int fd, int32_t error) {
  close(fd);
  return error;
}

template <typename Call>
int32_t Transfer(Call call) {
  ssize_t count;
  do {
    count = call();
  } while (count < 0 && errno == EINTR);
  return count >= 0 ? static_cast<int32_t>(count) : -errno;
}

size_t Clamp(size_t size) { return size < kMaxTransfer ? size : kMaxTransfer; }

}  // namespace

int32_t SocketListen(const char* host, uint16_t port, uint32_t flags, int backlog) {
  Address address;
  if (!Parse(host, port, &address)) return -EINVAL;
  const int32_t fd = Open(address);
  if (fd < 0) return fd;
  // Without SO_REUSEADDR a restarted server waits for the TIME_WAIT of its old connections.
  int32_t status = SetOption(fd, SOL_SOCKET, SO_REUSEADDR, 1);
  if (status == 0 && (flags & SOCKET_REUSE_PORT) != 0) {
    status = SetOption(fd, SOL_SOCKET, SO_REUSEPORT, 1);
  }
  if (status == 0 && address.storage.ss_family == AF_INET6 && (flags & SOCKET_IPV6_ONLY) != 0) {
    status = SetOption(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
  }
  // Accepted sockets inherit it, which saves a call for each of them.
  if (status == 0 && (flags & SOCKET_NO_DELAY) != 0) status = SocketSetNoDelay(fd, true);
  if (status != 0) return Abandon(fd, status);
  if (bind(fd, reinterpret_cast<sockaddr*>(&address.storage), address.size) != 0) {
    return Abandon(fd, -errno);
  }
  if (listen(fd, backlog) != 0) return Abandon(fd, -errno);
  return fd;
}

int32_t SocketAccept(int listener, PeerAddress* peer) {
  sockaddr_storage from;
  socklen_t size = sizeof(from);
  const int32_t fd = Transfer([&] {
    return accept4(listener, reinterpret_cast<sockaddr*>(&from), &size,
                   SOCK_NONBLOCK | SOCK_CLOEXEC);
  });
  if (fd >= 0) *peer = Compact(from);
  return fd;
}

int32_t SocketConnect(const char* host, uint16_t port, uint32_t flags, PeerAddress* peer,
                      bool* in_progress) {
  Address address;
  if (!Parse(host, port, &address)) return -EINVAL;
  *peer = Compact(address.storage);
  const int32_t fd = Open(address);
  if (fd < 0) return fd;
  if ((flags & SOCKET_NO_DELAY) != 0) {
    const int32_t status = SocketSetNoDelay(fd, true);
    if (status != 0) return Abandon(fd, status);
  }
  *in_progress = false;
  if (connect(fd, reinterpret_cast<sockaddr*>(&address.storage), address.size) == 0) return fd;
  // An interrupted connect goes on in the background (connect(2)), just like one in progress.
  if (errno != EINPROGRESS && errno != EINTR) return Abandon(fd, -errno);
  *in_progress = true;
  return fd;
}

int32_t SocketConnectResult(int fd) {
  int error = 0;
  socklen_t size = sizeof(error);
  if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0) return -errno;
  if (error != 0) return -error;
  // No error and no peer yet: the event was spurious.
  sockaddr_storage peer;
  socklen_t peer_size = sizeof(peer);
  if (getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &peer_size) == 0) return 0;
  return errno == ENOTCONN ? -EINPROGRESS : -errno;
}

int32_t SocketReceive(int fd, uint8_t* into, size_t capacity) {
  return Transfer([=] { return recv(fd, into, Clamp(capacity), 0); });
}

int32_t SocketSend(int fd, const uint8_t* data, size_t size) {
  return Transfer([=] { return send(fd, data, Clamp(size), MSG_NOSIGNAL); });
}

int32_t SocketSendPieces(int fd, const Piece* pieces, uint32_t count) {
  iovec vectors[kMaxPieces];
  for (uint32_t i = 0; i < count; i++) {
    // SAFETY: sendmsg(2) does not write through iov_base.
    vectors[i] = {const_cast<uint8_t*>(pieces[i].data), pieces[i].size};
  }
  msghdr message = {};
  message.msg_iov = vectors;
  message.msg_iovlen = count;
  return Transfer([&] { return sendmsg(fd, &message, MSG_NOSIGNAL); });
}

int32_t SocketSendFile(int fd, int file, uint64_t offset, size_t count) {
  return Transfer([=] {
    auto position = static_cast<off_t>(offset);
    return sendfile(fd, file, &position, Clamp(count));
  });
}

int32_t FileSeek(int file, uint64_t offset) {
  return lseek(file, static_cast<off_t>(offset), SEEK_SET) >= 0 ? 0 : -errno;
}

int32_t SocketShutdown(int fd) { return shutdown(fd, SHUT_WR) == 0 ? 0 : -errno; }

void SocketClose(int fd, bool reset) {
  if (reset) {
    const linger abort = {1, 0};
    // A failure leaves an ordinary close, which is the best that is left.
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &abort, sizeof(abort));
  }
  // close(2) gives the descriptor up even when it reports EINTR or EIO; retrying could hit another.
  close(fd);
}

int32_t SocketSetNoDelay(int fd, bool on) {
  return SetOption(fd, IPPROTO_TCP, TCP_NODELAY, on ? 1 : 0);
}

int32_t SocketSetKeepAlive(int fd, bool on, uint32_t delay_seconds) {
  const int32_t status = SetOption(fd, SOL_SOCKET, SO_KEEPALIVE, on ? 1 : 0);
  if (status != 0 || !on || delay_seconds == 0) return status;
  return SetOption(fd, IPPROTO_TCP, TCP_KEEPIDLE, static_cast<int>(delay_seconds));
}

int32_t SocketLocalAddress(int fd, AddressText* address) {
  Address from = {};
  from.size = sizeof(from.storage);
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&from.storage), &from.size) != 0) return -errno;
  return Format(from, address);
}

int32_t FormatPeer(const PeerAddress& peer, AddressText* address) {
  if (peer.family == 0) return -ENOTCONN;
  address->family = peer.family;
  address->port = peer.port;
  const int family = peer.family == 4 ? AF_INET : AF_INET6;
  return inet_ntop(family, peer.bytes, address->text, sizeof(address->text)) ? 0 : -errno;
}

}  // namespace evloop
