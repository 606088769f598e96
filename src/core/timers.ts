// Timers of one loop: the handles, and the two places where they wait.
//
// Normally that is native's wheel. A start is written straight into the submission ring and taken
// back from there when it is cancelled before native saw it. With an injected clock the timers wait
// in a heap here, because only JS can ask that clock; native then wakes the loop when the clock
// says that the first may be due.
import { InvalidStateError } from '../base/errors.js';
import { validateNumber } from '../base/validate.js';
import { OP_TIMER_CANCEL } from '../native/abi.js';
import type { Rings } from '../native/rings.js';
import type { Clock } from './clock.js';
import type { ContextSnapshot } from './context.js';
import { describeFunction, Handle, KIND_CALLBACK } from './handle.js';

/** What a timer calls. */
export type TimerCallback = (...args: never[]) => unknown;

const NOT_WAITING = -1;
const noCallback: TimerCallback = () => undefined;
const noArgs: readonly unknown[] = [];

/** Where a {@link TimerHandle} waits until it is due. @internal */
export interface TimerQueue {
  /** Timers that wait. */
  readonly size: number;
  time(): number;
  start(timer: TimerHandle): void;
  stop(timer: TimerHandle): void;
  /** A referenced timer keeps the process alive. */
  ref(): void;
  unref(): void;
  /** The earliest deadline, ms; Infinity when no timer waits. */
  nextDeadline(): number;
}

/**
 * A callback that runs once its time has come.
 *
 * @source CPython 3.13 asyncio/events.py `TimerHandle`. Differs: milliseconds; `reset`, `ref`.
 */
export class TimerHandle extends Handle {
  /** Place in the queue, or NOT_WAITING. @internal */
  _index = NOT_WAITING;
  /** Tells two uses of one place apart. @internal */
  _generation = 0;
  /** Where the start is in the submission ring. @internal */
  _position = 0;
  /** @internal */
  _when: number;
  #isReferenced = true;
  #callback: TimerCallback;
  #args: readonly unknown[];
  readonly #queue: TimerQueue;

  /** @internal */
  constructor(
    queue: TimerQueue,
    when: number,
    callback: TimerCallback,
    args: readonly unknown[],
    context: ContextSnapshot | null,
  ) {
    super(KIND_CALLBACK, context);
    this.#queue = queue;
    this._when = when;
    this.#callback = callback;
    this.#args = args;
  }

  /** The deadline in milliseconds of the loop's clock. */
  when(): number {
    return this._when;
  }

  /** Whether the timer still waits for its deadline. @internal */
  _isWaiting(): boolean {
    return this._index !== NOT_WAITING;
  }

  /**
   * Takes the timer back; what it holds is released at once. Idempotent, also after it ran.
   *
   * Suspends: never.
   */
  override cancel(): void {
    if (this._isCancelled) return;
    this._isCancelled = true;
    if (this._index !== NOT_WAITING) this.#queue.stop(this);
    this.#callback = noCallback;
    this.#args = noArgs;
    this.context = null;
  }

  /**
   * Starts the timer anew, `delayMs` from now, also after it ran.
   *
   * @param delayMs - Milliseconds; 0 or less means the next turn.
   * @throws TypeError `ERR_INVALID_ARG_TYPE`, RangeError `ERR_OUT_OF_RANGE` - `delayMs` is no number, or NaN.
   * @throws {@link InvalidStateError} `ERR_INVALID_STATE` - the timer was cancelled.
   */
  reset(delayMs: number): this {
    validateNumber('delayMs', delayMs);
    return this.#restart(this.#queue.time() + delayMs);
  }

  /**
   * Like {@link TimerHandle.reset}, with a deadline on the loop's clock.
   *
   * @param whenMs - Milliseconds of `loop.time()`.
   */
  resetAt(whenMs: number): this {
    validateNumber('whenMs', whenMs);
    return this.#restart(whenMs);
  }

