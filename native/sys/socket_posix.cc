#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include "sys/sockaddr.h"
#include "sys/socket.h"
#include "sys/socket_system.h"

namespace evloop {

namespace {

// The longest transfer whose count still fits the int32 results.
constexpr size_t kMaxTransfer = 1U << 30;

// The silence before the first probe of a connection, seconds.
#ifdef TCP_KEEPIDLE
constexpr int kKeepIdle = TCP_KEEPIDLE;
#else
constexpr int kKeepIdle = TCP_KEEPALIVE;
#endif

// The part of a sockaddr_un in front of the path.
constexpr size_t kPathOffset = offsetof(sockaddr_un, sun_path);

struct Address {
  sockaddr_storage storage = {};
  socklen_t size = 0;

  int family() const { return storage.ss_family; }
  sockaddr* pointer() { return reinterpret_cast<sockaddr*>(&storage); }
};

int32_t ParsePath(const AddressText& from, Address* address) {
  auto* unix_address = reinterpret_cast<sockaddr_un*>(&address->storage);
#ifndef __linux__
  // Abstract addresses are Linux's own.
  if (from.size > 0 && from.text[0] == '\0') return -EINVAL;
#endif
  // A path of the file system ends with NUL; an abstract one begins with it.
  if (from.size + (from.text[0] == '\0' ? 0 : 1) > sizeof(unix_address->sun_path))
    return -ENAMETOOLONG;
  unix_address->sun_family = AF_UNIX;
  memcpy(unix_address->sun_path, from.text, from.size);
  address->size = static_cast<socklen_t>(kPathOffset + from.size);
  return 0;
}

int32_t Parse(const AddressText& from, Address* address) {
  if (from.family == kUnixFamily) return ParsePath(from, address);
  InternetAddress internet;
  const int32_t status = AddressParse(from.text, from.port, &internet);
  if (status == 0) address->size = ToSockaddr(internet, &address->storage);
  return status;
}

// Every address of a family, which is all zeros.
void ParseAny(int family, uint16_t port, Address* address) {
  address->storage.ss_family = static_cast<sa_family_t>(family);
  // SAFETY: the port is at the same place in both.
  reinterpret_cast<sockaddr_in*>(&address->storage)->sin_port = htons(port);
  address->size = family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
}

int32_t Format(const Address& from, AddressText* address) {
  if (from.family() == AF_INET || from.family() == AF_INET6)
    return FormatPeer(FromSockaddr(from.storage), address);
  if (from.family() != AF_UNIX) return -EAFNOSUPPORT;
  const char* path = reinterpret_cast<const sockaddr_un*>(&from.storage)->sun_path;
  const size_t size = from.size > kPathOffset ? from.size - kPathOffset : 0;
  const bool is_abstract = size > 0 && path[0] == '\0';
  address->family = kUnixFamily;
  address->size = is_abstract ? size : strnlen(path, size);
  memcpy(address->text, path, address->size);
  return 0;
}

int32_t SetOption(int fd, int level, int name, int value) {
  return setsockopt(fd, level, name, &value, sizeof(value)) == 0 ? 0 : -errno;
}

int32_t GetOption(int fd, int name, int* value) {
  socklen_t size = sizeof(*value);
  return getsockopt(fd, SOL_SOCKET, name, value, &size) == 0 ? 0 : -errno;
}

int32_t Open(const Address& address) { return SystemSocket(address.family(), SOCK_STREAM, 0); }

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

int32_t CheckNonBlocking(int fd) {
  const int flags = fcntl(fd, F_GETFL);
  if (flags < 0) return -errno;
  return (flags & O_NONBLOCK) != 0 ? 0 : -EINVAL;
}

// What is set before the first byte; accepted sockets inherit it, which saves calls for each of
// them.
int32_t Configure(int fd, const SocketOptions& options) {
  int32_t status = 0;
  if ((options.flags & SOCKET_NO_DELAY) != 0) status = SocketSetNoDelay(fd, true);
  if (status == 0 && (options.flags & SOCKET_KEEP_ALIVE) != 0)
    status = SocketSetKeepAlive(fd, true, options.keep_alive_seconds);
  return status;
}

int32_t BindLocal(int fd, int family, const AddressText& from) {
  Address address;
  if (from.size == 0) {
    ParseAny(family, from.port, &address);
  } else {
    const int32_t status = Parse(from, &address);
    if (status != 0) return status;
  }
  // One port may serve several connections, as long as they lead to different peers.
  int32_t status = SetOption(fd, SOL_SOCKET, SO_REUSEADDR, 1);
#ifdef IP_BIND_ADDRESS_NO_PORT
  // Likewise the port that connect() picks (ip(7)); Linux before 4.2 and emulators cannot.
  if (from.port == 0) SetOption(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1);
#endif
  if (status != 0) return status;
  return bind(fd, address.pointer(), address.size) == 0 ? 0 : -errno;
}

int32_t BindListener(int fd, Address* address, const SocketOptions& options) {
  int32_t status = 0;
  if (address->family() != AF_UNIX) {
    // Without SO_REUSEADDR a restarted server waits for the TIME_WAIT of its old connections.
    status = SetOption(fd, SOL_SOCKET, SO_REUSEADDR, 1);
  }
  if (status == 0 && (options.flags & SOCKET_REUSE_PORT) != 0) {
    status = SetOption(fd, SOL_SOCKET, SO_REUSEPORT, 1);
  }
  if (status == 0 && address->family() == AF_INET6) {
    status =
        SetOption(fd, IPPROTO_IPV6, IPV6_V6ONLY, (options.flags & SOCKET_IPV6_ONLY) != 0 ? 1 : 0);
  }
  if (status == 0) status = Configure(fd, options);
  if (status != 0) return status;
  return bind(fd, address->pointer(), address->size) == 0 ? 0 : -errno;
}

}  // namespace

int32_t SocketListen(const AddressText& at, const SocketOptions& options, int backlog) {
  Address address;
  int32_t status = Parse(at, &address);
  if (status != 0) return status;
  const int32_t fd = Open(address);
  if (fd < 0) return fd;
  status = BindListener(fd, &address, options);
  if (status != 0) return Abandon(fd, status);
  if (listen(fd, backlog) != 0) return Abandon(fd, -errno);
  return fd;
}

int32_t SocketPrepareListener(int fd, const SocketOptions& options) {
  int type = 0;
  int is_listening = 0;
  int32_t status = GetOption(fd, SO_TYPE, &type);
  if (status != 0) return status;
  status = GetOption(fd, SO_ACCEPTCONN, &is_listening);
  // macOS does not tell; the first accept does.
  if (status == -ENOPROTOOPT)
    is_listening = 1;
  else if (status != 0)
    return status;
  if (type != SOCK_STREAM) return -EPROTOTYPE;
  if (is_listening == 0) return -EINVAL;
  AddressText address;
  status = SocketLocalAddress(fd, &address);
  if (status == 0 && address.family != kUnixFamily) status = Configure(fd, options);
  if (status == 0) status = SocketSetCloseOnExec(fd);
  if (status != 0) return status;
  const int flags = fcntl(fd, F_GETFL);
  return flags >= 0 && fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0 ? 0 : -errno;
}

int32_t SocketAccept(int listener, InternetAddress* peer) {
  sockaddr_storage from;
  socklen_t size = sizeof(from);
  const int32_t fd = SystemAccept(listener, reinterpret_cast<sockaddr*>(&from), &size);
  if (fd >= 0) *peer = FromSockaddr(from);
  return fd;
}

int32_t SocketConnect(const AddressText& to, const AddressText& from, const SocketOptions& options,
                      InternetAddress* peer, bool* in_progress) {
  Address address;
  int32_t status = Parse(to, &address);
  if (status != 0) return status;
  *peer = FromSockaddr(address.storage);
  const int32_t fd = Open(address);
  if (fd < 0) return fd;
  status = Configure(fd, options);
  if (status == 0 && (from.size > 0 || from.port > 0))
    status = BindLocal(fd, address.family(), from);
  if (status != 0) return Abandon(fd, status);
  *in_progress = false;
  if (connect(fd, address.pointer(), address.size) == 0) return fd;
  // An interrupted connect goes on in the background (connect(2)), just like one in progress.
  if (errno != EINPROGRESS && errno != EINTR) return Abandon(fd, -errno);
  *in_progress = true;
  return fd;
}

int32_t SocketConnectResult(int fd) {
  int error = 0;
  const int32_t status = GetOption(fd, SO_ERROR, &error);
  if (status != 0) return status;
  if (error != 0) return -error;
  // No error and no peer yet: the event was spurious.
  sockaddr_storage peer;
  socklen_t peer_size = sizeof(peer);
  if (getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &peer_size) == 0) return 0;
  return errno == ENOTCONN ? -EINPROGRESS : -errno;
}

