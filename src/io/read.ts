// One read of a stream, in two makes. A generator task gets one without a promise inside, which
// costs a fifth; everybody else a future.
import { CancelledError, IncompleteReadError } from '../base/errors.js';
import type { Handle } from '../core/handle.js';
import type { LoopCore } from '../core/loop.js';
import type { Awaitable } from '../task/awaitable.js';
import { recordAwait } from '../task/debug-sites.js';
import { Future } from '../task/future.js';
import { awaitNatively } from '../task/native-await.js';
import { stopAt, type Suspension, type Waiter } from '../task/suspension.js';
import { NO_BYTES } from './bytes.js';

/** What a read needs of its stream. @internal */
export interface ReadSource {
  /** Takes back what nobody got to see. */
  _giveBack(bytes: Buffer): void;
  /** Serves `future` from now on instead of `step`. */
  _replaceReader(step: StepRead, future: Read): void;
}

/** What the stream knows of a read, whatever comes of it. @internal */
export interface Reader<T = Buffer> extends Awaitable<T> {
  done(): boolean;
  deliver(bytes: Buffer): void;
  setException(error: unknown): void;
}

/**
 * Bytes that will be there. When the task that waits is cancelled between their arrival and its next
 * step, they go back to the stream.
 *
 * @internal
 */
export class Read extends Future<Buffer> implements Reader {
  declare readonly _source: ReadSource;

  static {
    awaitNatively(this.prototype);
  }

  constructor(loop: LoopCore, source: ReadSource) {
    super(loop);
    this._source = source;
  }

  deliver(bytes: Buffer): void {
    this.setResult(bytes);
  }

  override _lose(): void {
    super._lose();
    if (this.done() && !this.cancelled()) this._source._giveBack(bytesOf(this.exception() ?? this.result()));
  }
}

/** The bytes that an outcome holds; an error may have some too. @internal */
export function bytesOf(outcome: unknown): Buffer {
  if (outcome instanceof IncompleteReadError) return outcome.partial;
  return Buffer.isBuffer(outcome) ? outcome : NO_BYTES;
}

const PENDING = 0;
const ARRIVED = 1;
const FAILED = 2;
const CANCELLED = 3;

/** A read for the generator task that is being stepped: only it can wait, once. @internal */
export class StepRead implements Reader, Suspension {
  readonly _loop: LoopCore;
  readonly _source: ReadSource;
  _state: typeof PENDING | typeof ARRIVED | typeof FAILED | typeof CANCELLED = PENDING;
  // The bytes, the error or the reason.
  _value: unknown = null;
  _handle: Handle | null = null;
  _future: Read | null = null;

  constructor(loop: LoopCore, source: ReadSource) {
    this._loop = loop;
    this._source = source;
  }

  // For the stream

  done(): boolean {
    return this._state !== PENDING;
  }

  deliver(bytes: Buffer): void {
    this._settle(ARRIVED, bytes);
  }

  setException(error: unknown): void {
    this._settle(FAILED, error);
  }

  _settle(state: typeof ARRIVED | typeof FAILED | typeof CANCELLED, value: unknown): void {
    this._state = state;
    this._value = value;
    if (this._handle !== null) this._moveToReady(this._handle);
  }

  // For `yield*`

  [Symbol.iterator](): this {
    return this;
  }

  next(): IteratorResult<unknown, Buffer> {
    if (this._state === ARRIVED) return { done: true, value: this._value as Buffer };
    if (this._state !== PENDING) throw this._readError();
    if (this._loop.debug) recordAwait(this);
    return stopAt(this);
  }

  throw(error: unknown): never {
    throw error;
  }

  // For the task

  _addHandle(handle: Handle): void {
    if (this._state === PENDING) this._handle = handle;
    else this._loop._push(handle);
  }

  _moveToReady(handle: Handle): void {
    this._handle = null;
    this._loop._push(handle);
  }

  _waitMistake(task: Waiter): Error | null {
    return this._toFuture()._waitMistake(task);
  }

  cancel(reason?: unknown): boolean {
    if (this._state !== PENDING) return false;
    this._settle(CANCELLED, reason);
    return true;
  }

  cancelled(): boolean {
    return this._state === CANCELLED;
  }

  _readError(): unknown {
    return this._state === CANCELLED ? new CancelledError(this._value) : this._value;
  }

  _lose(): void {
    if (this._state === ARRIVED || this._state === FAILED) this._source._giveBack(bytesOf(this._value));
  }

  _kind(): string {
    return 'Read';
  }

  _describe(): string {
    return '<Read>';
  }

  // For everybody else: the generator handed its read on to somebody who awaits it

  then<R = Buffer, E = never>(
    onFulfilled?: ((bytes: Buffer) => R | PromiseLike<R>) | null,
    onRejected?: ((error: unknown) => E | PromiseLike<E>) | null,
  ): Promise<R | E> {
    return this._toFuture().then(onFulfilled, onRejected);
  }

  _toFuture(): Read {
    if (this._future !== null) return this._future;
    const future = new Read(this._loop, this._source);
    this._future = future;
    if (this._state === ARRIVED) future.setResult(this._value as Buffer);
    else if (this._state === PENDING) this._source._replaceReader(this, future);
    else if (this._state === CANCELLED) future.cancel(this._value);
    else future.setException(this._value);
    return future;
  }
}
