// Items on their way from those who make them to those who work on them.
//
// As in asyncio nobody is given an item while it waits: it is woken, and then looks itself. Until it runs
// somebody else may have been faster, and then it waits again.
import { inspect } from 'node:util';
import { InvalidStateError, QueueEmpty, QueueFull, QueueShutDown, outOfRange } from '../base/errors.js';
import { validateBoolean, validateNumber, validateObject, validateOneOf } from '../base/validate.js';
import type { Awaitable } from '../task/awaitable.js';
import { requireRunningLoop } from '../task/current.js';
import { operate, type Steps } from '../task/operation.js';
import { ready } from '../task/step-future.js';
import { HomeLoop } from './home-loop.js';
import { Fifo, type Items } from './items.js';
import { Line } from './line.js';
import { Waiter } from './waiter.js';

/**
 * What becomes of an item for which a queue has no room: its `put()` waits for room (`'wait'`), the item that
 * is there longest makes room (`'dropOldest'`), it is left out itself (`'dropNewest'`), or the call throws
 * (`'throw'`).
 */
export type OverflowPolicy = 'wait' | 'dropOldest' | 'dropNewest' | 'throw';

/** How a {@link Queue} behaves. */
export interface QueueOptions {
  /** What becomes of items for which there is no room. @defaultValue `'wait'` */
  overflow?: OverflowPolicy;
}

/** How a queue ends. */
export interface QueueShutdownOptions {
  /** Drops the items that are left, as if each were done. @defaultValue false */
  immediate?: boolean;
}

/** A look at a queue at one moment; frozen. */
export interface QueueStatistics {
  /** Items in the queue. */
  readonly size: number;
  /** So many fit. */
  readonly maxSize: number;
  /** Items that were put and for which {@link Queue.taskDone} was not called yet. */
  readonly unfinished: number;
  /** Items that an overflow policy dropped, since the queue was made. */
  readonly dropped: number;
  /** How many wait in {@link Queue.get}. */
  readonly tasksWaitingGet: number;
  /** How many wait in {@link Queue.put}. */
  readonly tasksWaitingPut: number;
  /** How many wait in {@link Queue.join}. */
  readonly tasksWaitingJoin: number;
  /** Whether {@link Queue.shutdown} was called. */
  readonly isShutDown: boolean;
}

const OVERFLOW_POLICIES: readonly OverflowPolicy[] = ['wait', 'dropOldest', 'dropNewest', 'throw'];

/**
 * Hands items from tasks that put them to tasks that get them: first in, first out, and no more than `maxSize`
 * at a time. Waiting ends in the order in which it began.
 *
 * A `for await` loop gets items until the queue is shut down and empty. Several loops share the items; leaving
 * one early does not shut the queue down.
 *
 * @example
 * ```ts
 * const queue = new Queue<string>(10);
 * const worker = createTask(async () => {
 *   for await (const name of queue) console.log(name);
 * });
 * await queue.put('first');
 * await queue.put('second');
 * queue.shutdown();
 * await worker;
 * ```
 * @source CPython 3.13 asyncio/queues.py `Queue`. Differs: the size has no default, and no limit is `Infinity`
 *   instead of 0; overflow policies; `for await`; an uncontended call acts at once, not where it is awaited.
 */
export class Queue<T> implements AsyncIterable<T> {
  readonly #maxSize: number;
  readonly #overflow: OverflowPolicy;
  readonly #items: Items<T>;
  readonly #home = new HomeLoop('queue');
  readonly #getters = new Line();
  readonly #putters = new Line();
  readonly #joiners = new Line();
  #unfinished = 0;
  #dropped = 0;
  #isShutDown = false;

  /**
   * @param maxSize - How many items fit, 1 or more; Infinity for any number.
   * @param options - What becomes of items for which there is no room.
   * @throws TypeError `ERR_INVALID_ARG_TYPE`, RangeError `ERR_OUT_OF_RANGE` - an argument is wrong.
   */
  constructor(maxSize: number, options: QueueOptions = {}) {
    validateMaxSize('maxSize', maxSize);
    validateObject('options', options);
    const { overflow = 'wait' } = options;
    validateOneOf('options.overflow', overflow, OVERFLOW_POLICIES);
    this.#maxSize = maxSize;
    this.#overflow = overflow;
    this.#items = this._makeItems(options);
  }

  /** @internal */
  _makeItems(_options: QueueOptions): Items<T> {
    return new Fifo<T>();
  }

  // Looks

  /** How many items fit; Infinity for any number. */
  get maxSize(): number {
    return this.#maxSize;
  }

  /** How many items are there. */
  get size(): number {
    return this.#items.size;
  }

  /** The same as {@link Queue.size}. */
  qsize(): number {
    return this.#items.size;
  }

  /** Whether no item is there. */
  empty(): boolean {
    return this.#items.size === 0;
  }

  /** Whether there is no room. */
  full(): boolean {
    return this.#items.size >= this.#maxSize;
  }

