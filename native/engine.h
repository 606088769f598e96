// native/engine.h - one loop's sockets, timers and wake-ups as completions; no JS types, no libuv.
//
// JS submits by writing ring entries; Drain() carries them out. Poll() asks the poller what became
// ready and performs receives, accepts and connects; Expire() collects timers. What happened is
// written into the completion ring, which JS reads in its turn.
//
// Readiness is remembered per socket: a receive is tried only when the poller said so, and the
// socket stays ready until a call came back short or with EAGAIN. That is what lets the poller be
// edge-triggered, with no system call to change interest (see sys/poller.h).
//
// All calls come from the loop's thread, except Notify().
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "abi.h"
#include "datagrams.h"
#include "fifo.h"
#include "ring.h"
#include "slab.h"
#include "slots.h"
#include "sys/poller.h"
#include "sys/socket.h"
#include "sys/waker.h"
#include "watches.h"
#include "wheel.h"

namespace evloop {

enum class SocketRole : uint8_t { kStream, kConnecting, kListener, kDatagram };

struct Socket {
  uint32_t index = 0;  // Belongs to Slots, as does the generation.
  uint32_t generation = 0;
  int32_t fd = -1;
  SocketRole role = SocketRole::kStream;
  bool is_connected = false;    // The outcome of the connect was delivered; accepted ones start so.
  bool is_readable = false;     // The last event or full read says a receive or accept may succeed.
  bool is_hung_up = false;      // End or error is pending.
  bool has_rest = false;        // A short read is no proof that nothing is left (epoll(7)).
  bool wants_input = false;     // JS wants bytes, or connections on a listener.
  bool is_manual = false;       // JS receives by itself, into memory of its own.
  bool is_active = false;       // Queued for input to be performed.
  bool is_dirty = false;        // Has sends in the part of the ring that is being drained.
  bool wants_shutdown = false;  // FIN follows the backlog.
  bool wants_close = false;     // The descriptor is closed after the backlog.
  bool wants_writable = false;  // JS holds bytes and waits for room.
  bool has_failed = false;      // A send failed and was reported; later ones are dropped.
  bool has_report = false;      // `report` waits to be delivered.
  bool is_pipe = false;         // Read and written by the calls of files.
  bool is_write_end = false;    // Of a pipe: its end is that nobody reads any more.
  int32_t report = 0;  // Result of the next CQ_SEND or CQ_CONNECT; of CQ_CLOSED if it comes first.
  uint32_t receive_size = 0;  // Bytes asked for at the next receive; adapts to what arrives.
  uint32_t first_send = 0;    // Ring positions of this drain's sends, linked through the entries.
  uint32_t last_send = 0;
  uint32_t backlog_used = 0;  // The kernel did not take backlog[backlog_sent, backlog_used) yet.
  uint32_t backlog_sent = 0;
  uint32_t backlog_capacity = 0;
  uint8_t* backlog = nullptr;  // malloc'd, owned.
  InternetAddress peer;
};

// One for each connection: what is rare is kept elsewhere.
static_assert(sizeof(Socket) <= 88, "a socket must not grow");

struct EngineMemory {
  uint32_t* control;
  uint32_t* submissions;
  uint32_t* completions;
  uint8_t* send_slab;
};

class Engine {
 public:
  Engine() = default;
  ~Engine() { Close(); }
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  int32_t Open(PollerKind kind, const EngineMemory& memory);
  // Closes every descriptor. Idempotent; pending submissions are dropped.
  void Close();

