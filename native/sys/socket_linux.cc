#include <errno.h>
#include <sys/sendfile.h>

#include "status.h"
#include "sys/socket_system.h"

namespace evloop {

int32_t SystemSocket(int domain, int type, int protocol) {
  return FromSystem(socket(domain, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol));
}

int32_t SystemSocketPair(int domain, int type, int fds[2]) {
  return FromSystem(socketpair(domain, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds));
}

int32_t SystemAccept(int listener, sockaddr* from, socklen_t* size) {
  int fd;
  do {
    fd = accept4(listener, from, size, SOCK_NONBLOCK | SOCK_CLOEXEC);
  } while (fd < 0 && errno == EINTR);
  return FromSystem(fd);
}

int32_t SystemSendFile(int fd, int file, uint64_t offset, size_t count) {
  ssize_t sent;
  do {
    auto position = static_cast<off_t>(offset);
    sent = sendfile(fd, file, &position, count);
  } while (sent < 0 && errno == EINTR);
  return FromSystem(sent);
}

}  // namespace evloop
