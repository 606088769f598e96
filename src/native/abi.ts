// Generated from native/abi.h by scripts/gen-abi.mjs; edit that file instead.
export const enum abi {
  ABI_VERSION = 1,
  /** Ring sizes are powers of two; head and tail run freely and are masked on use. */
  SUBMISSION_CAPACITY = 4096,
  COMPLETION_CAPACITY = 4096,
  /** One entry of either ring is eight 32-bit words. */
  ENTRY_WORDS = 8,
  CONTROL_WORDS = 64,
  /** Small writes of one turn are gathered here; native empties it at every flush. */
  SEND_SLAB_BYTES = 262144,
  /** Received bytes land in slabs by bump allocation; a slab that is used up is replaced by JS. */
  RECEIVE_SLAB_BYTES = 65536,
  RECEIVE_SLAB_COUNT = 8,
  /** From this slot on slabs are large: they serve peers that send in bulk. */
  RECEIVE_LARGE_SLOT = 4,
  RECEIVE_LARGE_SLAB_BYTES = 262144,
  /** In front of each datagram: address (16 bytes, scope, port and family), size, segment. */
  DATAGRAM_HEADER_BYTES = 32,

  // Words of the control block (Uint32). Who writes is said behind each name.

  /** Native, once: JS refuses another version. */
  CTL_ABI_VERSION = 0,
  /** Native: entries below it are consumed. */
  CTL_SUBMISSION_HEAD = 1,
  /** JS: entries below it are valid. */
  CTL_SUBMISSION_TAIL = 2,
  /** JS */
  CTL_COMPLETION_HEAD = 3,
  /** Native */
  CTL_COMPLETION_TAIL = 4,
  /** Native: 1 while the host runs turns; submissions need no wake. */
  CTL_IN_HOST = 5,
  /** JS sets it with wake(); native clears it when it starts a turn. */
  CTL_WAKE_REQUESTED = 6,
  /** JS: 1 while handles are ready, so another turn is wanted. */
  CTL_READY = 7,
  /** JS: things that keep the process alive, besides ready handles. */
  CTL_REFERENCES = 8,
  /** JS adds, native resets to 0: bytes used in the send slab. */
  CTL_SEND_USED = 9,
  /** Native sets bits, JS clears them: receive slabs to replace. */
  CTL_SLAB_CONSUMED_MASK = 10,
  /** Native counts: receives put off for want of a slab. */
  CTL_SLAB_STARVED = 11,
  /** Native counts: work put off because the completion ring was full. */
  CTL_COMPLETION_FULL = 12,
  /** Native counts: poller calls. */
  CTL_POLLS = 13,
  /** Native counts: readiness events seen. */
  CTL_EVENTS = 14,
  /** Native counts: times the host woke us. */
  CTL_WAKEUPS = 15,
  /** Native counts: turns run. */
  CTL_TURNS = 16,
  /** Native: timers in the wheel. */
  CTL_TIMERS = 17,
  /** Native: slots in use. */
  CTL_SOCKETS = 18,
  /** Native: generation of the slot a call just returned. */
  CTL_RESULT_GENERATION = 19,
  /** Native counts: notify() calls seen by the poller. */
  CTL_NOTIFIED = 20,
  /** Native counts: extra callback scopes opened inside turns. */
  CTL_DRAINS = 21,
  /** JS: 1 when nothing of this loop may keep the process alive. */
  CTL_IS_UNREFERENCED = 23,
  /** JS: what the last turn() answered (TurnResult). */
  CTL_TURN_RESULT = 22,
  /** Words 32.. are doubles (index 16.. of the Float64 view). Native: monotonic ms at the start of the turn. */
  CTL_F64_NOW = 16,
  /** Native: total time spent in turns, ms. */
  CTL_F64_BUSY_MS = 17,
  /** JS: how long one stay may last before Node's own work runs. */
  CTL_F64_BUDGET_MS = 18,

  // Submission entry: [op, index, generation, a, b, link, f64 (words 6-7)].
  // `link` belongs to native while it drains the ring.

  /** A submission withdrawn before it was drained. */
  OP_NOP = 0,
  /** Index, generation: of JS's timer table; f64: deadline ms. */
  OP_TIMER_START = 1,
  /** Index, generation. */
  OP_TIMER_CANCEL = 2,
  /** Socket; a: offset in the send slab, b: length. */
  OP_SEND = 3,
  /** Socket: deliver bytes until stopped; a = 1: tell that there are some. */
  OP_RECEIVE_START = 4,
  /** Socket. */
  OP_RECEIVE_STOP = 5,
  /** Socket: FIN once everything sent before it is out. */
  OP_SHUTDOWN = 6,
  /** Socket or listener: closes once everything sent before it is out; a = 1: */
  OP_CLOSE = 7,
  /** Now, dropping what the kernel has not taken. Socket: closes with RST, dropping what is unsent. */
  OP_RESET = 8,
  /** Listener; also retries after a refused accept. */
  OP_ACCEPT_START = 9,
  /** Listener. */
  OP_ACCEPT_STOP = 10,
  /** Like OP_TIMER_START; f64: delay ms from when native drains it. */
  OP_TIMER_START_IN = 11,
  /** Socket; a: offset of records in the send slab, b: their length. */
  OP_DATAGRAM_SEND = 14,

  // Completion entry: [kind, index, generation, result, a, b, 0, 0]; result < 0 is -errno.

  /** A timer is due. */
  CQ_TIMER = 1,
  /** Result: bytes, 0 = end of stream; a: slab, b: offset. */
  CQ_RECEIVE = 2,
  /** Result: bytes native still holds (0 = writable again), or -errno. */
  CQ_SEND = 3,
  /** Index: listener; result: index of the new socket, a: its generation. */
  CQ_ACCEPT = 4,
  /** Result: 0 or -errno. */
  CQ_CONNECT = 5,
  /** Another thread called notify(). */
  CQ_NOTIFY = 6,
  /** The last of a generation; result: 0, or -errno when written bytes were lost. */
  CQ_CLOSED = 7,
  /** Index: a watched descriptor; result: 1 = readable, 2 = writable, or both. */
  CQ_READY = 8,
  /** Result: bytes of records; a: slab, b: offset. */
  CQ_DATAGRAMS = 9,
  /** Result: -errno; the socket goes on. */
  CQ_DATAGRAM_ERROR = 10,
  /** A receive may succeed; told once for each OP_RECEIVE_START with a = 1. */
  CQ_READABLE = 12,

  // Words of a mailbox, in memory that threads share: a header, then the ring of records
  // [size, function, payload].

  /** Producers: 1 while one of them writes. */
  MAIL_LOCK = 0,
  /** Consumer: records below it are consumed. */
  MAIL_HEAD = 1,
  /** Producers: records below it are valid. */
  MAIL_TAIL = 2,
  /** 1 since somebody woke the loop, until it looks. */
  MAIL_NOTIFIED = 3,
  /** Consumer: 1 once nobody will look any more. */
  MAIL_CLOSED = 4,
  /** Producers: how many wait for room; more when one was terminated meanwhile. */
  MAIL_WAITING = 5,
  MAILBOX_HEADER_WORDS = 8,
  MAILBOX_RECORD_WORDS = 2,
  /** The size of a record without payload. */
  MAILBOX_NO_PAYLOAD = 4294967295,

  // What became of a post.

  /** It is in the mailbox, and the loop is or will be awake. */
  POST_DONE = 0,
  /** No room until the consumer's head moves. */
  POST_FULL = 1,
  /** The loop is closed, or its thread gone. */
  POST_CLOSED = 2,

  // What turn() leaves in CTL_TURN_RESULT.

  /** The batch ran to its end. */
  TURN_DONE = 0,
  /** Drain nextTick and microtasks, then call turn() again. */
  TURN_DRAIN = 1,
  /** Over budget: flush, let Node run, continue the batch afterwards. */
  TURN_YIELD = 2,
}
