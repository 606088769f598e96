// native/abi.h - the one description of the memory that JS and C++ share.
//
// Both sides run on the same thread, so plain loads and stores suffice. JS allocates every buffer;
// native keeps the address until Close(). scripts/gen-abi.mjs turns this file into
// src/native/abi.ts, so the enums below must stay plain `NAME = number` lines, one per line.
#pragma once

#include <cstdint>

namespace evloop {

constexpr uint32_t kAbiVersion = 1;

// Ring sizes are powers of two; head and tail run freely and are masked on use.
constexpr uint32_t kSubmissionCapacity = 4096;
constexpr uint32_t kCompletionCapacity = 4096;
// One entry of either ring is eight 32-bit words.
constexpr uint32_t kEntryWords = 8;
constexpr uint32_t kControlWords = 64;
// Small writes of one turn are gathered here; native empties it at every flush.
constexpr uint32_t kSendSlabBytes = 262144;
// Received bytes land in slabs by bump allocation; a slab that is used up is replaced by JS.
constexpr uint32_t kReceiveSlabBytes = 65536;
constexpr uint32_t kReceiveSlabCount = 8;
// From this slot on slabs are large: they serve peers that send in bulk.
constexpr uint32_t kReceiveLargeSlot = 4;
constexpr uint32_t kReceiveLargeSlabBytes = 262144;
// In front of each datagram: address (16 bytes, scope, port and family), size, segment.
constexpr uint32_t kDatagramHeaderBytes = 32;

// Words of the control block (Uint32). Who writes is said behind each name.
enum ControlWord : uint32_t {
  CTL_ABI_VERSION = 0,          // native, once: JS refuses another version.
  CTL_SUBMISSION_HEAD = 1,      // native: entries below it are consumed.
  CTL_SUBMISSION_TAIL = 2,      // JS: entries below it are valid.
  CTL_COMPLETION_HEAD = 3,      // JS
  CTL_COMPLETION_TAIL = 4,      // native
  CTL_IN_HOST = 5,              // native: 1 while the host runs turns; submissions need no wake.
  CTL_WAKE_REQUESTED = 6,       // JS sets it with wake(); native clears it when it starts a turn.
  CTL_READY = 7,                // JS: 1 while handles are ready, so another turn is wanted.
  CTL_REFERENCES = 8,           // JS: things that keep the process alive, besides ready handles.
  CTL_SEND_USED = 9,            // JS adds, native resets to 0: bytes used in the send slab.
  CTL_SLAB_CONSUMED_MASK = 10,  // native sets bits, JS clears them: receive slabs to replace.
  CTL_SLAB_STARVED = 11,        // native counts: receives put off for want of a slab.
  CTL_COMPLETION_FULL = 12,     // native counts: work put off because the completion ring was full.
  CTL_POLLS = 13,               // native counts: poller calls.
  CTL_EVENTS = 14,              // native counts: readiness events seen.
  CTL_WAKEUPS = 15,             // native counts: times the host woke us.
  CTL_TURNS = 16,               // native counts: turns run.
  CTL_TIMERS = 17,              // native: timers in the wheel.
  CTL_SOCKETS = 18,             // native: slots in use.
  CTL_RESULT_GENERATION = 19,   // native: generation of the slot a call just returned.
  CTL_NOTIFIED = 20,            // native counts: notify() calls seen by the poller.
  CTL_DRAINS = 21,              // native counts: extra callback scopes opened inside turns.
  CTL_IS_UNREFERENCED = 23,     // JS: 1 when nothing of this loop may keep the process alive.
  CTL_TURN_RESULT = 22,         // JS: what the last turn() answered (TurnResult).
  // Words 32.. are doubles (index 16.. of the Float64 view).
  CTL_F64_NOW = 16,        // native: monotonic ms at the start of the turn.
  CTL_F64_BUSY_MS = 17,    // native: total time spent in turns, ms.
  CTL_F64_BUDGET_MS = 18,  // JS: how long one stay may last before Node's own work runs.
};

// Submission entry: [op, index, generation, a, b, link, f64 (words 6-7)].
// `link` belongs to native while it drains the ring.
enum Op : uint32_t {
  OP_NOP = 0,            // a submission withdrawn before it was drained.
  OP_TIMER_START = 1,    // index, generation: of JS's timer table; f64: deadline ms.
  OP_TIMER_CANCEL = 2,   // index, generation.
  OP_SEND = 3,           // socket; a: offset in the send slab, b: length.
  OP_RECEIVE_START = 4,  // socket: deliver bytes until stopped; a = 1: tell that there are some.
  OP_RECEIVE_STOP = 5,   // socket.
  OP_SHUTDOWN = 6,       // socket: FIN once everything sent before it is out.
  OP_CLOSE = 7,          // socket or listener: closes once everything sent before it is out; a = 1:
                         // now, dropping what the kernel has not taken.
  OP_RESET = 8,          // socket: closes with RST, dropping what is unsent.
  OP_ACCEPT_START = 9,   // listener; also retries after a refused accept.
  OP_ACCEPT_STOP = 10,   // listener.
  OP_TIMER_START_IN = 11,  // like OP_TIMER_START; f64: delay ms from when native drains it.
  OP_DATAGRAM_SEND = 14,   // socket; a: offset of records in the send slab, b: their length.
};

// Completion entry: [kind, index, generation, result, a, b, 0, 0]; result < 0 is -errno.
enum Completion : uint32_t {
  CQ_TIMER = 1,      // a timer is due.
  CQ_RECEIVE = 2,    // result: bytes, 0 = end of stream; a: slab, b: offset.
  CQ_SEND = 3,       // result: bytes native still holds (0 = writable again), or -errno.
  CQ_ACCEPT = 4,     // index: listener; result: index of the new socket, a: its generation.
  CQ_CONNECT = 5,    // result: 0 or -errno.
  CQ_NOTIFY = 6,     // another thread called notify().
  CQ_CLOSED = 7,     // the last of a generation; result: 0, or -errno when written bytes were lost.
  CQ_READY = 8,      // index: a watched descriptor; result: 1 = readable, 2 = writable, or both.
  CQ_DATAGRAMS = 9,  // result: bytes of records; a: slab, b: offset.
  CQ_DATAGRAM_ERROR = 10,  // result: -errno; the socket goes on.
  CQ_READABLE = 12,        // a receive may succeed; told once for each OP_RECEIVE_START with a = 1.
};

// Words of a mailbox, in memory that threads share: a header, then the ring of records
// [size, function, payload].
enum MailboxWord : uint32_t {
  MAIL_LOCK = 0,      // producers: 1 while one of them writes.
  MAIL_HEAD = 1,      // consumer: records below it are consumed.
  MAIL_TAIL = 2,      // producers: records below it are valid.
  MAIL_NOTIFIED = 3,  // 1 since somebody woke the loop, until it looks.
  MAIL_CLOSED = 4,    // consumer: 1 once nobody will look any more.
  MAIL_WAITING = 5,   // producers: how many wait for room; more when one was terminated meanwhile.
};
constexpr uint32_t kMailboxHeaderWords = 8;
constexpr uint32_t kMailboxRecordWords = 2;
// The size of a record without payload.
constexpr uint32_t kMailboxNoPayload = 0xffffffff;

// What became of a post.
enum PostResult : uint32_t {
  POST_DONE = 0,    // it is in the mailbox, and the loop is or will be awake.
  POST_FULL = 1,    // no room until the consumer's head moves.
  POST_CLOSED = 2,  // the loop is closed, or its thread gone.
};

// What turn() leaves in CTL_TURN_RESULT.
enum TurnResult : uint32_t {
  TURN_DONE = 0,   // the batch ran to its end.
  TURN_DRAIN = 1,  // drain nextTick and microtasks, then call turn() again.
  TURN_YIELD = 2,  // over budget: flush, let Node run, continue the batch afterwards.
};

}  // namespace evloop
