// A pipe of items within the process, whose two ends are held, and closed, by different tasks.
//
// An item whose sender waits stays with the sender until a receiver takes it, so nothing is lost when either
// of them is cancelled. Receivers are woken, and then look themselves, as the getters of a queue.
import {
  BrokenResourceError,
  ClosedResourceError,
  EndOfChannel,
  WouldBlock,
  outOfRange,
} from '../base/errors.js';
import { validateNumber } from '../base/validate.js';
import { Deque } from '../base/deque.js';
import type { LoopCore } from '../core/loop.js';
import type { Awaitable } from '../task/awaitable.js';
import { requireRunningLoop } from '../task/current.js';
import { operate, type Steps } from '../task/operation.js';
import { pendingFuture, ready } from '../task/step-future.js';
import { HomeLoop } from './home-loop.js';
import { Line } from './line.js';
import { Waiter } from './waiter.js';

/** A look at a channel at one moment; frozen. */
export interface ChannelStatistics {
  /** Items that were sent and wait in the channel; those of waiting senders are not among them. */
  readonly size: number;
  /** So many items fit. */
  readonly capacity: number;
  /** Senders that are not closed. */
  readonly openSenders: number;
  /** Receivers that are not closed. */
  readonly openReceivers: number;
  /** How many wait in {@link Sender.send}. */
  readonly tasksWaitingSend: number;
  /** How many wait in {@link Receiver.receive}. */
  readonly tasksWaitingReceive: number;
}

/** The two ends of a {@link channel}. */
export interface Channel<T> {
  readonly send: Sender<T>;
  readonly receive: Receiver<T>;
}

/** A sender that waits, with what it sends. Woken when that was taken. */
class Sending<T> extends Waiter {
  readonly item: T;
  readonly end: Sender<T>;

  constructor(loop: LoopCore, pipe: Pipe<T>, item: T, end: Sender<T>) {
    super(loop, pipe.sending, undefined);
    this.item = item;
    this.end = end;
  }
}

/** A receiver that waits. Woken when there is something to look at. */
class Receiving<T> extends Waiter {
  readonly end: Receiver<T>;

  constructor(loop: LoopCore, pipe: Pipe<T>, end: Receiver<T>) {
    super(loop, pipe.receiving, undefined);
    this.end = end;
  }
}

/** What the ends of a channel have in common. */
class Pipe<T> {
  readonly capacity: number;
  readonly items = new Deque<T>();
  readonly sending = new Line<void, Sending<T>>();
  readonly receiving = new Line<void, Receiving<T>>();
  readonly home = new HomeLoop('channel');
  openSenders = 0;
  openReceivers = 0;

  constructor(capacity: number) {
    this.capacity = capacity;
  }

  get hasRoom(): boolean {
    return this.items.size < this.capacity;
  }

  /** Whether an item has its receiver, though there is no room for any. */
  get isAwaited(): boolean {
    return this.capacity === 0 && this.receiving.size > 0 && this.sending.size === 0;
  }

  get hasItem(): boolean {
    return this.items.size > 0 || this.sending.size > 0;
  }

  add(item: T): void {
    this.items.push(item);
    this.receiving.wakeNext();
  }

  /** A receiver was woken that cannot take the item: the next one is. */
  passOn(): void {
    if (this.hasItem) this.receiving.wakeNext();
  }

  // There is one.
  take(): T {
    if (this.items.size === 0) return this.#takeFromSender();
    const item = this.items.shift() as T;
    if (this.sending.size > 0 && this.hasRoom) this.items.push(this.#takeFromSender());
    return item;
  }

  #takeFromSender(): T {
    const { item } = this.sending.first!;
    this.sending.wakeNext();
    return item;
  }

  statistics(): ChannelStatistics {
    return Object.freeze({
      size: this.items.size,
      capacity: this.capacity,
      openSenders: this.openSenders,
      openReceivers: this.openReceivers,
      tasksWaitingSend: this.sending.size,
      tasksWaitingReceive: this.receiving.size,
    });
  }
}

/**
 * The end of a {@link channel} that items go into. Each task that sends may have a {@link Sender.clone} of its
 * own: when the last is closed, the receivers know that nothing comes any more.
 *
 * @source trio `MemorySendChannel`
 */
export class Sender<T> {
  readonly #pipe: Pipe<T>;
  #isClosed = false;

