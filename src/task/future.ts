// A result that is not there yet, and everything that waits for it.
//
// A generator waits through `yield*`: the future is its own iterator and its task puts the handle of
// its next step into the future's list of callbacks.
//
// An async function waits with `await`, for which a future is a promise to the engine as well
// (native-half.ts, native-await.ts).
import { inspect, types } from 'node:util';
import { CancelledError, describe, InvalidStateError, invalidArgType } from '../base/errors.js';
import { validateFunction, validateObject } from '../base/validate.js';
import { pickContext, type ContextSnapshot } from '../core/context.js';
import { KIND_CALLBACK, type Handle } from '../core/handle.js';
import type { LoopCore } from '../core/loop.js';
import { Await, ThenableAwait, waitingFrame, waitingTask, type AwaitingTask } from './await.js';
import type { Awaitable } from './awaitable.js';
import { cancelInFrame, isCancelDue, takeCancellation } from './cancellation.js';
import { originOf, recordAwait, recordOrigin } from './debug-sites.js';
import { DoneCallback } from './done-callback.js';
import { State } from './future-state.js';
import { HandleList } from './handle-list.js';
import { awaitNatively, expectInspection, isResolvingFunction, moveMethodsBehind } from './native-await.js';
import { Half, type Resolve } from './native-half.js';
import { stopAt, waiting, type Waiter } from './suspension.js';
import type { Frame } from './frame.js';
import { forgetFailure, watchFailure, type FailureNote } from './unretrieved.js';

// The engine's own promises, with what it hands to the executor of the one made last.
const NativePromise = Promise as unknown as new (executor: (resolve: Resolve) => void) => object;
const ignore = (): void => undefined;
let resolveLast: Resolve = ignore;
function keepResolve(resolve: Resolve): void {
  resolveLast = resolve;
}

/**
 * A result that will be there later: a value, an error, or that it was cancelled.
 *
 * Waits with `await future` or `yield* future`; both return the value or throw the error. `await`
 * flattens a value that is a thenable, as it always does; `yield*` and {@link Future.result} do not.
 *
 * @example
 * ```ts
 * const future = loop.createFuture<number>();
 * loop.callLater(10, () => future.setResult(42));
 * console.log(await future);
 * ```
 * @source CPython 3.13 asyncio/futures.py `Future`. Differs: `cancel()` of a failed future does not
 *   silence the report of its error; a cancelled future throws the same error every time.
 */
export class Future<T> extends NativePromise implements Awaitable<T> {
  /** @internal */
  declare readonly _loop: LoopCore;
  /** @internal */
  declare _state: State;
  // The result, the error or the reason.
  /** @internal */
  declare _value: unknown;
  // Called when done, in this order: first, rest.
  /** @internal */
  declare _first: Handle | null;
  /** @internal */
  declare _rest: HandleList | null;
  /** @internal */
  declare _note: FailureNote | null;
  /** @internal */
  declare _half: Half;
  /** @internal */
  declare readonly _resolve: Resolve;

  static {
    moveMethodsBehind(this.prototype);
    awaitNatively(this.prototype);
  }

  /**
   * The same as `loop.createFuture()`.
   *
   * @param loop - Runs the callbacks.
   * @throws TypeError `ERR_INVALID_ARG_TYPE` - `loop` is no event loop.
   */
  constructor(loop: LoopCore) {
    super(keepResolve);
    // From what it sees assigned here the engine tells how much fits into the object itself: then all of it does.
    this._loop = loop;
    this._half = Half.UNTOUCHED;
    this._resolve = resolveLast;
    // It holds the promise, that is this future.
    resolveLast = ignore;
    beFuture(this, loop);
  }

  // State

  /** Whether a result, an error or a cancellation is there. */
  done(): boolean {
    return this._state !== State.PENDING;
  }

  /** Whether it was cancelled. */
  cancelled(): boolean {
    return this._state >= State.CANCELLED;
  }

  /**
   * The result.
   *
   * Suspends: never.
   *
   * @throws {@link InvalidStateError} `ERR_INVALID_STATE` - there is none yet.
   * @throws {@link CancelledError} `ABORT_ERR` - the future was cancelled.
   * @throws What was set as the exception.
   */
  result(): T {
    if (this._state === State.FULFILLED) return this._value as T;
    throw this._state === State.PENDING ? new InvalidStateError('Result is not ready') : this._readError();
  }

