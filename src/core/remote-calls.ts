// Calls of another thread that have an outcome: what goes to the loop, and what comes back.
//
// A call travels through the mailbox as a post does, with a number and the name of a BroadcastChannel, which
// brings the outcome. Its thread need not run a loop, and no port can travel through the mailbox. Either
// end has the channel open only while calls are under way: opening and closing it takes 20 us, and one that
// is open keeps the calling thread alive.
import { randomBytes } from 'node:crypto';
import { types } from 'node:util';
import { deserialize, serialize } from 'node:v8';
import { BroadcastChannel } from 'node:worker_threads';
import { CancelledError, LoopClosedError } from '../base/errors.js';

/** What {@link LoopRemote.call} gives: a promise of the outcome, and a way to cancel. */
export interface RemoteResult<T> extends Promise<T> {
  /**
   * Asks the loop to cancel the call's task. The promise is settled by what becomes of it: mostly a
   * {@link CancelledError}.
   *
   * Suspends: never; blocks this thread while the mailbox is full.
   *
   * @param reason - Anything that `v8.serialize` takes; becomes the error's `reason`.
   * @returns Whether the call was under way.
   * @throws RangeError `ERR_OUT_OF_RANGE` - the reason exceeds the mailbox.
   * @throws {@link InvalidStateError} `ERR_INVALID_STATE` - the mailbox is full and this is the loop's own thread.
   */
  cancel(reason?: unknown): boolean;
}

// What precedes the arguments of a call, and the reason of a cancellation.
const CHANNEL_BYTES = 16;
const ID_AT = CHANNEL_BYTES;
const FUNCTION_AT = ID_AT + 4;
const HEADER_BYTES = FUNCTION_AT + 4;
const LAST_ID = 2 ** 32 - 1;

/** Which call something in the mailbox is about. @internal */
export interface CallHeader {
  /** Name of the channel for the outcome. */
  readonly channel: string;
  readonly id: number;
  readonly functionId: number;
}

/** @internal */
export function readCallHeader(payload: Buffer): CallHeader {
  return {
    channel: channelName(payload),
    id: payload.readUInt32LE(ID_AT),
    functionId: payload.readUInt32LE(FUNCTION_AT),
  };
}

/** What follows the header: arguments, or a reason in an array. @internal */
export function readCallValues(payload: Buffer): unknown[] {
  return deserialize(payload.subarray(HEADER_BYTES)) as unknown[];
}

function channelName(bytes: Buffer): string {
  return `evloop ${bytes.toString('hex', 0, CHANNEL_BYTES)}`;
}

/** What comes back; the values are as v8 serializes them. @internal */
export type Reply =
  | { id: number; kind: 'result'; value: Uint8Array }
  | { id: number; kind: 'cancelled'; reason: Uint8Array }
  | { id: number; kind: 'error'; error: Uint8Array; name: unknown; code: unknown }
  // The loop was closed: there will be no outcome of any call.
  | { kind: 'closed' };

interface Settler {
  resolve: (value: unknown) => void;
  reject: (error: unknown) => void;
}

// How often a thread that waits for outcomes looks whether the loop's thread still exists.
const LOOK_INTERVAL_MS = 500;

/** The calls of one thread that have no outcome yet. @internal */
export class PendingCalls {
  readonly #channelBytes = randomBytes(CHANNEL_BYTES);
  readonly #isLoopThere: () => boolean;
  readonly #pending = new Map<number, Settler>();
  #lastId = 0;
  #channel: BroadcastChannel | null = null;
  #lookTimer: NodeJS.Timeout | undefined;

  /** @param isLoopThere - Whether the loop's thread still exists. */
  constructor(isLoopThere: () => boolean) {
    this.#isLoopThere = isLoopThere;
  }

  /** A number for the next call. */
  nextId(): number {
    do this.#lastId = this.#lastId === LAST_ID ? 1 : this.#lastId + 1;
    while (this.#pending.has(this.#lastId));
    return this.#lastId;
  }

  /** Header and values as they go through the mailbox. */
  encode(id: number, functionId: number, values: readonly unknown[]): Buffer {
    const header = Buffer.allocUnsafe(HEADER_BYTES);
    this.#channelBytes.copy(header);
    header.writeUInt32LE(id, ID_AT);
    header.writeUInt32LE(functionId, FUNCTION_AT);
    return Buffer.concat([header, serialize(values)]);
  }

  has(id: number): boolean {
    return this.#pending.has(id);
  }

  /** The promise of a call's outcome; from now on the channel is listened to. */
  add(id: number): Promise<unknown> {
    this.#open();
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { resolve, reject });
    });
  }

  /** Rejects one call. */
  fail(id: number, error: unknown): void {
    this.#take(id)?.reject(error);
  }

  // The loop is gone.
  #failAll(): void {
    for (const id of [...this.#pending.keys()]) this.fail(id, new LoopClosedError());
  }

  #take(id: number): Settler | undefined {
    const settler = this.#pending.get(id);
    this.#pending.delete(id);
    if (this.#pending.size === 0) this.#close();
    return settler;
  }

  #open(): void {
    if (this.#channel !== null) return;
    this.#channel = new BroadcastChannel(channelName(this.#channelBytes));
    this.#channel.onmessage = (event) => this.#settle((event as { data: Reply }).data);
    this.#lookTimer = setInterval(() => {
      // What the loop sent before comes first.
      if (!this.#isLoopThere()) setImmediate(() => this.#failAll());
    }, LOOK_INTERVAL_MS).unref();
  }

  #close(): void {
    this.#channel?.close();
    this.#channel = null;
    clearInterval(this.#lookTimer);
  }

  #settle(reply: Reply): void {
    if (reply.kind === 'closed') return this.#failAll();
    const settler = this.#take(reply.id);
    if (settler === undefined) return;
    if (reply.kind === 'result') settler.resolve(deserialize(reply.value));
    else if (reply.kind === 'cancelled') settler.reject(new CancelledError(deserialize(reply.reason)));
    else settler.reject(restoreError(deserialize(reply.error), reply.name, reply.code));
  }
}

// Of an Error, v8 keeps the message, the stack and the names that the language has itself.
function restoreError(error: unknown, name: unknown, code: unknown): unknown {
  if (!types.isNativeError(error)) return error;
  if (typeof name === 'string' && name !== error.name) {
    Object.defineProperty(error, 'name', { value: name, writable: true, configurable: true });
  }
  return code === undefined ? error : Object.assign(error, { code });
}
