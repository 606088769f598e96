#include "thread.h"

#ifdef __APPLE__
#include <dlfcn.h>
#endif
#include <pthread.h>

#include <cerrno>
#include <new>

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

int32_t Thread::Start(void* (*run)(void* data), void* data) {
  if (system_ != nullptr) return -EALREADY;
  auto* thread = new (std::nothrow) pthread_t;
  if (thread == nullptr) return -ENOMEM;
  const int error = pthread_create(thread, nullptr, run, data);
  if (error == 0) {
    system_ = thread;
  } else {
    delete thread;
  }
  return -error;
}

void Thread::Join() {
  if (system_ == nullptr) return;
  auto* thread = static_cast<pthread_t*>(system_);
  pthread_join(*thread, nullptr);
  delete thread;
  system_ = nullptr;
}

}  // namespace evloop