int32_t SocketReceive(int fd, uint8_t* into, size_t capacity) {
  return Transfer([=] { return recv(fd, into, Clamp(capacity), MSG_DONTWAIT); });
}

int32_t SocketReceiveUnix(int fd, uint8_t* into, size_t capacity, bool* has_rest) {
  iovec vector = {into, Clamp(capacity)};
  msghdr message = {};
  message.msg_iov = &vector;
  message.msg_iovlen = 1;
  const int32_t count = Transfer([&] { return recvmsg(fd, &message, MSG_DONTWAIT); });
  if (count >= 0 && (message.msg_flags & MSG_CTRUNC) != 0) *has_rest = true;
  return count;
}

int32_t SocketSend(int fd, const uint8_t* data, size_t size) {
  return Transfer([=] { return send(fd, data, Clamp(size), kNoSignal | MSG_DONTWAIT); });
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
  return Transfer([&] { return sendmsg(fd, &message, kNoSignal | MSG_DONTWAIT); });
}

int32_t SocketSendFile(int fd, int file, uint64_t offset, size_t count) {
  return SystemSendFile(fd, file, offset, Clamp(count));
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
  return SetOption(fd, IPPROTO_TCP, kKeepIdle, static_cast<int>(delay_seconds));
}

int32_t SocketSetCloseOnExec(int fd) { return fcntl(fd, F_SETFD, FD_CLOEXEC) == 0 ? 0 : -errno; }

