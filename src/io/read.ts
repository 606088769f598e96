// One read of a stream. The bytes are taken when the reader really goes on, not when they arrive:
// a reader that is cancelled in between leaves them for the next.
import type { Awaitable } from '../task/awaitable.js';
import type { Future } from '../task/future.js';

/** What a read needs of its stream. */
export interface ReadSource {
  _tryTake(wants: number): Buffer | null;
  _waitForBytes(wants: number): Future<void>;
}

export class Read implements Awaitable<Buffer> {
  readonly #source: ReadSource;
  readonly #wants: number;
  #waiter: Future<void> | null = null;
  #taken: Buffer | null = null;

  constructor(source: ReadSource, wants: number) {
    this.#source = source;
    this.#wants = wants;
  }

  [Symbol.iterator](): this {
    return this;
  }

  next(): IteratorResult<unknown, Buffer> {
    const waiter = this.#waiter;
    if (waiter !== null) {
      this.#waiter = null;
      waiter.result();
    }
    const taken = this.#tryTake();
    if (taken !== null) return { done: true, value: taken };
    this.#waiter = this.#source._waitForBytes(this.#wants);
    return this.#waiter.next() as IteratorResult<unknown, Buffer>;
  }

  throw(error: unknown): never {
    throw error;
  }

  then<R = Buffer, E = never>(
    onFulfilled?: ((bytes: Buffer) => R | PromiseLike<R>) | null,
    onRejected?: ((error: unknown) => E | PromiseLike<E>) | null,
  ): PromiseLike<R | E> {
    let taken: Buffer | null;
    try {
      taken = this.#tryTake();
      if (taken === null) {
        const retry = (): PromiseLike<R | E> => this.then(onFulfilled, onRejected);
        return this.#source._waitForBytes(this.#wants).then(retry, onRejected);
      }
    } catch (error) {
      return Promise.reject(error as Error).then(onFulfilled, onRejected);
    }
    return Promise.resolve(taken).then(onFulfilled, onRejected);
  }

  #tryTake(): Buffer | null {
    return (this.#taken ??= this.#source._tryTake(this.#wants));
  }
}
