// A result that is not there yet, and everything that waits for it.
//
// A generator waits through `yield*`: the future is its own iterator and its task puts the handle of
// its next step into the future's list of callbacks.
//
// An async function waits with `await`. For a plain thenable that takes two promise jobs and four
// allocations, 2.5 times a native await; for a native promise one job. So every future is a promise
// to the engine as well. Its settled state and the promise's are apart: the promise ("the native
// half") is settled only when somebody awaits it, and only from the ready queue while the future was
// pending. The engine reads `constructor` of a promise it is about to await, synchronously: that is
// where a wait begins. Getting anything else than Promise there makes it call `then` in a job of its
// own, as for any thenable; that is the way for everything unusual.
import { inspect, types } from 'node:util';
import { CancelledError, describe, InvalidStateError, invalidArgType } from '../base/errors.js';
import { validateFunction, validateObject } from '../base/validate.js';
import { pickContext, type ContextSnapshot } from '../core/context.js';
import { describeFunction, Handle, KIND_ASYNC_STEP, KIND_CALLBACK } from '../core/handle.js';
import type { LoopCore } from '../core/loop.js';
import type { Awaitable } from './awaitable.js';
import { trackedTask, undelivered } from './tracking.js';
import { forgetFailure, watchFailure, type FailureNote } from './unretrieved.js';

const PENDING = 0;
const FULFILLED = 1;
const FAILED = 2;
// The value is the reason; the error is made when somebody asks for it.
const CANCELLED = 3;
// The value is the error.
const CANCELLED_WITH = 4;
type State = typeof PENDING | typeof FULFILLED | typeof FAILED | typeof CANCELLED | typeof CANCELLED_WITH;

// The native half: untouched; awaited, to be settled by a handle; settled with the future's own
// outcome; used up, because the one who awaited it was cancelled although the future has a value.
const UNTOUCHED = 0;
const AWAITED = 1;
const SETTLED = 2;
const SPENT = 3;
type Half = typeof UNTOUCHED | typeof AWAITED | typeof SETTLED | typeof SPENT;

type Resolve = (value: unknown) => void;

/** What a task knows of the awaits of its async function. @internal */
export interface AwaitingTask extends Future<unknown> {
  _mustCancel: boolean;
  _cancelReason: unknown;
  _firstAwait: Await | null;
  _takeCancellation(awaited: Future<unknown>): unknown;
  _clearCancellation(): void;
}

/** What the task of a generator needs of what it waits for. @internal */
export interface Suspension {
  readonly _loop: LoopCore;
  /** Runs `handle` once the wait is over. */
  _addHandle(handle: Handle): void;
  /** Runs `handle` although the wait is not over. */
  _moveToReady(handle: Handle): void;
  /** Why `task` cannot wait here, or null. */
  _waitMistake(task: Future<unknown>): Error | null;
  /** The outcome went to a task that was cancelled meanwhile. */
  _lose(): void;
  _readError(): unknown;
  _kind(): string;
  _describe(): string;
  cancel(reason?: unknown): boolean;
  cancelled(): boolean;
}

// What `yield*` of a pending future gives to the task. It also tells that from `yield future`, which
// leaves nothing here.
const waiting: { done: false; value: Suspension | undefined } = { done: false, value: undefined };

/** Stops the generator whose `yield*` asks; for the iterators of suspensions. @internal */
export function stopAt(suspension: Suspension): IteratorYieldResult<unknown> {
  waiting.value = suspension;
  return waiting;
}

/** What a generator waits for that stopped with `value`; null when it only yielded that. @internal */
export function takeAwaited(value: unknown): Suspension | null {
  const suspension = waiting.value;
  if (suspension === undefined || suspension !== value) return null;
  waiting.value = undefined;
  return suspension;
}

// Where futures were made and awaited; filled in debug mode only.
const origins = new WeakMap<object, string>();
const awaitSites = new WeakMap<object, string>();
const TRACEBACK_FRAMES = 10;

// Leaves out the frame of the caller, which is always the same.
function recordStack(stacks: WeakMap<object, string>, future: object): void {
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = TRACEBACK_FRAMES + 1;
  const holder: { stack?: string } = {};
  Error.captureStackTrace(holder, recordStack);
  Error.stackTraceLimit = limit;
  const lines = (holder.stack ?? '').split('\n');
  stacks.set(future, lines.slice(2).join('\n'));
}

