// Light awaitables for calls that nearly always have their result at once, or wait for it in a generator.
import type { LoopCore } from '../core/loop.js';
import type { Awaitable } from './awaitable.js';
import { isSteppingGenerator } from './current.js';
import { beFuture, beFutureClass, Future } from './future.js';

/** A future without the promise that others are to the engine; awaited as any thenable. @internal */
// eslint-disable-next-line @typescript-eslint/no-unsafe-declaration-merging -- see below
export class StepFuture<T> {
  constructor(loop: LoopCore) {
    beFuture(this as unknown as Future<T>, loop);
  }
}

// As in task.ts: `extends` would make the promise.
// eslint-disable-next-line @typescript-eslint/no-empty-object-type
export interface StepFuture<T> extends Future<T> {}
beFutureClass(StepFuture);

/** A new pending future, of the make that suits whoever asks for it. @internal */
export function pendingFuture<T>(loop: LoopCore): Future<T> {
  return isSteppingGenerator(loop) ? new StepFuture<T>(loop) : new Future<T>(loop);
}

/** A value that is there; for generators. */
class Ready<T> implements Awaitable<T> {
  readonly #value: T;

  constructor(value: T) {
    this.#value = value;
  }

  [Symbol.iterator](): this {
    return this;
  }

  next(): IteratorResult<unknown, T> {
    return { done: true, value: this.#value };
  }

  then<R = T, E = never>(
    onFulfilled?: ((value: T) => R | PromiseLike<R>) | null,
    // eslint-disable-next-line @typescript-eslint/no-explicit-any -- as in PromiseLike
    onRejected?: ((error: any) => E | PromiseLike<E>) | null,
  ): PromiseLike<R | E> {
    return promiseOf(this.#value).then(onFulfilled, onRejected);
  }
}

// `Promise.resolve` would give the value itself if that is a promise or a future.
function promiseOf<T>(value: T): Promise<T> {
  return new Promise((resolve) => resolve(value));
}

/**
 * What a call gives that need not wait: no turn passes, and a cancellation that is due comes at the next
 * wait, as with a coroutine of asyncio that never suspends.
 *
 * @internal
 */
export function ready<T>(loop: LoopCore, value: T): Awaitable<T> {
  return isSteppingGenerator(loop) ? new Ready(value) : settled(value);
}

/** {@link ready} for whoever asks, as often as they like. @internal */
export function settled<T>(value: T): Awaitable<T> {
  const promise = promiseOf(value) as Promise<T> & { [Symbol.iterator]?: () => Ready<T> };
  // Object.assign would take longer than all the rest.
  promise[Symbol.iterator] = () => new Ready(value);
  return promise as Awaitable<T>;
}
