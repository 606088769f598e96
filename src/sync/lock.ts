// Mutual exclusion.
//
// A released lock is free at once, but whoever waits first is woken and nobody else gets it until that
// one goes on: then it is locked again.
import { InvalidStateError } from '../base/errors.js';
import { validateBoolean, validateObject } from '../base/validate.js';
import type { Awaitable } from '../task/awaitable.js';
import type { Body } from '../task/body.js';
import { currentTask } from '../task/current.js';
import { settled } from '../task/step-future.js';
import type { Task } from '../task/task.js';
import { guarded, type Guard } from './guarded.js';
import { HomeLoop } from './home-loop.js';
import { Line } from './line.js';
import { ClaimReleaser, type Releaser } from './releaser.js';
import { Turn, type TurnPlace } from './waiter.js';

/** How a {@link Lock} behaves. */
export interface LockOptions {
  /**
   * Whether the lock belongs to the task that acquired it: acquiring it again, which would wait for ever, and
   * releasing it in another task are errors then.
   *
   * @defaultValue false
   */
  owner?: boolean;
}

/** A look at a {@link Lock}. */
export interface LockStatistics {
  /** Whether somebody holds it. */
  readonly locked: boolean;
  /** The task that holds it, where the lock has owners. */
  readonly owner: Task<unknown> | null;
  /** How many wait for it. */
  readonly waiters: number;
}

type Owner = Task<unknown> | null;
type LockTurn = Turn<Releaser, Owner>;

/**
 * Lets one at a time go on, in the order in which they asked. It is not re-entrant.
 *
 * @example
 * ```ts
 * const lock = new Lock();
 * const result = await lock.withLock(async () => {
 *   await sleep(1);
 *   return 'alone in here';
 * });
 * console.log(result);
 * ```
 * @source CPython 3.13 asyncio/locks.py `Lock`. Differs: `acquire()` gives what releases; tasks can own
 *   it, as in trio.
 */
export class Lock implements TurnPlace<Releaser, Owner>, Guard<undefined> {
  readonly #home = new HomeLoop('lock');
  #isLocked = false;
  readonly #hasOwner: boolean;
  #owner: Owner = null;
  // Also those that are woken or cancelled, until they go on.
  readonly #line = new Line<Releaser, LockTurn>();
  #live = 0;
  readonly #releaser: Releaser = new ClaimReleaser(this, undefined);
  #acquired: Awaitable<Releaser> | null = null;

  /**
   * An unlocked lock.
   *
   * @throws TypeError `ERR_INVALID_ARG_TYPE` - an option is wrong.
   */
  constructor(options: LockOptions = {}) {
    validateObject('options', options);
    const { owner = false } = options;
    validateBoolean('options.owner', owner);
    this.#hasOwner = owner;
  }

  /** Whether somebody holds it. */
  get locked(): boolean {
    return this.#isLocked;
  }

  /**
   * Waits until nobody holds the lock, and takes it.
   *
   * Suspends: only while somebody holds the lock or waits for it. A cancel point if so; whoever was woken
   * and cancelled hands the lock on.
   *
   * @returns Releases the lock when it is disposed of; the same object every time.
   * @throws {@link InvalidStateError} `ERR_INVALID_STATE` - the task owns the lock already, or tasks wait for it
   *   on another loop.
   * @example
   * ```ts
   * const lock = new Lock();
   * await lock.acquire();
   * try {
   *   console.log(lock.locked);
   * } finally {
   *   lock.release();
   * }
   * ```
   */
  acquire(): Awaitable<Releaser> {
    return this._enter() ? (this.#acquired ??= settled(this.#releaser)) : this._queue();
  }

  /**
   * Lets the next one go on, in the next turn.
   *
   * Suspends: never.
   *
   * @throws {@link InvalidStateError} `ERR_INVALID_STATE` - it is not locked, or another task owns it.
   */
  release(): void {
    if (!this.#isLocked) throw new InvalidStateError('The lock is not acquired');
    if (this.#hasOwner && this.#owner !== currentTask()) {
      throw new InvalidStateError(`The lock is owned by ${String(this.#owner?._describe())}`);
    }
    this.#unlock();
  }

  /**
   * Runs `body` while holding the lock, and passes on what comes of it.
   *
   * Suspends: as {@link Lock.acquire} does, and where the body does.
   *
   * @param body - A generator function or an async function, in the same task.
   * @throws TypeError `ERR_INVALID_ARG_TYPE` - `body` is no function.
   * @throws {@link InvalidStateError} `ERR_INVALID_STATE` - no loop is running; and as {@link Lock.acquire}.
   * @example
   * ```ts
   * const lock = new Lock();
   * await createTask(function* () {
   *   const sum = yield* lock.withLock(function* () {
   *     return 1 + (yield* sleep(1, 2));
   *   });
   *   console.log(sum);
   * });
   * ```
   */
  withLock<T>(body: Body<[], T>): Awaitable<T> {
    return guarded(this, body, undefined);
  }

  /** Who holds it, and how many wait; a snapshot. */
  statistics(): LockStatistics {
    return { locked: this.#isLocked, owner: this.#owner, waiters: this.#live };
  }

  /** @internal */
  _enter(): boolean {
    if (this.#hasOwner) this.#refuseOwner();
    if (this.#isLocked || this.#live > 0) return false;
    this.#isLocked = true;
    if (this.#hasOwner) this.#owner = currentTask();
    return true;
  }

  #refuseOwner(): void {
    const task = currentTask();
    if (task === null) throw new InvalidStateError('A lock with an owner is acquired by tasks');
    if (task === this.#owner) throw new InvalidStateError('The task owns the lock already');
  }

  /** @internal */
  _queue(): LockTurn {
    const turn = new Turn<Releaser, Owner>(this.#home.claim(), this, this.#hasOwner ? currentTask() : null);
    this.#line.push(turn);
    this.#live++;
    return turn;
  }

  #unlock(): void {
    this.#isLocked = false;
    this.#owner = null;
    this.#wakeFirst();
  }

  // One that is done already goes on by itself, and then wakes the next if it was cancelled.
  #wakeFirst(): void {
    const first = this.#line.first;
    if (first !== null && !first.done()) first._settleResult(this.#releaser);
  }

  /** @internal */
  _onCancelled(): void {
    this.#live--;
  }

  /** @internal */
  _onArrived(turn: LockTurn): void {
    this.#line.remove(turn);
    if (turn.cancelled()) {
      if (!this.#isLocked) this.#wakeFirst();
      return;
    }
    this.#live--;
    this.#isLocked = true;
    this.#owner = turn._claim;
  }

  /** @internal */
  _onLost(): void {
    this.#unlock();
  }
}
