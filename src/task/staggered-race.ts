// A race whose runners start one after the other: the way to try several addresses.
import { outOfRange } from '../base/errors.js';
import { validateFunction, validateNumber } from '../base/validate.js';
import { captureContext, type ContextSnapshot } from '../core/context.js';
import type { LoopCore } from '../core/loop.js';
import type { TimerHandle } from '../core/timers.js';
import type { ChildHandle } from './child.js';
import { validateCoroutine } from './coroutine.js';
import { callingFrame, requireRunningLoop } from './current.js';
import { futureOf, listOf, type Joined } from './ensure-future.js';
import type { Frame } from './frame.js';
import type { Future } from './future.js';
import { FirstSuccess } from './race.js';
import type { Coroutine } from './task.js';

/** A function that makes a coroutine. */
export type CoroutineFunction<T> = Exclude<Coroutine<T>, { next: unknown }>;

/** Starts the next runner after a delay, or when the last one has failed. */
class StaggeredRace<T> extends FirstSuccess<T> {
  declare _later: CoroutineFunction<unknown>[];
  declare readonly _delayMs: number;
  declare readonly _context: ContextSnapshot | null;
  declare readonly _frame: Frame | null;
  declare _timer: TimerHandle | null;

  constructor(loop: LoopCore, functions: readonly CoroutineFunction<unknown>[], delayMs: number) {
    super(loop);
    this._later = [...functions].reverse();
    this._delayMs = delayMs;
    this._context = captureContext();
    this._frame = callingFrame(loop);
    this._timer = null;
    this._startNext();
  }

  _startNext(): void {
    this._timer?.cancel();
    this._timer = null;
    const next = this._later.pop();
    if (next === undefined) return;
    this._enter(futureOf(this._loop, next, this._frame), this._context);
    if (this._later.length === 0) return;
    this._timer = this._loop.callLater(this._delayMs, (race) => race._startNext(), this);
  }

  override _failed(handle: ChildHandle): void {
    if (handle === this._handles.at(-1)) this._startNext();
  }

  override _endOthers(reason: unknown): void {
    this._later = [];
    this._timer?.cancel();
    this._timer = null;
    super._endOthers(reason);
  }

  override _kind(): string {
    return 'staggeredRace';
  }
}

/**
 * Runs functions until one of them has a result: the first at once, each of the others when the one
 * before it has failed, or has run for `delayMs`. The outcome is the first result; those that still run
 * are cancelled, and have ended before it is there.
 *
 * Suspends: always. A cancel point, which cancels all of them and waits for their end.
 *
 * @param functions - One or more generator functions or async functions.
 * @param delayMs - Milliseconds, 0 or more; Infinity waits for failures only.
 * @throws TypeError `ERR_INVALID_ARG_TYPE` - an argument is wrong.
 * @throws RangeError `ERR_OUT_OF_RANGE` - there are no functions, or `delayMs` is out of range.
 * @throws {@link InvalidStateError} `ERR_INVALID_STATE` - no loop is running.
 * @throws {@link ExceptionGroup} of all errors, in the order of the arguments, if there is no result.
 * @example
 * ```ts
 * const winner = await staggeredRace(
 *   [async () => await sleep(1000, 'first'), async () => await sleep(1, 'second')],
 *   5,
 * );
 * console.log(winner);
 * ```
 * @source CPython 3.13 asyncio/staggered.py `staggered_race`. Differs: gives the result, or throws a group.
 */
export function staggeredRace<A extends readonly CoroutineFunction<unknown>[]>(
  functions: A,
  delayMs: number,
): Future<Joined<A[number]>>;
export function staggeredRace<F extends CoroutineFunction<unknown>>(
  functions: Iterable<F>,
  delayMs: number,
): Future<Joined<F>>;
export function staggeredRace(
  functions: Iterable<CoroutineFunction<unknown>>,
  delayMs: number,
): Future<unknown> {
  const list = listOf('functions', functions);
  list.forEach((value, i) => {
    validateFunction(`functions[${String(i)}]`, value);
    validateCoroutine(value);
  });
  if (list.length === 0) throw outOfRange('functions', 'one or more functions', list);
  validateNumber('delayMs', delayMs, 0);
  return new StaggeredRace(requireRunningLoop(), list as CoroutineFunction<unknown>[], delayMs);
}
