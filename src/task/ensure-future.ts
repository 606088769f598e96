// Makes a future of whatever can be waited for.
import { InvalidStateError, invalidArgType } from '../base/errors.js';
import type { LoopCore } from '../core/loop.js';
import type { Awaitable } from './awaitable.js';
import { isGenerator, isThenable, validateCoroutine } from './coroutine.js';
import { createTaskOn } from './create.js';
import { requireRunningLoop } from './current.js';
import type { Frame } from './frame.js';
import { Future } from './future.js';
import { cancelOperation, handOver } from './operation.js';
import type { Coroutine } from './task.js';
import { wrapOn } from './wrap.js';

/**
 * What can be waited for along with others: a coroutine, which becomes a task, or an awaitable or promise.
 *
 * @example
 * ```ts
 * const several: Joinable<string>[] = [
 *   async () => await sleep(1, 'function'),
 *   sleep(1, 'awaitable'),
 *   Promise.resolve('promise'),
 * ];
 * console.log(await gather(several));
 * ```
 */
export type Joinable<T> = Coroutine<T> | PromiseLike<T>;

/** What waiting for a {@link Joinable} gives. */
export type Joined<J> =
  J extends PromiseLike<infer T>
    ? T
    : J extends Generator<unknown, infer T, unknown>
      ? T
      : J extends (...args: never[]) => infer R
        ? R extends PromiseLike<infer T> | Generator<unknown, infer T, unknown>
          ? T
          : never
        : never;

const EXPECTED = 'a coroutine, an awaitable or a promise';

/** @throws TypeError `ERR_INVALID_ARG_TYPE` - nobody can wait for `value`. @internal */
export function validateJoinable(name: string, value: unknown): asserts value is Joinable<unknown> {
  if (value instanceof Future || isThenable(value)) return;
  if (typeof value !== 'function' && !isGenerator(value)) throw invalidArgType(name, EXPECTED, value);
  validateCoroutine(value);
}

/**
 * The elements of an iterable, each of which can be waited for.
 *
 * @throws TypeError `ERR_INVALID_ARG_TYPE`
 * @internal
 */
export function validateJoinables(name: string, values: unknown): Joinable<unknown>[] {
  const list = listOf(name, values);
  for (let i = 0; i < list.length; i++) {
    if (!(list[i] instanceof Future)) validateJoinable(`${name}[${String(i)}]`, list[i]);
  }
  return list as Joinable<unknown>[];
}

/**
 * The elements of an iterable that is no awaitable itself.
 *
 * @throws TypeError `ERR_INVALID_ARG_TYPE`
 * @internal
 */
export function listOf(name: string, values: unknown): readonly unknown[] {
  if (Array.isArray(values)) return values;
  if (typeof values !== 'object' || values === null || isThenable(values) || !(Symbol.iterator in values)) {
    throw invalidArgType(name, 'an iterable of awaitables', values);
  }
  return [...(values as Iterable<unknown>)];
}

/** @throws {@link InvalidStateError} `ERR_INVALID_STATE` - the future is of another loop. @internal */
export function checkLoop(loop: LoopCore, future: Future<unknown>): void {
  if (future._loop === loop) return;
  throw new InvalidStateError(
    `${future._describe()} is attached to a different loop; bridge it with loop.wrap()`,
  );
}

/** The future of something valid; a new task is part of `frame`. @internal */
export function futureOf<T>(loop: LoopCore, joinable: Joinable<T>, frame: Frame | null = null): Future<T> {
  if (joinable instanceof Future) {
    checkLoop(loop, joinable as Future<T>);
    return joinable as Future<T>;
  }
  if (isThenable(joinable) && (joinable instanceof Promise || !(Symbol.iterator in joinable))) {
    return wrapOn(
      loop,
      joinable as PromiseLike<T>,
      undefined,
      handOver(joinable) ? cancelOperation : undefined,
    );
  }
  const coroutine = isThenable(joinable) ? join(joinable as Awaitable<T>) : joinable;
  return createTaskOn(loop, coroutine, frame === null ? undefined : { _frame: frame });
}

/**
 * The future of something that may be invalid.
 *
 * @throws TypeError `ERR_INVALID_ARG_TYPE`
 * @internal
 */
export function ensureJoinable<T>(loop: LoopCore, joinable: Joinable<T>): Future<T> {
  validateJoinable('awaitable', joinable);
  return futureOf(loop, joinable);
}

/**
 * The futures of what was validated. What is there twice runs once, but a function makes a coroutine
 * each time it is called. New tasks are part of `frame`.
 *
 * @internal
 */
export function futuresOf(
  loop: LoopCore,
  joinables: readonly Joinable<unknown>[],
  frame: Frame | null,
): Future<unknown>[] {
  for (const joinable of joinables) {
    if (joinable instanceof Future) checkLoop(loop, joinable as Future<unknown>);
  }
  let known: Map<unknown, Future<unknown>> | null = null;
  const futures: Future<unknown>[] = [];
  for (const joinable of joinables) {
    if (joinable instanceof Future) {
      futures.push(joinable as Future<unknown>);
      continue;
    }
    const future = known?.get(joinable) ?? futureOf(loop, joinable, frame);
    if (typeof joinable !== 'function') (known ??= new Map()).set(joinable, future);
    futures.push(future);
  }
  return futures;
}

function* join<T>(awaitable: Awaitable<T>): Generator<unknown, T, unknown> {
  return yield* awaitable;
}

/**
 * Makes a future of whatever can be waited for: a future or task is returned as it is, a coroutine
 * becomes a task, a promise is wrapped, and an operation that has not begun is waited for by a new task.
 *
 * Suspends: never; waiting for what it returns does.
 *
 * @param awaitable - What to wait for.
 * @throws TypeError `ERR_INVALID_ARG_TYPE` - `awaitable` is none of these.
 * @throws {@link InvalidStateError} `ERR_INVALID_STATE` - no loop is running, or it is the future of another.
 * @example
 * ```ts
 * const future = ensureFuture(async () => await sleep(1, 'done'));
 * console.log(await future);
 * ```
 * @source CPython 3.13 `asyncio.ensure_future`. Differs: takes promises.
 */
export function ensureFuture<F extends Future<unknown>>(awaitable: F): F;
export function ensureFuture<T>(awaitable: Joinable<T>): Future<T>;
export function ensureFuture<T>(awaitable: Joinable<T>): Future<T> {
  return ensureJoinable(requireRunningLoop(), awaitable);
}