  /** @internal */
  constructor(pipe: Pipe<T>) {
    this.#pipe = pipe;
    pipe.openSenders++;
  }

  /**
   * Sends an item: waits for room, and in a channel without capacity until somebody has received it. Items
   * arrive in the order in which sending began.
   *
   * Suspends: only while there is no room. A cancel point while it waits; the item is taken back, unless a
   * receiver took it in the same turn.
   *
   * @throws {@link BrokenResourceError} `ERR_BROKEN_RESOURCE` - all receivers are closed; also while waiting.
   * @throws {@link ClosedResourceError} `ERR_CLOSED_RESOURCE` - this end is closed; also while waiting.
   * @throws {@link InvalidStateError} `ERR_INVALID_STATE` - no loop is running, or others wait on another one.
   */
  send(item: T): Awaitable<void> {
    const loop = requireRunningLoop();
    const pipe = this.#pipe;
    const error = this.#obstacle();
    if (error !== null) return failed(loop, error);
    if (pipe.hasRoom) {
      pipe.add(item);
      return ready(loop, undefined);
    }
    const sending = pipe.sending.push(new Sending(pipe.home.claim(), pipe, item, this));
    pipe.receiving.wakeNext();
    return sending;
  }

  /**
   * Sends an item if there is room; in a channel without capacity, if somebody waits for it and nobody else
   * waits to send.
   *
   * Suspends: never.
   *
   * @throws {@link WouldBlock} `ERR_WOULD_BLOCK` - it would have to wait.
   * @throws {@link BrokenResourceError} `ERR_BROKEN_RESOURCE` - all receivers are closed.
   * @throws {@link ClosedResourceError} `ERR_CLOSED_RESOURCE` - this end is closed.
   */
  sendNowait(item: T): void {
    const error = this.#obstacle();
    if (error !== null) throw error;
    const pipe = this.#pipe;
    if (!pipe.hasRoom && !pipe.isAwaited) throw new WouldBlock();
    pipe.add(item);
  }

  #obstacle(): Error | null {
    if (this.#isClosed) return new ClosedResourceError();
    return this.#pipe.openReceivers === 0 ? new BrokenResourceError() : null;
  }

