#include "engine.h"

#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <cstring>

#include "clock.h"
#include "sys/descriptor.h"

namespace evloop {

namespace {

// More events than a host asks for at a time.
constexpr uint32_t kMaxEvents = 64;
// A receive asks for little until one comes back full; then the peer is sending in bulk. Asking for
// no more than a slab's last rest lets small receives finish one slab before they begin the next.
constexpr uint32_t kSmallReceive = kReceiveMinimumBytes;
constexpr uint32_t kLargeReceive = kReceiveLargeSlabBytes;
constexpr uint32_t kReceiveGrowth = 8;
// Connections taken from one listener before other sockets get their turn.
constexpr uint32_t kAcceptBatch = 64;
// Timers handed to JS in one turn. It touches each of them twice, so they should stay in the cache
// in between; more of them wait for the next turn, which follows at once.
constexpr uint32_t kExpireBatch = 1024;
// JS queues its writes as soon as it hears that the kernel takes no more, so that a backlog of this
// many bytes is nobody's intention.
constexpr size_t kBacklogLimit = 1U << 28;
// Timers are named by a table of JS that is filled from the beginning.
constexpr uint32_t kTimerLimit = 1U << 26;
// Submission words (abi.h).
constexpr uint32_t kOp = 0, kIndex = 1, kGeneration = 2, kA = 3, kB = 4, kLink = 5;
// No generation is 0, so no socket has this token.
constexpr uint64_t kWakerToken = 0;
// Ends the chain of one socket's sends.
constexpr uint32_t kEndOfLinks = UINT32_MAX;

void WriteDouble(uint32_t* control, uint32_t index, double value) {
  memcpy(control + index * 2, &value, sizeof(value));
}

// Errors that mean the process or machine is short of something, not that the listener is broken.
bool IsShortage(int32_t error) {
  return error == -EMFILE || error == -ENFILE || error == -ENOBUFS || error == -ENOMEM;
}

}  // namespace

int32_t Engine::Open(PollerKind kind, const EngineMemory& memory) {
  memory_ = memory;
  memory_.control[CTL_ABI_VERSION] = kAbiVersion;
  submissions_.Attach(memory.control, memory.submissions, kSubmissionCapacity);
  completions_.Attach(memory.control, memory.completions, kCompletionCapacity);
  slabs_.Attach(memory.control);
  poller_.reset(NewPoller(kind));
  if (poller_ == nullptr) return -ENOSYS;
  int32_t status = poller_->Open();
  if (status >= 0) status = waker_.Open(poller_->IsEdgeTriggered());
  if (status >= 0) status = poller_->Add(waker_.Descriptor(), kWakerToken);
  if (status < 0) {
    Close();
    return status;
  }
  poller_->Arm(waker_.Descriptor(), kWakerToken, READY_READ);
  WriteDouble(memory_.control, CTL_F64_NOW, NowMs());
  return 0;
}

void Engine::Close() {
  if (poller_ == nullptr) return;
  sockets_.ForEach([this](Socket* socket) {
    if (socket->fd >= 0) Release(socket, false);
  });
  active_.clear();
  reports_.clear();
  closed_.clear();
  expired_.clear();
  watches_.Clear();
  datagrams_.Clear();
  failures_.clear();
  poller_->Remove(waker_.Descriptor());
  waker_.Close();
  poller_->Close();
  poller_.reset();
}

// Slots

// Gives `fd` a slot; 0, or -errno and the descriptor stays the caller's.
int32_t Engine::Adopt(int fd, SocketRole role, const InternetAddress& peer, Socket** adopted) {
  uint32_t index;
  Socket* socket = sockets_.Allocate(&index);
  if (socket == nullptr) return -ENOMEM;
  socket->fd = fd;
  socket->role = role;
  socket->peer = peer;
  socket->is_connected = role == SocketRole::kStream;
  socket->receive_size = kSmallReceive;
  const int32_t status = poller_->Add(fd, Token(socket));
  if (status == -EPERM) {
    // A device that never makes anybody wait, such as /dev/null.
    socket->is_readable = true;
  } else if (status < 0) {
    sockets_.Free(index);
    return status;
  }
  watches_.Claim(fd);
  memory_.control[CTL_SOCKETS] = ++open_sockets_;
  memory_.control[CTL_RESULT_GENERATION] = socket->generation;
  *adopted = socket;
  return 0;
}

void Engine::Release(Socket* socket, bool reset) {
  poller_->Remove(socket->fd);
  watches_.Unclaim(socket->fd);
  SocketClose(socket->fd, reset);
  free(socket->backlog);
  socket->backlog = nullptr;
  if (socket->role == SocketRole::kDatagram) datagrams_.Remove(socket->index);
  socket->fd = -1;
  memory_.control[CTL_SOCKETS] = --open_sockets_;
  closed_.Push(socket->index);
}

void Engine::DeliverClosed() {
  for (; !closed_.empty(); closed_.Pop()) {
    const uint32_t index = closed_.front();
    const Socket* socket = sockets_.Get(index, sockets_.GenerationOf(index));
    // What could not be sent after JS asked for the close is told only here.
    const int32_t result = socket->has_failed && socket->has_report ? socket->report : 0;
    if (!completions_.Push(CQ_CLOSED, index, socket->generation, result)) return;
    expired_.push_back(index);
  }
}

int32_t Engine::Listen(const AddressText& at, const SocketOptions& options, int backlog) {
  const int32_t fd = SocketListen(at, options, backlog);
  if (fd < 0) return fd;
  Socket* listener;
  const int32_t status = Adopt(fd, SocketRole::kListener, InternetAddress(), &listener);
  if (status == 0) return static_cast<int32_t>(listener->index);
  SocketClose(fd, false);
  return status;
}

int32_t Engine::AdoptListener(int fd, const SocketOptions& options) {
  int32_t status = SocketPrepareListener(fd, options);
  Socket* listener;
  if (status == 0) status = Adopt(fd, SocketRole::kListener, InternetAddress(), &listener);
  return status == 0 ? static_cast<int32_t>(listener->index) : status;
}

int32_t Engine::Connect(const AddressText& to, const AddressText& from,
                        const SocketOptions& options) {
  bool in_progress = false;
  InternetAddress peer;
  const int32_t fd = SocketConnect(to, from, options, &peer, &in_progress);
  if (fd < 0) return fd;
  Socket* socket;
  const int32_t status = Adopt(fd, SocketRole::kConnecting, peer, &socket);
  if (status < 0) {
    SocketClose(fd, false);
    return status;
  }
  if (in_progress) {
    poller_->Arm(fd, Token(socket), READY_WRITE);
  } else {
    socket->role = SocketRole::kStream;
    socket->is_connected = false;
    Report(socket, 0);
  }
  return static_cast<int32_t>(socket->index);
}

int32_t Engine::AdoptForeign(int fd, uint32_t adoption) {
  if (!watches_.IsFree(fd)) return -EEXIST;
  InternetAddress peer;
  const bool is_pipe = (adoption & (ADOPT_READ_END | ADOPT_WRITE_END)) != 0;
  int32_t status = is_pipe ? 0 : DescriptorCheckSocket(fd, &peer);
  if (status < 0) return status;
  const bool is_shared = (adoption & ADOPT_SHARED) != 0;
  const int32_t own = is_shared ? DescriptorDuplicate(fd) : fd;
  if (own < 0) return own;
  // What is shared must not change for others: sockets are told in each call not to wait.
  const int32_t flags = is_shared ? 0 : DescriptorPrepare(fd);
  if (flags < 0) return flags;
  Socket* socket;
  status = Adopt(own, SocketRole::kStream, peer, &socket);
  if (status < 0) {
    if (is_shared) {
      SocketClose(own, false);
    } else {
      DescriptorRestore(fd, flags);
    }
    return status;
  }
  socket->is_pipe = is_pipe;
  // One read gives one packet or line of several.
  socket->has_rest = is_pipe;
  socket->is_write_end = (adoption & ADOPT_WRITE_END) != 0;
  return static_cast<int32_t>(socket->index);
}

int32_t Engine::FormatPeer(uint32_t index, uint32_t generation, AddressText* address) {
  const Socket* socket = sockets_.Get(index, generation);
  if (socket == nullptr) return -EBADF;
  if (socket->peer.family != kUnixFamily) return evloop::FormatPeer(socket->peer, address);
  return socket->fd < 0 ? -EBADF : SocketPeerPath(socket->fd, address);
}

int32_t Engine::Descriptor(uint32_t index, uint32_t generation) {
  const Socket* socket = Find(index, generation);
  return socket == nullptr ? -EBADF : socket->fd;
}

int32_t Engine::Watch(int fd, uint32_t interest) {
  return watches_.Set(poller_.get(), fd, interest, &memory_.control[CTL_RESULT_GENERATION]);
}

// Submissions

void Engine::Drain() {
  uint32_t pending;
  drain_ms_ = 0;
  while ((pending = submissions_.Pending()) > 0) {
    // An entry must not come twice: the sends of a socket are linked through them.
    if (pending > kSubmissionCapacity) {
      submissions_.Consume(pending);
      break;
    }
    for (uint32_t i = 0; i < pending; i++) Perform(i);
    for (const uint64_t token : dirty_) {
      Socket* socket = Find(token);
      // A close or shutdown in the same drain has already sent what came before it.
      if (socket != nullptr && socket->is_dirty) SendQueued(socket);
    }
    dirty_.clear();
    submissions_.Consume(pending);
  }
  memory_.control[CTL_SEND_USED] = 0;
}

void Engine::Perform(uint32_t position) {
  uint32_t* entry = submissions_.At(position);
  const uint32_t index = entry[kIndex];
  const uint32_t generation = entry[kGeneration];
  switch (entry[kOp]) {
    case OP_TIMER_START:
      StartTimer(entry);
      return;
    case OP_TIMER_START_IN:
      // One clock read serves all of this drain; it is later than any of the calls.
      if (drain_ms_ == 0) drain_ms_ = NowMs();
      // JS reads from the entry what the deadline has become.
      entry[kOp] = OP_TIMER_START;
      SetEntryDouble(entry, drain_ms_ + EntryDouble(entry));
      StartTimer(entry);
      return;
    case OP_TIMER_CANCEL:
      wheel_.Cancel(index, generation);
      return;
    case OP_NOP:
      return;
    default:
      break;
  }
  Socket* socket = Find(index, generation);
  // Closed meanwhile: JS was or will be told by the completion that closed it.
  if (socket == nullptr) return;
  switch (entry[kOp]) {
    case OP_SEND:
    case OP_DATAGRAM_SEND:
      // Neither means anything to a socket of the other kind.
      if ((entry[kOp] == OP_DATAGRAM_SEND) != (socket->role == SocketRole::kDatagram)) return;
      QueueSend(socket, entry, position);
      return;
    case OP_RECEIVE_START:
      socket->is_manual = entry[kA] != 0;
      StartInput(socket);
      return;
    case OP_ACCEPT_START:
      StartInput(socket);
      return;
    case OP_RECEIVE_STOP:
    case OP_ACCEPT_STOP:
      socket->wants_input = false;
      return;
    case OP_SHUTDOWN:
      if (socket->is_dirty) SendQueued(socket);
      socket->wants_shutdown = true;
      FinishSending(socket);
      return;
    case OP_CLOSE:
      if (socket->is_dirty) SendQueued(socket);
      socket->wants_input = false;
      socket->wants_close = true;
      if (entry[kA] != 0) return Release(socket, false);
      FinishSending(socket);
      return;
    case OP_RESET:
      Release(socket, true);
      return;
    default:
      return;
  }
}

void Engine::StartTimer(const uint32_t* entry) {
  if (entry[kIndex] >= kTimerLimit) return;
  wheel_.Start(entry[kIndex], entry[kGeneration], EntryDouble(entry));
}

// Sends

int32_t Engine::ReceiveFrom(Socket* socket, uint8_t* into, size_t capacity) {
  if (!socket->is_pipe && socket->peer.family != kUnixFamily)
    return SocketReceive(socket->fd, into, capacity);
  if (!socket->is_pipe) return SocketReceiveUnix(socket->fd, into, capacity, &socket->has_rest);
  if (!socket->is_write_end) return PipeReceive(socket->fd, into, capacity);
  return socket->is_hung_up ? 0 : -EAGAIN;
}

int32_t Engine::SendTo(const Socket* socket, const Piece* pieces, uint32_t count) {
  if (socket->is_pipe) return PipeSendPieces(socket->fd, pieces, count);
  return count == 1 ? SocketSend(socket->fd, pieces[0].data, pieces[0].size)
                    : SocketSendPieces(socket->fd, pieces, count);
}

void Engine::QueueSend(Socket* socket, uint32_t* entry, uint32_t position) {
  if (socket->has_failed || socket->wants_close) return;
  if (entry[kA] > kSendSlabBytes || entry[kB] > kSendSlabBytes - entry[kA]) {
    return FailSend(socket, -EFAULT);
  }
  entry[kLink] = kEndOfLinks;
  if (socket->is_dirty) {
    submissions_.At(socket->last_send)[kLink] = position;
  } else {
    socket->is_dirty = true;
    socket->first_send = position;
    dirty_.push_back(Token(socket));
  }
  socket->last_send = position;
}

// Merges the socket's sends of this drain into as few system calls as possible.
void Engine::SendQueued(Socket* socket) {
  socket->is_dirty = false;
  if (socket->role == SocketRole::kDatagram) return SendQueuedDatagrams(socket);
  Piece pieces[kMaxPieces];
  uint32_t count = 0;
  for (uint32_t position = socket->first_send; position != kEndOfLinks;) {
    const uint32_t* entry = submissions_.At(position);
    const uint8_t* data = memory_.send_slab + entry[kA];
    if (count > 0 && pieces[count - 1].data + pieces[count - 1].size == data) {
      pieces[count - 1].size += entry[kB];
    } else {
      if (count == kMaxPieces) {
        SendPieces(socket, pieces, count);
        count = 0;
      }
      pieces[count++] = {data, entry[kB]};
    }
    position = entry[kLink];
  }
  SendPieces(socket, pieces, count);
}

void Engine::SendPieces(Socket* socket, const Piece* pieces, uint32_t count) {
  if (socket->has_failed) return;
  if (socket->backlog_used > 0) {
    KeepUnsent(socket, pieces, count, 0);
    if (socket->has_failed) return;
    Report(socket, static_cast<int32_t>(socket->backlog_used - socket->backlog_sent));
    return;
  }
  size_t total = 0;
  for (uint32_t i = 0; i < count; i++) total += pieces[i].size;
  int32_t sent = SendTo(socket, pieces, count);
  if (sent == static_cast<int32_t>(total)) return;
  if (sent < 0) {
    if (sent != -EAGAIN) return FailSend(socket, sent);
    sent = 0;
  }
  KeepUnsent(socket, pieces, count, static_cast<size_t>(sent));
  if (socket->has_failed) return;
  poller_->Arm(socket->fd, Token(socket), READY_WRITE);
  Report(socket, static_cast<int32_t>(socket->backlog_used - socket->backlog_sent));
}

// The send slab is reused after the drain, so what the kernel did not take is copied.
void Engine::KeepUnsent(Socket* socket, const Piece* pieces, uint32_t count, size_t sent) {
  for (uint32_t i = 0; i < count; i++) {
    if (sent >= pieces[i].size) {
      sent -= pieces[i].size;
      continue;
    }
    const size_t size = pieces[i].size - sent;
    const size_t needed = socket->backlog_used + size;
    if (needed > kBacklogLimit) return FailSend(socket, -ENOBUFS);
    if (needed > socket->backlog_capacity) {
      const size_t capacity =
          needed > 2U * socket->backlog_capacity ? needed : 2U * socket->backlog_capacity;
      auto* grown = static_cast<uint8_t*>(realloc(socket->backlog, capacity));
      if (grown == nullptr) return FailSend(socket, -ENOMEM);
      socket->backlog = grown;
      socket->backlog_capacity = static_cast<uint32_t>(capacity);
    }
    memcpy(socket->backlog + socket->backlog_used, pieces[i].data + sent, size);
    socket->backlog_used += static_cast<uint32_t>(size);
    sent = 0;
  }
}

void Engine::SendBacklog(Socket* socket) {
  const Piece rest = {socket->backlog + socket->backlog_sent,
                      socket->backlog_used - socket->backlog_sent};
  const int32_t sent = SendTo(socket, &rest, 1);
  if (sent < 0 && sent != -EAGAIN) return FailSend(socket, sent);
  if (sent > 0) socket->backlog_sent += static_cast<uint32_t>(sent);
  if (socket->backlog_sent < socket->backlog_used) {
    poller_->Arm(socket->fd, Token(socket), READY_WRITE);
    if (sent > 0) Report(socket, static_cast<int32_t>(socket->backlog_used - socket->backlog_sent));
    return;
  }
  free(socket->backlog);
  socket->backlog = nullptr;
  socket->backlog_used = socket->backlog_sent = socket->backlog_capacity = 0;
  Report(socket, 0);
  FinishSending(socket);
}

void Engine::FailSend(Socket* socket, int32_t error) {
  socket->has_failed = true;
  free(socket->backlog);
  socket->backlog = nullptr;
  socket->backlog_used = socket->backlog_sent = socket->backlog_capacity = 0;
  Report(socket, error);
  FinishSending(socket);
}

void Engine::FinishSending(Socket* socket) {
  if (socket->backlog_used > 0) return;
  if (socket->wants_close) return Release(socket, false);
  if (!socket->wants_shutdown || socket->has_failed) return;
  socket->wants_shutdown = false;
  const int32_t status = SocketShutdown(socket->fd);
  // ENOTCONN: the peer has reset the connection, which the receive reports.
  if (status < 0 && status != -ENOTCONN) FailSend(socket, status);
}

int32_t Engine::SendNow(uint32_t index, uint32_t generation, const uint8_t* data, size_t size) {
  Drain();
  Socket* socket = Find(index, generation);
  if (socket == nullptr) return -EBADF;
  if (socket->has_failed || socket->role == SocketRole::kDatagram) return 0;
  int32_t sent = 0;
  if (socket->backlog_used == 0) {
    const Piece piece = {data, size};
    sent = SendTo(socket, &piece, 1);
    if (sent == static_cast<int32_t>(size)) return sent;
    if (sent < 0 && sent != -EAGAIN) {
      FailSend(socket, sent);
      return 0;
    }
    if (sent < 0) sent = 0;
    poller_->Arm(socket->fd, Token(socket), READY_WRITE);
  }
  socket->wants_writable = true;
  return sent;
}

int32_t Engine::SendFile(uint32_t index, uint32_t generation, int file, uint64_t offset,
                         size_t count) {
  Drain();
  Socket* socket = Find(index, generation);
  if (socket == nullptr) return -EBADF;
  if (socket->has_failed) return -EPIPE;
  if (socket->backlog_used == 0) {
    const int32_t sent = SocketSendFile(socket->fd, file, offset, count);
    if (sent != -EAGAIN) return sent;
    poller_->Arm(socket->fd, Token(socket), READY_WRITE);
  }
  socket->wants_writable = true;
  return -EAGAIN;
}

int32_t Engine::Backlog(uint32_t index, uint32_t generation) {
  Drain();
  const Socket* socket = Find(index, generation);
  if (socket == nullptr) return -EBADF;
  return static_cast<int32_t>(socket->backlog_used - socket->backlog_sent);
}

// Input

void Engine::StartInput(Socket* socket) {
  if (socket->wants_input) return;
  socket->wants_input = true;
  // A listener retries at once: the shortage that stopped it left connections waiting.
  if (socket->is_readable) {
    Activate(socket);
  } else {
    poller_->Arm(socket->fd, Token(socket), READY_READ);
  }
}

void Engine::Activate(Socket* socket) {
  if (socket->is_active) return;
  socket->is_active = true;
  active_.Push(Token(socket));
}

void Engine::WaitForInput(Socket* socket) {
  socket->is_readable = false;
  socket->is_hung_up = false;
  socket->has_rest = socket->is_pipe;
  poller_->Arm(socket->fd, Token(socket), READY_READ);
}

void Engine::Poll(uint32_t max_events) {
  if (!expired_.empty() && !HasCompletions()) {
    for (const uint32_t index : expired_) sockets_.Free(index);
    expired_.clear();
  }
  Event events[kMaxEvents];
  const int32_t count = poller_->Wait(events, max_events < kMaxEvents ? max_events : kMaxEvents, 0);
  memory_.control[CTL_POLLS]++;
  if (count > 0) {
    memory_.control[CTL_EVENTS] += static_cast<uint32_t>(count);
    for (int32_t i = 0; i < count; i++) HandleEvent(events[i]);
  }
  if (is_waker_detached_ && waker_.IsPending()) TakeNotification();
  if (!active_.empty()) PerformInput();
  if (!failures_.empty()) DeliverFailures();
  if (!reports_.empty() || notify_pending_) DeliverReports();
  if (!closed_.empty()) DeliverClosed();
}

int Engine::DetachWaker() {
  poller_->Remove(waker_.Descriptor());
  waker_.BeLevelTriggered();
  is_waker_detached_ = true;
  return waker_.Descriptor();
}

void Engine::TakeNotification() {
  waker_.Drain();
  memory_.control[CTL_NOTIFIED]++;
  notify_pending_ = !completions_.Push(CQ_NOTIFY, 0, 0, 0);
}

void Engine::HandleEvent(const Event& event) {
  if (event.token == kWakerToken) {
    // An eventfd is always writable, which is no news.
    if ((event.ready & READY_READ) == 0) return;
    TakeNotification();
    poller_->Arm(waker_.Descriptor(), kWakerToken, READY_READ);
    return;
  }
  if (Watches::IsToken(event.token)) return HandleWatched(event);
  Socket* socket = Find(event.token);
  // The slot was closed after the kernel queued the event.
  if (socket == nullptr) return;
  if ((event.ready & (READY_READ | READY_HANGUP)) != 0) {
    socket->is_readable = true;
    if ((event.ready & READY_HANGUP) != 0) socket->is_hung_up = socket->has_rest = true;
    if (socket->wants_input) Activate(socket);
  }
  if ((event.ready & (READY_WRITE | READY_HANGUP)) != 0) HandleWritable(socket);
}

// Told in every poll until it is not ready any more; without room, the next one tells it.
void Engine::HandleWatched(const Event& event) {
  const uint32_t ready = watches_.Ready(event);
  if (ready == 0) return;
  completions_.Push(CQ_READY, static_cast<uint32_t>(Watches::DescriptorOf(event.token)),
                    TokenGeneration(event.token), static_cast<int32_t>(ready));
}

void Engine::HandleWritable(Socket* socket) {
  if (socket->role == SocketRole::kConnecting) return FinishConnect(socket);
  if (socket->backlog_used > 0) {
    if (socket->role == SocketRole::kDatagram)
      SendUnsentDatagrams(socket);
    else
      SendBacklog(socket);
  } else if (socket->wants_writable && !socket->has_failed) {
    socket->wants_writable = false;
    Report(socket, 0);
  }
}

// One receive or batch of accepts for each socket with input, so that none starves the others.
// Those that there was no room for come first the next time.
void Engine::PerformInput() {
  for (size_t left = active_.size(); left > 0; left--) {
    Socket* socket = Find(active_.front());
    if (socket != nullptr && socket->wants_input && socket->is_readable) {
      const bool has_room = socket->role == SocketRole::kListener   ? Accept(socket)
                            : socket->role == SocketRole::kDatagram ? ReceiveDatagrams(socket)
                            : socket->is_manual                     ? TellReadable(socket)
                                                                    : Receive(socket);
      if (!has_room) return;
    }
    active_.Pop();
    if (socket == nullptr) continue;
    socket->is_active = false;
    if (socket->wants_input && socket->is_readable) Activate(socket);
  }
}

// False: no completion entry left in this turn.
bool Engine::TellReadable(Socket* socket) {
  if (!completions_.Push(CQ_READABLE, socket->index, socket->generation, 0)) return false;
  socket->wants_input = false;
  return true;
}

int32_t Engine::ReceiveInto(uint32_t index, uint32_t generation, uint8_t* into, size_t capacity) {
  Socket* socket = Find(index, generation);
  if (socket == nullptr) return -EBADF;
  int32_t received = ReceiveFrom(socket, into, capacity);
  // As in Receive(): what looks like the end is the rest of an error that a send took.
  if (received == 0 && socket->has_failed) received = -EAGAIN;
  const bool is_short = received > 0 && static_cast<size_t>(received) < capacity;
  if (received == -EAGAIN || (is_short && !socket->has_rest)) WaitForInput(socket);
  return received;
}

// False: no memory or no completion entry left in this turn.
bool Engine::Receive(Socket* socket) {
  if (completions_.Free() == 0) return false;
  uint32_t slot;
  uint8_t* into;
  uint32_t available;
  if (!slabs_.Reserve(socket->receive_size, kReceiveMinimumBytes, &slot, &into, &available))
    return false;
  const uint32_t asked = available < socket->receive_size ? available : socket->receive_size;
  const int32_t received = ReceiveFrom(socket, into, asked);
  if (received > 0) {
    const uint32_t size = static_cast<uint32_t>(received);
    const uint32_t offset = slabs_.Used(slot);
    slabs_.Commit(slot, size);
    completions_.Push(CQ_RECEIVE, socket->index, socket->generation, received, slot, offset);
    if (size == asked) {
      const uint32_t grown = socket->receive_size * kReceiveGrowth;
      socket->receive_size = grown < kLargeReceive ? grown : kLargeReceive;
    } else {
      if (size < kSmallReceive) socket->receive_size = kSmallReceive;
      if (!socket->has_rest) WaitForInput(socket);
    }
    return true;
  }
  if (received == -EAGAIN) {
    WaitForInput(socket);
    return true;
  }
  socket->wants_input = false;
  socket->is_readable = false;
  // The kernel tells an error once. When a send took it, what looks like the end is the rest of it.
  if (received == 0 && socket->has_failed) return true;
  completions_.Push(CQ_RECEIVE, socket->index, socket->generation, received);
  return true;
}

// False: no completion entry left in this turn.
bool Engine::Accept(Socket* listener) {
  for (uint32_t i = 0; i < kAcceptBatch; i++) {
    if (completions_.Free() == 0) return false;
    InternetAddress peer;
    const int32_t fd = SocketAccept(listener->fd, &peer);
    if (fd == -EAGAIN) {
      WaitForInput(listener);
      return true;
    }
    // The peer gave up while it was queued, or the network failed before it was accepted
    // (accept(2)).
    if (fd < 0 && !IsShortage(fd) && fd != -EBADF && fd != -EINVAL) continue;
    Socket* socket;
    const int32_t status = fd < 0 ? fd : Adopt(fd, SocketRole::kStream, peer, &socket);
    if (status < 0) {
      if (fd >= 0) SocketClose(fd, true);
      // JS decides when to try again; the connections stay in the backlog meanwhile.
      listener->wants_input = false;
      completions_.Push(CQ_ACCEPT, listener->index, listener->generation, status);
      return true;
    }
    completions_.Push(CQ_ACCEPT, listener->index, listener->generation,
                      static_cast<int32_t>(socket->index), socket->generation);
  }
  return true;
}

void Engine::FinishConnect(Socket* socket) {
  const int32_t status = SocketConnectResult(socket->fd);
  if (status == -EINPROGRESS) {
    poller_->Arm(socket->fd, Token(socket), READY_WRITE);
    return;
  }
  if (status == 0) socket->role = SocketRole::kStream;
  Report(socket, status);
}

// Completions

void Engine::Report(Socket* socket, int32_t result) {
  // A connecting socket has sent nothing yet, so the role tells which completion it is.
  socket->report = result;
  if (socket->has_report) return;
  socket->has_report = true;
  reports_.Push(Token(socket));
}

void Engine::DeliverReports() {
  for (; !reports_.empty(); reports_.Pop()) {
    Socket* socket = Find(reports_.front());
    if (socket == nullptr) continue;
    const uint32_t kind = socket->is_connected ? CQ_SEND : CQ_CONNECT;
    if (!completions_.Push(kind, socket->index, socket->generation, socket->report)) break;
    socket->has_report = false;
    if (socket->role == SocketRole::kStream) socket->is_connected = true;
  }
  if (notify_pending_) notify_pending_ = !completions_.Push(CQ_NOTIFY, 0, 0, 0);
}

void Engine::Expire(double now_ms) {
  WriteDouble(memory_.control, CTL_F64_NOW, now_ms);
  if (wheel_.size() == 0) return;
  const uint32_t pending = completions_.Pending();
  const uint32_t limit = pending < kExpireBatch ? kExpireBatch - pending : 0;
  wheel_.Expire(now_ms, limit, [this](uint32_t index, uint32_t generation) {
    completions_.Push(CQ_TIMER, index, generation, 0);
  });
  memory_.control[CTL_TIMERS] = wheel_.size();
}

bool Engine::HasCompletions() const {
  return memory_.control[CTL_COMPLETION_HEAD] != memory_.control[CTL_COMPLETION_TAIL];
}

bool Engine::HasWork() const {
  return HasCompletions() || submissions_.Pending() > 0 || !active_.empty() || !reports_.empty() ||
         !failures_.empty() || !closed_.empty() || notify_pending_ ||
         memory_.control[CTL_READY] != 0;
}

}  // namespace evloop