  /**
   * The error, or null when there is a result. What is no Error comes as the `cause` of one.
   *
   * Suspends: never.
   *
   * @throws {@link InvalidStateError} `ERR_INVALID_STATE` - the future is pending.
   * @throws {@link CancelledError} `ABORT_ERR` - the future was cancelled.
   */
  exception(): Error | null {
    if (this._state === State.FULFILLED) return null;
    if (this._state === State.PENDING) throw new InvalidStateError('Exception is not set');
    const error = this._readError();
    if (this._state !== State.FAILED) throw error as CancelledError;
    if (error instanceof Error || types.isNativeError(error)) return error;
    return new Error(`The exception is not an Error but ${describe(error)}`, { cause: error });
  }

  /** Where the future was made: a stack in debug mode, else undefined. */
  get createdAt(): string | undefined {
    return originOf(this);
  }

  // Settling

  /**
   * Sets the result; whoever waits goes on in the next turn. Thenables are values like any other.
   *
   * Suspends: never.
   *
   * @throws {@link InvalidStateError} `ERR_INVALID_STATE` - the future is done.
   */
  setResult(value: T): void {
    if (this._state !== State.PENDING) throw this._doneError();
    this._settle(State.FULFILLED, value);
  }

  /** Like {@link Future.setResult}; returns false where that throws, as after a cancellation. */
  setResultUnlessDone(value: T): boolean {
    if (this._state !== State.PENDING) return false;
    this._settle(State.FULFILLED, value);
    return true;
  }

  /**
   * Sets the error; whoever waits gets it thrown in the next turn. An error that nobody ever reads is
   * reported to the loop's exception handler.
   *
   * Suspends: never.
   *
   * @param error - Should be an Error; anything else is thrown as it is.
   * @throws {@link InvalidStateError} `ERR_INVALID_STATE` - the future is done.
   */
  setException(error: unknown): void {
    if (this._state !== State.PENDING) throw this._doneError();
    this._settle(State.FAILED, error);
  }

  /**
   * Cancels; whoever waits gets a {@link CancelledError} thrown in the next turn.
   *
   * Suspends: never.
   *
   * @param reason - Becomes the error's `reason`.
   * @returns Whether the future was pending.
   */
  cancel(reason?: unknown): boolean {
    if (this._state !== State.PENDING) return false;
    this._settle(State.CANCELLED, reason);
    return true;
  }

  /** @internal */
  _settle(state: State, value: unknown): void {
    this._state = state;
    this._value = value;
    const { _first: first, _rest: rest } = this;
    if (state === State.FAILED && !isReadBy(first) && (rest === null || !rest.some(isReadBy))) this._watch();
    if (first === null && rest === null) return;
    this._first = null;
    this._rest = null;
    // Nothing runs on a closed loop any more.
    if (this._loop.isClosed()) return;
    if (first !== null) this._loop._push(first);
    rest?.forEach((handle) => this._loop._push(handle));
  }

  /** @internal */
  _settleResult(value: T): void {
    this._settle(State.FULFILLED, value);
  }

  /** Ends with a CancelledError that came from somewhere. @internal */
  _settleCancelled(error: unknown): void {
    this._settle(State.CANCELLED_WITH, error);
  }

  /** @internal */
  _settleFailed(error: unknown): void {
    this._settle(State.FAILED, error);
  }

  /** @internal */
  _doneError(): InvalidStateError {
    return new InvalidStateError(`The future is done already: ${this._describe()}`);
  }

  // Errors

  /** The error that waiting for this future throws; it counts as read. @internal */
  _readError(): unknown {
    if (this._state === State.CANCELLED) {
      this._value = new CancelledError(this._value);
      this._state = State.CANCELLED_WITH;
    }
    if (this._note !== null) this._markRead();
    return this._value;
  }

  /** @internal */
  _markRead(): void {
    if (this._note === null) return;
    forgetFailure(this._note);
    this._note = null;
  }

  /** The only news of the outcome went to a task that was cancelled meanwhile. @internal */
  _lose(): void {
    this._markRead();
  }

  /** @internal */
  _watch(): void {
    // Until its stack is read an error holds what was called on the way, and so this future.
    if (this._value instanceof Error) void this._value.stack;
    this._note = {
      loop: this._loop,
      error: this._value,
      kind: this._kind(),
      description: this._describe(),
      createdAt: this.createdAt,
      context: this._contextOfFailure(),
    };
    watchFailure(this, this._note);
  }

