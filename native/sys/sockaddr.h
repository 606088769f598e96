// native/sys/sockaddr.h - addresses as the system's calls take them; for the files of this room.
#pragma once

#include <sys/socket.h>

#include "sys/address.h"

namespace evloop {

// Answers how many bytes of `storage` count.
socklen_t ToSockaddr(const InternetAddress& from, sockaddr_storage* storage);
InternetAddress FromSockaddr(const sockaddr_storage& storage);

}  // namespace evloop