int32_t SocketLocalAddress(int fd, AddressText* address) {
  Address from;
  from.size = sizeof(from.storage);
  return getsockname(fd, from.pointer(), &from.size) == 0 ? Format(from, address) : -errno;
}

int32_t SocketPeerPath(int fd, AddressText* address) {
  Address from;
  from.size = sizeof(from.storage);
  return getpeername(fd, from.pointer(), &from.size) == 0 ? Format(from, address) : -errno;
}

int32_t SocketPeer(int fd, InternetAddress* peer) {
  sockaddr_storage from = {};
  socklen_t size = sizeof(from);
  if (getpeername(fd, reinterpret_cast<sockaddr*>(&from), &size) != 0) return -errno;
  *peer = FromSockaddr(from);
  return 0;
}

int32_t FormatPeer(const InternetAddress& peer, AddressText* address) {
  if (peer.family == kNoFamily) return -ENOTCONN;
  static_assert(sizeof(address->text) >= kAddressTextBytes, "a text must fit");
  AddressFormat(peer, address->text);
  address->family = peer.family;
  address->port = peer.port;
  address->size = strlen(address->text);
  return 0;
}

int32_t RawOpen(AddressFamily family, bool is_datagram) {
  const int domain = family == kUnixFamily ? AF_UNIX : family == kIPv4Family ? AF_INET : AF_INET6;
  const int type = is_datagram ? SOCK_DGRAM : SOCK_STREAM;
  return SystemSocket(domain, type, 0);
}

int32_t RawPair(bool is_datagram, int fds[2]) {
  const int type = is_datagram ? SOCK_DGRAM : SOCK_STREAM;
  return SystemSocketPair(AF_UNIX, type, fds);
}

int32_t RawBind(int fd, const AddressText& at) {
  Address address;
  const int32_t status = Parse(at, &address);
  if (status != 0) return status;
  return bind(fd, address.pointer(), address.size) == 0 ? 0 : -errno;
}

int32_t RawListen(int fd, int backlog) { return listen(fd, backlog) == 0 ? 0 : -errno; }

int32_t RawAccept(int fd, AddressText* from) {
  int32_t status = CheckNonBlocking(fd);
  if (status != 0) return status;
  Address address;
  address.size = sizeof(address.storage);
  status = SystemAccept(fd, address.pointer(), &address.size);
  if (status >= 0) Format(address, from);
  return status;
}

int32_t RawConnect(int fd, const AddressText& to) {
  Address address;
  int32_t status = CheckNonBlocking(fd);
  if (status == 0) status = Parse(to, &address);
  if (status != 0) return status;
  if (connect(fd, address.pointer(), address.size) == 0) return 0;
  // As in SocketConnect().
  return errno == EINTR ? -EINPROGRESS : -errno;
}

int32_t RawReceive(int fd, uint8_t* into, size_t capacity, AddressText* from) {
  Address address;
  address.size = sizeof(address.storage);
  const int32_t count = Transfer([&] {
    return recvfrom(fd, into, Clamp(capacity), MSG_DONTWAIT, address.pointer(), &address.size);
  });
  if (count >= 0 && address.size > 0) Format(address, from);
  return count;
}

int32_t RawSend(int fd, const uint8_t* data, size_t size, const AddressText* to) {
  if (to == nullptr) return SocketSend(fd, data, size);
  Address address;
  const int32_t status = Parse(*to, &address);
  if (status != 0) return status;
  return Transfer([&] {
    return sendto(fd, data, Clamp(size), kNoSignal | MSG_DONTWAIT, address.pointer(), address.size);
  });
}

}  // namespace evloop