/** Where `future` was awaited last, in debug mode. @internal */
export function awaitSite(future: Future<unknown>): string | undefined {
  return awaitSites.get(future);
}

// The engine's own promises, with what it hands to the executor of the one made last.
const NativePromise = Promise as unknown as new (executor: (resolve: Resolve) => void) => object;
// eslint-disable-next-line @typescript-eslint/unbound-method -- called with `call` only
const promiseThen = Promise.prototype.then as (
  this: object,
  onFulfilled?: unknown,
  onRejected?: unknown,
) => Promise<unknown>;
const ignore = (): void => undefined;
let resolveLast: Resolve = ignore;
function keepResolve(resolve: Resolve): void {
  resolveLast = resolve;
}

// What stands for `constructor` where the engine must not take a future for a promise of its own:
// promise methods then make ordinary promises. A species on the class itself would make every
// future eight times as dear (380 ns instead of 46).
const asThenable = Object.freeze({ [Symbol.species]: Promise });

// console.log() looks at `constructor` too, right after it looked for the custom inspection; once, if
// there is none.
let isInspected = false;

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
  declare _rest: Handle[] | null;
  /** @internal */
  declare _note: FailureNote | null;
  /** @internal */
  declare _half: Half;
  /** @internal */
  declare readonly _resolve: Resolve;

  static {
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
    const resolve = resolveLast;
    // It holds the promise, that is this future.
    resolveLast = ignore;
    beFuture(this, loop, resolve);
  }

  // State

  /** Whether a result, an error or a cancellation is there. */
  done(): boolean {
    return this._state !== PENDING;
  }

  /** Whether it was cancelled. */
  cancelled(): boolean {
    return this._state >= CANCELLED;
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
    if (this._state === FULFILLED) return this._value as T;
    throw this._state === PENDING ? new InvalidStateError('Result is not ready') : this._readError();
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
    if (this._state === FULFILLED) return null;
    if (this._state === PENDING) throw new InvalidStateError('Exception is not set');
    const error = this._readError();
    if (this._state !== FAILED) throw error as CancelledError;
    if (error instanceof Error || types.isNativeError(error)) return error;
    return new Error(`The exception is not an Error but ${describe(error)}`, { cause: error });
  }

  /** Where the future was made: a stack in debug mode, else undefined. */
  get createdAt(): string | undefined {
    return origins.get(this);
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
    if (this._state !== PENDING) throw this._doneError();
    this._settle(FULFILLED, value);
  }

  /** Like {@link Future.setResult}; returns false where that throws, as after a cancellation. */
  setResultUnlessDone(value: T): boolean {
    if (this._state !== PENDING) return false;
    this._settle(FULFILLED, value);
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
    if (this._state !== PENDING) throw this._doneError();
    this._settle(FAILED, error);
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
    if (this._state !== PENDING) return false;
    this._settle(CANCELLED, reason);
    return true;
  }

  /** @internal */
  _settle(state: State, value: unknown): void {
    this._state = state;
    this._value = value;
    const { _first: first, _rest: rest } = this;
    if (state === FAILED && !isReadBy(first) && (rest === null || !rest.some(isReadBy))) this._watch();
    if (first === null && rest === null) return;
    this._first = null;
    this._rest = null;
    // Nothing runs on a closed loop any more.
    if (this._loop.isClosed()) return;
    if (first !== null) this._loop._push(first);
    if (rest !== null) for (const handle of rest) this._loop._push(handle);
  }

  /** @internal */
  _settleResult(value: T): void {
    this._settle(FULFILLED, value);
  }

  /** Ends with a CancelledError that came from somewhere. @internal */
  _settleCancelled(error: unknown): void {
    this._settle(CANCELLED_WITH, error);
  }

  /** @internal */
  _settleFailed(error: unknown): void {
    this._settle(FAILED, error);
  }

  /** @internal */
  _doneError(): InvalidStateError {
    return new InvalidStateError(`The future is done already: ${this._describe()}`);
  }

  // Errors

  /** The error that waiting for this future throws; it counts as read. @internal */
  _readError(): unknown {
    if (this._state === CANCELLED) {
      this._value = new CancelledError(this._value);
      this._state = CANCELLED_WITH;
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
      const kept = this._rest.filter((handle) => !matches(handle));
      removed += this._rest.length - kept.length;
      this._rest = kept.length === 0 ? null : kept;
    }
    return removed;
  }

  /** Runs `handle` once the future is done. @internal */
  _addHandle(handle: Handle): void {
    if (this._state !== PENDING) this._loop._push(handle);
    else if (this._first === null && this._rest === null) this._first = handle;
    else (this._rest ??= []).push(handle);
  }

  /** Runs `handle` although the future is pending. @internal */
  _moveToReady(handle: Handle): void {
    if (this._first === handle) this._first = null;
    else this._rest = this._rest?.filter((other) => other !== handle) ?? null;
    this._loop._push(handle);
  }

  // Waiting in a generator

  [Symbol.iterator](): Iterator<unknown, T, unknown> {
    return this;
  }

  /** @internal */
  next(): IteratorResult<unknown, T> {
    if (this._state === FULFILLED) return { done: true, value: this._value as T };
    if (this._state !== PENDING) throw this._readError();
    if (waiting.value === this) {
      waiting.value = undefined;
      throw new InvalidStateError('A future is waited for with yield* in a coroutine that a task runs');
    }
    if (this._loop.debug) recordStack(awaitSites, this);
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

  /** Gives the native half the future's own outcome. @internal */
  _settleHalf(): void {
    this._half = SETTLED;
    if (this._state === FULFILLED) this._resolve(this._value);
    else this._rejectHalf(this._readError());
  }

  /** Rejects the native half, which takes a job of its own: only its resolve function was kept. @internal */
  _rejectHalf(error: unknown): void {
    // Whether anybody heard of the error is known better than by the engine.
    void promiseThen.call(this, undefined, ignore);
    this._resolve({ then: (_resolve: Resolve, reject: Resolve) => reject(error) });
  }

  /** Awaits in the way of any thenable. @internal */
  _awaitBy(task: AwaitingTask | null, resolve: Resolve, reject: Resolve): void {
    if (task !== null) {
      const mistake = this._waitMistake(task);
      if (mistake !== null) return reject(mistake);
    }
    if (this._state === PENDING) {
      this._beginAwait(task, resolve, reject);
    } else if (task?._mustCancel === true) {
      if (this._state !== FULFILLED) this._readError();
      reject(task._takeCancellation(this));
    } else if (this._state === FULFILLED) {
      resolve(this._value);
    } else {
      reject(this._readError());
    }
  }

  /** Registers that `task` awaits this future, by the native half when there are no functions. @internal */
  _beginAwait(task: AwaitingTask | null, resolve: Resolve | null, reject: Resolve | null): void {
    const wait = new Await(this, task, resolve, reject);
    this._addHandle(wait);
    if (task === null) return;
    wait.link(task);
    if (task._mustCancel && this.cancel(task._cancelReason)) task._clearCancellation();
  }

  /** Why `task` cannot wait for this future, or null. @internal */
  _waitMistake(task: Future<unknown>): Error | null {
    if (task === this) return new InvalidStateError(`Task cannot await on itself: ${this._describe()}`);
    if (task._loop === this._loop) return null;
    return new InvalidStateError(
      `${task._describe()} got ${this._describe()} attached to a different loop; bridge it with loop.wrap()`,
    );
  }

  // Looks

  get [inspect.custom](): () => string {
    isInspected = true;
    return () => this._describe();
  }

  /** @internal */
  _describe(): string {
    return `<${this._kind()} ${this._describeState()}>`;
  }

  /** @internal */
  _describeState(): string {
    if (this._state === PENDING) return 'pending';
    if (this._state >= CANCELLED) return 'cancelled';
    const value = inspect(
      this._value instanceof Error ? `${this._value.name}: ${this._value.message}` : this._value,
      {
        depth: 0,
        maxStringLength: 80,
        breakLength: Infinity,
      },
    );
    return this._state === FULFILLED ? `finished result=${value}` : `failed exception=${value}`;
  }
}

