// Something that has happened, or has not yet.
import type { Awaitable } from '../task/awaitable.js';
import { settled } from '../task/step-future.js';
import { Line } from './line.js';
import { LoopBound } from './loop-bound.js';
import { Waiter, type WaitingPlace } from './waiter.js';

/** A look at an {@link Event}. */
export interface EventStatistics {
  /** Whether the flag is up. */
  readonly isSet: boolean;
  /** How many wait for it. */
  readonly waiters: number;
}

const happened = settled(true as const);

/**
 * A flag that others wait for. Exported as `AsyncEvent` as well, as the DOM has an `Event` too.
 *
 * @example
 * ```ts
 * const isReady = new AsyncEvent();
 * const waiter = createTask(async () => await isReady.wait());
 * isReady.set();
 * console.log(await waiter);
 * ```
 * @source CPython 3.13 asyncio/locks.py `Event`
 */
export class Event extends LoopBound implements WaitingPlace<Waiter<true>> {
  #isSet = false;
  readonly #waiters = new Line<Waiter<true>>();

  /** Whether the flag is up. */
  get isSet(): boolean {
    return this.#isSet;
  }

  /**
   * Raises the flag: everybody who waits goes on in the next turn, even if it is taken down before.
   * Idempotent.
   *
   * Suspends: never.
   */
  set(): void {
    if (this.#isSet) return;
    this.#isSet = true;
    for (let waiter = this.#waiters.shift(); waiter !== null; waiter = this.#waiters.shift()) {
      waiter._settleResult(true);
    }
  }

  /**
   * Takes the flag down: from now on {@link Event.wait} waits again. Idempotent.
   *
   * Suspends: never.
   */
  clear(): void {
    this.#isSet = false;
  }

  /**
   * Waits until the flag is raised.
   *
   * Suspends: unless the flag is up. A cancel point if so.
   *
   * @throws {@link InvalidStateError} `ERR_INVALID_STATE` - it has to wait where no loop runs, or on another loop
   *   than others before.
   */
  wait(): Awaitable<true> {
    if (this.#isSet) return happened;
    const waiter = new Waiter<true>(this._boundLoop(), this, undefined);
    this.#waiters.push(waiter);
    return waiter;
  }

  /** Whether the flag is up, and how many wait; a snapshot. */
  statistics(): EventStatistics {
    return { isSet: this.#isSet, waiters: this.#waiters.size };
  }

  /** @internal */
  _onCancelled(waiter: Waiter<true>): void {
    this.#waiters.remove(waiter);
  }

  /** @internal */
  _onLost(): void {
    // Everybody was woken, there is nothing to hand on.
  }
}
