// Several awaitables at once, and all their results.
import { CancelledError } from '../base/errors.js';
import { validateBoolean, validateObject } from '../base/validate.js';
import type { LoopCore } from '../core/loop.js';
import { ChildHandle, swallow, type Parent } from './child.js';
import { requireRunningLoop } from './current.js';
import { futuresOf, validateJoinables, type Joinable, type Joined } from './ensure-future.js';
import { State } from './future-state.js';
import type { Future } from './future.js';
import { StepFuture } from './step-future.js';

/** How {@link gather} takes errors. */
export interface GatherOptions {
  /** Errors and cancellations are results like others. @defaultValue false */
  returnExceptions?: boolean;
}

/** The results of a list of awaitables, in its order. */
export type Gathered<A extends readonly unknown[]> = { -readonly [K in keyof A]: Joined<A[K]> };

/** The results of a list of awaitables, or the errors in their place. */
export type GatheredOrFailed<A extends readonly unknown[]> = {
  -readonly [K in keyof A]: Joined<A[K]> | Error;
};

class Gathering extends StepFuture<unknown[]> implements Parent {
  declare readonly _children: readonly Future<unknown>[];
  declare readonly _returnsErrors: boolean;
  declare _left: number;
  declare _isCancelRequested: boolean;
  declare _cancelReason: unknown;

  constructor(loop: LoopCore, children: readonly Future<unknown>[], returnsErrors: boolean) {
    super(loop);
    this._children = children;
    this._returnsErrors = returnsErrors;
    this._left = children.length;
    this._isCancelRequested = false;
    this._cancelReason = undefined;
    const done: ChildHandle[] = [];
    for (const child of children) {
      const handle = new ChildHandle(this, child, true);
      if (child.done()) done.push(handle);
      else child._addHandle(handle);
    }
    for (const handle of done) this._childDone(handle);
    if (children.length === 0) this._settle(State.FULFILLED, []);
  }

  _childDone({ child }: ChildHandle): void {
    this._left--;
    if (this.done()) return swallow(this._loop, child, 'gather');
    if (!this._returnsErrors && child._state !== State.FULFILLED) {
      this._settle(State.FAILED, child._readError());
    } else if (this._left === 0) {
      this._finish();
    }
  }

  _finish(): void {
    const results = this._children.map(outcomeOf);
    if (this._isCancelRequested) this._settle(State.FAILED, new CancelledError(this._cancelReason));
    else this._settle(State.FULFILLED, results);
  }

  override cancel(reason?: unknown): boolean {
    if (this.done()) return false;
    let isPassedOn = false;
    for (const child of this._children) if (child.cancel(reason)) isPassedOn = true;
    if (isPassedOn) {
      this._isCancelRequested = true;
      this._cancelReason = reason;
    }
    return isPassedOn;
  }

  override _kind(): string {
    return 'gather';
  }
}

function outcomeOf(child: Future<unknown>): unknown {
  if (child._state === State.FULFILLED) return child._value;
  return child.cancelled() ? child._readError() : child.exception();
}

/**
 * Runs several awaitables at once and gives all their results, in the order of the arguments.
 *
 * The first error is the error of the whole at once; the others go on, and their errors are lost (in
 * debug mode they are written to standard error). Use a task group where they should end. Cancelling
 * cancels all of them, and the result of the whole is there when the first ends cancelled, or with
 * `returnExceptions` when all have ended.
 *
 * Suspends: until all are done, or one has failed. A cancel point.
 *
 * @param awaitables - Futures, tasks, coroutines and promises; one that is there twice runs once, but a
 *   function is called each time.
 * @param options - `returnExceptions`: errors become results.
 * @throws TypeError `ERR_INVALID_ARG_TYPE` - nobody can wait for one of them, or an option is wrong; none
 *   of them has begun then.
 * @throws {@link InvalidStateError} `ERR_INVALID_STATE` - no loop is running, or a future is of another.
 * @throws The first error, a {@link CancelledError} too.
 * @example
 * ```ts
 * const [answer, word] = await gather([async () => await sleep(5, 42), sleep(1, 'word')]);
 * console.log(answer, word);
 * ```
 * @source CPython 3.13 `asyncio.gather`. Differs: a list instead of arguments; takes functions and promises.
 */
export function gather<A extends readonly Joinable<unknown>[] | []>(
  awaitables: A,
  options?: GatherOptions & { returnExceptions?: false },
): Future<Gathered<A>>;
export function gather<A extends readonly Joinable<unknown>[] | []>(
  awaitables: A,
  options: GatherOptions,
): Future<GatheredOrFailed<A>>;
export function gather<J extends Joinable<unknown>>(
  awaitables: Iterable<J>,
  options?: GatherOptions & { returnExceptions?: false },
): Future<Joined<J>[]>;
export function gather<J extends Joinable<unknown>>(
  awaitables: Iterable<J>,
  options: GatherOptions,
): Future<(Joined<J> | Error)[]>;
export function gather(
  awaitables: Iterable<Joinable<unknown>>,
  options: GatherOptions = {},
): Future<unknown[]> {
  validateObject('options', options);
  const { returnExceptions = false } = options;
  validateBoolean('options.returnExceptions', returnExceptions);
  const joinables = validateJoinables('awaitables', awaitables);
  const loop = requireRunningLoop();
  return new Gathering(loop, futuresOf(loop, joinables, null), returnExceptions);
}
