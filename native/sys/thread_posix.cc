#include "thread.h"

#include <pthread.h>

namespace evloop {

int32_t StartDetachedThread(void* (*run)(void* data), void* data) {
  pthread_t thread;
  const int error = pthread_create(&thread, nullptr, run, data);
  if (error != 0) return -error;
  pthread_detach(thread);
  return 0;
}

}  // namespace evloop
