// native/sys/socket_system.h - what the systems with BSD sockets do each in its own way.
//
// Every function answers >= 0 or a negated errno. Descriptors are non-blocking and close-on-exec.
#pragma once

#include <sys/socket.h>

#include <cstddef>
#include <cstdint>

namespace evloop {

int32_t SystemSocket(int domain, int type, int protocol);
int32_t SystemSocketPair(int domain, int type, int fds[2]);
// `listener` is non-blocking. The address may be null.
int32_t SystemAccept(int listener, sockaddr* from, socklen_t* size);
// As SocketSendFile().
int32_t SystemSendFile(int fd, int file, uint64_t offset, size_t count);

// Keeps a send from raising SIGPIPE. Every runtime ignores that signal, where there is no such
// flag.
#ifdef MSG_NOSIGNAL
constexpr int kNoSignal = MSG_NOSIGNAL;
#else
constexpr int kNoSignal = 0;
#endif

}  // namespace evloop