  #restart(when: number): this {
    if (this._isCancelled) throw new InvalidStateError('The timer was cancelled');
    if (this._index !== NOT_WAITING) this.#queue.stop(this);
    this._when = when;
    this.#queue.start(this);
    return this;
  }

  /** Lets the timer keep the process alive, as it does from the start. */
  ref(): this {
    if (this.#isReferenced) return this;
    this.#isReferenced = true;
    if (this._index !== NOT_WAITING) this.#queue.ref();
    return this;
  }

  /** Lets the process exit before the timer is due. */
  unref(): this {
    if (!this.#isReferenced) return this;
    this.#isReferenced = false;
    if (this._index !== NOT_WAITING) this.#queue.unref();
    return this;
  }

  /** Whether the timer keeps the process alive. */
  hasRef(): boolean {
    return this.#isReferenced;
  }

  /** @internal */
  _run(): void {
    // A reset after the deadline wins: the timer waits again, this run is void.
    if (this._index !== NOT_WAITING) return;
    (this.#callback as (...args: unknown[]) => unknown)(...this.#args);
  }

  /** @internal */
  _describe(): string {
    return `timer ${describeFunction(this.#callback)}`;
  }
}

/** Timers in native's wheel, named by an index into this table. @internal */
export class WheelTimers implements TimerQueue {
  readonly #rings: Rings;
  readonly #time: () => number;
  readonly #onReference: (delta: number) => void;
  readonly #timers: (TimerHandle | undefined)[] = [];
  readonly #free: number[] = [];
  #nextGeneration = 0;
  #size = 0;

  constructor(rings: Rings, time: () => number, onReference: (delta: number) => void) {
    this.#rings = rings;
    this.#time = time;
    this.#onReference = onReference;
  }

  get size(): number {
    return this.#size;
  }

  time(): number {
    return this.#time();
  }

  start(timer: TimerHandle): void {
    const index = this.#free.pop() ?? this.#timers.length;
    this.#timers[index] = timer;
    const generation = (this.#nextGeneration + 1) >>> 0;
    this.#nextGeneration = generation;
    timer._index = index;
    timer._generation = generation;
    timer._position = this.#rings.submitTimer(index, generation, timer._when);
    this.#size++;
    if (timer.hasRef()) this.#onReference(1);
  }

  stop(timer: TimerHandle): void {
    const { _index: index, _generation: generation } = timer;
    this.#release(timer);
    if (!this.#rings.withdrawTimer(timer._position, index, generation)) {
      this.#rings.submit(OP_TIMER_CANCEL, index, generation, 0, 0);
    }
  }

  ref(): void {
    this.#onReference(1);
  }

  unref(): void {
    this.#onReference(-1);
  }

  /** The timer behind a completion, or undefined when it was stopped meanwhile. */
  take(index: number, generation: number): TimerHandle | undefined {
    const timer = this.#timers[index];
    if (timer === undefined || timer._generation !== generation) return undefined;
    this.#release(timer);
    return timer;
  }

  nextDeadline(): number {
    let deadline = Infinity;
    for (const timer of this.#timers) if (timer !== undefined && timer._when < deadline) deadline = timer._when;
    return deadline;
  }

  #release(timer: TimerHandle): void {
    const index = timer._index;
    timer._index = NOT_WAITING;
    this.#size--;
    if (timer.hasRef()) this.#onReference(-1);
    if (this.#size === 0) {
      // Gives back what a burst of timers needed.
      this.#timers.length = 0;
      this.#free.length = 0;
    } else {
      this.#timers[index] = undefined;
      this.#free.push(index);
    }
  }
}

/** Timers of an injected clock, in a binary heap ordered by deadline, then by start. @internal */
export class ClockTimers implements TimerQueue {
  readonly #clock: Clock;
  readonly #onReference: (delta: number) => void;
  readonly #onEarliest: () => void;
  readonly #heap: TimerHandle[] = [];
  #nextGeneration = 0;

  constructor(clock: Clock, onReference: (delta: number) => void, onEarliest: () => void) {
    this.#clock = clock;
    this.#onReference = onReference;
    this.#onEarliest = onEarliest;
  }

  get size(): number {
    return this.#heap.length;
  }

  time(): number {
    return this.#clock.now();
  }

  start(timer: TimerHandle): void {
    timer._generation = this.#nextGeneration++;
    this.#place(timer, this.#heap.length);
    this.#rise(timer._index);
    if (timer.hasRef()) this.#onReference(1);
    if (timer._index === 0) this.#onEarliest();
  }

  stop(timer: TimerHandle): void {
    this.#remove(timer);
  }

  ref(): void {
    this.#onReference(1);
  }

  unref(): void {
    this.#onReference(-1);
  }

  nextDeadline(): number {
    return this.#heap[0]?._when ?? Infinity;
  }

  /** Removes the first timer when the clock has reached it. */
  takeDue(nowMs: number): TimerHandle | undefined {
    const timer = this.#heap[0];
    if (timer === undefined || timer._when > nowMs) return undefined;
    this.#remove(timer);
    return timer;
  }

  #remove(timer: TimerHandle): void {
    const index = timer._index;
    timer._index = NOT_WAITING;
    if (timer.hasRef()) this.#onReference(-1);
    const last = this.#heap.pop();
    if (last === undefined || last === timer) return;
    this.#place(last, index);
    this.#rise(index);
    this.#sink(last._index);
  }

  #place(timer: TimerHandle, index: number): void {
    this.#heap[index] = timer;
    timer._index = index;
  }

  #rise(start: number): void {
    const timer = this.#heap[start]!;
    let index = start;
    while (index > 0) {
      const parent = this.#heap[(index - 1) >> 1]!;
      if (!isBefore(timer, parent)) break;
      this.#place(parent, index);
      index = (index - 1) >> 1;
    }
    this.#place(timer, index);
  }

  #sink(start: number): void {
    const timer = this.#heap[start]!;
    let index = start;
    for (;;) {
      let child = index * 2 + 1;
      if (child >= this.#heap.length) break;
      if (child + 1 < this.#heap.length && isBefore(this.#heap[child + 1]!, this.#heap[child]!)) child++;
      if (!isBefore(this.#heap[child]!, timer)) break;
      this.#place(this.#heap[child]!, index);
      index = child;
    }
    this.#place(timer, index);
  }
}

function isBefore(a: TimerHandle, b: TimerHandle): boolean {
  return a._when < b._when || (a._when === b._when && a._generation < b._generation);
}
