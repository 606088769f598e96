// How worker threads reach a loop: a mailbox in shared memory, and a wake-up.
//
// A post is one record in a byte ring: [size, function, arguments as v8 serializes them]. Producers
// take a lock; the loop is the only consumer and takes none. The first post since the loop last
// looked wakes it, the others ride along, so a burst costs one system call.
//
//   word 0 lock   1 head (consumer)   2 tail (producers)   3 notified   4 closed
//
// A full mailbox makes the producer wait until the loop has caught up: nothing is dropped.
import { deserialize, serialize } from 'node:v8';
import { threadId } from 'node:worker_threads';
import { InvalidStateError, LoopClosedError, outOfRange } from '../base/errors.js';
import { validateFunction, validateInteger, validateObject, validateString } from '../base/validate.js';
import { binding } from '../native/load.js';
import type { LoopCore } from './loop.js';

/** What a worker needs to make a {@link LoopRemote}; send it as workerData or in a message. */
export interface RemoteHandle {
  readonly notifierId: number;
  readonly names: readonly string[];
  readonly buffer: SharedArrayBuffer;
  readonly threadId: number;
}

/** Functions that other threads may call, by name. */
export type RemoteFunctions = Record<string, (...args: never[]) => unknown>;

const LOCK = 0;
const HEAD = 1;
const TAIL = 2;
const NOTIFIED = 3;
const CLOSED = 4;
const HEADER_WORDS = 8;
const RECORD_WORDS = 2;
const DEFAULT_CAPACITY_BYTES = 262144;
const NO_ARGUMENTS = -1;

const LOCK_FREE = 0;
const LOCK_HELD = 1;

// The words of a mailbox. Positions are word indexes that run freely below 2^31 and wrap together.
class Mailbox {
  readonly words: Int32Array;
  readonly bytes: Uint8Array;
  readonly capacityWords: number;

  constructor(buffer: SharedArrayBuffer) {
    this.words = new Int32Array(buffer);
    this.capacityWords = this.words.length - HEADER_WORDS;
    this.bytes = new Uint8Array(buffer, HEADER_WORDS * 4);
  }

  at(position: number): number {
    return HEADER_WORDS + (position % this.capacityWords);
  }

  /** Words between head and tail. */
  used(head: number, tail: number): number {
    return (tail - head + 2 * this.capacityWords) % (2 * this.capacityWords);
  }

  advance(position: number, count: number): number {
    return (position + count) % (2 * this.capacityWords);
  }

  copyIn(position: number, payload: Uint8Array): void {
    const offset = (position % this.capacityWords) * 4;
    const room = this.capacityWords * 4 - offset;
    this.bytes.set(payload.subarray(0, room), offset);
    if (payload.length > room) this.bytes.set(payload.subarray(room), 0);
  }

  copyOut(position: number, size: number): Buffer {
    const payload = Buffer.allocUnsafe(size);
    const offset = (position % this.capacityWords) * 4;
    const room = this.capacityWords * 4 - offset;
    payload.set(this.bytes.subarray(offset, offset + Math.min(room, size)));
    if (size > room) payload.set(this.bytes.subarray(0, size - room), room);
    return payload;
  }
}

/**
 * Opens a mailbox of a loop.
 *
 * @param functions - What other threads may call. Each call is scheduled like `callSoon`.
 * @param options - `capacityBytes`: size of the mailbox, 1024 ... 2^28, default 262144.
 * @internal
 */
export function openMailbox(
  loop: LoopCore,
  functions: RemoteFunctions,
  options: { capacityBytes?: number } = {},
): RemoteHandle {
  validateObject('functions', functions);
  validateObject('options', options);
  const capacityBytes = options.capacityBytes ?? DEFAULT_CAPACITY_BYTES;
  validateInteger('options.capacityBytes', capacityBytes, 1024, 2 ** 28);
  const names = Object.keys(functions);
  const callbacks = names.map((name) => {
    validateFunction(`functions.${name}`, functions[name]);
    return functions[name] as (...args: unknown[]) => unknown;
  });
  const capacityWords = capacityBytes >>> 2;
  const buffer = new SharedArrayBuffer((HEADER_WORDS + capacityWords) * 4);
  const mailbox = new Mailbox(buffer);
  loop._addMailbox(() => collect(loop, mailbox, callbacks));
  loop._onClose.push(() => {
    Atomics.store(mailbox.words, CLOSED, 1);
    Atomics.notify(mailbox.words, HEAD);
  });
  return { notifierId: loop._native.notifierId, names, buffer, threadId };
}

