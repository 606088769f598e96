// getaddrinfo(3) and getnameinfo(3).
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>

#include "names.h"

namespace evloop {

namespace {

struct Pair {
  uint32_t ours;
  int system;
};

constexpr Pair kAddressFlags[] = {
    {LOOKUP_PASSIVE, AI_PASSIVE},
    {LOOKUP_CANONICAL_NAME, AI_CANONNAME},
    {LOOKUP_NUMERIC_HOST, AI_NUMERICHOST},
    {LOOKUP_NUMERIC_SERVICE, AI_NUMERICSERV},
    {LOOKUP_ADDRESS_CONFIG, AI_ADDRCONFIG},
    {LOOKUP_V4_MAPPED, AI_V4MAPPED},
    {LOOKUP_ALL, AI_ALL},
};
constexpr Pair kNameFlags[] = {
    {LOOKUP_NUMERIC_HOST, NI_NUMERICHOST}, {LOOKUP_NUMERIC_SERVICE, NI_NUMERICSERV},
    {LOOKUP_NAME_REQUIRED, NI_NAMEREQD},   {LOOKUP_DATAGRAM, NI_DGRAM},
    {LOOKUP_SHORT_NAME, NI_NOFQDN},
};
constexpr Pair kTypes[] = {
    {static_cast<uint32_t>(SocketType::kStream), SOCK_STREAM},
    {static_cast<uint32_t>(SocketType::kDatagram), SOCK_DGRAM},
    {static_cast<uint32_t>(SocketType::kRaw), SOCK_RAW},
    {static_cast<uint32_t>(SocketType::kSequence), SOCK_SEQPACKET},
};
// UV_EAI_* of libuv; those that a system lacks are left out.
constexpr Pair kErrors[] = {
#ifdef EAI_ADDRFAMILY
    {3000, EAI_ADDRFAMILY},
#endif
#ifdef EAI_NODATA
    {3007, EAI_NODATA},
#endif
    {3001, EAI_AGAIN},      {3002, EAI_BADFLAGS}, {3004, EAI_FAIL},
    {3005, EAI_FAMILY},     {3006, EAI_MEMORY},   {3008, EAI_NONAME},
    {3009, EAI_OVERFLOW},   {3010, EAI_SERVICE},  {3011, EAI_SOCKTYPE},
};
constexpr int32_t kUnknownError = -4094;  // UV_UNKNOWN

template <size_t N>
int ToSystem(const Pair (&flags)[N], uint32_t ours) {
  int system = 0;
  for (const Pair& flag : flags) {
    if ((ours & flag.ours) != 0) system |= flag.system;
  }
  return system;
}

int32_t ToStatus(int error) {
  if (error == 0) return 0;
  if (error == EAI_SYSTEM) return errno == 0 ? kUnknownError : -errno;
  for (const Pair& pair : kErrors) {
    if (pair.system == error) return -static_cast<int32_t>(pair.ours);
  }
  return kUnknownError;
}

int TypeToSystem(SocketType type) {
  for (const Pair& pair : kTypes) {
    if (pair.ours == static_cast<uint32_t>(type)) return pair.system;
  }
  return 0;
}

SocketType TypeFromSystem(int type) {
  for (const Pair& pair : kTypes) {
    if (pair.system == type) return static_cast<SocketType>(pair.ours);
  }
  return SocketType::kAny;
}

// False for a family that has no numeric addresses here.
bool Describe(const addrinfo& entry, FoundAddress* found) {
  if (entry.ai_family != AF_INET && entry.ai_family != AF_INET6) return false;
  char text[NI_MAXHOST];
  // Not inet_ntop(): it would lose the scope of a link-local address.
  if (getnameinfo(entry.ai_addr, entry.ai_addrlen, text, sizeof(text), nullptr, 0,
                  NI_NUMERICHOST) != 0)
    return false;
  found->family = entry.ai_family == AF_INET ? 4 : 6;
  found->type = TypeFromSystem(entry.ai_socktype);
  found->protocol = entry.ai_protocol;
  if (entry.ai_canonname != nullptr) found->canonical_name = entry.ai_canonname;
  found->address = text;
  // SAFETY: the family says what the address is; the port is at the same place in both.
  found->port = ntohs(reinterpret_cast<const sockaddr_in*>(entry.ai_addr)->sin_port);
  return true;
}

void FindAddresses(Lookup* lookup) {
  addrinfo hints = {};
  hints.ai_family = lookup->family == 4 ? AF_INET : lookup->family == 6 ? AF_INET6 : AF_UNSPEC;
  hints.ai_socktype = TypeToSystem(lookup->type);
  hints.ai_protocol = lookup->protocol;
  hints.ai_flags = ToSystem(kAddressFlags, lookup->flags);
  addrinfo* list = nullptr;
  lookup->status =
      ToStatus(getaddrinfo(lookup->has_host ? lookup->host.c_str() : nullptr,
                           lookup->has_service ? lookup->service.c_str() : nullptr, &hints, &list));
  if (lookup->status != 0) return;
  for (const addrinfo* entry = list; entry != nullptr; entry = entry->ai_next) {
    FoundAddress found;
    if (Describe(*entry, &found)) lookup->addresses.push_back(std::move(found));
  }
  freeaddrinfo(list);
}

void FindName(Lookup* lookup) {
  addrinfo hints = {};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
  addrinfo* address = nullptr;
  lookup->status =
      ToStatus(getaddrinfo(lookup->host.c_str(), lookup->service.c_str(), &hints, &address));
  if (lookup->status != 0) return;
  char host[NI_MAXHOST];
  char service[NI_MAXSERV];
  lookup->status =
      ToStatus(getnameinfo(address->ai_addr, address->ai_addrlen, host, sizeof(host), service,
                           sizeof(service), ToSystem(kNameFlags, lookup->flags)));
  freeaddrinfo(address);
  if (lookup->status != 0) return;
  lookup->host = host;
  lookup->service = service;
}

}  // namespace

void LookUp(Lookup* lookup) {
  if (lookup->is_reverse) {
    FindName(lookup);
  } else {
    FindAddresses(lookup);
  }
}

}  // namespace evloop