/**
 * Gives an object what a future has. One without a native half is awaited as any thenable.
 *
 * @internal
 */
export function beFuture<T>(future: Future<T>, loop: LoopCore, resolve: Resolve | null): void {
  validateLoop(loop);
  const fields = future as { -readonly [K in keyof Future<T>]: Future<T>[K] };
  fields._loop = loop;
  fields._state = PENDING;
  fields._value = undefined;
  fields._first = null;
  fields._rest = null;
  fields._note = null;
  fields._half = resolve === null ? SPENT : UNTOUCHED;
  fields._resolve = resolve ?? ignore;
  if (loop.debug) recordStack(origins, future);
}

/** @throws TypeError `ERR_INVALID_ARG_TYPE` @internal */
export function validateLoop(loop: unknown): void {
  if (typeof (loop as LoopCore | null | undefined)?._push !== 'function') {
    throw invalidArgType('loop', 'an instance of EventLoop', loop);
  }
}

// The functions by which the engine resolves a promise: native, and without a name, unlike bound ones.
let nativeText = '';
void new Promise((resolve) => {
  nativeText = Function.prototype.toString.call(resolve);
});
function isResolvingFunction(value: unknown): boolean {
  if (typeof value !== 'function' || value.name !== '') return false;
  return Function.prototype.toString.call(value) === nativeText;
}

