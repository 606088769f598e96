// A clock that stands still until a test moves it.
import type { Clock } from '../../src/core/clock.js';
import type { LoopCore } from '../../src/core/loop.js';
import { soon } from './loop.js';

export class FakeClock implements Clock {
  nowMs: number;
  /** Every deadline the loop asked about. */
  readonly deadlines: number[] = [];

  constructor(nowMs = 0) {
    this.nowMs = nowMs;
  }

  now(): number {
    return this.nowMs;
  }

  /** Only what is due needs no wait: moving the clock is what wakes the loop. */
  sleepTime(deadlineMs: number): number {
    this.deadlines.push(deadlineMs);
    return deadlineMs <= this.nowMs ? 0 : Infinity;
  }

  /** Moves the clock and lets the loop notice. */
  async advance(loop: LoopCore, byMs: number): Promise<void> {
    this.nowMs += byMs;
    // The first turn finds what is due, and runs it behind this callback.
    await soon(loop);
    await soon(loop);
  }
}
