// Those who wait for one thing, each with a future of its own: a cancelled task cancels what it
// awaits, and must not cancel that of the others.
import type { LoopCore } from '../core/loop.js';
import type { Awaitable } from '../task/awaitable.js';
import { Future } from '../task/future.js';

const FIRST_SWEEP = 8;

/** @internal */
export class Waiters {
  readonly #loop: LoopCore;
  #futures: Future<void>[] = [];
  // So many futures make it worth looking for cancelled ones.
  #sweepAt = FIRST_SWEEP;

  constructor(loop: LoopCore) {
    this.#loop = loop;
  }

  get size(): number {
    return this.#futures.length;
  }

  /** One more, pending. */
  add(): Future<void> {
    if (this.#futures.length >= this.#sweepAt) {
      this.#futures = this.#futures.filter((future) => !future.done());
      this.#sweepAt = Math.max(FIRST_SWEEP, 2 * this.#futures.length);
    }
    const future = new Future<void>(this.#loop);
    this.#futures.push(future);
    return future;
  }

  fulfil(): void {
    for (const future of this.#takeAll()) future.setResultUnlessDone();
  }

  fail(error: Error): void {
    for (const future of this.#takeAll()) if (!future.done()) future.setException(error);
  }

  #takeAll(): Future<void>[] {
    const futures = this.#futures;
    this.#futures = [];
    return futures;
  }
}

/**
 * An event that happens once. Nothing is held for those who have it and do not wait.
 *
 * @internal
 */
export class Once implements Awaitable<void> {
  readonly #loop: LoopCore;
  #waiters: Waiters | null = null;
  #hasHappened = false;

  constructor(loop: LoopCore) {
    this.#loop = loop;
  }

  happen(): void {
    this.#hasHappened = true;
    this.#waiters?.fulfil();
    this.#waiters = null;
  }

  /** A future of its own for one who waits. */
  wait(): Future<void> {
    if (!this.#hasHappened) return (this.#waiters ??= new Waiters(this.#loop)).add();
    const future = new Future<void>(this.#loop);
    future.setResult();
    return future;
  }

  [Symbol.iterator](): Iterator<unknown, void, unknown> {
    return this.wait()[Symbol.iterator]();
  }

  then<R = void, E = never>(
    onFulfilled?: (() => R | PromiseLike<R>) | null,
    onRejected?: ((error: unknown) => E | PromiseLike<E>) | null,
  ): PromiseLike<R | E> {
    return this.wait().then(onFulfilled, onRejected);
  }
}
