// Several futures at once, until enough of them are done.
import { outOfRange, invalidArgType } from '../base/errors.js';
import { validateNumber, validateObject, validateOneOf } from '../base/validate.js';
import type { LoopCore } from '../core/loop.js';
import type { TimerHandle } from '../core/timers.js';
import type { Awaitable } from './awaitable.js';
import { ChildHandle, type Parent } from './child.js';
import { isThenable } from './coroutine.js';
import { requireRunningLoop } from './current.js';
import { checkLoop, listOf } from './ensure-future.js';
import { State } from './future-state.js';
import { Future } from './future.js';
import { operate, type Steps } from './operation.js';
import { pendingFuture } from './step-future.js';
import { wrapOn } from './wrap.js';

/** When {@link wait} has waited long enough: for all, for the first one, or for the first error and else for all. */
export type ReturnWhen = 'ALL_COMPLETED' | 'FIRST_COMPLETED' | 'FIRST_EXCEPTION';

/** How long {@link wait} waits. */
export interface WaitOptions {
  /** Milliseconds after which the rest is pending; null waits without end. @defaultValue null */
  timeout?: number | null;
  /** How many are waited for. @defaultValue `'ALL_COMPLETED'` */
  returnWhen?: ReturnWhen;
}

/** What {@link wait} was given, by whether it is done. */
export interface WaitResult<F> {
  done: Set<F>;
  pending: Set<F>;
}

const RETURN_WHEN: readonly ReturnWhen[] = ['ALL_COMPLETED', 'FIRST_COMPLETED', 'FIRST_EXCEPTION'];

/** One call of {@link wait} that waits. */
class Waiting implements Parent {
  readonly #handles: ChildHandle[] = [];
  readonly #returnWhen: ReturnWhen;
  readonly waiter: Future<void>;
  #left: number;
  #timer: TimerHandle | null = null;

  constructor(loop: LoopCore, futures: Iterable<Future<unknown>>, timeout: number | null, when: ReturnWhen) {
    this.#returnWhen = when;
    this.waiter = pendingFuture(loop);
    if (timeout !== null) {
      this.#timer = loop.callLater(timeout, (waiter) => waiter.setResultUnlessDone(), this.waiter);
    }
    for (const future of futures) {
      const handle = new ChildHandle(this, future, false);
      this.#handles.push(handle);
      future._addHandle(handle);
    }
    this.#left = this.#handles.length;
  }

  _childDone({ child }: ChildHandle): void {
    this.#left--;
    if (!this.#isEnough(child)) return;
    this.#timer?.cancel();
    this.waiter.setResultUnlessDone();
  }

  #isEnough(child: Future<unknown>): boolean {
    if (this.#left === 0 || this.#returnWhen === 'FIRST_COMPLETED') return true;
    if (this.#returnWhen !== 'FIRST_EXCEPTION' || child._state !== State.FAILED) return false;
    child._markRead();
    return true;
  }

  end(): void {
    this.#timer?.cancel();
    for (const handle of this.#handles) if (!handle.cancelled()) handle.child._dropHandle(handle);
  }
}

function* waitSteps<F extends PromiseLike<unknown>>(
  loop: LoopCore,
  given: ReadonlySet<F>,
  timeout: number | null,
  returnWhen: ReturnWhen,
): Steps<WaitResult<F>> {
  const futures = new Map<F, Future<unknown>>();
  for (const future of given) futures.set(future, wrapOn(loop, future));
  const waiting = new Waiting(loop, futures.values(), timeout, returnWhen);
  try {
    yield* waiting.waiter;
  } finally {
    waiting.end();
    for (const [original, future] of futures) forgetWrapper(original, future);
  }
  const result: WaitResult<F> = { done: new Set(), pending: new Set() };
  for (const [original, future] of futures) {
    const isDone = future.done() && (future === (original as unknown) || !future.cancelled());
    (isDone ? result.done : result.pending).add(original);
  }
  return result;
}

// What was made here for a promise holds nothing any more. An error of the promise is heard by it.
function forgetWrapper(original: unknown, future: Future<unknown>): void {
  if (future === original) return;
  future.cancel();
  future._markRead();
}

function refuseCoroutine(name: string, value: unknown): asserts value is PromiseLike<unknown> {
  if (value instanceof Future || isThenable(value)) return;
  const error = invalidArgType(name, 'a future, a task or a promise', value);
  if (typeof value === 'function' || (typeof value === 'object' && value !== null)) {
    error.message = `wait() takes no coroutines, make tasks of them: ${error.message}`;
  }
  throw error;
}

/**
 * Waits until some of several futures are done, and tells which are. It never cancels any of them, not
 * when the time is over and not when it is cancelled itself, and throws none of their errors.
 *
 * A task that was cancelled is done, but no exception.
 *
 * Suspends: always, also when all are done already. A cancel point.
 *
 * @param futures - One or more futures, tasks or promises; no coroutines. The sets hold what was given.
 * @param options - `timeout`: milliseconds; `returnWhen`: how many are waited for.
 * @throws TypeError `ERR_INVALID_ARG_TYPE` - a coroutine, or something else that is no future.
 * @throws RangeError `ERR_OUT_OF_RANGE` - there are none, or an option is out of range.
 * @throws {@link InvalidStateError} `ERR_INVALID_STATE` - no loop is running, or a future is of another.
 * @example
 * ```ts
 * const tasks = [createTask(async () => await sleep(1)), createTask(async () => await sleep(1000))];
 * const { done, pending } = await wait(tasks, { returnWhen: 'FIRST_COMPLETED' });
 * console.log(done.size);
 * for (const task of pending) task.cancel();
 * ```
 * @source CPython 3.13 `asyncio.wait`. Differs: takes promises.
 */
export function wait<F extends PromiseLike<unknown>>(
  futures: Iterable<F>,
  options: WaitOptions = {},
): Awaitable<WaitResult<F>> {
  const list = listOf('futures', futures);
  list.forEach((value, i) => refuseCoroutine(`futures[${String(i)}]`, value));
  if (list.length === 0) throw outOfRange('futures', 'one or more futures', list);
  validateObject('options', options);
  const { timeout = null, returnWhen = 'ALL_COMPLETED' } = options;
  if (timeout !== null) validateNumber('options.timeout', timeout);
  validateOneOf('options.returnWhen', returnWhen, RETURN_WHEN);
  const loop = requireRunningLoop();
  for (const future of list) if (future instanceof Future) checkLoop(loop, future as Future<unknown>);
  return operate(loop, waitSteps(loop, new Set(list as F[]), timeout, returnWhen));
}
