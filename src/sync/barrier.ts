// A place where tasks wait until all of them are there.
import { BrokenBarrierError } from '../base/errors.js';
import { validateInteger } from '../base/validate.js';
import type { LoopCore } from '../core/loop.js';
import type { Awaitable } from '../task/awaitable.js';
import { requireRunningLoop } from '../task/current.js';
import { operate, type Steps } from '../task/operation.js';
import { Condition } from './condition.js';

/**
 * What a {@link Barrier} does: it fills until all are there, lets those go that were, sends them away after a
 * reset, or was aborted.
 */
export type BarrierState = 'filling' | 'draining' | 'resetting' | 'broken';

/** A look at a {@link Barrier}. */
export interface BarrierStatistics {
  /** How many it takes. */
  readonly parties: number;
  /** How many wait for the others. */
  readonly waiting: number;
  /** What it does. */
  readonly state: BarrierState;
}

/**
 * Lets a fixed number of tasks wait for each other; then it starts anew. Those who come while the last ones are
 * leaving wait for the next round.
 *
 * @example
 * ```ts
 * const barrier = new Barrier(2);
 * const other = createTask(async () => await barrier.wait());
 * const index = await barrier.wait();
 * console.log(index + (await other)); // 0 + 1
 * ```
 * @source CPython 3.13 asyncio/locks.py `Barrier`
 */
export class Barrier {
  readonly #condition = new Condition();
  readonly #parties: number;
  #state: BarrierState = 'filling';
  #count = 0;

  /**
   * An empty barrier.
   *
   * @param parties - How many it takes; an integer, 1 or more.
   * @throws TypeError `ERR_INVALID_ARG_TYPE`, RangeError `ERR_OUT_OF_RANGE` - `parties` is no such number.
   */
  constructor(parties: number) {
    validateInteger('parties', parties, 1);
    this.#parties = parties;
  }

  /** How many it takes. */
  get parties(): number {
    return this.#parties;
  }

  /** How many wait for the others. */
  get waiting(): number {
    return this.#state === 'filling' ? this.#count : 0;
  }

  /** Whether it was aborted. */
  get broken(): boolean {
    return this.#state === 'broken';
  }

  /**
   * Waits until as many have come as it takes.
   *
   * Suspends: unless this is the last one. A cancel point if so, which only takes this one away again.
   *
   * @returns Which one this was: another number from 0 to `parties - 1` for each.
   * @throws {@link InvalidStateError} `ERR_INVALID_STATE` - no loop is running; while waiting: others wait on
   *   another loop.
   * @throws {@link BrokenBarrierError} `ERR_BROKEN_BARRIER` - while waiting: it was aborted, or reset.
   */
  wait(): Awaitable<number> {
    const loop = requireRunningLoop();
    return operate(loop, this.#wait(loop));
  }

  /**
   * Empties it: those who wait get an error, and it takes others as soon as they have left. A barrier that
   * was aborted can be used again.
   *
   * Suspends: only while those who were woken leave. Begins when it is waited for.
   *
   * @throws {@link InvalidStateError} `ERR_INVALID_STATE` - no loop is running.
   */
  reset(): Awaitable<void> {
    return this.#change(() => (this.#count > 0 ? 'resetting' : 'filling'));
  }

  /**
   * Breaks it: those who wait get an error, and so does everybody who comes, until it is reset.
   *
   * Suspends: only while those who were woken leave. Begins when it is waited for.
   *
   * @throws {@link InvalidStateError} `ERR_INVALID_STATE` - no loop is running.
   */
  abort(): Awaitable<void> {
    return this.#change(() => 'broken');
  }

  /** How many wait, and what it does; a snapshot. */
  statistics(): BarrierStatistics {
    return { parties: this.#parties, waiting: this.waiting, state: this.#state };
  }

  #change(nextState: () => BarrierState): Awaitable<void> {
    const loop = requireRunningLoop();
    return operate(loop, this.#changeTo(nextState));
  }

  *#changeTo(nextState: () => BarrierState): Steps<void> {
    yield* this.#condition.acquire();
    try {
      this.#state = nextState();
      this.#condition.notifyAll();
    } finally {
      this.#condition.release();
    }
  }

  *#wait(loop: LoopCore): Steps<number> {
    yield* this.#condition.acquire();
    try {
      yield* this.#untilFilling(loop);
      return yield* this.#fill(loop);
    } finally {
      this.#condition.release();
    }
  }

  *#untilFilling(loop: LoopCore): Steps<void> {
    yield* this.#condition._waitFor(loop, () => this.#state === 'filling' || this.#state === 'broken');
    if (this.#state === 'broken') throw new BrokenBarrierError('The barrier was aborted');
  }

  *#fill(loop: LoopCore): Steps<number> {
    const index = this.#count++;
    try {
      if (index + 1 === this.#parties) this.#drain();
      else yield* this.#untilDraining(loop);
      return index;
    } finally {
      if (--this.#count === 0) this.#startAnew();
    }
  }

  #drain(): void {
    this.#state = 'draining';
    this.#condition.notifyAll();
  }

  *#untilDraining(loop: LoopCore): Steps<void> {
    yield* this.#condition._waitFor(loop, () => this.#state !== 'filling');
    if (this.#state !== 'draining') throw new BrokenBarrierError('The barrier was aborted or reset');
  }

  // The last one has left.
  #startAnew(): void {
    if (this.#state !== 'broken') this.#state = 'filling';
    this.#condition.notifyAll();
  }
}
