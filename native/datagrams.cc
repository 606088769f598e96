// What the engine does for datagram sockets: see datagrams.h.
#include "datagrams.h"

#include <cerrno>

#include "engine.h"

namespace evloop {

namespace {

// As many bytes as may wait for one socket; JS is told to stop long before.
constexpr size_t kUnsentLimit = 1U << 28;
// Ends the chain of one socket's sends.
constexpr uint32_t kEndOfLinks = UINT32_MAX;

uint32_t CostOf(uint32_t size) { return size + kDatagramCost; }

// The record at `at` of memory that ends at `end`; false when it does not fit.
bool ReadRecord(const uint8_t* at, const uint8_t* end, DatagramHeader* header) {
  const auto left = static_cast<size_t>(end - at);
  if (left < kDatagramHeaderBytes) return false;
  *header = HeaderAt(at);
  return header->size <= kDatagramLargest && RecordBytes(header->size) <= left;
}

// Records gathered for one call.
struct Gathered {
  uint32_t count = 0;
  DatagramHeader headers[kDatagramBatch];
  OutgoingDatagram datagrams[kDatagramBatch];
  const uint8_t* records[kDatagramBatch];

  void Add(const uint8_t* record, const DatagramHeader& header) {
    headers[count] = header;
    records[count] = record;
    const InternetAddress* to = header.address.family == 0 ? nullptr : &headers[count].address;
    datagrams[count] = {record + kDatagramHeaderBytes, header.size, to};
    count++;
  }
};

}  // namespace

int32_t Engine::OpenDatagram(const InternetAddress& local, const InternetAddress& remote,
                             uint32_t flags) {
  const int32_t fd = DatagramOpen(local, remote, flags);
  if (fd < 0) return fd;
  InternetAddress peer;
  memcpy(peer.bytes, remote.bytes, sizeof(peer.bytes));
  peer.port = remote.port;
  peer.family = remote.family;
  Socket* socket;
  const int32_t status = Adopt(fd, SocketRole::kDatagram, peer, &socket);
  if (status < 0) {
    SocketClose(fd, false);
    return status;
  }
  socket->is_connected = true;
  // Where the kernel cannot, they come one by one.
  DatagramCoalesce(fd);
  datagrams_.Add(socket->index)->family = local.family != 0 ? local.family : remote.family;
  return static_cast<int32_t>(socket->index);
}

int32_t Engine::SetDatagramOption(uint32_t index, uint32_t generation, uint32_t option,
                                  uint32_t value) {
  const Socket* socket = FindDatagram(index, generation);
  if (socket == nullptr) return -EBADF;
  const uint8_t family = datagrams_.Get(index)->family;
  switch (option) {
    case DATAGRAM_OPTION_BROADCAST:
      return DatagramSetBroadcast(socket->fd, value != 0);
    case DATAGRAM_OPTION_TTL:
      return DatagramSetTtl(socket->fd, family, static_cast<int>(value));
    case DATAGRAM_OPTION_MULTICAST_TTL:
      return DatagramSetMulticastTtl(socket->fd, family, static_cast<int>(value));
    case DATAGRAM_OPTION_MULTICAST_LOOPBACK:
      return DatagramSetMulticastLoopback(socket->fd, family, value != 0);
    case DATAGRAM_OPTION_MULTICAST_INTERFACE:
      return DatagramSetMulticastInterface(socket->fd, family, value);
    default:
      return -EINVAL;
  }
}

int32_t Engine::SetMembership(uint32_t index, uint32_t generation, const InternetAddress& group,
                              uint32_t interface, bool joins) {
  const Socket* socket = FindDatagram(index, generation);
  if (socket == nullptr) return -EBADF;
  if (group.family != datagrams_.Get(index)->family) return -EAFNOSUPPORT;
  return DatagramSetMembership(socket->fd, group, interface, joins);
}

const Socket* Engine::FindDatagram(uint32_t index, uint32_t generation) {
  const Socket* socket = Find(index, generation);
  return socket != nullptr && socket->role == SocketRole::kDatagram ? socket : nullptr;
}

// Sends

// What this drain has for one socket, in as few calls as possible.
void Engine::SendQueuedDatagrams(Socket* socket) {
  for (uint32_t position = socket->first_send; position != kEndOfLinks;) {
    const uint32_t* entry = submissions_.At(position);
    SendRecords(socket, memory_.send_slab + entry[3], memory_.send_slab + entry[3] + entry[4]);
    position = entry[5];
  }
}

// One after the other has waited: those that come later wait behind it.
void Engine::SendRecords(Socket* socket, const uint8_t* at, const uint8_t* end) {
  if (socket->backlog_used > 0) return KeepRecords(socket, at, end);
  const uint8_t* rest = TrySend(socket, at, end);
  if (rest == end) return;
  KeepRecords(socket, rest, end);
  poller_->Arm(socket->fd, Token(socket), READY_WRITE);
}

// Answers where the kernel would not take any more. Whatever is wrong with one datagram is told,
// and the next one is sent.
const uint8_t* Engine::TrySend(Socket* socket, const uint8_t* at, const uint8_t* end) {
  Gathered gathered;
  while (at != end) {
    const uint8_t* next = at;
    DatagramHeader header;
    gathered.count = 0;
    while (gathered.count < kDatagramBatch && next != end) {
      if (!ReadRecord(next, end, &header)) {
        // No correct JS writes this.
        FailDatagram(socket, -EFAULT);
        end = next;
        break;
      }
      gathered.Add(next, header);
      next += RecordBytes(header.size);
    }
    for (uint32_t done = 0; done < gathered.count;) {
      const int32_t sent =
          DatagramSend(socket->fd, gathered.datagrams + done, gathered.count - done);
      if (sent == -EAGAIN) return gathered.records[done];
      if (sent < 0) FailDatagram(socket, sent);
      done += sent > 0 ? static_cast<uint32_t>(sent) : 1;
    }
    at = next;
  }
  return end;
}

// The send slab is used again after the drain.
void Engine::KeepRecords(Socket* socket, const uint8_t* at, const uint8_t* end) {
  DatagramState* state = datagrams_.Get(socket->index);
  DatagramHeader header;
  while (at != end && ReadRecord(at, end, &header)) {
    const uint32_t size = RecordBytes(header.size);
    if (state->unsent.size() + size > kUnsentLimit) {
      FailDatagram(socket, -ENOBUFS);
    } else {
      state->unsent.insert(state->unsent.end(), at, at + size);
      socket->backlog_used += CostOf(header.size);
    }
    at += size;
  }
  Report(socket, static_cast<int32_t>(socket->backlog_used));
}

void Engine::SendUnsentDatagrams(Socket* socket) {
  DatagramState* state = datagrams_.Get(socket->index);
  const uint8_t* begin = state->unsent.data() + state->unsent_begin;
  const uint8_t* end = state->unsent.data() + state->unsent.size();
  const uint8_t* rest = TrySend(socket, begin, end);
  if (rest != end) {
    for (const uint8_t* at = begin; at != rest;) {
      const DatagramHeader header = HeaderAt(at);
      socket->backlog_used -= CostOf(header.size);
      at += RecordBytes(header.size);
    }
    state->unsent_begin += static_cast<size_t>(rest - begin);
    poller_->Arm(socket->fd, Token(socket), READY_WRITE);
    if (rest != begin) Report(socket, static_cast<int32_t>(socket->backlog_used));
    return;
  }
  state->unsent = std::vector<uint8_t>();
  state->unsent_begin = 0;
  socket->backlog_used = 0;
  Report(socket, 0);
  FinishSending(socket);
}

void Engine::FailDatagram(const Socket* socket, int32_t error) {
  failures_.Push({Token(socket), error});
}

void Engine::DeliverFailures() {
  for (; !failures_.empty(); failures_.Pop()) {
    const Datagrams::Failure& failure = failures_.front();
    if (Find(failure.token) == nullptr) continue;
    if (!completions_.Push(CQ_DATAGRAM_ERROR, TokenIndex(failure.token),
                           TokenGeneration(failure.token), failure.error))
      return;
  }
}

// Input

// False: no memory or no completion entry left in this turn.
bool Engine::ReceiveDatagrams(Socket* socket) {
  DatagramState* state = datagrams_.Get(socket->index);
  if (!state->received.empty() && !DeliverDatagrams(socket, state)) return false;
  IncomingDatagram incoming[Datagrams::kReceiveBatch];
  for (uint32_t i = 0; i < state->batch; i++) {
    incoming[i].data = datagrams_.Landing(i);
    incoming[i].capacity = kDatagramLargest;
  }
  const int32_t count = DatagramReceive(socket->fd, incoming, state->batch);
  if (count == -EAGAIN) {
    WaitForInput(socket);
    return true;
  }
  if (count < 0) {
    // Such as what became of a datagram sent before; it ends nothing.
    FailDatagram(socket, count);
    return true;
  }
  for (int32_t i = 0; i < count; i++) {
    if (incoming[i].is_truncated)
      FailDatagram(socket, -EMSGSIZE);
    else
      PackDatagram(state, incoming[i]);
  }
  if (static_cast<uint32_t>(count) == state->batch) {
    if (state->batch < Datagrams::kReceiveBatch) state->batch *= 2;
  } else if (!socket->has_rest) {
    // Fewer than asked for were all, unless an error is behind them.
    WaitForInput(socket);
  }
  if (state->received.empty() || DeliverDatagrams(socket, state)) return true;
  socket->is_readable = true;
  return false;
}

void Engine::PackDatagram(DatagramState* state, const IncomingDatagram& incoming) {
  const auto size = static_cast<uint32_t>(incoming.size);
  const DatagramHeader header = {incoming.from, size, incoming.segment};
  const auto* bytes = reinterpret_cast<const uint8_t*>(&header);
  state->received.insert(state->received.end(), bytes, bytes + sizeof(header));
  state->received.insert(state->received.end(), incoming.data, incoming.data + size);
  state->received.resize(state->received.size() + RecordBytes(size) - sizeof(header) - size);
}

// Moves what was received into slabs, one completion for each; false when some is left.
bool Engine::DeliverDatagrams(Socket* socket, DatagramState* state) {
  while (state->received_begin < state->received.size()) {
    if (completions_.Free() == 0) return false;
    const uint8_t* begin = state->received.data() + state->received_begin;
    const auto left = static_cast<uint32_t>(state->received.size() - state->received_begin);
    uint32_t slot;
    uint8_t* into;
    uint32_t available;
    if (!slabs_.Reserve(left, RecordBytes(HeaderAt(begin).size), &slot, &into, &available)) {
      // JS supplies more at the end of a turn, which it takes only for a completion.
      if (completions_.Pending() == 0)
        completions_.Push(CQ_DATAGRAMS, socket->index, socket->generation, 0);
      return false;
    }
    uint32_t size = 0;
    while (size < left) {
      const uint32_t next = RecordBytes(HeaderAt(begin + size).size);
      if (next > available - size) break;
      size += next;
    }
    memcpy(into, begin, size);
    const uint32_t offset = slabs_.Used(slot);
    slabs_.Commit(slot, size);
    completions_.Push(CQ_DATAGRAMS, socket->index, socket->generation, static_cast<int32_t>(size),
                      slot, offset);
    state->received_begin += size;
  }
  state->received.clear();
  state->received_begin = 0;
  return true;
}

}  // namespace evloop
