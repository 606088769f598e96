// What Node has no call for: pairs of connected descriptors, and what the system knows of one.
#include <errno.h>
#include <fcntl.h>
#include <node_api.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int32_t argument(napi_env env, napi_callback_info info) {
  napi_value value;
  size_t count = 1;
  int32_t number = -1;
  napi_get_cb_info(env, info, &count, &value, NULL, NULL);
  if (count > 0) napi_get_value_int32(env, value, &number);
  return number;
}

static napi_value number(napi_env env, int value) {
  napi_value result;
  napi_create_int32(env, value < 0 ? -errno : value, &result);
  return result;
}

static napi_value pair(napi_env env, int status, const int* fds) {
  napi_value result;
  if (status < 0) return number(env, status);
  napi_create_array(env, &result);
  napi_set_element(env, result, 0, number(env, fds[0]));
  napi_set_element(env, result, 1, number(env, fds[1]));
  return result;
}

static napi_value socket_pair(napi_env env, napi_callback_info info) {
  int fds[2];
  (void)info;
  return pair(env, socketpair(AF_UNIX, SOCK_STREAM, 0, fds), fds);
}

static napi_value make_pipe(napi_env env, napi_callback_info info) {
  int fds[2];
  (void)info;
  return pair(env, pipe(fds), fds);
}

static napi_value packet_pipe(napi_env env, napi_callback_info info) {
  int fds[2];
  (void)info;
  return pair(env, pipe2(fds, O_DIRECT), fds);
}

// Sends one byte and with it a descriptor: its own.
static napi_value send_descriptor(napi_env env, napi_callback_info info) {
  const int fd = argument(env, info);
  union {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(sizeof(int))];
  } control;
  char byte = 'd';
  struct iovec piece = {&byte, 1};
  struct msghdr message = {0};
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  message.msg_control = control.bytes;
  message.msg_controllen = sizeof(control.bytes);
  struct cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  memcpy(CMSG_DATA(header), &fd, sizeof(fd));
  return number(env, (int)sendmsg(fd, &message, 0));
}

static napi_value send_urgent(napi_env env, napi_callback_info info) {
  return number(env, (int)send(argument(env, info), "u", 1, MSG_OOB));
}

static napi_value duplicate(napi_env env, napi_callback_info info) {
  return number(env, dup(argument(env, info)));
}

static napi_value datagram_socket(napi_env env, napi_callback_info info) {
  (void)info;
  return number(env, socket(AF_UNIX, SOCK_DGRAM, 0));
}

static napi_value stream_socket(napi_env env, napi_callback_info info) {
  (void)info;
  return number(env, socket(AF_UNIX, SOCK_STREAM, 0));
}

static napi_value status_flags(napi_env env, napi_callback_info info) {
  return number(env, fcntl(argument(env, info), F_GETFL));
}

static napi_value descriptor_flags(napi_env env, napi_callback_info info) {
  return number(env, fcntl(argument(env, info), F_GETFD));
}

static void add(napi_env env, napi_value exports, const char* name, napi_callback callback) {
  napi_value function;
  napi_create_function(env, name, NAPI_AUTO_LENGTH, callback, NULL, &function);
  napi_set_named_property(env, exports, name, function);
}

NAPI_MODULE_INIT() {
  add(env, exports, "socketPair", socket_pair);
  add(env, exports, "pipe", make_pipe);
  add(env, exports, "packetPipe", packet_pipe);
  add(env, exports, "sendDescriptor", send_descriptor);
  add(env, exports, "sendUrgent", send_urgent);
  add(env, exports, "duplicate", duplicate);
  add(env, exports, "datagramSocket", datagram_socket);
  add(env, exports, "streamSocket", stream_socket);
  add(env, exports, "statusFlags", status_flags);
  add(env, exports, "descriptorFlags", descriptor_flags);
  return exports;
}
