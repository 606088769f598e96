// Ticks at a steady pace, and what becomes of those that nobody could take in time.
import { InvalidStateError, outOfRange } from '../base/errors.js';
import { validateNumber, validateObject, validateOneOf } from '../base/validate.js';
import type { LoopCore } from '../core/loop.js';
import type { TimerHandle } from '../core/timers.js';
import type { Awaitable } from './awaitable.js';
import { requireRunningLoop } from './current.js';
import { Future } from './future.js';
import { awaitNatively } from './native-await.js';

/**
 * What happens to ticks that came while nobody waited: they follow at once, one per turn (`'burst'`), the
 * pace starts anew from the late tick (`'delay'`), or they are left out (`'skip'`).
 */
export type MissedTicks = 'burst' | 'delay' | 'skip';

/** How {@link interval} ticks. */
export interface IntervalOptions {
  /**
   * What happens to missed ticks.
   *
   * - `'burst'`: all of them follow, as fast as they are taken, until the pace is caught up with.
   * - `'delay'`: none does, and the next tick is a period after the late one was given.
   * - `'skip'`: none does, and the next tick is at the next multiple of the period.
   *
   * @defaultValue `'burst'`
   */
  missed?: MissedTicks;
  /** When the first tick is due, milliseconds of `loop.time()`. @defaultValue at once */
  startAt?: number;
}

const MISSED_TICKS: readonly MissedTicks[] = ['burst', 'delay', 'skip'];

/** A future that is settled by the timer of one tick, and takes the timer back when it is cancelled. */
class Tick extends Future<number> {
  declare _timer: TimerHandle | null;
  /** When somebody got the tick; null while nobody has. */
  declare _givenMs: number | null;

  static {
    awaitNatively(this.prototype);
  }

  constructor(loop: LoopCore, dueMs: number) {
    super(loop);
    this._givenMs = null;
    this._timer = loop.callAt(dueMs, give, this, dueMs);
  }

  override cancel(reason?: unknown): boolean {
    if (!super.cancel(reason)) return false;
    this._dropTimer();
    return true;
  }

  // Whoever waited was cancelled in between: the next one gets this tick.
  override _lose(): void {
    super._lose();
    this._givenMs = null;
  }

  _dropTimer(): void {
    this._timer?.cancel();
    this._timer = null;
  }
}

function give(tick: Tick, dueMs: number): void {
  tick._timer = null;
  tick._givenMs = tick._loop.time();
  tick.setResultUnlessDone(dueMs);
}

/**
 * Ticks at a steady pace: one after the other with {@link Interval.tick}, or in a `for await` loop, which
 * {@link Interval.close} ends. Made by {@link interval}. Between two waits it holds no timer.
 *
 * @source tokio 1 `time::Interval`
 */
export class Interval implements AsyncIterable<number> {
  readonly #loop: LoopCore;
  readonly #periodMs: number;
  readonly #missed: MissedTicks;
  // The next tick is due `#count` periods after `#startMs`: a sum would gather rounding errors.
  #startMs: number;
  #count = 0;
  #tick: Tick | null = null;
  #isClosed = false;

  /** @internal */
  constructor(loop: LoopCore, periodMs: number, missed: MissedTicks, startMs: number) {
    this.#loop = loop;
    this.#periodMs = periodMs;
    this.#missed = missed;
    this.#startMs = startMs;
  }

  /**
   * Waits for the next tick. One that is due already comes in the next turn.
   *
   * Suspends: always. A cancel point, which takes the timer back at once; the tick is given to whoever
   * asks next.
   *
   * @returns When the tick was due, milliseconds of `loop.time()`; never in the future.
   * @throws {@link InvalidStateError} `ERR_INVALID_STATE` - somebody waits for the tick already, or the
   *   interval is closed; also while waiting.
   */
  tick(): Awaitable<number> {
    if (this.#isClosed) throw closedError();
    const last = this.#tick;
    if (last !== null) {
      if (!last.done()) throw new InvalidStateError('The tick of this interval is being waited for already');
      if (last._givenMs !== null) this.#advance(last._givenMs);
    }
    this.#tick = new Tick(this.#loop, this.#startMs + this.#count * this.#periodMs);
    return this.#tick;
  }

  #advance(givenMs: number): void {
    if (this.#missed === 'delay') {
      this.#startMs = givenMs;
      this.#count = 1;
      return;
    }
    this.#count++;
    if (this.#missed === 'burst') return;
    const passed = Math.floor((givenMs - this.#startMs) / this.#periodMs);
    this.#count = Math.max(this.#count, passed + 1);
  }

  /** The times of the ticks, until the interval is closed; leaving the loop early does not close it. */
  async *[Symbol.asyncIterator](): AsyncIterator<number, void, undefined> {
    for (;;) {
      const dueMs = await this.#tickUnlessClosed();
      if (dueMs === null) return;
      yield dueMs;
    }
  }

  async #tickUnlessClosed(): Promise<number | null> {
    try {
      return await this.tick();
    } catch (error) {
      if (this.#isClosed && error instanceof InvalidStateError) return null;
      throw error;
    }
  }

  /**
   * Ends the ticks: `for await` loops are through, and whoever waits in {@link Interval.tick} gets an
   * error. Idempotent.
   *
   * Suspends: never.
   */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    const tick = this.#tick;
    this.#tick = null;
    if (tick === null || tick.done()) return;
    tick._dropTimer();
    tick.setException(closedError());
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

function closedError(): InvalidStateError {
  return new InvalidStateError('The interval is closed');
}

/** {@link interval} on a certain loop. @internal */
export function intervalOn(loop: LoopCore, periodMs: number, options: IntervalOptions = {}): Interval {
  validateNumber('periodMs', periodMs);
  if (!(periodMs > 0 && periodMs < Infinity)) {
    throw outOfRange('periodMs', 'a finite number greater than 0', periodMs);
  }
  validateObject('options', options);
  const { missed = 'burst', startAt = loop.time() } = options;
  validateOneOf('options.missed', missed, MISSED_TICKS);
  validateNumber('options.startAt', startAt);
  if (!Number.isFinite(startAt)) throw outOfRange('options.startAt', 'a finite number', startAt);
  return new Interval(loop, periodMs, missed, startAt);
}

/**
 * Ticks at a steady pace, the first time at once. A tick is never early, and lateness does not add up,
 * unless `missed` is `'delay'`.
 *
 * Suspends: never; {@link Interval.tick} and `for await` do.
 *
 * @param periodMs - Milliseconds from one tick to the next, fractions allowed; finite and more than 0.
 * @param options - What happens to missed ticks, and when the first one is due.
 * @throws TypeError `ERR_INVALID_ARG_TYPE`, RangeError `ERR_OUT_OF_RANGE` - an argument is wrong.
 * @throws {@link InvalidStateError} `ERR_INVALID_STATE` - no loop is running.
 * @example
 * ```ts
 * let count = 0;
 * for await (const dueMs of interval(10, { missed: 'skip' })) {
 *   console.log(dueMs);
 *   if (++count === 3) break;
 * }
 * ```
 * @example
 * ```ts
 * await createTask(function* () {
 *   const ticks = interval(10);
 *   for (let i = 0; i < 3; i++) console.log(yield* ticks.tick());
 * });
 * ```
 * @source tokio 1 `time::interval`, `MissedTickBehavior`. Differs: any lateness counts for `'delay'`,
 *   where tokio forgives 5 ms.
 */
export function interval(periodMs: number, options?: IntervalOptions): Interval {
  return intervalOn(requireRunningLoop(), periodMs, options);
}
