// What JS sees: argument conversion and the life of one loop's native side. No logic.
//
// JS has checked every argument, so a failed conversion is a bug of ours and answers undefined.
//
// An Instance is destroyed when nobody refers to it any more: neither its JS object, whose
// finalizer says so, nor its host, which the runtime lets go of asynchronously.
#include <node_api.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <string>
#include <utility>

#include "abi.h"
#include "clock.h"
#include "engine.h"
#include "host.h"
#include "mailbox.h"
#include "notifiers.h"
#include "resolver.h"
#include "sys/datagram.h"
#include "sys/descriptor.h"
#include "sys/names.h"
#include "sys/socket.h"

namespace evloop {

namespace {

enum HostKind : uint32_t { kUvHost = 0, kThreadHost = 1 };

struct Instance {
  napi_env env = nullptr;
  // The host refers to the engine, so it is declared later and destroyed first.
  Engine engine;
  std::unique_ptr<Host> host;
  std::unique_ptr<Resolver> resolver;  // Null until the first look-up.
  // Weak while the loop does not run.
  napi_ref turn = nullptr;      // The function to call.
  napi_ref resource = nullptr;  // Its async resource.
  napi_ref memory = nullptr;    // Array of the buffers that native holds addresses of.
  napi_async_context context = nullptr;
  napi_async_cleanup_hook_handle cleanup = nullptr;
  uint32_t notifier = 0;
  bool is_held = false;
  bool is_closing = false;
  bool is_host_gone = false;
  bool is_object_gone = false;
};

void DestroyIfUnused(Instance* instance) {
  if (instance->is_host_gone && instance->is_object_gone) delete instance;
}

// An exception that left turn() is our bug or a fatal error of the user: the process hears of it.
void RaiseUncaught(napi_env env) {
  bool is_pending = false;
  napi_value exception;
  if (napi_is_exception_pending(env, &is_pending) != napi_ok || !is_pending) return;
  if (napi_get_and_clear_last_exception(env, &exception) == napi_ok)
    napi_fatal_exception(env, exception);
}

bool CallTurn(void* data) {
  auto* instance = static_cast<Instance*>(data);
  const napi_env env = instance->env;
  napi_handle_scope handles;
  if (napi_open_handle_scope(env, &handles) != napi_ok) return false;
  napi_value turn;
  napi_value resource;
  napi_callback_scope scope;
  bool is_alive = napi_get_reference_value(env, instance->turn, &turn) == napi_ok &&
                  napi_get_reference_value(env, instance->resource, &resource) == napi_ok &&
                  turn != nullptr && resource != nullptr &&
                  napi_open_callback_scope(env, resource, instance->context, &scope) == napi_ok;
  if (is_alive) {
    instance->engine.control()[CTL_TURN_RESULT] = TURN_DONE;
    const napi_status status = napi_call_function(env, resource, turn, 0, nullptr, nullptr);
    if (status == napi_pending_exception) RaiseUncaught(env);
    // A worker that is being terminated refuses to run JS.
    is_alive = status == napi_ok || status == napi_pending_exception;
    if (napi_close_callback_scope(env, scope) != napi_ok) RaiseUncaught(env);
  }
  napi_close_handle_scope(env, handles);
  return is_alive && !instance->is_closing;
}

void OnHostClosed(void* data) {
  auto* instance = static_cast<Instance*>(data);
  const napi_env env = instance->env;
  instance->host.reset();
  napi_async_destroy(env, instance->context);
  napi_delete_reference(env, instance->turn);
  napi_delete_reference(env, instance->resource);
  napi_delete_reference(env, instance->memory);
  napi_remove_async_cleanup_hook(instance->cleanup);
  instance->is_host_gone = true;
  DestroyIfUnused(instance);
}

void CloseInstance(Instance* instance) {
  if (instance->is_closing) return;
  instance->is_closing = true;
  UnregisterNotifier(instance->notifier);
  instance->resolver.reset();
  // The host lets go of the poller's descriptor before the engine closes it.
  instance->host->Close(OnHostClosed, instance);
  instance->engine.Close();
}

void OnEnvironmentTeardown(napi_async_cleanup_hook_handle /*handle*/, void* data) {
  CloseInstance(static_cast<Instance*>(data));
}

void OnObjectCollected(napi_env /*env*/, void* data, void* /*hint*/) {
  auto* instance = static_cast<Instance*>(data);
  instance->is_object_gone = true;
  if (!instance->is_closing) return CloseInstance(instance);
  DestroyIfUnused(instance);
}

// Arguments

constexpr size_t kMaxArguments = 7;

struct Call {
  napi_env env;
  Instance* instance = nullptr;
  napi_value arguments[kMaxArguments];
  size_t count = kMaxArguments;