// Schedules every call in the mailbox.
function collect(loop: LoopCore, mailbox: Mailbox, callbacks: readonly ((...args: unknown[]) => unknown)[]): void {
  const { words } = mailbox;
  // Cleared first: whoever posts from now on wakes the loop again.
  Atomics.store(words, NOTIFIED, 0);
  let head = words[HEAD]!;
  while (head !== Atomics.load(words, TAIL)) {
    const size = words[mailbox.at(head)]!;
    const callback = callbacks[words[mailbox.at(mailbox.advance(head, 1))]!]!;
    const payloadAt = mailbox.advance(head, RECORD_WORDS);
    if (size === NO_ARGUMENTS) {
      loop.callSoon(callback);
      head = payloadAt;
    } else {
      const args = deserialize(mailbox.copyOut(payloadAt, size)) as unknown[];
      loop.callSoon(callback, ...args);
      head = mailbox.advance(payloadAt, (size + 3) >>> 2);
    }
    Atomics.store(words, HEAD, head);
  }
  Atomics.notify(words, HEAD);
}

/**
 * Calls functions of a loop from another thread.
 *
 * @example
 * // in the worker
 * const remote = new LoopRemote(workerData.remote);
 * remote.post('progress', 42);
 * @source CPython 3.13 `loop.call_soon_threadsafe`, trio `TrioToken.run_sync_soon`
 */
export class LoopRemote {
  readonly #mailbox: Mailbox;
  readonly #handle: RemoteHandle;
  readonly #ids: ReadonlyMap<string, number>;

  /**
   * @param handle - What `loop.createRemote()` gave, in this or another thread.
   * @throws TypeError `ERR_INVALID_ARG_TYPE`
   */
  constructor(handle: RemoteHandle) {
    validateObject('handle', handle);
    validateInteger('handle.notifierId', handle.notifierId, 1, 2 ** 32 - 1);
    this.#handle = handle;
    this.#mailbox = new Mailbox(handle.buffer);
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
    validateString('name', name);
    const id = this.#ids.get(name);
    if (id === undefined) throw outOfRange('name', `one of ${[...this.#ids.keys()].join(', ')}`, name);
    const payload = args.length === 0 ? null : serialize(args);
    const neededWords = RECORD_WORDS + (payload === null ? 0 : (payload.length + 3) >>> 2);
    if (neededWords > this.#mailbox.capacityWords) {
      throw outOfRange('args', `at most ${String(this.#mailbox.capacityWords * 4)} bytes when serialized`, payload?.length);
    }
    this.#put(id, payload, neededWords);
    const { words } = this.#mailbox;
    if (Atomics.exchange(words, NOTIFIED, 1) === 0 && !binding.notify(this.#handle.notifierId)) {
      throw new LoopClosedError();
    }
  }

  // The lock is never held while waiting: a worker may be terminated at that point.
  #put(id: number, payload: Buffer | null, neededWords: number): void {
    const { words } = this.#mailbox;
    for (;;) {
      while (Atomics.compareExchange(words, LOCK, LOCK_FREE, LOCK_HELD) !== LOCK_FREE) {
        Atomics.wait(words, LOCK, LOCK_HELD);
      }
      const head = Atomics.load(words, HEAD);
      const isStored = this.#tryStore(head, id, payload, neededWords);
      Atomics.store(words, LOCK, LOCK_FREE);
      Atomics.notify(words, LOCK, 1);
      if (Atomics.load(words, CLOSED) !== 0) throw new LoopClosedError();
      if (isStored) return;
      if (threadId === this.#handle.threadId) {
        throw new InvalidStateError('The mailbox is full, and the loop of this thread cannot empty it meanwhile');
      }
      Atomics.wait(words, HEAD, head);
    }
  }

  #tryStore(head: number, id: number, payload: Buffer | null, neededWords: number): boolean {
    const mailbox = this.#mailbox;
    const { words } = mailbox;
    const tail = words[TAIL]!;
    if (mailbox.capacityWords - mailbox.used(head, tail) < neededWords) return false;
    words[mailbox.at(tail)] = payload === null ? NO_ARGUMENTS : payload.length;
    words[mailbox.at(mailbox.advance(tail, 1))] = id;
    if (payload !== null) mailbox.copyIn(mailbox.advance(tail, RECORD_WORDS), payload);
    Atomics.store(words, TAIL, mailbox.advance(tail, neededWords));
    return true;
  }
}
