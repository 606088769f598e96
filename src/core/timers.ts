// What a timer is to its owner. Where it waits is one of two queues: native's wheel, normally
// (wheel-timers.ts), or a heap here, because only JS can ask an injected clock (clock-timers.ts).
import { InvalidStateError, LoopClosedError } from '../base/errors.js';
import { validateNumber } from '../base/validate.js';
import type { ContextSnapshot } from './context.js';
import { callWith, describeFunction, Handle, KIND_CALLBACK, noArgs } from './handle.js';

/** What a timer calls. */
export type TimerCallback = (...args: never[]) => unknown;

/** No place in a queue. @internal */
export const enum TimerPlace {
  NONE = -1,
}

const noCallback: TimerCallback = () => undefined;

/** Where a {@link TimerHandle} waits until it is due. @internal */
export interface TimerQueue {
  /** Timers that wait. */
  readonly size: number;
  /** Whether the loop was closed. */
  readonly isClosed: boolean;
  time(): number;
  /** Starts a timer whose deadline is set. */
  start(timer: TimerHandle): void;
  /** Starts a timer that is due `delayMs` from now. */
  startIn(timer: TimerHandle, delayMs: number): void;
  stop(timer: TimerHandle): void;
  /** A referenced timer keeps the process alive. */
  ref(): void;
  unref(): void;
  /** Makes every deadline known. */
  settle(): void;
  /** The earliest deadline, ms; Infinity when no timer waits. */
  nextDeadline(): number;
  /** Forgets every timer; none can be started any more. */
  close(): void;
}

/**
 * A callback that runs once its time has come.
 *
 * @source CPython 3.13 asyncio/events.py `TimerHandle`. Differs: milliseconds; `reset`, `ref`.
 */
export class TimerHandle extends Handle {
  /** Place in the queue, or TimerPlace.NONE. @internal */
  declare _index: number;
  /** Tells two uses of one place apart; in the wheel also where the start is in the submission ring. @internal */
  declare _generation: number;
  /** @internal */
  declare _when: number;
  /** 1 when it keeps the process alive, else 0. @internal */
  declare _weight: 0 | 1;
  declare private _callback: TimerCallback;
  declare private _args: readonly unknown[];
  declare private readonly _queue: TimerQueue;

  /** @internal */
  constructor(
    queue: TimerQueue,
    when: number,
    callback: TimerCallback,
    args: readonly unknown[],
    context: ContextSnapshot | null,
  ) {
    super(KIND_CALLBACK, context);
    this._callback = callback;
    this._args = args;
    this._queue = queue;
    this._weight = 1;
    this._when = when;
    this._index = TimerPlace.NONE;
    // The last, for warm().
    this._generation = 0;
  }

  /** The deadline in milliseconds of the loop's clock. */
  when(): number {
    this._queue.settle();
    return this._when;
  }

  /** Whether the timer still waits for its deadline. @internal */
  _isWaiting(): boolean {
    return this._index !== TimerPlace.NONE;
  }

  /**
   * Takes the timer back; what it holds is released at once. Idempotent, also after it ran.
   *
   * Suspends: never.
   */
  override cancel(): void {
    if (this._isCancelled) return;
    this._isCancelled = true;
    if (this._index !== TimerPlace.NONE) this._queue.stop(this);
    this._callback = noCallback;
    if (this._args !== noArgs) this._args = noArgs;
    this.context = null;
  }

  /**
   * Starts the timer anew, `delayMs` from now, also after it ran.
   *
   * @param delayMs - Milliseconds; 0 or less means the next turn.
   * @throws TypeError `ERR_INVALID_ARG_TYPE`, RangeError `ERR_OUT_OF_RANGE` - `delayMs` is no number, or NaN.
   * @throws {@link InvalidStateError} `ERR_INVALID_STATE` - the timer was cancelled.
   * @throws {@link LoopClosedError} `ERR_LOOP_CLOSED` - the loop is closed.
   */
  reset(delayMs: number): this {
    validateNumber('delayMs', delayMs);
    this.#withdraw();
    this._queue.startIn(this, delayMs);
    return this;
  }

  /**
   * Like {@link TimerHandle.reset}, with a deadline on the loop's clock.
   *
   * @param whenMs - Milliseconds of `loop.time()`.
   * @throws As {@link TimerHandle.reset}.
   */
  resetAt(whenMs: number): this {
    validateNumber('whenMs', whenMs);
    this.#withdraw();
    this._when = whenMs;
    this._queue.start(this);
    return this;
  }

  #withdraw(): void {
    if (this._isCancelled) throw new InvalidStateError('The timer was cancelled');
    if (this._queue.isClosed) throw new LoopClosedError();
    if (this._index !== TimerPlace.NONE) this._queue.stop(this);
  }

  /** Lets the timer keep the process alive, as it does from the start. */
  ref(): this {
    if (this._weight === 1) return this;
    this._weight = 1;
    if (this._index !== TimerPlace.NONE) this._queue.ref();
    return this;
  }

  /** Lets the process exit before the timer is due. */
  unref(): this {
    if (this._weight === 0) return this;
    this._weight = 0;
    if (this._index !== TimerPlace.NONE) this._queue.unref();
    return this;
  }

  /** Whether the timer keeps the process alive. */
  hasRef(): boolean {
    return this._weight === 1;
  }

  /** @internal */
  _run(): void {
    // A reset after the deadline wins: the timer waits again, this run is void.
    if (this._index !== TimerPlace.NONE) return;
    callWith(this._callback, this._args);
  }

  /** @internal */
  _argCount(): number {
    return this._args.length;
  }

  /** @internal */
  _describe(): string {
    return `timer ${describeFunction(this._callback)}`;
  }
}