  /** Exact numbers of this moment. */
  statistics(): QueueStatistics {
    return Object.freeze({
      size: this.#items.size,
      maxSize: this.#maxSize,
      unfinished: this.#unfinished,
      dropped: this.#dropped,
      tasksWaitingGet: this.#getters.size,
      tasksWaitingPut: this.#putters.size,
      tasksWaitingJoin: this.#joiners.size,
      isShutDown: this.#isShutDown,
    });
  }

  [inspect.custom](): string {
    const { size, unfinished, tasksWaitingGet: getters, tasksWaitingPut: putters } = this.statistics();
    const parts = [`${this.constructor.name} size=${String(size)}/${String(this.#maxSize)}`];
    if (unfinished > 0) parts.push(`unfinished=${String(unfinished)}`);
    if (getters > 0) parts.push(`getters=${String(getters)}`);
    if (putters > 0) parts.push(`putters=${String(putters)}`);
    if (this.#isShutDown) parts.push('shut down');
    return `<${parts.join(' ')}>`;
  }

  // Putting

  /**
   * Puts an item in; without room the overflow policy decides, which is to wait unless the queue was made
   * with another.
   *
   * Suspends: only while there is no room, with the policy `'wait'`. A cancel point while it waits; the item
   * is not put then.
   *
   * @throws {@link QueueShutDown} `ERR_QUEUE_SHUT_DOWN` - the queue was shut down; also while waiting.
   * @throws {@link QueueFull} `ERR_QUEUE_FULL` - there is no room, with the policy `'throw'`.
   * @throws {@link InvalidStateError} `ERR_INVALID_STATE` - no loop is running, or others wait on another one.
   * @source CPython 3.13 `Queue.put`
   */
  put(item: T): Awaitable<void> {
    const loop = requireRunningLoop();
    const isContended = this.#items.size >= this.#maxSize || this.#isShutDown;
    if (isContended) return operate(loop, this.#putLater(item));
    this.#add(item);
    return ready(loop, undefined);
  }

  *#putLater(item: T): Steps<void> {
    while (this.full() && this.#overflow === 'wait') {
      if (this.#isShutDown) throw new QueueShutDown();
      const putter = this.#putters.push(new Waiter(this.#home.claim(), this.#putters, undefined));
      try {
        yield* putter;
      } catch (error) {
        // Woken, but of no use: the room is somebody else's.
        if (!this.full() && !putter.cancelled()) this.#putters.wakeNext();
        throw error;
      }
    }
    this.putNowait(item);
  }

  /**
   * Puts an item in; without room the overflow policy decides, where `'wait'` means to throw.
   *
   * Suspends: never.
   *
   * @throws {@link QueueFull} `ERR_QUEUE_FULL` - there is no room, with the policy `'wait'` or `'throw'`.
   * @throws {@link QueueShutDown} `ERR_QUEUE_SHUT_DOWN` - the queue was shut down.
   * @source CPython 3.13 `Queue.put_nowait`
   */
  putNowait(item: T): void {
    if (this.#isShutDown) throw new QueueShutDown();
    if (this.#makeRoom()) this.#add(item);
    else this.#dropped++;
  }

  /**
   * Puts an item in if there is room, or if the policy `'dropOldest'` makes some.
   *
   * Suspends: never.
   *
   * @returns Whether the item was put. If not, it was dropped with the policy `'dropNewest'`, and is the
   *   caller's with `'wait'`.
   * @throws {@link QueueFull} `ERR_QUEUE_FULL` - there is no room, with the policy `'throw'`.
   * @throws {@link QueueShutDown} `ERR_QUEUE_SHUT_DOWN` - the queue was shut down.
   * @example
   * ```ts
   * const latest = new Queue<number>(2, { overflow: 'dropOldest' });
   * for (const value of [1, 2, 3]) latest.offer(value);
   * console.log(latest.getNowait(), latest.statistics().dropped); // 2 1
   * ```
   * @source ours
   */
  offer(item: T): boolean {
    if (this.#isShutDown) throw new QueueShutDown();
    if (this.#overflow === 'wait' && this.full()) return false;
    const isPut = this.#makeRoom();
    if (isPut) this.#add(item);
    else this.#dropped++;
    return isPut;
  }

  // Whether there is room, or is now.
  #makeRoom(): boolean {
    if (!this.full()) return true;
    if (this.#overflow === 'dropNewest') return false;
    if (this.#overflow !== 'dropOldest') throw new QueueFull();
    this.#items.shift?.();
    this.#dropped++;
    // Nobody will say that it is done.
    if (this.#unfinished > 0) this.#unfinished--;
    return true;
  }

  #add(item: T): void {
    this.#items.push(item);
    this.#unfinished++;
    this.#getters.wakeNext();
  }

  // Getting

  /**
   * Takes the item whose turn it is; waits for one if there is none.
   *
   * Suspends: only while there is no item. A cancel point while it waits; no item is lost then.
   *
   * @throws {@link QueueShutDown} `ERR_QUEUE_SHUT_DOWN` - the queue was shut down and is empty; also while
   *   waiting.
   * @throws {@link InvalidStateError} `ERR_INVALID_STATE` - no loop is running, or others wait on another one.
   * @source CPython 3.13 `Queue.get`
   */
  get(): Awaitable<T> {
    const loop = requireRunningLoop();
    return this.#items.size === 0 ? operate(loop, this.#getLater()) : ready(loop, this.#take());
  }

  *#getLater(): Steps<T> {
    while (this.empty()) {
      if (this.#isShutDown) throw new QueueShutDown();
      const getter = this.#getters.push(new Waiter(this.#home.claim(), this.#getters, undefined));
      try {
        yield* getter;
      } catch (error) {
        // Woken, but of no use: the item is somebody else's.
        if (!this.empty() && !getter.cancelled()) this.#getters.wakeNext();
        throw error;
      }
    }
    return this.#take();
  }

  /**
   * Takes the item whose turn it is. It may be one for which somebody was woken who waits for longer.
   *
   * Suspends: never.
   *
   * @throws {@link QueueEmpty} `ERR_QUEUE_EMPTY` - there is none.
   * @throws {@link QueueShutDown} `ERR_QUEUE_SHUT_DOWN` - there is none, and the queue was shut down.
   * @source CPython 3.13 `Queue.get_nowait`
   */
  getNowait(): T {
    if (this.#items.size > 0) return this.#take();
    throw this.#isShutDown ? new QueueShutDown() : new QueueEmpty();
  }

  #take(): T {
    const item = this.#items.take();
    this.#putters.wakeNext();
    return item;
  }

  /** The items, until the queue is shut down and empty. */
  async *[Symbol.asyncIterator](): AsyncGenerator<T, void, undefined> {
    for (;;) {
      let item: T;
      try {
        item = await this.get();
      } catch (error) {
        if (this.#isShutDown && error instanceof QueueShutDown) return;
        throw error;
      }
      yield item;
    }
  }

  // Finishing

  /**
   * Says that the work on an item that was taken is done; {@link Queue.join} waits for that.
   *
   * Suspends: never.
   *
   * @throws {@link InvalidStateError} `ERR_INVALID_STATE` - it was called more often than items were put.
   * @source CPython 3.13 `Queue.task_done`. Differs: InvalidStateError instead of ValueError.
   */
  taskDone(): void {
    if (this.#unfinished === 0) {
      throw new InvalidStateError('taskDone() was called more often than items were put');
    }
    if (--this.#unfinished === 0) this.#joiners.wakeAll();
  }

  /**
   * Waits until {@link Queue.taskDone} was called for every item that was put.
   *
   * Suspends: only while some are not done. A cancel point.
   *
   * @throws {@link InvalidStateError} `ERR_INVALID_STATE` - no loop is running, or others wait on another one.
   * @example
   * ```ts
   * const queue = new Queue<number>(Infinity);
   * queue.putNowait(1);
   * createTask(async () => {
   *   console.log(await queue.get());
   *   queue.taskDone();
   * });
   * await queue.join();
   * ```
   * @source CPython 3.13 `Queue.join`
   */
  join(): Awaitable<void> {
    const loop = requireRunningLoop();
    if (this.#unfinished === 0) return ready(loop, undefined);
    return this.#joiners.push(new Waiter(this.#home.claim(), this.#joiners, undefined));
  }

  /**
   * Takes no items any more: putting throws {@link QueueShutDown}, and so does getting once the queue is empty.
   * Whoever waits in {@link Queue.put}, or in {@link Queue.get} of an empty queue, gets that error. Idempotent;
   * `immediate` can be said later.
   *
   * Suspends: never.
   *
   * @throws TypeError `ERR_INVALID_ARG_TYPE` - an option is wrong.
   * @source CPython 3.13 `Queue.shutdown`
   */
  shutdown(options: QueueShutdownOptions = {}): void {
    validateObject('options', options);
    const { immediate = false } = options;
    validateBoolean('options.immediate', immediate);
    this.#isShutDown = true;
    if (immediate) this.#dropAll();
    // All of them look again.
    this.#getters.wakeAll();
    this.#putters.wakeAll();
  }

  #dropAll(): void {
    // Each counts as done, also where more were reported done than were taken.
    this.#unfinished = Math.max(0, this.#unfinished - this.#items.size);
    this.#items.clear();
    if (this.#unfinished === 0) this.#joiners.wakeAll();
  }
}

/** @throws TypeError `ERR_INVALID_ARG_TYPE`, RangeError `ERR_OUT_OF_RANGE` @internal */
export function validateMaxSize(name: string, value: unknown): asserts value is number {
  validateNumber(name, value);
  if (value === Infinity || (Number.isInteger(value) && value >= 1)) return;
  throw outOfRange(name, 'an integer of 1 or more, or Infinity', value);
}
