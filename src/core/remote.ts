// How worker threads reach a loop: a mailbox in shared memory, and a wake-up.
//
// A post is one record in a ring: [size, function, arguments as v8 serializes them]. Native writes it
// (native/mailbox.h), the loop reads it here. The first post since the loop last looked wakes it, the
// others ride along, so a burst costs one system call.
//
// Two functions more than were named start and cancel calls that have an outcome (remote-calls.ts).
//
// A full mailbox makes the producer wait until the loop has caught up: nothing is dropped.
import { types } from 'node:util';
import { deserialize, serialize } from 'node:v8';
import { threadId } from 'node:worker_threads';
import { InvalidStateError, invalidArgType, LoopClosedError, outOfRange } from '../base/errors.js';
import { validateFunction, validateInteger, validateObject, validateString } from '../base/validate.js';
import { abi } from '../native/abi.js';
import { binding } from '../native/load.js';
import { describeFunction, Handle, KIND_CALLBACK } from './handle.js';
import type { LoopCore } from './loop.js';
import { PendingCalls, type RemoteResult } from './remote-calls.js';

/** What a worker needs to make a {@link LoopRemote}; send it as workerData or in a message. */
export interface RemoteHandle {
  readonly notifierId: number;
  readonly names: readonly string[];
  readonly buffer: SharedArrayBuffer;
  readonly threadId: number;
}

/** Functions that other threads may call, by name. */
export type RemoteFunctions = Record<string, (...args: never[]) => unknown>;

/** One of the functions, for whoever calls it. @internal */
export type RemoteFunction = (...args: unknown[]) => unknown;

/** What runs calls that have an outcome; each is passed on as it came through the mailbox. @internal */
export interface CallServer {
  start(payload: Buffer): void;
  cancel(payload: Buffer): void;
  /** The loop is being closed, and the call was not started. */
  refuse(payload: Buffer): void;
  /** Tells every thread whose calls are under way. */
  close(): void;
}

const DEFAULT_CAPACITY_BYTES = 262144;
const LEAST_CAPACITY_BYTES = 1024;
const HEADER_BYTES = abi.MAILBOX_HEADER_WORDS * 4;
// As the words of a mailbox show it.
const NO_PAYLOAD = abi.MAILBOX_NO_PAYLOAD | 0;
// No head is this, so that whoever is about to wait for the head to move does not.
const HEAD_OF_CLOSED = -1;
// How long a producer waits for room before it looks whether the loop's thread still exists.
const WAIT_MS = 500;

// The loop's end of a mailbox.
class Mailbox {
  readonly words: Int32Array;
  readonly #bytes: Uint8Array;
  readonly #capacityWords: number;

  constructor(buffer: SharedArrayBuffer) {
    this.words = new Int32Array(buffer);
    this.#bytes = new Uint8Array(buffer, HEADER_BYTES);
    this.#capacityWords = this.words.length - abi.MAILBOX_HEADER_WORDS;
  }

  /** Calls `onCall` for everything that was posted up to now. */
  take(onCall: (functionId: number, payload: Buffer | null) => void): void {
    const { words } = this;
    // Cleared first: whoever posts from now on wakes the loop again.
    Atomics.store(words, abi.MAIL_NOTIFIED, 0);
    // What comes later belongs to the next turn, or a busy producer would never let this end.
    const tail = Atomics.load(words, abi.MAIL_TAIL);
    let head = words[abi.MAIL_HEAD]!;
    while (head !== tail) {
      const size = this.#word(head);
      const functionId = this.#word(head + 1);
      head += abi.MAILBOX_RECORD_WORDS;
      let payload: Buffer | null = null;
      if (size !== NO_PAYLOAD) {
        payload = this.#copy(head, size);
        head += (size + 3) >>> 2;
      }
      head %= 2 * this.#capacityWords;
      Atomics.store(words, abi.MAIL_HEAD, head);
      onCall(functionId, payload);
    }
    // Looking for waiters is dear.
    if (Atomics.load(words, abi.MAIL_WAITING) !== 0) Atomics.notify(words, abi.MAIL_HEAD);
  }

