// native/sys/datagram.h - UDP on one platform: batches in both directions.
//
// Every function answers >= 0 or a negated errno (status.h). Descriptors are non-blocking and
// close-on-exec. Addresses cross this seam in network order, so that no sockaddr leaves this room.
// Sources: udp(7), recvmmsg(2), sendmmsg(2).
#pragma once

#include <cstddef>
#include <cstdint>

#include "sys/address.h"

namespace evloop {

enum DatagramFlags : uint32_t {
  DATAGRAM_REUSE_PORT = 1,
  DATAGRAM_BROADCAST = 2,
  DATAGRAM_IPV6_ONLY = 4,
};

// What can be set later.
enum DatagramOption : uint32_t {
  DATAGRAM_OPTION_BROADCAST = 0,
  DATAGRAM_OPTION_TTL = 1,
  DATAGRAM_OPTION_MULTICAST_TTL = 2,
  DATAGRAM_OPTION_MULTICAST_LOOPBACK = 3,
  DATAGRAM_OPTION_MULTICAST_INTERFACE = 4,
};

struct IncomingDatagram {
  uint8_t* data;
  size_t capacity;
  // Filled in. With `segment` > 0 these are several datagrams of that size, the last may be
  // shorter.
  size_t size;
  uint32_t segment;
  bool is_truncated;
  InternetAddress from;
};

struct OutgoingDatagram {
  const uint8_t* data;
  size_t size;
  const InternetAddress* to;  // Null for a connected socket.
};

// Most entries that one call takes.
constexpr uint32_t kDatagramBatch = 64;

// Opens, binds and connects; `local` or `remote` of family 0 is left out, but not both of them.
int32_t DatagramOpen(const InternetAddress& local, const InternetAddress& remote, uint32_t flags);
// Lets the kernel hand over several datagrams of one sender as one. Fails where it cannot.
int32_t DatagramCoalesce(int fd);
// Fills entries in the order of arrival. Answers how many; -EAGAIN when nothing waits.
int32_t DatagramReceive(int fd, IncomingDatagram* datagrams, uint32_t count);
// Sends in order. Answers how many were taken, or what is wrong with the first.
int32_t DatagramSend(int fd, const OutgoingDatagram* datagrams, uint32_t count);

// Options; `family` is that of the socket.
int32_t DatagramSetBroadcast(int fd, bool on);
int32_t DatagramSetTtl(int fd, uint8_t family, int hops);
int32_t DatagramSetMulticastTtl(int fd, uint8_t family, int hops);
int32_t DatagramSetMulticastLoopback(int fd, uint8_t family, bool on);
// Interfaces are named by their number; 0 leaves the choice to the system.
int32_t DatagramSetMulticastInterface(int fd, uint8_t family, uint32_t interface);
// Joins or leaves a group.
int32_t DatagramSetMembership(int fd, const InternetAddress& group, uint32_t interface, bool joins);

}  // namespace evloop
