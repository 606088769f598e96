// Timers of one loop: the handles, and the two places where they wait.
//
// Normally that is native's wheel. A start is written straight into the submission ring and taken
// back from there when it is cancelled before native saw it. With an injected clock the timers wait
// in a heap here, because only JS can ask that clock; native then wakes the loop when the clock
// says that the first may be due.
import { InvalidStateError, LoopClosedError } from '../base/errors.js';
import { validateNumber } from '../base/validate.js';
import { abi } from '../native/abi.js';
import type { Rings } from '../native/rings.js';
import { monotonicMs, type Clock } from './clock.js';
import type { ContextSnapshot } from './context.js';
import { callWith, describeFunction, Handle, KIND_CALLBACK, noArgs } from './handle.js';

/** What a timer calls. */
export type TimerCallback = (...args: never[]) => unknown;

const COMPLETION_MASK = abi.COMPLETION_CAPACITY - 1;

const NOT_WAITING = -1;
const NONE = -1;
// Reading the clock costs more than everything else about a timer. Beyond so many in one turn a
// delay is counted from the next moment at which somebody reads the clock, at the latest from the
// end of the turn: a little late, never early. Until then the deadline is open.
const EXACT_READS_PER_TURN = 16;
// While no turn will come, the next moment may be far.
const ALL_READS = 2 ** 30;
// Open starts are looked up in the submission ring, so they must be settled before it goes round.
const MOST_OPEN = abi.SUBMISSION_CAPACITY / 2;
// A table of this many timers is not worth shrinking.
const SMALL_TABLE = 1024;
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
  /** Place in the queue, or NOT_WAITING. @internal */
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
    this._index = NOT_WAITING;
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
    if (this._index !== NOT_WAITING) this._queue.stop(this);
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
    if (this._index !== NOT_WAITING) this._queue.stop(this);
  }

  /** Lets the timer keep the process alive, as it does from the start. */
  ref(): this {
    if (this._weight === 1) return this;
    this._weight = 1;
    if (this._index !== NOT_WAITING) this._queue.ref();
    return this;
  }

  /** Lets the process exit before the timer is due. */
  unref(): this {
    if (this._weight === 0) return this;
    this._weight = 0;
    if (this._index !== NOT_WAITING) this._queue.unref();
    return this;
  }

  /** Whether the timer keeps the process alive. */
  hasRef(): boolean {
    return this._weight === 1;
  }

  /** @internal */
  _run(): void {
    // A reset after the deadline wins: the timer waits again, this run is void.
    if (this._index !== NOT_WAITING) return;
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

/** Timers in native's wheel, named by an index into this table. @internal */
export class WheelTimers implements TimerQueue {
  readonly #rings: Rings;
  readonly #onReference: (delta: number) => void;
  // A free place holds the index of the next free one.
  readonly #timers: (TimerHandle | number)[] = [];
  #firstFree = NONE;
  #size = 0;
  #exactReads = ALL_READS;
  #lastReadMs = 0;
  // The ring position of the first start whose deadline is open, or NONE.
  #firstOpen = NONE;
  #isClosed = false;

  constructor(rings: Rings, onReference: (delta: number) => void) {
    this.#rings = rings;
    this.#onReference = onReference;
  }

  get size(): number {
    return this.#size;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  time(): number {
    const now = monotonicMs();
    // A deadline that is made of this time is not before those of timers that were started earlier.
    if (this.#firstOpen !== NONE) this.#settleAt(now);
    return now;
  }

  start(timer: TimerHandle): void {
    this.#enter(timer, abi.OP_TIMER_START, timer._when);
  }

  startIn(timer: TimerHandle, delayMs: number): void {
    if (this.#exactReads > 0) return this.#startExactly(timer, delayMs);
    // Preliminary.
    timer._when = this.#lastReadMs + delayMs;
    this.#enter(timer, abi.OP_TIMER_START_IN, delayMs);
    const first = this.#firstOpen;
    const position = this.#rings.control[abi.CTL_SUBMISSION_TAIL]! - 1;
    if (first === NONE || (position - first) >>> 0 >= MOST_OPEN) this.#noteOpen(position >>> 0);
  }

  #startExactly(timer: TimerHandle, delayMs: number): void {
    this.#exactReads--;
    this.#lastReadMs = monotonicMs();
    timer._when = this.#lastReadMs + delayMs;
    this.#enter(timer, abi.OP_TIMER_START, timer._when);
  }

  /** A turn begins: its first timers read the clock again. */
  beginTurn(): void {
    this.#exactReads = EXACT_READS_PER_TURN;
    this.settle();
  }

  /** No turn will come until the loop runs again. */
  endRun(): void {
    this.#exactReads = ALL_READS;
  }

  // The start at `position` has an open deadline.
  #noteOpen(position: number): void {
    const first = this.#firstOpen;
    // A start that was taken back may have been the first.
    if (first === NONE || ((position - first) | 0) < 0) this.#firstOpen = position;
    else this.settle();
  }

  settle(): void {
    if (this.#firstOpen !== NONE) this.#settleAt(monotonicMs());
  }

  #settleAt(nowMs: number): void {
    this.#rings.settleTimers(this.#firstOpen, nowMs, this.#onSettled);
    this.#firstOpen = NONE;
  }

  readonly #onSettled = (index: number, generation: number, when: number): void => {
    const timer = this.#timers[index];
    if (typeof timer === 'object' && timer._generation === generation) timer._when = when;
  };

  #enter(timer: TimerHandle, op: number, timeMs: number): void {
    let index = this.#firstFree;
    if (index === NONE) index = this.#timers.length;
    else this.#firstFree = this.#timers[index] as number;
    this.#timers[index] = timer;
    timer._index = index;
    timer._generation = this.#rings.submitTimer(op, index, timeMs);
    this.#size++;
    this.#rings.control[abi.CTL_REFERENCES]! += timer._weight;
  }

  stop(timer: TimerHandle): void {
    const { _index: index, _generation: generation } = timer;
    this.#release(timer);
    if (!this.#rings.withdrawTimer(index, generation)) {
      this.#rings.submit(abi.OP_TIMER_CANCEL, index, generation, 0, 0);
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
    if (typeof timer !== 'object' || timer._generation !== generation) return undefined;
    this.#release(timer);
    return timer;
  }

  /**
   * Reads both ends of the timers that `count` completions from `head` on name. Many due timers lie
   * scattered in memory; a short loop lets the processor fetch them at the same time instead of one
   * after the other. The sum is never negative; using it keeps the engine from leaving the loop out.
   */
  warm(head: number, count: number): number {
    const timers = this.#timers;
    const words = this.#rings.completions;
    let sum = 0;
    for (let i = 0; i < count; i++) {
      const index = words[((head + i) & COMPLETION_MASK) * abi.ENTRY_WORDS + 1]!;
      if (index >= timers.length) continue;
      const timer = timers[index];
      if (typeof timer === 'object') sum += timer._generation;
    }
    return sum;
  }

  nextDeadline(): number {
    this.settle();
    let deadline = Infinity;
    for (const timer of this.#timers) {
      if (typeof timer === 'object' && timer._when < deadline) deadline = timer._when;
    }
    return deadline;
  }

  close(): void {
    this.#isClosed = true;
    for (const timer of [...this.#timers]) {
      if (typeof timer === 'object') this.#release(timer);
    }
    this.#timers.length = 0;
    this.#firstFree = NONE;
  }

  #release(timer: TimerHandle): void {
    const index = timer._index;
    timer._index = NOT_WAITING;
    this.#size--;
    this.#rings.control[abi.CTL_REFERENCES]! -= timer._weight;
    if (this.#size === 0 && this.#timers.length > SMALL_TABLE) {
      // Gives back what a burst of timers needed.
      this.#timers.length = 0;
      this.#firstFree = NONE;
    } else {
      this.#timers[index] = this.#firstFree;
      this.#firstFree = index;
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
  #isClosed = false;

  constructor(clock: Clock, onReference: (delta: number) => void, onEarliest: () => void) {
    this.#clock = clock;
    this.#onReference = onReference;
    this.#onEarliest = onEarliest;
  }

  get size(): number {
    return this.#heap.length;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  time(): number {
    return this.#clock.now();
  }

  startIn(timer: TimerHandle, delayMs: number): void {
    timer._when = this.#clock.now() + delayMs;
    this.start(timer);
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

  settle(): void {
    // They always are.
  }

  nextDeadline(): number {
    return this.#heap[0]?._when ?? Infinity;
  }

  close(): void {
    this.#isClosed = true;
    for (const timer of this.#heap.splice(0)) {
      timer._index = NOT_WAITING;
      if (timer.hasRef()) this.#onReference(-1);
    }
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
