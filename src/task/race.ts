// Several awaitables at once, of which one is wanted.
//
// Whatever the end is, it comes when none of them runs any more: the others are cancelled and have
// cleaned up. So a race is the end of everything that was started for it.
import { outOfRange } from '../base/errors.js';
import { ExceptionGroup } from '../base/exception-group.js';
import type { ContextSnapshot } from '../core/context.js';
import type { LoopCore } from '../core/loop.js';
import { ChildHandle, swallow, type Parent } from './child.js';
import { callingFrame, requireRunningLoop } from './current.js';
import { futuresOf, validateJoinables, type Joinable, type Joined } from './ensure-future.js';
import { State } from './future-state.js';
import type { Future } from './future.js';
import { StepFuture } from './step-future.js';

/** Ends with the first child that is done. @internal */
export class Race<T> extends StepFuture<T> implements Parent {
  // In the order in which they began.
  declare _handles: ChildHandle[];
  declare _left: number;
  declare _winner: Future<unknown> | null;
  declare _isCancelRequested: boolean;
  declare _cancelReason: unknown;

  constructor(loop: LoopCore) {
    super(loop);
    this._handles = [];
    this._left = 0;
    this._winner = null;
    this._isCancelRequested = false;
    this._cancelReason = undefined;
  }

  _enter(child: Future<unknown>, context: ContextSnapshot | null = null): void {
    const handle = new ChildHandle(this, child, true, context);
    this._handles.push(handle);
    this._left++;
    child._addHandle(handle);
  }

  _childDone(handle: ChildHandle): void {
    const { child } = handle;
    this._left--;
    if (this._winner !== null || this._isCancelRequested) {
      if (child !== this._winner) swallow(this._loop, child, this._kind());
    } else if (this._isWonBy(child)) {
      this._winner = child;
      this._endOthers(undefined);
    } else {
      this._failed(handle);
    }
    if (this._left === 0) this._finish();
  }

  _isWonBy(_child: Future<unknown>): boolean {
    return true;
  }

  _failed(_handle: ChildHandle): void {
    // The others go on.
  }

  // Those that end at once, as plain futures do, need no turn for it.
  _endOthers(reason: unknown): void {
    for (const handle of this._handles) {
      const { child } = handle;
      if (child === this._winner || handle.cancelled()) continue;
      // One that was done in the same turn may have to give back what it got.
      if (child.done()) child._lose();
      else child.cancel(reason);
      if (!child.done()) continue;
      handle.cancel();
      this._left--;
    }
  }

  override cancel(reason?: unknown): boolean {
    if (this.done()) return false;
    if (!this._isCancelRequested) this._winner?._lose();
    this._isCancelRequested = true;
    this._cancelReason = reason;
    this._endOthers(reason);
    if (this._left === 0) this._finish();
    return true;
  }

  override _lose(): void {
    super._lose();
    this._winner?._lose();
  }

  _finish(): void {
    const winner = this._winner;
    const handles = this._handles;
    this._handles = [];
    if (this._isCancelRequested) this._settle(State.CANCELLED, this._cancelReason);
    else if (winner === null) this._settle(State.FAILED, allFailed(this._kind(), handles));
    else if (winner._state === State.FULFILLED) this._settle(State.FULFILLED, winner._value);
    else if (winner._state === State.FAILED) this._settle(State.FAILED, winner._readError());
    else this._settleCancelled(winner._readError());
  }

  override _kind(): string {
    return 'race';
  }
}

function allFailed(name: string, handles: readonly ChildHandle[]): ExceptionGroup {
  const errors = handles.map(({ child }) => child._readError());
  return new ExceptionGroup(`All of ${name}() failed`, errors);
}

/** Ends with the first child that has a result. @internal */
export class FirstSuccess<T> extends Race<T> {
  override _isWonBy(child: Future<unknown>): boolean {
    return child._state === State.FULFILLED;
  }

  override _kind(): string {
    return 'firstSuccess';
  }
}

function enterAll<T>(Kind: new (loop: LoopCore) => Race<T>, awaitables: Iterable<Joinable<T>>): Future<T> {
  const joinables = validateJoinables('awaitables', awaitables);
  if (joinables.length === 0) throw outOfRange('awaitables', 'one or more awaitables', joinables);
  const loop = requireRunningLoop();
  const race = new Kind(loop);
  for (const future of futuresOf(loop, joinables, callingFrame(loop))) race._enter(future);
  return race;
}

/**
 * Runs several awaitables at once; the first one that is done, with a result or an error, is the
 * outcome. The others are cancelled, and have ended before the outcome is there.
 *
 * Futures among them are cancelled as well; give `shield(future)` for one that others need. A promise
 * cannot be cancelled: nobody waits for it any more. Errors of those that did not come first are lost
 * (in debug mode they are written to standard error).
 *
 * Suspends: always. A cancel point, which cancels all of them and waits for their end.
 *
 * @param awaitables - One or more futures, tasks, coroutines and promises.
 * @throws TypeError `ERR_INVALID_ARG_TYPE` - nobody can wait for one of them; none of them has begun then.
 * @throws RangeError `ERR_OUT_OF_RANGE` - there are none.
 * @throws {@link InvalidStateError} `ERR_INVALID_STATE` - no loop is running, or a future is of another.
 * @throws What the first one threw.
 * @example
 * ```ts
 * const answer = await race([async () => await sleep(1000, 'slow'), async () => await sleep(1, 'fast')]);
 * console.log(answer);
 * ```
 * @source ours; Effect `raceFirst`
 */
export function race<A extends readonly Joinable<unknown>[] | []>(awaitables: A): Future<Joined<A[number]>>;
export function race<J extends Joinable<unknown>>(awaitables: Iterable<J>): Future<Joined<J>>;
export function race(awaitables: Iterable<Joinable<unknown>>): Future<unknown> {
  return enterAll(Race, awaitables);
}

/**
 * Runs several awaitables at once; the first result is the outcome. The others are cancelled, and have
 * ended before it is there, as with {@link race}. One that fails or is cancelled only drops out.
 *
 * Suspends: always. A cancel point, which cancels all of them and waits for their end.
 *
 * @param awaitables - One or more futures, tasks, coroutines and promises.
 * @throws TypeError `ERR_INVALID_ARG_TYPE` - nobody can wait for one of them; none of them has begun then.
 * @throws RangeError `ERR_OUT_OF_RANGE` - there are none.
 * @throws {@link InvalidStateError} `ERR_INVALID_STATE` - no loop is running, or a future is of another.
 * @throws {@link ExceptionGroup} of all errors, in the order of the arguments, if there is no result.
 * @example
 * ```ts
 * const mirrors = [async () => await Promise.reject(new Error('down')), async () => await sleep(1, 'up')];
 * console.log(await firstSuccess(mirrors));
 * ```
 * @source ours; `Promise.any`, which cancels nothing
 */
export function firstSuccess<A extends readonly Joinable<unknown>[] | []>(
  awaitables: A,
): Future<Joined<A[number]>>;
export function firstSuccess<J extends Joinable<unknown>>(awaitables: Iterable<J>): Future<Joined<J>>;
export function firstSuccess(awaitables: Iterable<Joinable<unknown>>): Future<unknown> {
  return enterAll(FirstSuccess, awaitables);
}
