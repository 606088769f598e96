// native/sys/names.h - one look-up of a name or an address, as the system's own resolver does it.
//
// Both calls may block for minutes; they are for threads of their own (resolver.h). Addresses are
// numeric text, and every constant of the system is translated here.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace evloop {

// The numbers are those of src/native/binding.ts.
enum LookupFlags : uint32_t {
  LOOKUP_PASSIVE = 1,
  LOOKUP_CANONICAL_NAME = 2,
  LOOKUP_NUMERIC_HOST = 4,
  LOOKUP_NUMERIC_SERVICE = 8,
  LOOKUP_ADDRESS_CONFIG = 16,
  LOOKUP_V4_MAPPED = 32,
  LOOKUP_ALL = 64,
  LOOKUP_NAME_REQUIRED = 128,
  LOOKUP_DATAGRAM = 256,
  LOOKUP_SHORT_NAME = 512,
};

enum class SocketType : uint32_t { kAny = 0, kStream = 1, kDatagram = 2, kRaw = 3, kSequence = 4 };

struct FoundAddress {
  uint32_t family = 0;  // 4 or 6
  SocketType type = SocketType::kAny;
  int32_t protocol = 0;
  std::string canonical_name;
  std::string address;
  uint16_t port = 0;
};

struct Lookup {
  uint32_t id = 0;
  bool is_reverse = false;  // From an address to a name.
  // Of a name.
  bool has_host = false;
  bool has_service = false;
  uint32_t family = 0;  // 4, 6, or 0 for both
  SocketType type = SocketType::kAny;
  int32_t protocol = 0;
  uint32_t flags = 0;
  // The question; of a reverse look-up, the answer replaces it.
  std::string host;
  std::string service;
  // The answer: 0, -errno, or an EAI_ error with libuv's number, which is the same on every system.
  int32_t status = 0;
  std::vector<FoundAddress> addresses;
};

// Answers the question in its place.
void LookUp(Lookup* lookup);

}  // namespace evloop
