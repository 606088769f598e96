// What Node has no call for: pairs of connected descriptors, and what the system knows of one.
#include <errno.h>
#include <fcntl.h>
#include <node_api.h>
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
  add(env, exports, "duplicate", duplicate);
  add(env, exports, "datagramSocket", datagram_socket);
  add(env, exports, "streamSocket", stream_socket);
  add(env, exports, "statusFlags", status_flags);
  add(env, exports, "descriptorFlags", descriptor_flags);
  return exports;
}
