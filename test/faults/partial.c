// Makes a system call of the engine move one byte or one message at a time, and counts how often it did.
//
// Loaded before the libc (LD_PRELOAD), it stands between evloop.node and the system; calls of others go through as they
// are. Loaded as an addon too, it takes the call's name and gives the count. What was not moved stays where it was, and
// epoll is asked to tell of it again: so does a kernel whose buffers hold one byte.
#include <dlfcn.h>
#include <node_api.h>
#include <stdint.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define MAX_DESCRIPTORS 4096
// Waking a loop moves this much, all or nothing.
#define EVENTFD_BYTES 8

static char limited[32];
static uint32_t count;

struct registration {
  int epoll;
  struct epoll_event event;
};
static struct registration registrations[MAX_DESCRIPTORS];

static int is_ours(const void* caller) {
  Dl_info info;
  return dladdr(caller, &info) != 0 && strstr(info.dli_fname, "evloop.node") != NULL;
}

static int is_limited(const char* name, const void* caller) {
  return strcmp(name, limited) == 0 && is_ours(caller);
}

static void* real(const char* name) { return dlsym(RTLD_NEXT, name); }

typedef int epoll_ctl_call(int, int, int, struct epoll_event*);

static ssize_t moved(int fd, ssize_t result) {
  if (result <= 0) return result;
  count++;
  if (fd < MAX_DESCRIPTORS && registrations[fd].epoll > 0) {
    struct epoll_event event = registrations[fd].event;
    ((epoll_ctl_call*)real("epoll_ctl"))(registrations[fd].epoll, EPOLL_CTL_MOD, fd, &event);
  }
  return result;
}

int epoll_ctl(int epoll, int operation, int fd, struct epoll_event* event) {
  if (fd >= 0 && fd < MAX_DESCRIPTORS && is_ours(__builtin_return_address(0))) {
    struct registration none = {0, {0}};
    struct registration wanted = {epoll, event == NULL ? none.event : *event};
    registrations[fd] = operation == EPOLL_CTL_DEL ? none : wanted;
  }
  return ((epoll_ctl_call*)real("epoll_ctl"))(epoll, operation, fd, event);
}

ssize_t recv(int fd, void* into, size_t size, int flags) {
  ssize_t (*call)(int, void*, size_t, int) = real("recv");
  if (!is_limited("recvfrom", __builtin_return_address(0))) return call(fd, into, size, flags);
  return moved(fd, call(fd, into, size > 0, flags));
}

ssize_t send(int fd, const void* data, size_t size, int flags) {
  ssize_t (*call)(int, const void*, size_t, int) = real("send");
  if (!is_limited("sendto", __builtin_return_address(0))) return call(fd, data, size, flags);
  return moved(fd, call(fd, data, size > 0, flags));
}

ssize_t read(int fd, void* into, size_t size) {
  ssize_t (*call)(int, void*, size_t) = real("read");
  if (size <= EVENTFD_BYTES || !is_limited("read", __builtin_return_address(0))) return call(fd, into, size);
  return moved(fd, call(fd, into, 1));
}

ssize_t sendfile64(int fd, int file, off64_t* offset, size_t size) {
  ssize_t (*call)(int, int, off64_t*, size_t) = real("sendfile64");
  if (!is_limited("sendfile", __builtin_return_address(0))) return call(fd, file, offset, size);
  return moved(fd, call(fd, file, offset, size > 0));
}

// The first byte of several pieces.
static struct iovec first_byte(const struct iovec* pieces, size_t pieces_count) {
  struct iovec first = {NULL, 0};
  for (size_t i = 0; i < pieces_count && first.iov_len == 0; i++) {
    first.iov_base = pieces[i].iov_base;
    first.iov_len = pieces[i].iov_len > 0;
  }
  return first;
}

ssize_t writev(int fd, const struct iovec* pieces, int pieces_count) {
  ssize_t (*call)(int, const struct iovec*, int) = real("writev");
  if (!is_limited("writev", __builtin_return_address(0))) return call(fd, pieces, pieces_count);
  struct iovec first = first_byte(pieces, (size_t)pieces_count);
  return moved(fd, call(fd, &first, 1));
}

ssize_t sendmsg(int fd, const struct msghdr* message, int flags) {
  ssize_t (*call)(int, const struct msghdr*, int) = real("sendmsg");
  if (!is_limited("sendmsg", __builtin_return_address(0))) return call(fd, message, flags);
  struct iovec first = first_byte(message->msg_iov, message->msg_iovlen);
  struct msghdr shorter = *message;
  shorter.msg_iov = &first;
  shorter.msg_iovlen = 1;
  return moved(fd, call(fd, &shorter, flags));
}

ssize_t recvmsg(int fd, struct msghdr* message, int flags) {
  ssize_t (*call)(int, struct msghdr*, int) = real("recvmsg");
  if (!is_limited("recvmsg", __builtin_return_address(0))) return call(fd, message, flags);
  struct iovec first = first_byte(message->msg_iov, message->msg_iovlen);
  struct iovec* pieces = message->msg_iov;
  const size_t pieces_count = message->msg_iovlen;
  message->msg_iov = &first;
  message->msg_iovlen = 1;
  const ssize_t result = call(fd, message, flags);
  message->msg_iov = pieces;
  message->msg_iovlen = pieces_count;
  return moved(fd, result);
}

int recvmmsg(int fd, struct mmsghdr* messages, unsigned int size, int flags, struct timespec* timeout) {
  int (*call)(int, struct mmsghdr*, unsigned int, int, struct timespec*) = real("recvmmsg");
  if (!is_limited("recvmmsg", __builtin_return_address(0))) return call(fd, messages, size, flags, timeout);
  return (int)moved(fd, call(fd, messages, size > 0, flags, timeout));
}

int sendmmsg(int fd, struct mmsghdr* messages, unsigned int size, int flags) {
  int (*call)(int, struct mmsghdr*, unsigned int, int) = real("sendmmsg");
  if (!is_limited("sendmmsg", __builtin_return_address(0))) return call(fd, messages, size, flags);
  return (int)moved(fd, call(fd, messages, size > 0, flags));
}

// limit(name of a system call, or ''): counts anew.
static napi_value limit(napi_env env, napi_callback_info info) {
  napi_value name;
  size_t arguments = 1;
  napi_get_cb_info(env, info, &arguments, &name, NULL, NULL);
  napi_get_value_string_latin1(env, name, limited, sizeof(limited), NULL);
  count = 0;
  return NULL;
}

// How often a byte or a message was moved.
static napi_value transfers(napi_env env, napi_callback_info info) {
  napi_value result;
  (void)info;
  napi_create_uint32(env, count, &result);
  return result;
}

NAPI_MODULE_INIT() {
  napi_value function;
  napi_create_function(env, "limit", NAPI_AUTO_LENGTH, limit, NULL, &function);
  napi_set_named_property(env, exports, "limit", function);
  napi_create_function(env, "transfers", NAPI_AUTO_LENGTH, transfers, NULL, &function);
  napi_set_named_property(env, exports, "transfers", function);
  return exports;
}