  /** @internal */
  _kind(): string {
    return 'Future';
  }

  /** @internal */
  _contextOfFailure(): ContextSnapshot | null {
    return null;
  }

  // Callbacks

  /**
   * Calls `callback(future)` once the future is done, in a turn of its own and in the async context of
   * this call; callbacks run in the order in which they were added.
   *
   * Suspends: never.
   *
   * @param options - `context`: the context to run in instead.
   * @throws TypeError `ERR_INVALID_ARG_TYPE` - `callback` is no function.
   * @source CPython 3.13 `Future.add_done_callback`
   */
  addDoneCallback(callback: (future: this) => unknown, options?: { context?: ContextSnapshot | null }): void {
    validateFunction('callback', callback);
    if (options !== undefined) validateObject('options', options);
    const context = pickContext(options?.context);
    this._addHandle(new DoneCallback(callback as (future: unknown) => unknown, this, context));
  }

  /**
   * Takes back every registration of `callback`.
   *
   * Suspends: never.
   *
   * @returns How many there were.
   * @throws TypeError `ERR_INVALID_ARG_TYPE` - `callback` is no function.
   */
  removeDoneCallback(callback: (future: this) => unknown): number {
    validateFunction('callback', callback);
    const matches = (handle: Handle): boolean =>
      handle instanceof DoneCallback && handle.callback === callback;
    let removed = 0;
    if (this._first !== null && matches(this._first)) {
      this._first = null;
      removed++;
    }
    if (this._rest !== null) {
      removed += this._rest.remove(matches);
      if (this._rest.size === 0) this._rest = null;
    }
    return removed;
  }

  /** Runs `handle` once the future is done. @internal */
  _addHandle(handle: Handle): void {
    if (this._state !== State.PENDING) this._loop._push(handle);
    else if (this._first === null && this._rest === null) this._first = handle;
    else (this._rest ??= new HandleList()).add(handle);
  }

  /** Takes `handle` back, which nobody uses again. @internal */
  _dropHandle(handle: Handle): void {
    handle.cancel();
    if (this._first === handle) this._first = null;
    else this._rest?.noteCancelled();
  }

  /** Runs `handle` although the future is pending. @internal */
  _moveToReady(handle: Handle): void {
    if (this._first === handle) this._first = null;
    else this._rest?.remove((other) => other === handle);
    this._loop._push(handle);
  }

  // Waiting in a generator

  [Symbol.iterator](): Iterator<unknown, T, unknown> {
    return this;
  }

  /** @internal */
  next(): IteratorResult<unknown, T> {
    if (this._state === State.FULFILLED) return { done: true, value: this._value as T };
    if (this._state !== State.PENDING) throw this._readError();
    if (waiting.value === this) {
      waiting.value = undefined;
      throw new InvalidStateError('A future is waited for with yield* in a coroutine that a task runs');
    }
    if (this._loop.debug) recordAwait(this);
    return stopAt(this);
  }

  /** @internal */
  throw(error: unknown): never {
    throw error;
  }

  /** @internal */
  return(value: T): IteratorResult<unknown, T> {
    return { done: true, value };
  }

  // Waiting in an async function

  /**
   * What promises have: calls one of the callbacks in a promise job once the future is done.
   *
   * Suspends: never.
   */
  then<R = T, E = never>(
    onFulfilled?: ((value: T) => R | PromiseLike<R>) | null,
    // eslint-disable-next-line @typescript-eslint/no-explicit-any -- as in PromiseLike
    onRejected?: ((error: any) => E | PromiseLike<E>) | null,
  ): Promise<R | E> {
    if (isResolvingFunction(onFulfilled) && isResolvingFunction(onRejected)) {
      this._awaitBy(waitingTask(), onFulfilled as Resolve, onRejected as Resolve);
      // The engine takes no notice of what it gets.
      return undefined as never;
    }
    return this.toPromise().then(onFulfilled, onRejected);
  }

  /**
   * As of promises: `then(null, onRejected)`.
   *
   * Suspends: never.
   */
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- as in Promise
  catch<E = never>(onRejected?: ((error: any) => E | PromiseLike<E>) | null): Promise<T | E> {
    return this.toPromise().catch(onRejected);
  }