  // Carries out everything JS submitted; the send slab is free afterwards. What cannot be meant is
  // not carried out: a ring whose ends do not fit is emptied, bytes outside of the send slab fail
  // their socket with EFAULT, and unknown operations, sockets and timers are passed over.
  void Drain();
  // Looks for readiness without blocking, takes up to `max_events` of it, and performs the input
  // that is possible.
  void Poll(uint32_t max_events);
  // Completes the timers that are due at `now_ms`, which becomes the turn's time.
  void Expire(double now_ms);
  bool HasCompletions() const;
  // Whether another turn has something to do without waiting for an event.
  bool HasWork() const;
  // Whether something of this loop keeps the process alive: what JS counts, and whatever the next
  // turn will find without waiting.
  bool IsReferenced() const {
    return memory_.control[CTL_IS_UNREFERENCED] == 0 &&
           (memory_.control[CTL_REFERENCES] > 0 || HasWork());
  }
  double NextTimerMs() const { return wheel_.NextDeadline(); }
  Poller* poller() { return poller_.get(); }
  uint32_t* control() { return memory_.control; }
  ReceiveSlabs* receive_slabs() { return &slabs_; }

  // Each answers the new slot's index, with its generation in CTL_RESULT_GENERATION, or -errno.
  int32_t Listen(const AddressText& at, const SocketOptions& options, int backlog);
  // Takes over a descriptor that listens already; it stays the caller's when that fails.
  int32_t AdoptListener(int fd, const SocketOptions& options);
  int32_t Connect(const AddressText& to, const AddressText& from, const SocketOptions& options);
  // Takes a descriptor of somebody else over, see Adoption; it stays theirs when this fails.
  int32_t AdoptForeign(int fd, uint32_t adoption);
  // Sends by reference, after everything submitted before. Answers the bytes taken (0 = wait for
  // CQ_SEND), or -errno. Native keeps no pointer into `data`.
  int32_t SendNow(uint32_t index, uint32_t generation, const uint8_t* data, size_t size);
  // Receives into memory of the caller. Answers bytes, 0 = end, -EAGAIN, or -errno.
  int32_t ReceiveInto(uint32_t index, uint32_t generation, uint8_t* into, size_t capacity);
  // Sends up to `count` bytes of a file from `offset`, after everything submitted before. Answers
  // the bytes taken, 0 at the end of the file, or -errno; after -EAGAIN a CQ_SEND says when to go
  // on.
  int32_t SendFile(uint32_t index, uint32_t generation, int file, uint64_t offset, size_t count);
  // Opens a datagram socket, see DatagramOpen(). OP_DATAGRAM_SEND sends records; CQ_DATAGRAMS tells
  // of those received, CQ_DATAGRAM_ERROR of what went wrong with either.
  int32_t OpenDatagram(const InternetAddress& local, const InternetAddress& remote, uint32_t flags);
  int32_t SetDatagramOption(uint32_t index, uint32_t generation, uint32_t option, uint32_t value);
  int32_t SetMembership(uint32_t index, uint32_t generation, const InternetAddress& group,
                        uint32_t interface, bool joins);
  // Sends what was submitted; answers the bytes of the socket that the kernel did not take, or
  // -EBADF.
  int32_t Backlog(uint32_t index, uint32_t generation);
  // The address of the other end, also after the descriptor was closed, until the slot is freed.
  // 0 or -errno.
  int32_t FormatPeer(uint32_t index, uint32_t generation, AddressText* address);
  // Watches a descriptor that belongs to somebody else, see Watches::Set(); CQ_READY tells of each
  // poll that finds it ready. The generation is in CTL_RESULT_GENERATION.
  int32_t Watch(int fd, uint32_t interest);
  // The descriptor behind a slot, or -EBADF.
  int32_t Descriptor(uint32_t index, uint32_t generation);

  // Any thread, until Close().
  void Notify() { waker_.Notify(); }
  // The poller tells of notifications no longer: whoever watches the descriptor that this answers,
  // level by level, calls TakeNotification() when it is readable. Poll() looks for them by itself.
  int DetachWaker();
  void TakeNotification();

 private:
  int32_t Adopt(int fd, SocketRole role, const InternetAddress& peer, Socket** adopted);
  void Release(Socket* socket, bool reset);
  void DeliverClosed();

