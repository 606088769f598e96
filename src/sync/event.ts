// Something that has happened, or has not yet.
import type { Awaitable } from '../task/awaitable.js';
import { settled } from '../task/step-future.js';
import { HomeLoop } from './home-loop.js';
import { Line } from './line.js';
import { Waiter } from './waiter.js';

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
export class Event {
  readonly #home = new HomeLoop('event');
  #isSet = false;
  readonly #waiters = new Line<true>();

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
    this.#waiters.wakeAll(true);
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
    return this.#waiters.push(new Waiter<true>(this.#home.claim(), this.#waiters, undefined));
  }

  /** Whether the flag is up, and how many wait; a snapshot. */
  statistics(): EventStatistics {
    return { isSet: this.#isSet, waiters: this.#waiters.size };
  }
}
