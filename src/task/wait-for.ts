// Waiting for one thing, but not for too long.
import { isCancelled, TimeoutError } from '../base/errors.js';
import { validateNumber } from '../base/validate.js';
import type { LoopCore } from '../core/loop.js';
import type { Awaitable, Operation } from './awaitable.js';
import { isSteppingGenerator, requireRunningLoop } from './current.js';
import { isGenerator, isThenable } from './coroutine.js';
import { ensureJoinable, type Joinable } from './ensure-future.js';
import type { Future } from './future.js';
import { operate, type Steps } from './operation.js';
import { StepFuture } from './step-future.js';
import { timeoutIn, validateTimeoutOptions, type TimeoutOptions } from './timeout.js';

/**
 * Waits for `awaitable` for at most so long; then it is cancelled, and waited for until it has ended. What
 * it returns in spite of that is not lost.
 *
 * Suspends: until it is done. A cancel point, which cancels `awaitable`.
 *
 * @param awaitable - A future, a promise or another awaitable; a coroutine becomes a task.
 * @param delayMs - Milliseconds, fractions allowed. 0 and less: it must be done already. Null or Infinity: no limit.
 * @param options - `strict`: see {@link timeout}.
 * @returns What `awaitable` gives.
 * @throws TypeError `ERR_INVALID_ARG_TYPE`, RangeError `ERR_OUT_OF_RANGE` - an argument is wrong.
 * @throws {@link InvalidStateError} `ERR_INVALID_STATE` - no loop is running.
 * @throws {@link TimeoutError} (rejects) `ETIMEDOUT` - the time was over.
 * @example
 * ```ts
 * console.log(await waitFor(sleep(1, 'in time'), 1000));
 * ```
 * @source CPython 3.13 `asyncio.wait_for`
 */
export function waitFor<T>(
  awaitable: Joinable<T>,
  delayMs: number | null,
  options?: TimeoutOptions,
): Awaitable<T> {
  if (delayMs !== null) validateNumber('delayMs', delayMs);
  validateTimeoutOptions(options);
  const loop = requireRunningLoop();
  if (delayMs !== null && delayMs <= 0) return operate(loop, takeNow(loop, ensureJoinable(loop, awaitable)));
  const awaited = isPartOfWait(loop, awaitable) ? awaitable : ensureJoinable(loop, awaitable);
  const wait = function* (): Steps<T> {
    return yield* awaited;
  };
  return timeoutIn(delayMs, wait, options);
}

// What a generator task can go through by itself is part of its wait, as coroutines are in asyncio: a
// task of its own would lose a result that comes as the wait is cancelled.
function isPartOfWait<T>(loop: LoopCore, awaitable: Joinable<T>): awaitable is Joinable<T> & Operation<T> {
  if (isGenerator(awaitable)) return true;
  return isSteppingGenerator(loop) && isThenable(awaitable) && Symbol.iterator in awaitable;
}

function* takeNow<T>(loop: LoopCore, future: Future<T>): Steps<T> {
  if (future.done()) return future.result();
  const isOver = new StepFuture<void>(loop);
  const release = (): void => void isOver.setResultUnlessDone();
  future.addDoneCallback(release);
  try {
    future.cancel();
    yield* isOver;
  } finally {
    future.removeDoneCallback(release);
  }
  try {
    return future.result();
  } catch (error) {
    throw isCancelled(error) ? new TimeoutError(undefined, { cause: error }) : error;
  }
}
