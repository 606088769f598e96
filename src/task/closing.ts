// An asynchronous generator whose `finally` runs also when the task that iterates it is cancelled.
import type { LoopCore } from '../core/loop.js';
import { validateAsyncGenerator } from './async-generators.js';
import type { Awaitable } from './awaitable.js';
import { requireRunningLoop } from './current.js';
import { closeIterator, Pull } from './pull.js';

/** A pull that closes its generator when it gives up on it. */
class ClosingPull<T> extends Pull<T> {
  declare readonly _iterator: AsyncIterator<T, unknown, never>;

  constructor(loop: LoopCore, iterator: AsyncIterator<T, unknown, never>) {
    super(loop, iterator);
    this._iterator = iterator;
  }

  override _abandonIfDeaf(reason: unknown): void {
    if (this.done()) return;
    super._abandonIfDeaf(reason);
    // Nobody waits for that: what it throws is reported as the error of a task.
    if (this._isAbandoned) closeIterator(this._loop, this._iterator);
  }
}

/**
 * Iterates an asynchronous generator, in generator tasks as well, and closes it. Made by {@link closing}.
 */
export class Closing<T> implements AsyncIterable<T>, AsyncDisposable {
  readonly #loop: LoopCore;
  readonly #generator: AsyncGenerator<T, unknown, never>;

  /** @internal */
  constructor(loop: LoopCore, generator: AsyncGenerator<T, unknown, never>) {
    this.#loop = loop;
    this.#generator = generator;
  }

  /**
   * The next item, as of an iterator.
   *
   * Suspends: always. A cancel point: the cancellation is thrown in the generator, where it awaits
   * something of this library. Where it does not, the generator is closed once that wait is over.
   *
   * @throws What the generator throws.
   */
  next(): Awaitable<IteratorResult<T>> {
    return new ClosingPull(this.#loop, this.#generator);
  }

  /**
   * Ends the generator: its `finally` runs, also what it does after a `yield` there. Idempotent.
   *
   * Suspends: always. A cancel point.
   *
   * @throws What the generator throws.
   */
  close(): Awaitable<void> {
    return closeIterator(this.#loop, this.#generator);
  }

  /** For `for await`: leaving the loop closes the generator. */
  [Symbol.asyncIterator](): AsyncIterator<T, unknown> {
    return {
      next: () => this.next() as unknown as Promise<IteratorResult<T>>,
      return: async (value?: unknown) => {
        await this.close();
        return { done: true, value };
      },
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

/**
 * Lets an asynchronous generator come to its `finally` as soon as whoever iterates it stops, for whatever
 * reason: leaving the loop, an error, or a cancellation while the generator waits for a foreign promise,
 * after which `for await` would not close it. In a generator task, which has no `for await`,
 * {@link Closing.next} gives one item after the other.
 *
 * Suspends: never; iterating does.
 *
 * @param generator - Not begun, or at a `yield`.
 * @throws TypeError `ERR_INVALID_ARG_TYPE` - it is no asynchronous generator.
 * @throws {@link InvalidStateError} `ERR_INVALID_STATE` - no loop is running.
 * @example
 * ```ts
 * async function* count() {
 *   try {
 *     for (let i = 0; ; i++) yield i;
 *   } finally {
 *     console.log('closed');
 *   }
 * }
 * for await (const i of closing(count())) if (i === 2) break;
 * ```
 * @source Python 3.13 `contextlib.aclosing`
 */
export function closing<T>(generator: AsyncGenerator<T, unknown, never>): Closing<T> {
  validateAsyncGenerator('generator', generator);
  return new Closing(requireRunningLoop(), generator);
}
