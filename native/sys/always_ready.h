// native/sys/always_ready.h - descriptors that a poller has nothing to tell about.
#pragma once

#include <sys/stat.h>

namespace evloop {

// Whether it is a file or directory, which makes nobody wait.
inline bool IsAlwaysReady(int fd) {
  struct stat status;
  if (fstat(fd, &status) != 0) return false;
  return S_ISREG(status.st_mode) || S_ISDIR(status.st_mode) || S_ISBLK(status.st_mode);
}

}  // namespace evloop
