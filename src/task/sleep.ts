// Waiting for time to pass.
import { validateNumber } from '../base/validate.js';
import type { LoopCore } from '../core/loop.js';
import type { TimerHandle } from '../core/timers.js';
import type { Awaitable } from './awaitable.js';
import { requireRunningLoop } from './current.js';
import { awaitNatively, Future } from './future.js';

// What a generator task finds at a bare `yield`.
const oneTurn: IteratorYieldResult<undefined> = { done: false, value: undefined };

/** Lets one turn of the loop pass: everything that is ready runs, and I/O is polled. */
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
    const future = new Future<T>(this.#loop);
    future.setResult(this.#value);
    return future._thenNextTurn(onFulfilled, onRejected);
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
  return delayMs <= 0 ? new Pause(loop, value) : new Sleep(loop, delayMs, value);
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
