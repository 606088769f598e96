#include "thread.h"

#ifdef __APPLE__
#include <dlfcn.h>
#endif
#include <pthread.h>

namespace evloop {

#ifdef __APPLE__
namespace {

// The thread may come back when nobody needs this code any more; linkers of ELF have a flag for
// that.
bool KeepLoaded() {
  Dl_info self;
  return dladdr(reinterpret_cast<const void*>(&StartDetachedThread), &self) != 0 &&
         dlopen(self.dli_fname, RTLD_LAZY | RTLD_NODELETE) != nullptr;
}

}  // namespace
#endif

int32_t StartDetachedThread(void* (*run)(void* data), void* data) {
#ifdef __APPLE__
  static const bool is_kept = KeepLoaded();
  (void)is_kept;
#endif
  pthread_t thread;
  const int error = pthread_create(&thread, nullptr, run, data);
  if (error != 0) return -error;
  pthread_detach(thread);
  return 0;
}

}  // namespace evloop