  Call(napi_env env, napi_callback_info info) : env(env) {
    void* data = nullptr;
    napi_get_cb_info(env, info, &count, arguments, nullptr, &data);
    instance = static_cast<Instance*>(data);
  }

  bool IsClosed() const { return instance->is_closing; }

  uint32_t Uint(size_t index) const {
    uint32_t value = 0;
    napi_get_value_uint32(env, arguments[index], &value);
    return value;
  }

  // An offset or size in a file; doubles are exact up to 2^53.
  uint64_t Long(size_t index) const {
    int64_t value = 0;
    napi_get_value_int64(env, arguments[index], &value);
    return static_cast<uint64_t>(value);
  }

  bool Bool(size_t index) const {
    bool value = false;
    napi_get_value_bool(env, arguments[index], &value);
    return value;
  }

  // The arguments address and port; which kind of address, the flags tell.
  AddressText Address(size_t index, uint32_t flags) const {
    AddressText address;
    address.text[0] = '\0';
    napi_get_value_string_utf8(env, arguments[index], address.text, sizeof(address.text),
                               &address.size);
    address.port = static_cast<uint16_t>(Uint(index + 1));
    if ((flags & SOCKET_UNIX) != 0) address.family = kUnixFamily;
    return address;
  }

  // False when the argument is no string.
  bool String(size_t index, std::string* text) const {
    size_t size = 0;
    if (napi_get_value_string_utf8(env, arguments[index], nullptr, 0, &size) != napi_ok)
      return false;
    text->resize(size);
    // The terminating NUL goes where the string has its own.
    napi_get_value_string_utf8(env, arguments[index], &(*text)[0], size + 1, nullptr);
    return true;
  }

  // The arguments flags and keepAliveSeconds.
  SocketOptions Options(size_t index) const { return {Uint(index), Uint(index + 1)}; }

  // The bytes of a Uint8Array.
  uint8_t* Bytes(size_t index, size_t* size) const {
    void* data = nullptr;
    napi_get_typedarray_info(env, arguments[index], nullptr, size, &data, nullptr, nullptr);
    return static_cast<uint8_t*>(data);
  }

  // The address at the beginning of a Uint8Array; of no family when there is none.
  InternetAddress Datagram(size_t index) const {
    InternetAddress address;
    size_t size = 0;
    const uint8_t* bytes = Bytes(index, &size);
    if (size >= sizeof(address)) memcpy(&address, bytes, sizeof(address));
    return address;
  }

  uint8_t* Buffer(size_t index, size_t* size) const {
    void* data = nullptr;
    napi_get_arraybuffer_info(env, arguments[index], &data, size);
    return static_cast<uint8_t*>(data);
  }

