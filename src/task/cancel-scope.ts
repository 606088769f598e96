// The calls that run code in a scope of its own (scope.ts).
import { TimeoutError } from '../base/errors.js';
import {
  validateAbortSignal,
  validateBoolean,
  validateFunction,
  validateNumber,
  validateObject,
} from '../base/validate.js';
import type { LoopCore } from '../core/loop.js';
import type { Awaitable } from './awaitable.js';
import { runBody, type Body } from './body.js';
import { requireRunningLoop } from './current.js';
import { operate, steppingTask, type Steps } from './operation.js';
import { CancelScope, type CancelScopeOptions } from './scope.js';

function* enclose<T>(
  loop: LoopCore,
  options: CancelScopeOptions,
  body: Body<[CancelScope], T>,
  fails: boolean,
): Steps<T | undefined> {
  const task = steppingTask(loop);
  const scope = new CancelScope(loop, task, options);
  task._frame = scope;
  let error: unknown;
  let hasFailed = false;
  let isCaught = false;
  try {
    return yield* runBody(body, task, scope);
  } catch (raised) {
    error = raised;
    hasFailed = true;
  } finally {
    task._frame = scope._parent;
    isCaught = scope._exit(error, hasFailed);
  }
  if (!isCaught) throw error;
  if (fails) throw new TimeoutError(undefined, { cause: error });
  return undefined;
}

/**
 * Runs `body` in a scope of its own. Once that is cancelled, everything that waits inside gets a
 * `CancelledError`, at every wait anew, tasks of groups included; a result that is there is never
 * taken away. The scope swallows the error that it caused, and no other.
 *
 * Suspends: while the body does. A cancel point then, unless the scope is a shield: then a cancellation
 * from outside is delivered at the first wait behind it.
 *
 * @param options - Deadline, shield and signal.
 * @param body - A generator function or an async function; gets the {@link CancelScope}.
 * @returns What `body` returns; undefined when the scope was cancelled and that ended the body.
 * @throws TypeError `ERR_INVALID_ARG_TYPE`, RangeError `ERR_OUT_OF_RANGE` - an argument is wrong.
 * @throws {@link InvalidStateError} `ERR_INVALID_STATE` - no loop is running.
 * @example
 * ```ts
 * await cancelScope({ deadline: loop.time() + 5 }, async (scope) => {
 *   await sleep(1000);
 *   console.log('never reached', scope.deadline);
 * });
 * ```
 * @source trio 0.30 `CancelScope`. Differs: a wait that has its result already is no checkpoint.
 */
export function cancelScope<T>(
  options: CancelScopeOptions,
  body: Body<[CancelScope], T>,
): Awaitable<T | undefined> {
  validateObject('options', options);
  if (options.deadline !== undefined) validateNumber('options.deadline', options.deadline);
  if (options.shield !== undefined) validateBoolean('options.shield', options.shield);
  if (options.signal !== undefined) validateAbortSignal('options.signal', options.signal);
  validateFunction('body', body);
  const loop = requireRunningLoop();
  return operate(loop, enclose(loop, options, body, false));
}

/**
 * Runs `body` for at most so long: then everything that waits inside is cancelled.
 *
 * Suspends: as {@link cancelScope}.
 *
 * @param delayMs - Milliseconds from now, fractions allowed; Infinity for no limit.
 * @param body - A generator function or an async function; gets the {@link CancelScope}.
 * @returns What `body` returns, or undefined when it was cut off.
 * @throws As {@link cancelScope}.
 * @example
 * ```ts
 * const value = await moveOnAfter(5, async () => await sleep(1000, 'late'));
 * console.log(value); // undefined
 * ```
 * @source trio 0.30 `move_on_after`
 */
export function moveOnAfter<T>(delayMs: number, body: Body<[CancelScope], T>): Awaitable<T | undefined> {
  const loop = checkLimit(delayMs, body);
  return operate(loop, enclose(loop, { deadline: loop.time() + delayMs }, body, false));
}

/**
 * {@link moveOnAfter} that fails when the body was cut off.
 *
 * Suspends: as {@link cancelScope}.
 *
 * @throws {@link TimeoutError} (rejects) `ETIMEDOUT` - it was. Else as {@link cancelScope}.
 * @example
 * ```ts
 * const value = await failAfter(1000, async () => await sleep(1, 'in time'));
 * ```
 * @source trio 0.30 `fail_after`
 */
export function failAfter<T>(delayMs: number, body: Body<[CancelScope], T>): Awaitable<T> {
  const loop = checkLimit(delayMs, body);
  return operate(loop, enclose(loop, { deadline: loop.time() + delayMs }, body, true) as Steps<T>);
}

/**
 * Runs `body` although the task is being cancelled, for at most so long: for `finally` blocks that have
 * to wait. Whatever cancels from outside is delivered behind it.
 *
 * Suspends: while the body does. No cancel point.
 *
 * @param delayMs - Milliseconds from now, fractions allowed.
 * @param body - A generator function or an async function; gets the {@link CancelScope}.
 * @returns What `body` returns, or undefined when it was cut off.
 * @throws As {@link cancelScope}.
 * @example
 * ```ts
 * const worker = createTask(async () => {
 *   try {
 *     await sleep(1000);
 *   } finally {
 *     await cleanup(100, async () => await sleep(1));
 *   }
 * });
 * worker.cancel();
 * ```
 * @source trio 0.30: `move_on_after(seconds, shield=True)`
 */
export function cleanup<T>(delayMs: number, body: Body<[CancelScope], T>): Awaitable<T | undefined> {
  const loop = checkLimit(delayMs, body);
  return operate(loop, enclose(loop, { deadline: loop.time() + delayMs, shield: true }, body, false));
}

function checkLimit(delayMs: unknown, body: unknown): LoopCore {
  validateNumber('delayMs', delayMs);
  validateFunction('body', body);
  return requireRunningLoop();
}
