// So many at a time, and who they are.
import { InvalidStateError } from '../base/errors.js';
import { validateInteger } from '../base/validate.js';
import type { Awaitable } from '../task/awaitable.js';
import type { Body } from '../task/body.js';
import { currentTask } from '../task/current.js';
import { settled } from '../task/step-future.js';
import { guarded, type Guard } from './guarded.js';
import { HomeLoop } from './home-loop.js';
import { Line } from './line.js';
import { ClaimReleaser, type Releaser } from './releaser.js';
import { Waiter, type WaitingPlace } from './waiter.js';

/** A look at a {@link CapacityLimiter}. */
export interface CapacityLimiterStatistics {
  /** Tokens that somebody has. */
  readonly borrowedTokens: number;
  /** How many may be borrowed at a time. */
  readonly totalTokens: number;
  /** Who has a token, in the order of borrowing. */
  readonly borrowers: readonly unknown[];
  /** How many wait for a token. */
  readonly waiters: number;
}

type TokenWaiter = Waiter<Releaser, unknown>;

/**
 * Lets so many at a time use something, as {@link Semaphore} does, but knows them: nobody borrows two tokens, and
 * only who has one gives it back. How many there are can be changed at any time.
 *
 * @example
 * ```ts
 * const limiter = new CapacityLimiter(2);
 * await createTask(async () => {
 *   await limiter.withToken(async () => {
 *     console.log(limiter.borrowedTokens, 'of', limiter.totalTokens);
 *   });
 * });
 * ```
 * @source trio 0.30 `CapacityLimiter`. Differs: a borrower other than the task is an argument.
 */
export class CapacityLimiter implements WaitingPlace<TokenWaiter>, Guard<unknown> {
  readonly #home = new HomeLoop('limiter');
  #totalTokens = 0;
  readonly #borrowers = new Set<unknown>();
  readonly #waiters = new Line<Releaser, TokenWaiter>();
  readonly #waiting = new Set<unknown>();

  /**
   * A limiter of which nothing is borrowed.
   *
   * @param totalTokens - How many may be borrowed at a time; an integer, 1 or more, or Infinity.
   * @throws TypeError `ERR_INVALID_ARG_TYPE`, RangeError `ERR_OUT_OF_RANGE` - `totalTokens` is no such number.
   */
  constructor(totalTokens: number) {
    this.totalTokens = totalTokens;
  }

  /**
   * How many tokens may be borrowed at a time; may be set. More let those who wait go on, in the next turn;
   * fewer take nothing away, but nobody gets one until enough were given back.
   *
   * @throws TypeError `ERR_INVALID_ARG_TYPE`, RangeError `ERR_OUT_OF_RANGE` - no integer from 1, nor Infinity.
   */
  get totalTokens(): number {
    return this.#totalTokens;
  }

  set totalTokens(totalTokens: number) {
    if (totalTokens !== Infinity) validateInteger('totalTokens', totalTokens, 1);
    this.#totalTokens = totalTokens;
    this.#wake();
  }

  /** Tokens that somebody has. */
  get borrowedTokens(): number {
    return this.#borrowers.size;
  }

  /** Tokens that are left; less than 0 while more are borrowed than may be. */
  get availableTokens(): number {
    return this.#totalTokens - this.#borrowers.size;
  }

  /**
   * Waits for a token, and borrows it; tokens are given out in the order in which they were asked for.
   *
   * Suspends: only while there is none. A cancel point if so; a token that came is handed on.
   *
   * @param borrower - Who has it then. Defaults to the task that calls.
   * @returns Gives it back when it is disposed of.
   * @throws {@link InvalidStateError} `ERR_INVALID_STATE` - the borrower has a token or waits for one; nothing is
   *   named and no task calls; tasks wait on another loop.
   */
  acquire(borrower: unknown = callingTask()): Awaitable<Releaser> {
    return this._enter(borrower) ? settled(this.#releaserOf(borrower)) : this._queue(borrower);
  }

  /**
   * Borrows a token if there is one.
   *
   * Suspends: never.
   *
   * @param borrower - Who has it then. Defaults to the task that calls.
   * @returns Whether it did.
   * @throws {@link InvalidStateError} `ERR_INVALID_STATE` - as {@link CapacityLimiter.acquire}.
   */
  tryAcquire(borrower: unknown = callingTask()): boolean {
    return this._enter(borrower);
  }

  /**
   * Gives a token back; whoever waits for one goes on in the next turn.
   *
   * Suspends: never.
   *
   * @param borrower - Who has it. Defaults to the task that calls.
   * @throws {@link InvalidStateError} `ERR_INVALID_STATE` - the borrower has none.
   */
  release(borrower: unknown = callingTask()): void {
    if (!this.#borrowers.delete(borrower)) throw new InvalidStateError('The borrower has no token');
    this.#wake();
  }

  /**
   * Runs `body` while having a token, and passes on what comes of it.
   *
   * Suspends: as {@link CapacityLimiter.acquire} does, and where the body does.
   *
   * @param body - A generator function or an async function, in the same task.
   * @param borrower - Who has the token. Defaults to the task that calls.
   * @throws TypeError `ERR_INVALID_ARG_TYPE` - `body` is no function.
   * @throws {@link InvalidStateError} `ERR_INVALID_STATE` - no loop is running; and as
   *   {@link CapacityLimiter.acquire}.
   */
  withToken<T>(body: Body<[], T>, borrower: unknown = callingTask()): Awaitable<T> {
    return guarded<T, unknown>(this, body, borrower);
  }

  /** Who has tokens, and how many wait; a snapshot. */
  statistics(): CapacityLimiterStatistics {
    return {
      borrowedTokens: this.#borrowers.size,
      totalTokens: this.#totalTokens,
      borrowers: [...this.#borrowers],
      waiters: this.#waiters.size,
    };
  }

  /** @internal */
  _enter(borrower: unknown): boolean {
    if (this.#borrowers.has(borrower)) throw new InvalidStateError('The borrower has a token already');
    if (this.#waiting.has(borrower)) throw new InvalidStateError('The borrower waits for a token already');
    if (this.#waiters.size > 0 || this.availableTokens <= 0) return false;
    this.#borrowers.add(borrower);
    return true;
  }

  /** @internal */
  _queue(borrower: unknown): TokenWaiter {
    const waiter = new Waiter<Releaser, unknown>(this.#home.claim(), this, borrower);
    this.#waiters.push(waiter);
    this.#waiting.add(borrower);
    return waiter;
  }

  #releaserOf(borrower: unknown): Releaser {
    return new ClaimReleaser(this, borrower);
  }

  #wake(): void {
    while (this.availableTokens > 0) {
      const waiter = this.#waiters.first;
      if (waiter === null) return;
      const borrower = waiter._claim;
      this.#waiting.delete(borrower);
      this.#borrowers.add(borrower);
      this.#waiters.wakeNext(this.#releaserOf(borrower));
    }
  }

  /** @internal */
  _onCancelled(waiter: TokenWaiter): void {
    this.#waiters.remove(waiter);
    this.#waiting.delete(waiter._claim);
  }

  /** @internal */
  _onLost(waiter: TokenWaiter): void {
    this.release(waiter._claim);
  }
}

function callingTask(): unknown {
  const task = currentTask();
  if (task === null) throw new InvalidStateError('Outside of tasks the borrower has to be named');
  return task;
}