  #word(position: number): number {
    return this.words[abi.MAILBOX_HEADER_WORDS + (position % this.#capacityWords)]!;
  }

  #copy(position: number, size: number): Buffer {
    const payload = Buffer.allocUnsafe(size);
    const offset = (position % this.#capacityWords) * 4;
    const room = this.#capacityWords * 4 - offset;
    payload.set(this.#bytes.subarray(offset, offset + Math.min(room, size)));
    if (size > room) payload.set(this.#bytes.subarray(0, size - room), room);
    return payload;
  }
}

// A thread may post and end before the loop hears of it, which keeps nothing alive then. Weak, as a
// loop that nobody closes can be collected.
const collectors = new Set<WeakRef<() => void>>();

function collectAll(): void {
  for (const collector of collectors) collector.deref()?.();
}

/** Calls `collect` also when the process is about to exit for want of work; the answer takes that back. */
function collectBeforeExit(collect: () => void): () => void {
  if (collectors.size === 0) process.on('beforeExit', collectAll);
  const collector = new WeakRef(collect);
  collectors.add(collector);
  return () => {
    if (collectors.delete(collector) && collectors.size === 0) process.off('beforeExit', collectAll);
  };
}

function closeMailbox(words: Int32Array): void {
  Atomics.store(words, abi.MAIL_CLOSED, 1);
  Atomics.store(words, abi.MAIL_HEAD, HEAD_OF_CLOSED);
  Atomics.notify(words, abi.MAIL_HEAD);
}

/**
 * Opens a mailbox of a loop.
 *
 * @param functions - What other threads may call. Each call is scheduled like `callSoon`.
 * @param options - `capacityBytes`: size of the mailbox, 1024 ... 2^28, default 262144.
 * @param serveCalls - Makes what runs calls that have an outcome; without it they are ignored.
 * @internal
 */
export function openMailbox(
  loop: LoopCore,
  functions: RemoteFunctions,
  options: { capacityBytes?: number } = {},
  serveCalls: ((names: readonly string[], callbacks: readonly RemoteFunction[]) => CallServer) | null = null,
): RemoteHandle {
  validateObject('functions', functions);
  validateObject('options', options);
  const { capacityBytes = DEFAULT_CAPACITY_BYTES } = options;
  validateInteger('options.capacityBytes', capacityBytes, LEAST_CAPACITY_BYTES, 2 ** 28);
  const names = Object.keys(functions);
  const callbacks = names.map((name) => {
    validateFunction(`functions.${name}`, functions[name]);
    return functions[name] as RemoteFunction;
  });
  const buffer = new SharedArrayBuffer(HEADER_BYTES + (capacityBytes & ~3));
  const mailbox = new Mailbox(buffer);
  const calls = serveCalls?.(names, callbacks) ?? null;
  const schedule = (functionId: number, payload: Buffer | null): void => {
    if (functionId < names.length) loop._push(new RemoteCall(callbacks[functionId]!, payload));
    else if (functionId === names.length) calls?.start(payload!);
    else calls?.cancel(payload!);
  };
  const refuse = (functionId: number, payload: Buffer | null): void => {
    if (functionId === names.length) calls?.refuse(payload!);
  };
  const collect = (): void => mailbox.take(schedule);
  loop._addMailbox(collect);
  const forget = collectBeforeExit(collect);
  loop._onClose.push(() => {
    forget();
    // Nothing comes in any more; what is in there is looked through once.
    Atomics.store(mailbox.words, abi.MAIL_CLOSED, 1);
    mailbox.take(refuse);
    calls?.close();
    closeMailbox(mailbox.words);
  });
  return { notifierId: loop._native.notifierId, names, buffer, threadId };
}

// One call of another thread. What it passed is looked at only when it runs, so that an error in
// there is one of this call.
class RemoteCall extends Handle {
  readonly #callback: RemoteFunction;
  readonly #payload: Buffer | null;

  constructor(callback: RemoteFunction, payload: Buffer | null) {
    super(KIND_CALLBACK, null);
    this.#callback = callback;
    this.#payload = payload;
  }

  _run(): void {
    if (this.#payload === null) this.#callback();
    else this.#callback(...(deserialize(this.#payload) as unknown[]));
  }

  _describe(): string {
    return `remote ${describeFunction(this.#callback)}`;
  }
}

/**
 * Calls functions of a loop from another thread.
 *
 * @example
 * ```ts
 * // In the worker.
 * const remote = new LoopRemote(workerData.remote);
 * remote.post('progress', 42);
 * ```
 * @source CPython 3.13 `loop.call_soon_threadsafe`, trio `TrioToken.run_sync_soon`
 */
export class LoopRemote {
  readonly #words: Int32Array;
  readonly #handle: RemoteHandle;
  readonly #ids: ReadonlyMap<string, number>;
  #calls: PendingCalls | null = null;

  /**
   * @param handle - What `loop.createRemote()` gave, in this or another thread.
   * @throws TypeError `ERR_INVALID_ARG_TYPE`
   */
  constructor(handle: RemoteHandle) {
    validateObject('handle', handle);
    validateInteger('handle.notifierId', handle.notifierId, 1, 2 ** 32 - 1);
    validateInteger('handle.threadId', handle.threadId, 0);
    if (!Array.isArray(handle.names)) {
      throw invalidArgType('handle.names', 'an array of strings', handle.names);
    }
    for (const name of handle.names as unknown[]) validateString('handle.names', name);
    if (!types.isSharedArrayBuffer(handle.buffer)) {
      throw invalidArgType('handle.buffer', 'an instance of SharedArrayBuffer', handle.buffer);
    }
    this.#handle = handle;
    validateInteger(
      'handle.buffer.byteLength',
      handle.buffer.byteLength,
      HEADER_BYTES + LEAST_CAPACITY_BYTES,
    );
    this.#words = new Int32Array(handle.buffer);
    this.#ids = new Map(handle.names.map((name, id) => [name, id]));
  }

  /**
   * Schedules a call on the loop. Calls of one thread run in order.
   *
   * Suspends: never; blocks this thread while the mailbox is full.
   *
   * @param name - One of the names given to `createRemote`.
   * @param args - Anything that `v8.serialize` takes.
   * @throws RangeError `ERR_OUT_OF_RANGE` - no function of that name, or the arguments exceed the mailbox.
   * @throws {@link LoopClosedError} `ERR_LOOP_CLOSED` - the loop is closed.
   * @throws {@link InvalidStateError} `ERR_INVALID_STATE` - the mailbox is full and this is the loop's own thread.
   */
  post(name: string, ...args: unknown[]): void {
    const id = this.#idOf(name);
    if (args.length === 0) return this.#send(id, null);
    const payload = serialize(args);
    this.#checkSize('args', payload);
    this.#send(id, payload);
  }

  /**
   * Calls a function on the loop, and gives its outcome: what the function returns, or what the task
   * gives that is made of its generator, async function or future. An error keeps its message, stack,
   * name and code, but not its class; a cancellation is a {@link CancelledError}. Calls and posts of one
   * thread begin in order. A call that is under way keeps this thread alive.
   *
   * Suspends: never, and is no cancel point: the promise that it gives is an ordinary one. Blocks this
   * thread while the mailbox is full. The promise rejects with {@link LoopClosedError}
   * `ERR_LOOP_CLOSED` when the loop is closed, and within a second or so when its thread is gone.
   *
   * @param name - One of the names given to `createRemote`.
   * @param args - Anything that `v8.serialize` takes; so has to be what comes back.
   * @throws RangeError `ERR_OUT_OF_RANGE` - no function of that name, or the arguments exceed the mailbox.
   * @example
   * ```ts
   * // In the worker.
   * const remote = new LoopRemote(workerData.remote);
   * const answer = remote.call('progress', 42);
   * console.log(await answer);
   * ```
   * @source CPython 3.13 `asyncio.run_coroutine_threadsafe`
   */
  call<T = unknown>(name: string, ...args: unknown[]): RemoteResult<T> {
    const functionId = this.#idOf(name);
    const calls = (this.#calls ??= new PendingCalls(() => binding.notify(this.#handle.notifierId)));
    const id = calls.nextId();
    const payload = calls.encode(id, functionId, args);
    this.#checkSize('args', payload);
    const result = calls.add(id) as Promise<T>;
    try {
      this.#send(this.#handle.names.length, payload);
      // Closed after that, the loop sees the call; before, it may have looked through the mailbox already.
      if (Atomics.load(this.#words, abi.MAIL_CLOSED) !== 0) throw new LoopClosedError();
    } catch (error) {
      calls.fail(id, error);
    }
    return Object.assign(result, { cancel: (reason?: unknown) => this.#cancel(calls, id, reason) });
  }

  #cancel(calls: PendingCalls, id: number, reason: unknown): boolean {
    if (!calls.has(id)) return false;
    const payload = calls.encode(id, 0, [reason]);
    this.#checkSize('reason', payload);
    try {
      this.#send(this.#handle.names.length + 1, payload);
    } catch (error) {
      // The call hears of a closed loop by itself.
      if (!(error instanceof LoopClosedError)) throw error;
    }
    return true;
  }

  #idOf(name: string): number {
    const id = this.#ids.get(name);
    if (id !== undefined) return id;
    validateString('name', name);
    throw outOfRange('name', `one of ${[...this.#ids.keys()].join(', ')}`, name);
  }

  #checkSize(name: string, payload: Buffer): void {
    const capacityBytes = this.#words.byteLength - HEADER_BYTES;
    if (payload.length + abi.MAILBOX_RECORD_WORDS * 4 > capacityBytes) {
      throw outOfRange(name, `less than ${String(capacityBytes)} bytes when serialized`, payload.length);
    }
  }

  #send(id: number, payload: Buffer | null): void {
    while (!this.#tryPost(id, payload));
  }

  // False after waiting for room.
  #tryPost(id: number, payload: Buffer | null): boolean {
    const words = this.#words;
    const head = Atomics.load(words, abi.MAIL_HEAD);
    const result = binding.post(this.#handle.notifierId, words, id, payload);
    if (result === abi.POST_DONE) return true;
    if (result === abi.POST_CLOSED) this.#giveUp();
    if (threadId === this.#handle.threadId) {
      throw new InvalidStateError(
        'The mailbox is full, and the loop of this thread cannot empty it meanwhile',
      );
    }
    Atomics.add(words, abi.MAIL_WAITING, 1);
    const answer = Atomics.wait(words, abi.MAIL_HEAD, head, WAIT_MS);
    Atomics.sub(words, abi.MAIL_WAITING, 1);
    if (answer === 'timed-out' && !binding.notify(this.#handle.notifierId)) this.#giveUp();
    return false;
  }

  // A loop that is being closed looks through its mailbox once more, and closes it then. If its thread ended without
  // that, nobody may wait any more.
  #giveUp(): never {
    if (Atomics.load(this.#words, abi.MAIL_CLOSED) === 0) closeMailbox(this.#words);
    throw new LoopClosedError();
  }
}
