// Where the loop takes its time from.
import { binding } from '../native/load.js';

/**
 * A source of time for a loop; inject one to test without waiting.
 *
 * @example
 * ```ts
 * let virtualMs = 0;
 * const clock: Clock = { now: () => virtualMs, sleepTime: (deadlineMs) => deadlineMs - virtualMs };
 * new EventLoop({ clock }).close();
 * ```
 */
export interface Clock {
  /** The current time in milliseconds; never goes back. */
  now(): number;
  /** How many real milliseconds the loop may sleep when its next timer is due at `deadlineMs`. */
  sleepTime(deadlineMs: number): number;
}

const CALIBRATION_ROUNDS = 16;

// performance.now() and native read the same clock from different origins. The difference is never
// taken too small, so no timer that was computed here is early for native.
function measureOrigin(): number {
  let originMs = Infinity;
  for (let round = 0; round < CALIBRATION_ROUNDS; round++) {
    const before = performance.now();
    originMs = Math.min(originMs, binding.now() - before);
  }
  return originMs;
}

const originMs = measureOrigin();
const performanceNow = performance.now.bind(performance);

/** CLOCK_MONOTONIC in fractional milliseconds: the clock of native's timers. */
export function monotonicMs(): number {
  return performanceNow() + originMs;
}
