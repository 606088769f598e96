// Waiting for time to pass.
import { validateNumber } from '../base/validate.js';
import type { Handle } from '../core/handle.js';
import type { LoopCore } from '../core/loop.js';
import type { TimerHandle } from '../core/timers.js';
import type { Awaitable } from './awaitable.js';
import { requireRunningLoop } from './current.js';
import { Future } from './future.js';
import { awaitNatively } from './native-await.js';

// What a generator task finds at a bare `yield`.
const oneTurn: IteratorYieldResult<undefined> = { done: false, value: undefined };

/** Lets one turn of the loop pass; light, for generators. */
class Pause<T> implements Awaitable<T> {
  readonly #loop: LoopCore;
  readonly #value: T;
  #hasYielded = false;

  constructor(loop: LoopCore, value: T) {
    this.#loop = loop;
    this.#value = value;
  }

  [Symbol.iterator](): Iterator<unknown, T, unknown> {
    return this;
  }

  next(): IteratorResult<undefined, T> {
    if (this.#hasYielded) return { done: true, value: this.#value };
    this.#hasYielded = true;
    return oneTurn;
  }

  throw(error: unknown): never {
    throw error;
  }

  return(value: T): IteratorResult<undefined, T> {
    return { done: true, value };
  }

  then<R = T, E = never>(
    onFulfilled?: ((value: T) => R | PromiseLike<R>) | null,
    // eslint-disable-next-line @typescript-eslint/no-explicit-any -- as in PromiseLike
    onRejected?: ((error: any) => E | PromiseLike<E>) | null,
  ): PromiseLike<R | E> {
    return new AsyncPause(this.#loop, this.#value).then(onFulfilled, onRejected);
  }
}

/** Lets one turn of the loop pass; awaited as cheaply as any future, for async functions. */
class AsyncPause<T> extends Future<T> {
  declare readonly _pauseValue: T;

  static {
    awaitNatively(this.prototype);
  }

  constructor(loop: LoopCore, value: T) {
    super(loop);
    this._pauseValue = value;
  }

  // Whoever begins to wait is ready at once, for the next turn.
  override _addHandle(handle: Handle): void {
    this.setResultUnlessDone(this._pauseValue);
    super._addHandle(handle);
  }
}

/** A future that is settled by a timer, and takes the timer back when it is cancelled. */
class Sleep<T> extends Future<T> {
  declare _timer: TimerHandle | null;

  static {
    awaitNatively(this.prototype);
  }

  constructor(loop: LoopCore, delayMs: number, value: T) {
    super(loop);
    this._timer = null;
    this._timer = loop.callLater(delayMs, wake<T>, this, value);
  }

  override cancel(reason?: unknown): boolean {
    if (!super.cancel(reason)) return false;
    this._timer?.cancel();
    this._timer = null;
    return true;
  }
}

function wake<T>(sleep: Sleep<T>, value: T): void {
  sleep._timer = null;
  sleep.setResultUnlessDone(value);
}

/** {@link sleep} on a certain loop. @internal */
export function sleepOn<T>(loop: LoopCore, delayMs: number, value: T): Awaitable<T> {
  validateNumber('delayMs', delayMs);
  if (delayMs > 0) return new Sleep(loop, delayMs, value);
  // What runs tells how the pause will be waited for. Both kinds work in both forms.
  return loop._currentTask === null ? new AsyncPause(loop, value) : new Pause(loop, value);
}

/**
 * Waits; the time runs from the call.
 *
 * Suspends: always. A cancel point, which takes the timer back at once.
 *
 * @param delayMs - Milliseconds, fractions allowed. 0 and less let exactly one turn of the loop pass,
 *   without a timer; Infinity waits until cancelled.
 * @param value - What waiting gives.
 * @throws TypeError `ERR_INVALID_ARG_TYPE`, RangeError `ERR_OUT_OF_RANGE` - `delayMs` is no number, or NaN.
 * @throws {@link InvalidStateError} `ERR_INVALID_STATE` - no loop is running.
 * @example
 * ```ts
 * await sleep(100);
 * const greeting = await sleep(10, 'hello');
 * ```
 * @source CPython 3.13 `asyncio.sleep`. Differs: milliseconds; the timer starts with the call.
 */
export function sleep(delayMs: number): Awaitable<void>;
export function sleep<T>(delayMs: number, value: T): Awaitable<T>;
export function sleep<T>(delayMs: number, value?: T): Awaitable<T | undefined> {
  return sleepOn(requireRunningLoop(), delayMs, value);
}
