// What tasks can wait for.

/** Waited for with `yield*` in a generator coroutine. */
export interface Operation<T> {
  [Symbol.iterator](): Iterator<unknown, T, unknown>;
}

/**
 * Something of the library that takes its time: `await` it in an async function, `yield*` it in a
 * generator.
 *
 * @example
 * ```ts
 * const inAsync = async (stream: Stream) => await stream.read();
 * function* inGenerator(stream: Stream) {
 *   return yield* stream.read();
 * }
 * ```
 */
export type Awaitable<T> = PromiseLike<T> & Operation<T>;
