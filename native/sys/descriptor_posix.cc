#include "sys/descriptor.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

namespace evloop {

int32_t DescriptorCheckSocket(int fd, InternetAddress* peer) {
  int type = 0;
  socklen_t size = sizeof(type);
  if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) != 0) return -errno;
  if (type != SOCK_STREAM) return -EPROTOTYPE;
  return SocketPeer(fd, peer);
}

int32_t DescriptorDuplicate(int fd) {
  const int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
  return copy >= 0 ? copy : -errno;
}

int32_t DescriptorPrepare(int fd) {
  const int flags = fcntl(fd, F_GETFL);
  if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0) return -errno;
  if (fcntl(fd, F_SETFD, FD_CLOEXEC) == 0) return flags;
  const int32_t error = -errno;
  DescriptorRestore(fd, flags);
  return error;
}

void DescriptorRestore(int fd, int32_t flags) { fcntl(fd, F_SETFL, flags); }

int32_t PipeReceive(int fd, uint8_t* into, size_t capacity) {
  ssize_t count;
  do {
    count = read(fd, into, capacity);
  } while (count < 0 && errno == EINTR);
  return count >= 0 ? static_cast<int32_t>(count) : -errno;
}

int32_t PipeSendPieces(int fd, const Piece* pieces, uint32_t count) {
  iovec vectors[kMaxPieces];
  for (uint32_t i = 0; i < count; i++) {
    // SAFETY: writev(2) does not write through iov_base.
    vectors[i] = {const_cast<uint8_t*>(pieces[i].data), pieces[i].size};
  }
  ssize_t sent;
  do {
    sent = writev(fd, vectors, static_cast<int>(count));
  } while (sent < 0 && errno == EINTR);
  return sent >= 0 ? static_cast<int32_t>(sent) : -errno;
}

}  // namespace evloop
