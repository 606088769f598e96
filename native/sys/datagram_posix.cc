// Datagram sockets and their options. Batches are in datagram_linux.cc and datagram_single.cc.
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "status.h"
#include "sys/datagram.h"
#include "sys/sockaddr.h"
#include "sys/socket_system.h"

namespace evloop {

namespace {

int32_t SetOption(int fd, int level, int name, int value) {
  return FromSystem(setsockopt(fd, level, name, &value, sizeof(value)));
}

int32_t SetUp(int fd, const InternetAddress& local, const InternetAddress& remote, uint32_t flags) {
  int32_t status = 0;
  const bool is_ipv6 = local.family == 6 || remote.family == 6;
  if ((flags & DATAGRAM_REUSE_PORT) != 0) status = SetOption(fd, SOL_SOCKET, SO_REUSEPORT, 1);
  if (status >= 0 && (flags & DATAGRAM_BROADCAST) != 0) {
    status = SetOption(fd, SOL_SOCKET, SO_BROADCAST, 1);
  }
  if (status >= 0 && is_ipv6 && (flags & DATAGRAM_IPV6_ONLY) != 0) {
    status = SetOption(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
  }
  sockaddr_storage storage;
  if (status >= 0 && local.family != 0) {
    const socklen_t size = ToSockaddr(local, &storage);
    status = FromSystem(bind(fd, reinterpret_cast<const sockaddr*>(&storage), size));
  }
  if (status >= 0 && remote.family != 0) {
    const socklen_t size = ToSockaddr(remote, &storage);
    status = FromSystem(connect(fd, reinterpret_cast<const sockaddr*>(&storage), size));
  }
  return status;
}

}  // namespace

int32_t DatagramOpen(const InternetAddress& local, const InternetAddress& remote, uint32_t flags) {
  const uint8_t family = local.family != 0 ? local.family : remote.family;
  if (family == 0) return -EINVAL;
  if (local.family != 0 && remote.family != 0 && local.family != remote.family) return -EINVAL;
  const int32_t fd = SystemSocket(family == 4 ? AF_INET : AF_INET6, SOCK_DGRAM, IPPROTO_UDP);
  if (fd < 0) return fd;
  const int32_t status = SetUp(fd, local, remote, flags);
  if (status >= 0) return fd;
  close(fd);
  return status;
}

int32_t DatagramSetBroadcast(int fd, bool on) {
  return SetOption(fd, SOL_SOCKET, SO_BROADCAST, on ? 1 : 0);
}

int32_t DatagramSetTtl(int fd, uint8_t family, int hops) {
  return family == 4 ? SetOption(fd, IPPROTO_IP, IP_TTL, hops)
                     : SetOption(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, hops);
}

int32_t DatagramSetMulticastTtl(int fd, uint8_t family, int hops) {
  return family == 4 ? SetOption(fd, IPPROTO_IP, IP_MULTICAST_TTL, hops)
                     : SetOption(fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, hops);
}

int32_t DatagramSetMulticastLoopback(int fd, uint8_t family, bool on) {
  return family == 4 ? SetOption(fd, IPPROTO_IP, IP_MULTICAST_LOOP, on ? 1 : 0)
                     : SetOption(fd, IPPROTO_IPV6, IPV6_MULTICAST_LOOP, on ? 1 : 0);
}

int32_t DatagramSetMulticastInterface(int fd, uint8_t family, uint32_t interface) {
  if (family == 6) {
    return SetOption(fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, static_cast<int>(interface));
  }
  ip_mreqn request = {};
  request.imr_ifindex = static_cast<int>(interface);
  return FromSystem(setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &request, sizeof(request)));
}

int32_t DatagramSetMembership(int fd, const InternetAddress& group, uint32_t interface,
                              bool joins) {
  group_req request = {};
  request.gr_interface = interface;
  ToSockaddr(group, &request.gr_group);
  const int level = group.family == 4 ? IPPROTO_IP : IPPROTO_IPV6;
  const int name = joins ? MCAST_JOIN_GROUP : MCAST_LEAVE_GROUP;
  return FromSystem(setsockopt(fd, level, name, &request, sizeof(request)));
}

}  // namespace evloop