  /**
   * As of promises: calls back in any case, and passes the outcome on.
   *
   * Suspends: never.
   */
  finally(onFinally?: (() => void) | null): Promise<T> {
    return this.toPromise().finally(onFinally);
  }

  /**
   * An ordinary promise of the same outcome. Cancelling the future rejects it.
   *
   * Suspends: never.
   */
  toPromise(): Promise<T> {
    return new Promise((resolve, reject) => this._awaitBy(null, resolve as Resolve, reject));
  }

  /** Awaits in the way of any thenable. @internal */
  _awaitBy(task: AwaitingTask | null, resolve: Resolve, reject: Resolve): void {
    if (task !== null) {
      const mistake = this._waitMistake(task);
      if (mistake !== null) return reject(mistake);
    }
    if (this._state === State.PENDING) {
      this._beginAwait(task, task === null ? null : waitingFrame(task), resolve, reject);
    } else if (task !== null && isCancelDue(task, waitingFrame(task))) {
      if (this._state !== State.FULFILLED) this._readError();
      reject(takeCancellation(task, this));
    } else if (this._state === State.FULFILLED) {
      resolve(this._value);
    } else {
      reject(this._readError());
    }
  }

  /** @internal */
  _beginAwait(
    task: AwaitingTask | null,
    frame: Frame | null,
    resolve: Resolve | null,
    reject: Resolve | null,
  ): void {
    const wait =
      resolve === null || reject === null ? Await.of(task, this) : new ThenableAwait(this, resolve, reject);
    // Before the handle is there: a pause is over as soon as somebody waits for it.
    if (frame !== null) cancelInFrame(frame, this);
    this._addHandle(wait);
    if (task === null) return;
    wait.link(task, frame);
    wait.cancelIfDue(task);
  }

  /** Why `task` cannot wait for this future, or null. @internal */
  _waitMistake(task: Waiter): Error | null {
    if (task === this) return new InvalidStateError(`Task cannot await on itself: ${this._describe()}`);
    if (task._loop === this._loop) return null;
    return new InvalidStateError(
      `${task._describe()} got ${this._describe()} attached to a different loop; bridge it with loop.wrap()`,
    );
  }

  // Looks

  get [inspect.custom](): () => string {
    expectInspection();
    return () => this._describe();
  }

  /** @internal */
  _describe(): string {
    return `<${this._kind()} ${this._describeState()}>`;
  }

  /** @internal */
  _describeState(): string {
    if (this._state === State.PENDING) return 'pending';
    if (this._state >= State.CANCELLED) return 'cancelled';
    const value = inspect(
      this._value instanceof Error ? `${this._value.name}: ${this._value.message}` : this._value,
      {
        depth: 0,
        maxStringLength: 80,
        breakLength: Infinity,
      },
    );
    return this._state === State.FULFILLED ? `finished result=${value}` : `failed exception=${value}`;
  }
}

/**
 * Gives an object what every future has.
 *
 * @internal
 */
export function beFuture<T>(future: Future<T>, loop: LoopCore): void {
  validateLoop(loop);
  const fields = future as { -readonly [K in keyof Future<T>]: Future<T>[K] };
  fields._loop = loop;
  fields._state = State.PENDING;
  fields._value = undefined;
  fields._first = null;
  fields._rest = null;
  fields._note = null;
  if (loop.debug) recordOrigin(future);
}

/**
 * Makes a class one of futures without a native half, which are awaited as any thenable. Its constructor calls
 * `beFuture()`; `extends` would make the promise.
 *
 * @internal
 */
export function beFutureClass(type: { readonly prototype: object }): void {
  Object.setPrototypeOf(type, Future);
  Object.setPrototypeOf(type.prototype, Future.prototype);
  Object.assign(type.prototype, { _half: Half.SPENT, _resolve: ignore });
}

/** @throws TypeError `ERR_INVALID_ARG_TYPE` @internal */
export function validateLoop(loop: unknown): void {
  if (typeof (loop as LoopCore | null | undefined)?._push !== 'function') {
    throw invalidArgType('loop', 'an instance of EventLoop', loop);
  }
}

// Tasks read the errors of what they wait for.
function isReadBy(handle: Handle | null): boolean {
  return handle !== null && handle.kind !== KIND_CALLBACK && !handle.cancelled();
}
