// Makes a future of whatever can be waited for.
import { invalidArgType } from '../base/errors.js';
import type { LoopCore } from '../core/loop.js';
import { isGenerator, isThenable } from './coroutine.js';
import { createTaskOn } from './create.js';
import { requireRunningLoop } from './current.js';
import { Future } from './future.js';
import type { Coroutine } from './task.js';
import { wrapOn } from './wrap.js';

/** Whatever can be waited for: a future, a promise, another awaitable, or a coroutine, which becomes a task. */
export type AnyAwaitable<T> = PromiseLike<T> | Coroutine<T>;

/** {@link ensureFuture} on a certain loop. @internal */
export function ensureFutureOn<T>(loop: LoopCore, awaitable: AnyAwaitable<T>, name = 'awaitable'): Future<T> {
  if (awaitable instanceof Future && awaitable._loop === loop) return awaitable as Future<T>;
  if (typeof awaitable === 'function' || isGenerator(awaitable)) return createTaskOn(loop, awaitable);
  if (isThenable(awaitable)) return wrapOn(loop, awaitable);
  throw invalidArgType(name, 'an awaitable, a promise or a coroutine', awaitable);
}

/**
 * The future of whatever can be waited for: a future of the running loop as it is, a coroutine as a new
 * task, anything else wrapped as by `loop.wrap()`.
 *
 * Suspends: never.
 *
 * @throws TypeError `ERR_INVALID_ARG_TYPE` - it cannot be waited for.
 * @throws {@link InvalidStateError} `ERR_INVALID_STATE` - no loop is running.
 * @example
 * ```ts
 * const future = ensureFuture(async () => await sleep(1, 'done'));
 * console.log(await future);
 * ```
 * @source CPython 3.13 `asyncio.ensure_future`
 */
export function ensureFuture<T>(awaitable: AnyAwaitable<T>): Future<T> {
  return ensureFutureOn(requireRunningLoop(), awaitable);
}
