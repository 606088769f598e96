// Timers in native's wheel. A start is written straight into the submission ring, and taken back
// from there when it is cancelled before native saw it.
import { abi } from '../native/abi.js';
import type { Rings } from '../native/rings.js';
import { monotonicMs } from './clock.js';
import { TimerPlace, type TimerHandle, type TimerQueue } from './timers.js';

const COMPLETION_MASK = abi.COMPLETION_CAPACITY - 1;

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
    timer._index = TimerPlace.NONE;
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
