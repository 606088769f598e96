// native/sys/address.h - numeric addresses of IPv4 and IPv6, as text and in the few bytes that are
// kept of them.
//
// Bytes are in network order, so that no sockaddr leaves this room.
#pragma once

#include <cstddef>
#include <cstdint>

namespace evloop {

enum AddressFamily : uint8_t { kNoFamily = 0, kUnixFamily = 1, kIPv4Family = 4, kIPv6Family = 6 };

struct InternetAddress {
  uint8_t bytes[16] = {};
  uint32_t scope = 0;  // The interface of a link-local IPv6 address.
  uint16_t port = 0;
  uint8_t family = kNoFamily;  // The path of a Unix socket is not kept.
};

// Most bytes of a text, with the NUL behind it.
constexpr size_t kAddressTextBytes = 64;

// Takes a numeric address, which may name an interface behind `%`, by its name or number. -EINVAL
// when it is none, -ENODEV when there is no such interface.
int32_t AddressParse(const char* text, uint16_t port, InternetAddress* address);
// Writes the text of an IPv4 or IPv6 address without its port; of a link-local one with the
// interface, by its name if it has one.
void AddressFormat(const InternetAddress& address, char text[kAddressTextBytes]);

}  // namespace evloop
