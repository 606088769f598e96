// native/test/kqueue/sys/event.h - kqueue(2) for the tests of a system that has none: as much of it
// as sys/poller_kqueue.cc and sys/waker_kqueue.cc use. Names, values and layout are those of the
// BSDs.
#pragma once

#include <stdint.h>
#include <time.h>

#define EVFILT_READ (-1)
#define EVFILT_WRITE (-2)
#define EVFILT_USER (-10)

#define EV_ADD 0x0001
#define EV_DELETE 0x0002
#define EV_CLEAR 0x0020
#define EV_RECEIPT 0x0040
#define EV_ERROR 0x4000
#define EV_EOF 0x8000

#define NOTE_TRIGGER 0x01000000
#define NOTE_OOB 0x00000002

struct kevent {
  uintptr_t ident;
  int16_t filter;
  uint16_t flags;
  uint32_t fflags;
  intptr_t data;
  void* udata;
};

#define EV_SET(event, ...) (*(event) = {__VA_ARGS__})

int kqueue();
int kevent(int queue, const struct kevent* changes, int change_count, struct kevent* events,
           int event_count, const struct timespec* timeout);

// While false, this system knows no EVFILT_USER.
void SetUserEvents(bool exist);
