#include <errno.h>
#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>

#include "status.h"
#include "sys/socket_system.h"

namespace evloop {

namespace {

// Another thread may start a program before it is done: this system has no other way.
int32_t Prepare(int fd) {
  const bool is_done = fcntl(fd, F_SETFD, FD_CLOEXEC) == 0 && fcntl(fd, F_SETFL, O_NONBLOCK) == 0;
  return is_done ? 0 : LastError();
}

}  // namespace

int32_t SystemSocket(int domain, int type, int protocol) {
  const int fd = socket(domain, type, protocol);
  if (fd < 0) return LastError();
  const int32_t status = Prepare(fd);
  if (status == 0) return fd;
  close(fd);
  return status;
}

int32_t SystemSocketPair(int domain, int type, int fds[2]) {
  if (socketpair(domain, type, 0, fds) != 0) return LastError();
  int32_t status = Prepare(fds[0]);
  if (status == 0) status = Prepare(fds[1]);
  if (status == 0) return 0;
  close(fds[0]);
  close(fds[1]);
  return status;
}

int32_t SystemAccept(int listener, sockaddr* from, socklen_t* size) {
  int fd;
  do {
    fd = accept(listener, from, size);
  } while (fd < 0 && errno == EINTR);
  if (fd < 0) return LastError();
  // It is non-blocking because the listener is.
  fcntl(fd, F_SETFD, FD_CLOEXEC);
  return fd;
}

int32_t SystemSendFile(int fd, int file, uint64_t offset, size_t count) {
  off_t sent = 0;
  int status;
  do {
    // Asked for in front, sent behind: also when it fails in between.
    sent = static_cast<off_t>(count);
    status = sendfile(file, fd, static_cast<off_t>(offset), &sent, nullptr, 0);
  } while (status != 0 && errno == EINTR && sent == 0);
  if (status == 0 || sent > 0) return static_cast<int32_t>(sent);
  // What is no file is told in two ways.
  return errno == ENOTSUP ? -EOPNOTSUPP : LastError();
}

}  // namespace evloop
