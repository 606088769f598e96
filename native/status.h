// native/status.h - how native functions report: an int32 that is >= 0 for a value and a negated
// errno otherwise, so that one word crosses into JS and no result is ever ambiguous.
#pragma once

#include <cerrno>
#include <cstdint>

namespace evloop {

constexpr int32_t kOk = 0;

constexpr bool IsError(int32_t status) { return status < 0; }

// The error of the call that has just failed, as a status.
inline int32_t LastError() { return -static_cast<int32_t>(errno); }

// Turns the -1 convention of a system call into a status; other results pass through.
inline int32_t FromSystem(int64_t result) {
  return result < 0 ? LastError() : static_cast<int32_t>(result);
}

}  // namespace evloop