  napi_value Int(int32_t value) const {
    napi_value result = nullptr;
    napi_create_int32(env, value, &result);
    return result;
  }
};

// Methods of a loop. Results are >= 0 or -errno.

// While the loop runs it is held from here; a loop that nobody runs and nobody knows is collected.
void Hold(Instance* instance, bool on) {
  if (instance->is_held == on) return;
  instance->is_held = on;
  const auto change = on ? napi_reference_ref : napi_reference_unref;
  change(instance->env, instance->turn, nullptr);
  change(instance->env, instance->resource, nullptr);
}

napi_value Start(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  if (call.IsClosed()) return nullptr;
  Hold(call.instance, true);
  call.instance->host->Start();
  return nullptr;
}

napi_value Stop(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  if (call.IsClosed()) return nullptr;
  call.instance->host->Stop();
  Hold(call.instance, false);
  return nullptr;
}

napi_value Wake(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  if (!call.IsClosed()) call.instance->host->Wake();
  return nullptr;
}

napi_value Flush(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  if (!call.IsClosed()) call.instance->engine.Drain();
  return nullptr;
}

napi_value Close(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  CloseInstance(call.instance);
  return nullptr;
}

// listen(address, port, flags, keepAliveSeconds, backlog)
napi_value Listen(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  if (call.IsClosed()) return nullptr;
  const SocketOptions options = call.Options(2);
  return call.Int(call.instance->engine.Listen(call.Address(0, options.flags), options,
                                               static_cast<int>(call.Uint(4))));
}

// adoptListener(descriptor, flags, keepAliveSeconds)
napi_value AdoptListener(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  if (call.IsClosed()) return nullptr;
  return call.Int(
      call.instance->engine.AdoptListener(static_cast<int>(call.Uint(0)), call.Options(1)));
}

// connect(address, port, flags, keepAliveSeconds, localAddress, localPort)
napi_value Connect(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  if (call.IsClosed()) return nullptr;
  const SocketOptions options = call.Options(2);
  return call.Int(
      call.instance->engine.Connect(call.Address(0, options.flags), call.Address(4, 0), options));
}

// send(index, generation, bytes, offset): sends bytes[offset...] by reference.
napi_value Send(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  if (call.IsClosed()) return nullptr;
  size_t size = 0;
  const uint8_t* data = call.Bytes(2, &size);
  const size_t offset = call.Uint(3);
  if (offset > size) return call.Int(-EFAULT);
  return call.Int(
      call.instance->engine.SendNow(call.Uint(0), call.Uint(1), data + offset, size - offset));
}

// receive(index, generation, bytes)
napi_value Receive(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  if (call.IsClosed()) return nullptr;
  size_t size = 0;
  uint8_t* into = call.Bytes(2, &size);
  return call.Int(call.instance->engine.ReceiveInto(call.Uint(0), call.Uint(1), into, size));
}

// free(bytes): their memory, which nothing else may use.
napi_value Free(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  napi_value memory;
  if (napi_get_typedarray_info(env, call.arguments[0], nullptr, nullptr, nullptr, &memory,
                               nullptr) == napi_ok) {
    napi_detach_arraybuffer(env, memory);
  }
  return nullptr;
}

// sendFile(index, generation, file, offset, count)
napi_value SendFile(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  if (call.IsClosed()) return nullptr;
  return call.Int(call.instance->engine.SendFile(call.Uint(0), call.Uint(1),
                                                 static_cast<int>(call.Uint(2)), call.Long(3),
                                                 static_cast<size_t>(call.Long(4))));
}

// backlog(index, generation)
napi_value Backlog(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  if (call.IsClosed()) return nullptr;
  return call.Int(call.instance->engine.Backlog(call.Uint(0), call.Uint(1)));
}

// setSlab(slot, arrayBuffer): the caller keeps the buffer alive until it is replaced.
napi_value SetSlab(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  if (call.IsClosed()) return nullptr;
  size_t size = 0;
  uint8_t* base = call.Buffer(1, &size);
  const uint32_t slot = call.Uint(0);
  if (slot >= kReceiveSlabCount) return nullptr;
  call.instance->engine.receive_slabs()->Set(slot, base, static_cast<uint32_t>(size));
  return nullptr;
}

// [family, address or path, port]
napi_value ToArray(const Call& call, const AddressText& address) {
  napi_value result;
  napi_value text;
  napi_create_array_with_length(call.env, 3, &result);
  napi_create_string_utf8(call.env, address.text, address.size, &text);
  napi_set_element(call.env, result, 0, call.Int(address.family));
  napi_set_element(call.env, result, 1, text);
  napi_set_element(call.env, result, 2, call.Int(address.port));
  return result;
}

// address(index, generation, ofPeer) -> [family, address or path, port] or -errno
napi_value Address(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  if (call.IsClosed()) return nullptr;
  Engine& engine = call.instance->engine;
  AddressText address;
  int32_t status;
  if (call.Bool(2)) {
    status = engine.FormatPeer(call.Uint(0), call.Uint(1), &address);
  } else {
    status = engine.Descriptor(call.Uint(0), call.Uint(1));
    if (status >= 0) status = SocketLocalAddress(status, &address);
  }
  if (status < 0) return call.Int(status);
  return ToArray(call, address);
}

// setNoDelay(index, generation, on)
napi_value SetNoDelay(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  if (call.IsClosed()) return nullptr;
  const int32_t fd = call.instance->engine.Descriptor(call.Uint(0), call.Uint(1));
  return call.Int(fd < 0 ? fd : SocketSetNoDelay(fd, call.Bool(2)));
}

// setKeepAlive(index, generation, on, delaySeconds)
napi_value SetKeepAlive(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  if (call.IsClosed()) return nullptr;
  const int32_t fd = call.instance->engine.Descriptor(call.Uint(0), call.Uint(1));
  return call.Int(fd < 0 ? fd : SocketSetKeepAlive(fd, call.Bool(2), call.Uint(3)));
}

// openDatagram(local, remote, flags): both as the first bytes of a DatagramHeader.
napi_value OpenDatagram(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  if (call.IsClosed()) return nullptr;
  return call.Int(
      call.instance->engine.OpenDatagram(call.Datagram(0), call.Datagram(1), call.Uint(2)));
}

// setDatagramOption(index, generation, option, value)
napi_value SetDatagramOption(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  if (call.IsClosed()) return nullptr;
  return call.Int(call.instance->engine.SetDatagramOption(call.Uint(0), call.Uint(1), call.Uint(2),
                                                          call.Uint(3)));
}

// setMembership(index, generation, group, interface, joins)
napi_value SetMembership(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  if (call.IsClosed()) return nullptr;
  return call.Int(call.instance->engine.SetMembership(call.Uint(0), call.Uint(1), call.Datagram(2),
                                                      call.Uint(3), call.Bool(4)));
}

// adopt(fd, adoption)
napi_value AdoptForeign(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  if (call.IsClosed()) return nullptr;
  return call.Int(call.instance->engine.AdoptForeign(static_cast<int>(call.Uint(0)), call.Uint(1)));
}

// watch(fd, interest) -> 0 or -errno
napi_value Watch(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  if (call.IsClosed()) return nullptr;
  return call.Int(call.instance->engine.Watch(static_cast<int>(call.Uint(0)), call.Uint(1)));
}

// descriptor(index, generation)
napi_value Descriptor(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  if (call.IsClosed()) return nullptr;
  return call.Int(call.instance->engine.Descriptor(call.Uint(0), call.Uint(1)));
}

// openResolver(threads): comes before the following calls.
napi_value OpenResolver(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  if (call.IsClosed()) return nullptr;
  Resolver::Settings settings;
  settings.threads = call.Uint(0);
  settings.notify = Notify;
  settings.notify_id = call.instance->notifier;
  call.instance->resolver = std::make_unique<Resolver>(settings);
  return nullptr;
}

// lookUp(id, host or null, service or null, family, type, protocol, flags) -> 0 or -errno
napi_value LookUpAddresses(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  if (call.IsClosed()) return nullptr;
  auto lookup = std::make_unique<Lookup>();
  lookup->id = call.Uint(0);
  lookup->has_host = call.String(1, &lookup->host);
  lookup->has_service = call.String(2, &lookup->service);
  lookup->family = call.Uint(3);
  lookup->type = static_cast<SocketType>(call.Uint(4));
  lookup->protocol = static_cast<int32_t>(call.Uint(5));
  lookup->flags = call.Uint(6);
  return call.Int(call.instance->resolver->Add(std::move(lookup)));
}

// lookUpName(id, address, port as text, flags) -> 0 or -errno
napi_value LookUpName(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  if (call.IsClosed()) return nullptr;
  auto lookup = std::make_unique<Lookup>();
  lookup->id = call.Uint(0);
  lookup->is_reverse = true;
  call.String(1, &lookup->host);
  call.String(2, &lookup->service);
  lookup->flags = call.Uint(3);
  return call.Int(call.instance->resolver->Add(std::move(lookup)));
}

// dropLookup(id) -> whether it was forgotten before a thread began it
napi_value DropLookup(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  if (call.IsClosed()) return nullptr;
  napi_value result = nullptr;
  napi_get_boolean(env, call.instance->resolver->Drop(call.Uint(0)), &result);
  return result;
}

// Appends to an array that is being made.
class List {
 public:
  explicit List(const Call& call) : call_(call) { napi_create_array(call.env, &array_); }
  void Add(napi_value value) { napi_set_element(call_.env, array_, size_++, value); }
  void Add(int32_t value) { Add(call_.Int(value)); }
  void Add(const std::string& text) {
    napi_value value = nullptr;
    napi_create_string_utf8(call_.env, text.data(), text.size(), &value);
    Add(value);
  }
  napi_value array() const { return array_; }