  /**
   * One more sender of the same channel, to be closed by itself.
   *
   * Suspends: never.
   *
   * @throws {@link ClosedResourceError} `ERR_CLOSED_RESOURCE` - this end is closed.
   */
  clone(): Sender<T> {
    if (this.#isClosed) throw new ClosedResourceError();
    return new Sender(this.#pipe);
  }

  /**
   * Closes this end; whoever waits in its {@link Sender.send} gets a {@link ClosedResourceError}. After the last
   * sender the receivers get what is left, and then {@link EndOfChannel}. Idempotent.
   *
   * Suspends: never.
   */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    const pipe = this.#pipe;
    pipe.sending.fail(
      () => new ClosedResourceError(),
      ({ end }) => end === this,
    );
    if (--pipe.openSenders === 0) pipe.receiving.wakeAll();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** Exact numbers of this moment, of the whole channel. */
  statistics(): ChannelStatistics {
    return this.#pipe.statistics();
  }
}

/**
 * The end of a {@link channel} that items come out of. Each item goes to one receiver only, also when there are
 * several {@link Receiver.clone | clones}. A `for await` loop receives until all senders are closed; leaving it
 * early closes nothing.
 *
 * @source trio `MemoryReceiveChannel`
 */
export class Receiver<T> implements AsyncIterable<T> {
  readonly #pipe: Pipe<T>;
  #isClosed = false;

  /** @internal */
  constructor(pipe: Pipe<T>) {
    this.#pipe = pipe;
    pipe.openReceivers++;
  }

  /**
   * Receives the next item; waits for one if there is none.
   *
   * Suspends: only while there is no item. A cancel point while it waits; no item is lost then.
   *
   * @throws {@link EndOfChannel} `ERR_END_OF_CHANNEL` - all senders are closed, and nothing is left; also while
   *   waiting.
   * @throws {@link ClosedResourceError} `ERR_CLOSED_RESOURCE` - this end is closed; also while waiting.
   * @throws {@link InvalidStateError} `ERR_INVALID_STATE` - no loop is running, or others wait on another one.
   */
  receive(): Awaitable<T> {
    const loop = requireRunningLoop();
    const pipe = this.#pipe;
    if (this.#isClosed || !pipe.hasItem) return operate(loop, this.#receiveLater());
    return ready(loop, pipe.take());
  }

  *#receiveLater(): Steps<T> {
    const pipe = this.#pipe;
    while (this.#mustWait()) {
      const receiving = pipe.receiving.push(new Receiving(pipe.home.claim(), pipe, this));
      try {
        yield* receiving;
      } catch (error) {
        if (!receiving.cancelled()) pipe.passOn();
        throw error;
      }
    }
    if (this.#isClosed) pipe.passOn();
    return this.receiveNowait();
  }

  #mustWait(): boolean {
    return !this.#isClosed && !this.#pipe.hasItem && this.#pipe.openSenders > 0;
  }

  /**
   * Receives the next item, if there is one.
   *
   * Suspends: never.
   *
   * @throws {@link WouldBlock} `ERR_WOULD_BLOCK` - there is none.
   * @throws {@link EndOfChannel} `ERR_END_OF_CHANNEL` - there is none, and all senders are closed.
   * @throws {@link ClosedResourceError} `ERR_CLOSED_RESOURCE` - this end is closed.
   */
  receiveNowait(): T {
    if (this.#isClosed) throw new ClosedResourceError();
    if (this.#pipe.hasItem) return this.#pipe.take();
    throw this.#pipe.openSenders === 0 ? new EndOfChannel() : new WouldBlock();
  }

  /** The items, until all senders are closed and nothing is left. */
  async *[Symbol.asyncIterator](): AsyncGenerator<T, void, undefined> {
    for (;;) {
      let item: T;
      try {
        item = await this.receive();
      } catch (error) {
        if (error instanceof EndOfChannel) return;
        throw error;
      }
      yield item;
    }
  }

  /**
   * One more receiver of the same channel, to be closed by itself.
   *
   * Suspends: never.
   *
   * @throws {@link ClosedResourceError} `ERR_CLOSED_RESOURCE` - this end is closed.
   */
  clone(): Receiver<T> {
    if (this.#isClosed) throw new ClosedResourceError();
    return new Receiver(this.#pipe);
  }

  /**
   * Closes this end; whoever waits in its {@link Receiver.receive} gets a {@link ClosedResourceError}. After the
   * last receiver what is left is dropped, and senders get a {@link BrokenResourceError}, also those that wait.
   * Idempotent.
   *
   * Suspends: never.
   */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    const pipe = this.#pipe;
    pipe.receiving.fail(
      () => new ClosedResourceError(),
      ({ end }) => end === this,
    );
    if (--pipe.openReceivers > 0) return;
    pipe.items.clear();
    pipe.sending.fail(
      () => new BrokenResourceError(),
      () => true,
    );
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** Exact numbers of this moment, of the whole channel. */
  statistics(): ChannelStatistics {
    return this.#pipe.statistics();
  }
}

function failed(loop: LoopCore, error: Error): Awaitable<never> {
  const future = pendingFuture<never>(loop);
  future.setException(error);
  return future;
}

/**
 * Makes a channel: what goes into one end comes out of the other, first in, first out. Unlike a {@link Queue} it
 * knows who uses it: receiving ends when all senders are closed, and sending fails when all receivers are.
 *
 * Suspends: never.
 *
 * @param capacity - How many items fit, 0 or more; Infinity for any number. With 0 sender and receiver meet:
 *   {@link Sender.send} waits until the item was received.
 * @throws TypeError `ERR_INVALID_ARG_TYPE`, RangeError `ERR_OUT_OF_RANGE` - the argument is wrong.
 * @example
 * ```ts
 * const { send, receive } = channel<number>(0);
 * createTask(async () => {
 *   for (let i = 0; i < 3; i++) await send.send(i);
 *   send.close();
 * });
 * for await (const item of receive) console.log(item);
 * ```
 * @source trio `open_memory_channel`. Differs: a `send()` that is cancelled in the turn in which its item was
 *   received throws all the same.
 */
export function channel<T>(capacity: number): Channel<T> {
  validateNumber('capacity', capacity);
  if (capacity !== Infinity && !(Number.isInteger(capacity) && capacity >= 0)) {
    throw outOfRange('capacity', 'an integer of 0 or more, or Infinity', capacity);
  }
  const pipe = new Pipe<T>(capacity);
  return { send: new Sender(pipe), receive: new Receiver(pipe) };
}
