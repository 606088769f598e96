// Timers of an injected clock: a heap, and one timer of the real clock that wakes the loop for it.
import { monotonicMs, type Clock } from './clock.js';
import { TimerHandle, TimerPlace, type TimerQueue } from './timers.js';

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
      timer._index = TimerPlace.NONE;
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
    timer._index = TimerPlace.NONE;
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

/** Wakes the loop when the injected clock may have reached the first timer. @internal */
export class ClockWake {
  readonly #clock: Clock;
  readonly #timers: ClockTimers;
  readonly #wheel: TimerQueue;
  #timer: TimerHandle | null = null;

  constructor(clock: Clock, timers: ClockTimers, wheel: TimerQueue) {
    this.#clock = clock;
    this.#timers = timers;
    this.#wheel = wheel;
  }

  arm(): void {
    this.#timer?.cancel();
    this.#timer = null;
    const deadline = this.#timers.nextDeadline();
    if (deadline === Infinity) return;
    const sleepMs = Math.max(0, this.#clock.sleepTime(deadline));
    if (sleepMs === Infinity) return;
    const wake = (): void => undefined;
    this.#timer = new TimerHandle(this.#wheel, monotonicMs() + sleepMs, wake, [], null).unref();
    this.#wheel.start(this.#timer);
  }
}

function isBefore(a: TimerHandle, b: TimerHandle): boolean {
  return a._when < b._when || (a._when === b._when && a._generation < b._generation);
}