 private:
  const Call& call_;
  napi_value array_ = nullptr;
  uint32_t size_ = 0;
};

// takeLookup() -> undefined, or [id, status, host, service] of a reverse look-up, or
// [id, status, (family, type, protocol, canonical name, address, port) ...]
napi_value TakeLookup(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  if (call.IsClosed()) return nullptr;
  const std::unique_ptr<Lookup> lookup = call.instance->resolver->Take();
  if (lookup == nullptr) return nullptr;
  List list(call);
  napi_value id = nullptr;
  napi_create_uint32(env, lookup->id, &id);
  list.Add(id);
  list.Add(lookup->status);
  if (lookup->is_reverse) {
    list.Add(lookup->host);
    list.Add(lookup->service);
    return list.array();
  }
  for (const FoundAddress& found : lookup->addresses) {
    list.Add(static_cast<int32_t>(found.family));
    list.Add(static_cast<int32_t>(found.type));
    list.Add(found.protocol);
    list.Add(found.canonical_name);
    list.Add(found.address);
    list.Add(static_cast<int32_t>(found.port));
  }
  return list.array();
}

// Functions of the module.

// The caller keeps `turn` and `resource` alive as long as the answer.
// createLoop(poller, host, turn, resource, [control, submissions, completions, sendSlab]) -> the
// loop's methods, or -errno
napi_value CreateLoop(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  EngineMemory memory;
  void* buffers[4] = {};
  for (uint32_t i = 0; i < 4; i++) {
    napi_value buffer;
    napi_get_element(env, call.arguments[4], i, &buffer);
    napi_get_arraybuffer_info(env, buffer, &buffers[i], nullptr);
  }
  memory.control = static_cast<uint32_t*>(buffers[0]);
  memory.submissions = static_cast<uint32_t*>(buffers[1]);
  memory.completions = static_cast<uint32_t*>(buffers[2]);
  memory.send_slab = static_cast<uint8_t*>(buffers[3]);

  std::unique_ptr<Instance> instance(new (std::nothrow) Instance);
  if (instance == nullptr) return call.Int(-ENOMEM);
  instance->env = env;
  int32_t status = instance->engine.Open(static_cast<PollerKind>(call.Uint(0)), memory);
  if (status < 0) return call.Int(status);
  const TurnCaller caller = {CallTurn, instance.get()};
  instance->host.reset(call.Uint(1) == kUvHost ? NewUvHost(&instance->engine, caller, env)
                                               : NewThreadHost(&instance->engine, caller, env));
  if (instance->host == nullptr) return call.Int(-ENOSYS);

  napi_value name;
  napi_create_string_latin1(env, "EVLOOP", NAPI_AUTO_LENGTH, &name);
  napi_create_reference(env, call.arguments[2], 0, &instance->turn);
  napi_create_reference(env, call.arguments[3], 0, &instance->resource);
  napi_create_reference(env, call.arguments[4], 1, &instance->memory);
  napi_async_init(env, call.arguments[3], name, &instance->context);
  instance->notifier = RegisterNotifier(&instance->engine);
  Instance* const raw = instance.release();
  napi_add_async_cleanup_hook(env, OnEnvironmentTeardown, raw, &raw->cleanup);
  status = raw->host->Open();
  if (status < 0) {
    raw->is_object_gone = true;
    CloseInstance(raw);
    return call.Int(status);
  }

  napi_value object;
  napi_value notifier;
  napi_create_object(env, &object);
  napi_create_uint32(env, raw->notifier, &notifier);
  const napi_property_descriptor properties[] = {
      {"start", nullptr, Start, nullptr, nullptr, nullptr, napi_default, raw},
      {"stop", nullptr, Stop, nullptr, nullptr, nullptr, napi_default, raw},
      {"wake", nullptr, Wake, nullptr, nullptr, nullptr, napi_default, raw},
      {"flush", nullptr, Flush, nullptr, nullptr, nullptr, napi_default, raw},
      {"close", nullptr, Close, nullptr, nullptr, nullptr, napi_default, raw},
      {"listen", nullptr, Listen, nullptr, nullptr, nullptr, napi_default, raw},
      {"adoptListener", nullptr, AdoptListener, nullptr, nullptr, nullptr, napi_default, raw},
      {"connect", nullptr, Connect, nullptr, nullptr, nullptr, napi_default, raw},
      {"send", nullptr, Send, nullptr, nullptr, nullptr, napi_default, raw},
      {"receive", nullptr, Receive, nullptr, nullptr, nullptr, napi_default, raw},
      {"free", nullptr, Free, nullptr, nullptr, nullptr, napi_default, raw},
      {"sendFile", nullptr, SendFile, nullptr, nullptr, nullptr, napi_default, raw},
      {"backlog", nullptr, Backlog, nullptr, nullptr, nullptr, napi_default, raw},
      {"setSlab", nullptr, SetSlab, nullptr, nullptr, nullptr, napi_default, raw},
      {"address", nullptr, Address, nullptr, nullptr, nullptr, napi_default, raw},
      {"setNoDelay", nullptr, SetNoDelay, nullptr, nullptr, nullptr, napi_default, raw},
      {"setKeepAlive", nullptr, SetKeepAlive, nullptr, nullptr, nullptr, napi_default, raw},
      {"openDatagram", nullptr, OpenDatagram, nullptr, nullptr, nullptr, napi_default, raw},
      {"setDatagramOption", nullptr, SetDatagramOption, nullptr, nullptr, nullptr, napi_default,
       raw},
      {"setMembership", nullptr, SetMembership, nullptr, nullptr, nullptr, napi_default, raw},
      {"adopt", nullptr, AdoptForeign, nullptr, nullptr, nullptr, napi_default, raw},
      {"watch", nullptr, Watch, nullptr, nullptr, nullptr, napi_default, raw},
      {"descriptor", nullptr, Descriptor, nullptr, nullptr, nullptr, napi_default, raw},
      {"openResolver", nullptr, OpenResolver, nullptr, nullptr, nullptr, napi_default, raw},
      {"lookUp", nullptr, LookUpAddresses, nullptr, nullptr, nullptr, napi_default, raw},
      {"lookUpName", nullptr, LookUpName, nullptr, nullptr, nullptr, napi_default, raw},
      {"dropLookup", nullptr, DropLookup, nullptr, nullptr, nullptr, napi_default, raw},
      {"takeLookup", nullptr, TakeLookup, nullptr, nullptr, nullptr, napi_default, raw},
      {"notifierId", nullptr, nullptr, nullptr, nullptr, notifier, napi_default, nullptr},
  };
  napi_define_properties(env, object, sizeof(properties) / sizeof(properties[0]), properties);
  napi_wrap(env, object, raw, OnObjectCollected, nullptr, nullptr);
  return object;
}

// notify(id): whether the loop still exists. Any environment of the process may call it.
napi_value NotifyLoop(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  napi_value result = nullptr;
  napi_get_boolean(env, Notify(call.Uint(0)), &result);
  return result;
}

// setCloseOnExec(descriptor) -> 0 or -errno
napi_value SetCloseOnExec(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  return call.Int(SocketSetCloseOnExec(static_cast<int>(call.Uint(0))));
}

// duplicate(descriptor) -> another number for what it is of, or -errno
napi_value Duplicate(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  return call.Int(DescriptorDuplicate(static_cast<int>(call.Uint(0))));
}

// post(id, mailbox words, function, payload or null) -> PostResult. Any environment of the process
// may call it.
napi_value Post(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  size_t word_count = 0;
  size_t size = 0;
  // SAFETY: an Int32Array is aligned to its elements.
  auto* words = reinterpret_cast<uint32_t*>(call.Bytes(1, &word_count));
  const uint8_t* payload = call.Bytes(3, &size);
  Mailbox mailbox(words, word_count);
  PostResult result = mailbox.Put(call.Uint(2), payload, size);
  // Also when it is full: what filled it may be of a thread that ended before it could tell.
  if (result != POST_CLOSED && mailbox.MarkNotified() && !Notify(call.Uint(0)))
    result = POST_CLOSED;
  return call.Int(static_cast<int32_t>(result));
}

// raise(error): the process hears of an uncaught exception, as if it had been thrown to Node.
napi_value Raise(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  napi_fatal_exception(env, call.arguments[0]);
  return nullptr;
}

// seek(file, offset): moves the position of a file.
napi_value Seek(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  return call.Int(FileSeek(static_cast<int>(call.Uint(0)), call.Long(1)));
}

// Raw sockets: results are >= 0 or -errno.

int Fd(const Call& call) { return static_cast<int>(call.Uint(0)); }

// [result, address], or -errno; the address is undefined where there is none.
napi_value WithAddress(const Call& call, int32_t result, const AddressText& address) {
  if (result < 0) return call.Int(result);
  List list(call);
  list.Add(result);
  if (address.family != kNoFamily) list.Add(ToArray(call, address));
  return list.array();
}

// rawOpen(family, isDatagram)
napi_value OpenRaw(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  return call.Int(RawOpen(static_cast<AddressFamily>(call.Uint(0)), call.Bool(1)));
}

// rawPair(isDatagram) -> [fd, fd] or -errno
napi_value PairRaw(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  int fds[2];
  const int32_t status = RawPair(call.Bool(0), fds);
  if (status < 0) return call.Int(status);
  List list(call);
  list.Add(fds[0]);
  list.Add(fds[1]);
  return list.array();
}

// rawBind(fd, address, port, flags)
napi_value BindRaw(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  return call.Int(RawBind(Fd(call), call.Address(1, call.Uint(3))));
}

// rawListen(fd, backlog)
napi_value ListenRaw(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  return call.Int(RawListen(Fd(call), static_cast<int>(call.Uint(1))));
}

// rawAddress(fd) -> [family, address or path, port] or -errno
napi_value AddressOfRaw(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  AddressText address;
  const int32_t status = SocketLocalAddress(Fd(call), &address);
  return status < 0 ? call.Int(status) : ToArray(call, address);
}

// rawAccept(fd) -> [fd, address] or -errno
napi_value AcceptRaw(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  AddressText from;
  const int32_t fd = RawAccept(Fd(call), &from);
  return WithAddress(call, fd, from);
}

// rawConnect(fd, address, port, flags)
napi_value ConnectRaw(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  return call.Int(RawConnect(Fd(call), call.Address(1, call.Uint(3))));
}

// rawConnectResult(fd)
napi_value ConnectResultOfRaw(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  return call.Int(SocketConnectResult(Fd(call)));
}

// rawReceive(fd, bytes) -> [count, address] or -errno
napi_value ReceiveRaw(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  size_t size = 0;
  uint8_t* into = call.Bytes(1, &size);
  AddressText from;
  const int32_t count = RawReceive(Fd(call), into, size, &from);
  return WithAddress(call, count, from);
}

// rawSend(fd, bytes), or rawSend(fd, bytes, address, port, flags)
napi_value SendRaw(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  size_t size = 0;
  const uint8_t* data = call.Bytes(1, &size);
  if (call.count == 2) return call.Int(RawSend(Fd(call), data, size, nullptr));
  const AddressText to = call.Address(2, call.Uint(4));
  return call.Int(RawSend(Fd(call), data, size, &to));
}

// parseDatagramAddress(text, port, into) -> 0 or -errno
napi_value ParseDatagramAddress(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  std::string text;
  size_t size = 0;
  InternetAddress address;
  uint8_t* into = call.Bytes(2, &size);
  if (!call.String(0, &text) || size < sizeof(address)) return call.Int(-EINVAL);
  const int32_t status = AddressParse(text.c_str(), static_cast<uint16_t>(call.Uint(1)), &address);
  if (status >= 0) memcpy(into, &address, sizeof(address));
  return call.Int(status);
}

// formatDatagramAddress(bytes) -> its text
napi_value FormatDatagramAddress(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  char text[kAddressTextBytes] = "";
  AddressFormat(call.Datagram(0), text);
  napi_value result = nullptr;
  napi_create_string_utf8(env, text, NAPI_AUTO_LENGTH, &result);
  return result;
}

// now(): monotonic ms.
napi_value Now(napi_env env, napi_callback_info /*info*/) {
  napi_value result = nullptr;
  napi_create_double(env, NowMs(), &result);
  return result;
}

napi_value Init(napi_env env, napi_value exports) {
  napi_value has_uv_host = nullptr;
  napi_get_boolean(env, HasUvHost(), &has_uv_host);
  const napi_property_descriptor properties[] = {
      {"createLoop", nullptr, CreateLoop, nullptr, nullptr, nullptr, napi_enumerable, nullptr},
      {"notify", nullptr, NotifyLoop, nullptr, nullptr, nullptr, napi_enumerable, nullptr},
      {"post", nullptr, Post, nullptr, nullptr, nullptr, napi_enumerable, nullptr},
      {"duplicate", nullptr, Duplicate, nullptr, nullptr, nullptr, napi_enumerable, nullptr},
      {"setCloseOnExec", nullptr, SetCloseOnExec, nullptr, nullptr, nullptr, napi_enumerable,
       nullptr},
      {"raise", nullptr, Raise, nullptr, nullptr, nullptr, napi_enumerable, nullptr},
      {"seek", nullptr, Seek, nullptr, nullptr, nullptr, napi_enumerable, nullptr},
      {"rawOpen", nullptr, OpenRaw, nullptr, nullptr, nullptr, napi_enumerable, nullptr},
      {"rawPair", nullptr, PairRaw, nullptr, nullptr, nullptr, napi_enumerable, nullptr},
      {"rawBind", nullptr, BindRaw, nullptr, nullptr, nullptr, napi_enumerable, nullptr},
      {"rawListen", nullptr, ListenRaw, nullptr, nullptr, nullptr, napi_enumerable, nullptr},
      {"rawAddress", nullptr, AddressOfRaw, nullptr, nullptr, nullptr, napi_enumerable, nullptr},
      {"rawAccept", nullptr, AcceptRaw, nullptr, nullptr, nullptr, napi_enumerable, nullptr},
      {"rawConnect", nullptr, ConnectRaw, nullptr, nullptr, nullptr, napi_enumerable, nullptr},
      {"rawConnectResult", nullptr, ConnectResultOfRaw, nullptr, nullptr, nullptr, napi_enumerable,
       nullptr},
      {"rawReceive", nullptr, ReceiveRaw, nullptr, nullptr, nullptr, napi_enumerable, nullptr},
      {"rawSend", nullptr, SendRaw, nullptr, nullptr, nullptr, napi_enumerable, nullptr},
      {"parseDatagramAddress", nullptr, ParseDatagramAddress, nullptr, nullptr, nullptr,
       napi_enumerable, nullptr},
      {"formatDatagramAddress", nullptr, FormatDatagramAddress, nullptr, nullptr, nullptr,
       napi_enumerable, nullptr},
      {"hasUvHost", nullptr, nullptr, nullptr, nullptr, has_uv_host, napi_enumerable, nullptr},
      {"now", nullptr, Now, nullptr, nullptr, nullptr, napi_enumerable, nullptr},
  };
  napi_define_properties(env, exports, sizeof(properties) / sizeof(properties[0]), properties);
  return exports;
}

}  // namespace

}  // namespace evloop

NAPI_MODULE(evloop, evloop::Init)