  void Perform(uint32_t position);
  void StartTimer(const uint32_t* entry);
  void QueueSend(Socket* socket, uint32_t* entry, uint32_t position);
  void SendQueued(Socket* socket);
  static int32_t ReceiveFrom(Socket* socket, uint8_t* into, size_t capacity);
  static int32_t SendTo(const Socket* socket, const Piece* pieces, uint32_t count);
  void SendPieces(Socket* socket, const Piece* pieces, uint32_t count);
  void KeepUnsent(Socket* socket, const Piece* pieces, uint32_t count, size_t sent);
  void SendBacklog(Socket* socket);
  void FailSend(Socket* socket, int32_t error);
  // Shuts down or closes a socket whose backlog is out.
  void FinishSending(Socket* socket);

  void StartInput(Socket* socket);
  void Activate(Socket* socket);
  void HandleEvent(const Event& event);
  void HandleWatched(const Event& event);
  void HandleWritable(Socket* socket);
  void PerformInput();
  bool Receive(Socket* socket);
  bool TellReadable(Socket* socket);
  // datagrams.cc
  const Socket* FindDatagram(uint32_t index, uint32_t generation);
  void SendQueuedDatagrams(Socket* socket);
  void SendRecords(Socket* socket, const uint8_t* at, const uint8_t* end);
  const uint8_t* TrySend(Socket* socket, const uint8_t* at, const uint8_t* end);
  void KeepRecords(Socket* socket, const uint8_t* at, const uint8_t* end);
  void SendUnsentDatagrams(Socket* socket);
  void FailDatagram(const Socket* socket, int32_t error);
  void DeliverFailures();
  bool ReceiveDatagrams(Socket* socket);
  static void PackDatagram(DatagramState* state, const IncomingDatagram& incoming);
  bool DeliverDatagrams(Socket* socket, DatagramState* state);
  bool Accept(Socket* listener);
  void FinishConnect(Socket* socket);
  void WaitForInput(Socket* socket);

  // Completes a send or connect; keeps the result on the socket when the ring is full.
  void Report(Socket* socket, int32_t result);
  void DeliverReports();
  static uint64_t Token(const Socket* socket) {
    return MakeToken(socket->index, socket->generation);
  }
  // Null for a socket that is closed.
  Socket* Find(uint64_t token) { return Find(TokenIndex(token), TokenGeneration(token)); }
  Socket* Find(uint32_t index, uint32_t generation) {
    Socket* socket = sockets_.Get(index, generation);
    return socket != nullptr && socket->fd >= 0 ? socket : nullptr;
  }

  // Destruction order does not matter: Close() has undone everything.
  EngineMemory memory_ = {};
  SubmissionQueue submissions_;
  CompletionQueue completions_;
  ReceiveSlabs slabs_;
  Slots<Socket> sockets_;
  Wheel wheel_;
  Waker waker_;
  std::unique_ptr<Poller> poller_;
  Watches watches_;
  Datagrams datagrams_;
  Fifo<Datagrams::Failure> failures_;  // Errors of datagram sockets that wait to be delivered.
  // Tokens, not pointers: one whose socket was closed meanwhile is dropped when it is looked up.
  Fifo<uint64_t> active_;        // Sockets whose input can be performed.
  std::vector<uint64_t> dirty_;  // Sockets with sends in the part of the ring being drained.
  Fifo<uint64_t> reports_;       // Sockets whose result waits to be delivered.
  // A slot is used again only after JS has seen CQ_CLOSED, so that JS can name it until then.
  Fifo<uint32_t> closed_;          // Slots whose CQ_CLOSED waits to be delivered.
  std::vector<uint32_t> expired_;  // Slots whose CQ_CLOSED is in the completion ring.
  uint32_t open_sockets_ = 0;
  double drain_ms_ = 0;  // The time of this drain; 0 until somebody wants to know.
  bool is_waker_detached_ = false;
  bool notify_pending_ = false;  // CQ_NOTIFY waits for room in the completion ring.
};

}  // namespace evloop
