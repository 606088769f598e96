// So many at a time.
//
// Permits go straight from who releases to who waits first. As long as somebody waits, or was woken and
// has not gone on, whoever comes queues up, though there be permits.
import { InvalidStateError } from '../base/errors.js';
import { validateInteger } from '../base/validate.js';
import type { Awaitable } from '../task/awaitable.js';
import type { Body } from '../task/body.js';
import { settled } from '../task/step-future.js';
import { guarded, type Guard } from './guarded.js';
import { HomeLoop } from './home-loop.js';
import { Line } from './line.js';
import { ClaimReleaser, type Releaser } from './releaser.js';
import { Turn, type TurnPlace } from './waiter.js';

/** A look at a {@link Semaphore}. */
export interface SemaphoreStatistics {
  /** Permits that are free. */
  readonly value: number;
  /** How many permits there are in all. */
  readonly size: number;
  /** How many wait for permits. */
  readonly waiters: number;
}

type PermitTurn = Turn<Releaser, number>;

/**
 * Gives out permits, in the order in which they are asked for: a request for many holds up the small ones
 * behind it, so that it has its turn.
 *
 * @example
 * ```ts
 * const semaphore = new Semaphore(2);
 * const fetchAll = [1, 2, 3].map((id) =>
 *   createTask(() => semaphore.withPermit(async () => await sleep(1, `page ${id}`))),
 * );
 * for (const page of fetchAll) console.log(await page);
 * ```
 * @source CPython 3.13 asyncio/locks.py `Semaphore`. Differs: several permits at once, as in tokio, and another
 *   number of permits while it is used, as in Effect.
 */
export class Semaphore implements TurnPlace<Releaser, number>, Guard<number> {
  readonly #home = new HomeLoop('semaphore');
  #value: number;
  #size: number;
  readonly #pending = new Line<Releaser, PermitTurn>();
  // Those that were given permits and have not gone on.
  #woken = 0;
  readonly #releaser: Releaser = new ClaimReleaser<number>(this, 1);
  #acquired: Awaitable<Releaser> | null = null;

  /**
   * A semaphore whose permits are all free.
   *
   * @param permits - How many there are; an integer, 0 or more.
   * @throws TypeError `ERR_INVALID_ARG_TYPE`, RangeError `ERR_OUT_OF_RANGE` - `permits` is no such number.
   */
  constructor(permits = 1) {
    validateInteger('permits', permits, 0);
    this.#value = permits;
    this.#size = permits;
  }

  /** Permits that are free; less than 0 after {@link Semaphore.resize} while more are held than there should be. */
  get value(): number {
    return this.#value;
  }

  /** Whether whoever wants a permit has to wait. */
  get locked(): boolean {
    return !this.#canTake(1);
  }

  /** How many permits there are in all. @internal */
  get _size(): number {
    return this.#size;
  }