// Tasks read the errors of what they wait for.
function isReadBy(handle: Handle | null): boolean {
  return handle !== null && handle.kind !== KIND_CALLBACK;
}

// The task whose async function is awaiting right now.
function waitingTask(): AwaitingTask | null {
  const task = trackedTask() as AwaitingTask | undefined;
  return task === undefined || task.done() ? null : task;
}

/**
 * Lets `await` use the native half of a class's instances. A class without this works as well; it is
 * awaited as any thenable.
 *
 * @internal
 */
export function awaitNatively(prototype: object): void {
  Object.defineProperty(prototype, 'constructor', { get: readConstructor, configurable: true });
}

// The engine is about to await a future, or somebody looks at it without need; then nothing is done
// here that would be wrong.
function readConstructor(this: Future<unknown>): unknown {
  if (isInspected) {
    isInspected = false;
    return undefined;
  }
  if (this._state === FULFILLED && undelivered.count === 0) {
    if (this._half === UNTOUCHED) this._settleHalf();
    return this._half === SETTLED ? Promise : asThenable;
  }
  if (this._state !== PENDING || this._half !== UNTOUCHED) return asThenable;
  const task = waitingTask();
  if (task !== null && this._waitMistake(task) !== null) return asThenable;
  this._half = AWAITED;
  if (this._loop.debug) recordStack(awaitSites, this);
  this._beginAwait(task, null, null);
  return Promise;
}

/** A callback of a future. */
class DoneCallback extends Handle {
  readonly callback: (future: unknown) => unknown;
  readonly #future: unknown;

  constructor(callback: (future: unknown) => unknown, future: unknown, context: ContextSnapshot | null) {
    super(KIND_CALLBACK, context);
    this.callback = callback;
    this.#future = future;
  }

  _run(): void {
    this.callback(this.#future);
  }

  _describe(): string {
    return `done callback ${describeFunction(this.callback)}`;
  }
}

/** The wake-up of one await of an async function. @internal */
export class Await extends Handle {
  readonly future: Future<unknown>;
  /** The next of the awaits of the same task. */
  next: Await | null = null;
  #task: AwaitingTask | null;
  #previous: Await | null = null;
  // Both null where the native half of the future is awaited.
  readonly #resolve: Resolve | null;
  readonly #reject: Resolve | null;

  constructor(
    future: Future<unknown>,
    task: AwaitingTask | null,
    resolve: Resolve | null,
    reject: Resolve | null,
  ) {
    super(KIND_ASYNC_STEP, null);
    this.future = future;
    this.#task = task;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  /** Lets cancelling `task` cancel the future. */
  link(task: AwaitingTask): void {
    const next = task._firstAwait;
    this.next = next;
    if (next !== null) next.#previous = this;
    task._firstAwait = this;
  }

  /** The task is done, or need not care any more. */
  unlink(): void {
    const task = this.#task;
    if (task === null) return;
    this.#task = null;
    if (this.#previous === null) task._firstAwait = this.next;
    else this.#previous.next = this.next;
    if (this.next !== null) this.next.#previous = this.#previous;
    this.#previous = null;
  }

  _run(): void {
    const future = this.future;
    const task = this.#task;
    this.unlink();
    if (task?._mustCancel === true) {
      // The outcome came, but the cancellation goes first; the outcome is lost.
      const error = task._takeCancellation(future);
      if (this.#reject !== null) return this.#reject(error);
      future._half = SPENT;
      future._rejectHalf(error);
    } else if (this.#resolve === null || this.#reject === null) {
      future._settleHalf();
    } else if (future._state === FULFILLED) {
      this.#resolve(future._value);
    } else {
      this.#reject(future._readError());
    }
  }

  _describe(): string {
    return `await of ${this.future._describe()}`;
  }
}
