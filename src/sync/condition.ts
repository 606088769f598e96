// Waiting for a change of what a lock guards.
import { InvalidStateError, invalidReturnValue, isCancelled, type CancelledError } from '../base/errors.js';
import { validateFunction, validateInstance, validateInteger } from '../base/validate.js';
import type { LoopCore } from '../core/loop.js';
import type { Awaitable } from '../task/awaitable.js';
import type { Body } from '../task/body.js';
import { isThenable } from '../task/coroutine.js';
import { requireRunningLoop } from '../task/current.js';
import { shieldIn } from '../task/frame.js';
import { operate, steppingTask, type Steps } from '../task/operation.js';
import { HomeLoop } from './home-loop.js';
import { Line } from './line.js';
import { Lock, type LockStatistics } from './lock.js';
import type { Releaser } from './releaser.js';
import { Waiter } from './waiter.js';

/** A look at a {@link Condition}. */
export interface ConditionStatistics {
  /** How many wait to be notified. */
  readonly waiters: number;
  /** The same of its lock. */
  readonly lock: LockStatistics;
}

/** What of `T` counts as true. */
export type Truthy<T> = Exclude<T, false | null | undefined | 0 | 0n | ''>;

/** A function whose result says at once whether something is so; none that gives a promise. */
export type Predicate<T> = (() => T) & (T extends PromiseLike<unknown> ? never : unknown);

/**
 * A lock, and those who wait until somebody says that what it guards has changed.
 *
 * @example
 * ```ts
 * const condition = new Condition();
 * const items: string[] = [];
 * const consumer = createTask(async () => {
 *   return await condition.withLock(async () => {
 *     await condition.waitFor(() => items.length > 0);
 *     return items.shift();
 *   });
 * });
 * await condition.withLock(async () => {
 *   items.push('apple');
 *   condition.notify();
 * });
 * console.log(await consumer);
 * ```
 * @source CPython 3.13 asyncio/locks.py `Condition`. Differs: a cancelled scope cancels a wait once, not
 *   again while it gets the lock back.
 */
export class Condition {
  readonly #home = new HomeLoop('condition');
  readonly #lock: Lock;
  readonly #waiters = new Line<true>();

  /**
   * A condition of what `lock` guards.
   *
   * @param lock - May be shared with other conditions.
   * @throws TypeError `ERR_INVALID_ARG_TYPE` - `lock` is none.
   */
  constructor(lock: Lock = new Lock()) {
    validateInstance('lock', lock, Lock);
    this.#lock = lock;
  }

  /** Whether somebody holds the lock. */
  get locked(): boolean {
    return this.#lock.locked;
  }

  /**
   * Like {@link Lock.acquire} of the lock.
   *
   * Suspends: only while somebody holds the lock or waits for it. A cancel point if so.
   */
  acquire(): Awaitable<Releaser> {
    return this.#lock.acquire();
  }

  /** Like {@link Lock.release} of the lock. */
  release(): void {
    this.#lock.release();
  }

  /**
   * Like {@link Lock.withLock} of the lock.
   *
   * Suspends: as {@link Lock.acquire} does, and where the body does.
   */
  withLock<T>(body: Body<[], T>): Awaitable<T> {
    return this.#lock.withLock(body);
  }

  /**
   * Releases the lock, waits until somebody notifies, and acquires the lock again. It may wake without
   * a reason: check again, or use {@link Condition.waitFor}.
   *
   * Suspends: always. A cancel point; the lock is held again when the error is thrown, and a notification
   * that came is handed on.
   *
   * @throws {@link InvalidStateError} `ERR_INVALID_STATE` - no loop is running; while waiting: the lock is not
   *   acquired, or is owned by another task, or others wait on another loop.
   */
  wait(): Awaitable<true> {
    const loop = requireRunningLoop();
    return operate(loop, this._wait(loop));
  }

  /**
   * Waits until `predicate` gives something true; it is asked at once, and after each notification.
   *
   * Suspends: unless the first answer is true. A cancel point if so, as {@link Condition.wait}.
   *
   * @param predicate - Called while the lock is held.
   * @returns What it gave.
   * @throws TypeError `ERR_INVALID_ARG_TYPE` - `predicate` is no function; while waiting,
   *   `ERR_INVALID_RETURN_VALUE` - it gave a promise.
   * @throws {@link InvalidStateError} `ERR_INVALID_STATE` - as {@link Condition.wait}.
   */
  waitFor<T>(predicate: Predicate<T>): Awaitable<Truthy<T>> {
    validateFunction('predicate', predicate);
    const loop = requireRunningLoop();
    return operate(loop, this._waitFor(loop, predicate));
  }

  /**
   * Wakes those who have waited longest; they go on when they get the lock, which the caller holds.
   *
   * Suspends: never.
   *
   * @param n - How many at most; an integer, 0 or more.
   * @throws TypeError `ERR_INVALID_ARG_TYPE`, RangeError `ERR_OUT_OF_RANGE` - `n` is no such number.
   * @throws {@link InvalidStateError} `ERR_INVALID_STATE` - the lock is not acquired.
   */
  notify(n = 1): void {
    validateInteger('n', n, 0);
    if (!this.locked) throw new InvalidStateError('Cannot notify while the lock is not acquired');
    this.#wake(n);
  }

  /**
   * Wakes everybody who waits, as {@link Condition.notify} does.
   *
   * Suspends: never.
   *
   * @throws {@link InvalidStateError} `ERR_INVALID_STATE` - the lock is not acquired.
   */
  notifyAll(): void {
    this.notify(this.#waiters.size);
  }

  /** How many wait; a snapshot. */
  statistics(): ConditionStatistics {
    return { waiters: this.#waiters.size, lock: this.#lock.statistics() };
  }

  #wake(n: number): void {
    for (let left = n; left > 0 && this.#waiters.wakeNext(true); left--);
  }

  /** @internal */
  *_wait(loop: LoopCore): Steps<true> {
    if (!this.locked) throw new InvalidStateError('Cannot wait while the lock is not acquired');
    const waiter = new Waiter<true>(this.#home.claim(), this.#waiters, undefined);
    this.#lock.release();
    this.#waiters.push(waiter);
    try {
      try {
        return yield* waiter;
      } finally {
        yield* this.#reacquire(loop);
      }
    } catch (error) {
      // The notification may have been meant for this one.
      this.#wake(1);
      throw error;
    }
  }

  // However often it is cancelled meanwhile. What is around was told by the first cancellation.
  *#reacquire(loop: LoopCore): Steps<void> {
    const task = steppingTask(loop);
    const frame = task._frame;
    let cancellation: CancelledError | null = null;
    task._frame = shieldIn(frame);
    try {
      for (;;) {
        try {
          yield* this.#lock.acquire();
          break;
        } catch (error) {
          if (!isCancelled(error)) throw error;
          cancellation = error;
        }
      }
    } finally {
      task._frame = frame;
    }
    if (cancellation !== null) throw cancellation;
  }

  /** @internal */
  *_waitFor<T>(loop: LoopCore, predicate: () => T): Steps<Truthy<T>> {
    for (;;) {
      const result = predicate();
      if (isThenable(result)) throw invalidReturnValue('predicate', 'a value that is no promise', result);
      if (result) return result as Truthy<T>;
      yield* this._wait(loop);
    }
  }
}
