// native/sys/socket.h - the socket calls of one platform, as the engine needs them.
//
// Every function answers >= 0 or a negated errno (status.h). Descriptors are non-blocking and
// close-on-exec. Addresses cross this seam as text, so that no sockaddr leaves this room.
#pragma once

#include <cstddef>
#include <cstdint>

#include "sys/address.h"

namespace evloop {

// One piece of a gathered write.
struct Piece {
  const uint8_t* data;
  size_t size;
};

// Most pieces one gathered write takes (IOV_MAX is 1024; a turn rarely needs more than a few).
constexpr uint32_t kMaxPieces = 64;

enum SocketFlags : uint32_t {
  SOCKET_NO_DELAY = 1,
  SOCKET_REUSE_PORT = 2,
  SOCKET_IPV6_ONLY = 4,
  SOCKET_KEEP_ALIVE = 8,
  SOCKET_UNIX = 16,  // The address is the path of a Unix socket.
};

struct SocketOptions {
  uint32_t flags;               // SocketFlags
  uint32_t keep_alive_seconds;  // Silence before the first probe; 0 leaves that to the system.
};

// A numeric address with its port, or the path of a Unix socket, which may contain NUL. Longer than
// any valid one, so that one that was cut off is known for too long.
struct AddressText {
  uint8_t family = kNoFamily;
  uint16_t port = 0;
  size_t size = 0;
  char text[128];
};

// Opens, binds and listens.
int32_t SocketListen(const AddressText& at, const SocketOptions& options, int backlog);
// Prepares a stream socket that listens already: -EINVAL when it does not, -EPROTOTYPE when it is
// of another type. It is not closed then.
int32_t SocketPrepareListener(int fd, const SocketOptions& options);
// Accepts one connection; -EAGAIN when none waits. Options are inherited from the listener.
int32_t SocketAccept(int listener, InternetAddress* peer);
// Opens a socket and starts connecting it; `*in_progress` says whether the outcome is still open.
// `from` is bound to before; without text and port the system picks both.
int32_t SocketConnect(const AddressText& to, const AddressText& from, const SocketOptions& options,
                      InternetAddress* peer, bool* in_progress);
// The outcome of a connect after writability: 0, -errno, or -EINPROGRESS when the event was
// spurious.
int32_t SocketConnectResult(int fd);
int32_t SocketReceive(int fd, uint8_t* into, size_t capacity);
// The same of a Unix socket. `*has_rest` is set when descriptors came along, which are closed: the
// system stops behind them, whatever follows.
int32_t SocketReceiveUnix(int fd, uint8_t* into, size_t capacity, bool* has_rest);
int32_t SocketSend(int fd, const uint8_t* data, size_t size);
int32_t SocketSendPieces(int fd, const Piece* pieces, uint32_t count);
// Sends up to `count` bytes of `file` from `offset`, which leaves the file's position alone; 0 at
// the end of the file. -EINVAL, -EOVERFLOW or -EOPNOTSUPP for what cannot be sent in this way.
int32_t SocketSendFile(int fd, int file, uint64_t offset, size_t count);
// Moves the position of a file.
int32_t FileSeek(int file, uint64_t offset);
int32_t SocketShutdown(int fd);
// With `reset`, the peer sees RST and unsent bytes are dropped.
void SocketClose(int fd, bool reset);
int32_t SocketSetNoDelay(int fd, bool on);
int32_t SocketSetKeepAlive(int fd, bool on, uint32_t delay_seconds);
int32_t SocketSetCloseOnExec(int fd);
int32_t SocketLocalAddress(int fd, AddressText* address);
// The path of the other end of a Unix socket.
int32_t SocketPeerPath(int fd, AddressText* address);
// Who it is connected to; of Unix sockets nothing is told.
int32_t SocketPeer(int fd, InternetAddress* peer);
// -ENOTCONN when there is none.
int32_t FormatPeer(const InternetAddress& peer, AddressText* address);

// Sockets that are the caller's, for JS alone; the engine knows nothing of them.

// A datagram or stream socket of a family.
int32_t RawOpen(AddressFamily family, bool is_datagram);
// Two Unix sockets that are connected to each other.
int32_t RawPair(bool is_datagram, int fds[2]);
int32_t RawBind(int fd, const AddressText& at);
int32_t RawListen(int fd, int backlog);
// -EINVAL when the descriptor is blocking, in this and the next: they would hold up the thread.
int32_t RawAccept(int fd, AddressText* from);
// -EINPROGRESS when the outcome is still open; SocketConnectResult() then tells.
int32_t RawConnect(int fd, const AddressText& to);
// `from` keeps kNoFamily where the system names nobody.
int32_t RawReceive(int fd, uint8_t* into, size_t capacity, AddressText* from);
// `to` may be null: the peer it is connected to.
int32_t RawSend(int fd, const uint8_t* data, size_t size, const AddressText* to);

}  // namespace evloop
