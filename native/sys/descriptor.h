// native/sys/descriptor.h - descriptors that others have opened and the engine takes over.
//
// Every function answers >= 0 or a negated errno.
#pragma once

#include <cstddef>
#include <cstdint>

#include "sys/socket.h"

namespace evloop {

// What a descriptor is taken over as.
enum Adoption : uint32_t {
  ADOPT_SOCKET = 0,     // A connected stream socket.
  ADOPT_READ_END = 1,   // Of a pipe, or a device.
  ADOPT_WRITE_END = 2,  // The same.
  ADOPT_SHARED = 4,     // With the first: a duplicate of it, as others use the same description.
};

// Whether `fd` is a stream socket that is connected, and to whom.
int32_t DescriptorCheckSocket(int fd, InternetAddress* peer);
// Another descriptor of the same description.
int32_t DescriptorDuplicate(int fd);
// Makes it non-blocking and close-on-exec; answers the status flags that it had, or -errno.
int32_t DescriptorPrepare(int fd);
// Gives it these flags back.
void DescriptorRestore(int fd, int32_t flags);
// As the calls of sockets, for what is none. The process ignores SIGPIPE, as Node has it.
int32_t PipeReceive(int fd, uint8_t* into, size_t capacity);
int32_t PipeSendPieces(int fd, const Piece* pieces, uint32_t count);

}  // namespace evloop
