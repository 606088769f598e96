// native/pages.h - memory in whole pages, zeroed, for structures that grow and shrink by much.
//
// malloc would keep what is freed between other blocks; pages go back to the system at once, and
// those that were never touched cost nothing. See mmap(2).
#pragma once

#include <sys/mman.h>

#include <cstddef>

namespace evloop {

// Null when memory is out.
inline void* AllocatePages(size_t size_bytes) {
  void* pages =
      mmap(nullptr, size_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return pages == MAP_FAILED ? nullptr : pages;
}

inline void FreePages(void* pages, size_t size_bytes) { munmap(pages, size_bytes); }

}  // namespace evloop
