#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cerrno>

#include "sys/sockaddr.h"

namespace evloop {

static_assert(kAddressTextBytes >= INET6_ADDRSTRLEN + IF_NAMESIZE, "a text must fit");

namespace {

// The number of an interface that is named so or has that number; 0 for none.
uint32_t InterfaceOf(const char* zone) {
  char* end;
  const unsigned long number = strtoul(zone, &end, 10);
  const bool is_number = *zone >= '0' && *zone <= '9' && *end == '\0' && number <= UINT32_MAX;
  return is_number ? static_cast<uint32_t>(number) : if_nametoindex(zone);
}

}  // namespace

int32_t AddressParse(const char* text, uint16_t port, InternetAddress* address) {
  *address = InternetAddress();
  address->port = port;
  address->family = kIPv4Family;
  if (inet_pton(AF_INET, text, address->bytes) == 1) return 0;
  address->family = kIPv6Family;
  char plain[INET6_ADDRSTRLEN];
  const char* zone = strchr(text, '%');
  const size_t size = zone == nullptr ? strlen(text) : static_cast<size_t>(zone - text);
  if (size >= sizeof(plain)) return -EINVAL;
  memcpy(plain, text, size);
  plain[size] = '\0';
  if (inet_pton(AF_INET6, plain, address->bytes) != 1) return -EINVAL;
  if (zone == nullptr) return 0;
  address->scope = InterfaceOf(zone + 1);
  return address->scope == 0 ? -ENODEV : 0;
}

void AddressFormat(const InternetAddress& address, char text[kAddressTextBytes]) {
  const int family = address.family == kIPv4Family ? AF_INET : AF_INET6;
  inet_ntop(family, address.bytes, text, kAddressTextBytes);
  if (address.scope == 0) return;
  const size_t used = strlen(text);
  char name[IF_NAMESIZE];
  if (if_indextoname(address.scope, name) != nullptr) {
    snprintf(text + used, kAddressTextBytes - used, "%%%s", name);
  } else {
    snprintf(text + used, kAddressTextBytes - used, "%%%u", address.scope);
  }
}

socklen_t ToSockaddr(const InternetAddress& from, sockaddr_storage* storage) {
  memset(storage, 0, sizeof(*storage));
  if (from.family == kIPv4Family) {
    auto* v4 = reinterpret_cast<sockaddr_in*>(storage);
    v4->sin_family = AF_INET;
    v4->sin_port = htons(from.port);
    memcpy(&v4->sin_addr, from.bytes, sizeof(v4->sin_addr));
    return sizeof(*v4);
  }
  auto* v6 = reinterpret_cast<sockaddr_in6*>(storage);
  v6->sin6_family = AF_INET6;
  v6->sin6_port = htons(from.port);
  v6->sin6_scope_id = from.scope;
  memcpy(&v6->sin6_addr, from.bytes, sizeof(v6->sin6_addr));
  return sizeof(*v6);
}

InternetAddress FromSockaddr(const sockaddr_storage& storage) {
  InternetAddress address;
  if (storage.ss_family == AF_INET) {
    const auto* v4 = reinterpret_cast<const sockaddr_in*>(&storage);
    memcpy(address.bytes, &v4->sin_addr, sizeof(v4->sin_addr));
    address.port = ntohs(v4->sin_port);
    address.family = kIPv4Family;
  } else if (storage.ss_family == AF_INET6) {
    const auto* v6 = reinterpret_cast<const sockaddr_in6*>(&storage);
    memcpy(address.bytes, &v6->sin6_addr, sizeof(v6->sin6_addr));
    address.port = ntohs(v6->sin6_port);
    address.scope = v6->sin6_scope_id;
    address.family = kIPv6Family;
  } else if (storage.ss_family == AF_UNIX) {
    address.family = kUnixFamily;
  }
  return address;
}

}  // namespace evloop