  #canTake(amount: number): boolean {
    return this.#value >= amount && this.#woken === 0 && this.#pending.size === 0;
  }

  /**
   * Waits for permits, and takes them.
   *
   * Suspends: only while there are too few, or others wait. A cancel point if so; whoever was given permits and
   * cancelled gives them back.
   *
   * @param permits - How many, all or none; an integer, 1 or more.
   * @returns Gives them back when it is disposed of; for one permit the same object every time.
   * @throws TypeError `ERR_INVALID_ARG_TYPE`, RangeError `ERR_OUT_OF_RANGE` - `permits` is no such number.
   * @throws {@link InvalidStateError} `ERR_INVALID_STATE` - it has to wait where no loop runs, or on another loop
   *   than others before.
   * @example
   * ```ts
   * const semaphore = new Semaphore(3);
   * const permits = await semaphore.acquire(2);
   * console.log(semaphore.value);
   * permits.release();
   * ```
   */
  acquire(permits = 1): Awaitable<Releaser> {
    validateInteger('permits', permits, 1);
    if (!this._enter(permits)) return this._queue(permits);
    if (permits === 1) return (this.#acquired ??= settled(this.#releaser));
    return settled(this.#releaserOf(permits));
  }

  /**
   * Takes permits if that can be done without waiting, and without overtaking others.
   *
   * Suspends: never.
   *
   * @param permits - How many, all or none; an integer, 1 or more.
   * @returns Whether it did.
   * @throws TypeError `ERR_INVALID_ARG_TYPE`, RangeError `ERR_OUT_OF_RANGE` - `permits` is no such number.
   */
  tryAcquire(permits = 1): boolean {
    validateInteger('permits', permits, 1);
    return this._enter(permits);
  }

  /**
   * Gives permits back; whoever waits for them goes on in the next turn.
   *
   * Suspends: never.
   *
   * @param permits - How many; an integer, 1 or more. Without having acquired them it adds permits.
   * @throws TypeError `ERR_INVALID_ARG_TYPE`, RangeError `ERR_OUT_OF_RANGE` - `permits` is no such number.
   */
  release(permits = 1): void {
    validateInteger('permits', permits, 1);
    this.#value += permits;
    // No more than these: who was woken before wakes the others, as in asyncio.
    for (let left = permits; left > 0 && this.#wakeNext(); left--);
  }

  /**
   * Changes how many permits there are. Those that are held stay held; if there are fewer now, what is given
   * back fills the gap first.
   *
   * Suspends: never.
   *
   * @param permits - How many there are in all; an integer, 0 or more.
   * @throws TypeError `ERR_INVALID_ARG_TYPE`, RangeError `ERR_OUT_OF_RANGE` - `permits` is no such number.
   */
  resize(permits: number): void {
    validateInteger('permits', permits, 0);
    this.#value += permits - this.#size;
    this.#size = permits;
    this.#wakeAll();
  }

  /**
   * Runs `body` while holding permits, and passes on what comes of it.
   *
   * Suspends: as {@link Semaphore.acquire} does, and where the body does.
   *
   * @param body - A generator function or an async function, in the same task.
   * @param permits - How many; an integer, 1 or more.
   * @throws TypeError `ERR_INVALID_ARG_TYPE`, RangeError `ERR_OUT_OF_RANGE` - an argument is wrong.
   * @throws {@link InvalidStateError} `ERR_INVALID_STATE` - no loop is running; and as {@link Semaphore.acquire}.
   */
  withPermit<T>(body: Body<[], T>, permits = 1): Awaitable<T> {
    validateInteger('permits', permits, 1);
    return guarded(this, body, permits);
  }

  /** How many permits are free, and how many wait; a snapshot. */
  statistics(): SemaphoreStatistics {
    return { value: this.#value, size: this.#size, waiters: this.#pending.size + this.#woken };
  }

  /** @internal */
  _enter(permits: number): boolean {
    if (!this.#canTake(permits)) return false;
    this.#value -= permits;
    return true;
  }

  /** @internal */
  _queue(permits: number): PermitTurn {
    const turn = new Turn<Releaser, number>(this.#home.claim(), this, permits);
    this.#pending.push(turn);
    return turn;
  }

  #releaserOf(permits: number): Releaser {
    return permits === 1 ? this.#releaser : new ClaimReleaser(this, permits);
  }

  // Gives permits to the first that waits, if there are enough.
  #wakeNext(): boolean {
    const first = this.#pending.first;
    if (first === null || first._claim > this.#value) return false;
    this.#pending.remove(first);
    this.#value -= first._claim;
    this.#woken++;
    first._settleResult(this.#releaserOf(first._claim));
    return true;
  }

  #wakeAll(): void {
    while (this.#wakeNext());
  }

  /** @internal */
  _onCancelled(turn: PermitTurn): void {
    this.#pending.remove(turn);
  }

  /** @internal */
  _onArrived(turn: PermitTurn): void {
    if (!turn.cancelled()) this.#woken--;
    this.#wakeAll();
  }

  /** @internal */
  _onLost(turn: PermitTurn): void {
    this.#value += turn._claim;
    this.#wakeAll();
  }
}

/**
 * A semaphore that takes back no more permits than it gave out.
 *
 * @example
 * ```ts
 * const semaphore = new BoundedSemaphore(1);
 * try {
 *   semaphore.release();
 * } catch (error) {
 *   console.log(error.code);
 * }
 * ```
 * @source CPython 3.13 asyncio/locks.py `BoundedSemaphore`
 */
export class BoundedSemaphore extends Semaphore {
  /**
   * Like {@link Semaphore.release}, of permits that were acquired.
   *
   * Suspends: never.
   *
   * @throws {@link InvalidStateError} `ERR_INVALID_STATE` - they were not.
   */
  override release(permits = 1): void {
    validateInteger('permits', permits, 1);
    if (this.value + permits > this._size) {
      throw new InvalidStateError('The semaphore is released more often than acquired');
    }
    super.release(permits);
  }
}
