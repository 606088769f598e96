// A task steps a coroutine from one wait to the next; it is the future of the coroutine's result.
//
// A generator is stepped from the ready queue: its task waits for a future by putting one handle,
// always the same, into the future's callbacks. An async function is only started here and goes on
// by itself in promise jobs; its task knows what it awaits (await.ts) and when it ends.
//
// While a task is not done it is in one of three states, as in CPython:
//   waiting     _waiting or an Await is set, and that future is pending
//   scheduled   its handle is in the ready queue, or that future's wake-up is
//   running
import { inspect } from 'node:util';
import { CancelledError, FatalError, InvalidStateError, isCancelled, TimeoutError } from '../base/errors.js';
import { validateString } from '../base/validate.js';
import {
  captureContext,
  contextAfterRun,
  isContextEmpty,
  makeTaskContext,
  type ContextSnapshot,
} from '../core/context.js';
import { KIND_ASYNC_STEP, KIND_STEP } from '../core/handle.js';
import type { LoopCore } from '../core/loop.js';
import { cancelOnAbort, ignoreAbort, isAbortOf } from './abort.js';
import type { Await, AwaitLink } from './await.js';
import {
  abortSignal,
  breakCircle,
  cancelAwaited,
  cancelInFrame,
  type Cancellation,
  cancellationOf,
  cancelRequests,
  clearCancellation,
  isCancelDue,
  isCancelKept,
  passOnAtWait,
  requestCancellation,
  takeCancellation,
} from './cancellation.js';
import {
  generatorNext,
  isGenerator,
  isGeneratorFunction,
  isThenable,
  toBuiltInGenerator,
  validateCoroutine,
  type GeneratorCoroutine,
} from './coroutine.js';
import { cancellingFrame, enterMembers, leaveMembers, type Frame } from './frame.js';
import { beFuture, beFutureClass, Future } from './future.js';
import { badResult, badYield } from './mistakes.js';
import type { Linked } from './registry.js';
import { roomOf, type TaskRoom } from './room.js';
import { CancelScope } from './scope.js';
import { StepHandle } from './step-handle.js';
import { beforeStart, takeAwaited, type Suspension } from './suspension.js';
import { forgetDelivery, noteValue, noteWait } from './swallowed.js';
import { validateTaskOptions, type TaskOptions } from './task-options.js';
import {
  keepTracking,
  runTracked,
  stopUnneededTracking,
  runUntracked,
  trackedTask,
  undelivered,
} from './tracking.js';
import { describeWaits, waitsFor } from './waits.js';

/**
 * What a task runs: a generator, a generator function, or an async function.
 *
 * Functions get the task's signal and the task. A function that declares no parameter gets no signal:
 * making one takes longer than making the task.
 *
 * @example
 * ```ts
 * createTask(async (signal) => await fetch(url, { signal }));
 * createTask(function* () {
 *   return yield* sleep(10, 'done');
 * });
 * ```
 */
export type Coroutine<T> =
  | GeneratorCoroutine<T>
  | ((signal: AbortSignal, task: Task<unknown>) => GeneratorCoroutine<T> | PromiseLike<T>);

let tasksNamed = 0;

/**
 * A coroutine that the loop runs, and the future of what it returns.
 *
 * Made by `createTask()`; starts in the next turn. What the coroutine returns becomes the result,
 * what it throws the exception. The loop holds every task that is not done.
 *
 * @example
 * ```ts
 * const task = createTask(async () => {
 *   await sleep(10);
 *   return 42;
 * });
 * console.log(await task);
 * ```
 * @source CPython 3.13 asyncio/tasks.py `Task`. Differs: strong references; async functions are
 *   cancelled only where they await something of this library.
 */
// eslint-disable-next-line @typescript-eslint/no-unsafe-declaration-merging -- see below
export class Task<T> implements Linked<Task<unknown>> {
  // A number until somebody wants to know the name.
  /** @internal */
  declare _name: string | number;
  // Each null where it does not apply, and all once the task is done.
  /** @internal */
  declare _generator: GeneratorCoroutine<T> | null;
  /** @internal */
  declare _function: ((...args: never[]) => unknown) | null;
  /** @internal */
  declare _handle: StepHandle;
  // What the generator waits for.
  /** @internal */
  declare _waiting: Suspension | null;
  // What the async function awaits.
  /** @internal */
  declare _firstAwait: AwaitLink | null;
  /** @internal */
  declare _spareWakeUp: Await | null;
  // Whether code of async functions is part of it, which waits with promises.
  /** @internal */
  declare _isTracked: boolean;
  // Its async function waits for an operation (operation.ts).
  /** @internal */
  declare _isOperating: boolean;
  // What encloses the code that runs; for an async function, the task.
  /** @internal */
  declare _frame: Frame | null;
  /** @internal */
  declare _cancellation: Cancellation | null;
  // An error is to be thrown in at the next step.
  /** @internal */
  declare _mistake: Error | null;
  /** @internal */
  declare _previousTask: Task<unknown> | null;
  /** @internal */
  declare _nextTask: Task<unknown> | null;

  /**
   * For task factories; everybody else calls `createTask()`, which checks its arguments.
   *
   * @param loop - Runs the task.
   * @param coroutine - What the task runs.
   * @param options - As for `createTask()`.
   */
  constructor(loop: LoopCore, coroutine: Coroutine<T>, options?: TaskOptions) {
    beFuture(this, loop);
    validateCoroutine(coroutine);
    if (options !== undefined) validateTaskOptions(options);
    const isFunction = typeof coroutine === 'function';
    this._name = options?.name ?? ++tasksNamed;
    this._generator = isFunction ? null : toBuiltInGenerator(coroutine);
    this._function = isFunction ? coroutine : null;
    const context = loop._hasTaskResources
      ? makeTaskContext(options?.context)
      : (options?.context ?? captureContext());
    const kind = !isFunction || isGeneratorFunction(coroutine) ? KIND_STEP : KIND_ASYNC_STEP;
    this._handle = new StepHandle(kind, context, this);
    this._waiting = options?.startOnCancel === true ? beforeStart(loop) : null;
    this._firstAwait = null;
    this._spareWakeUp = null;
    this._isTracked = false;
    this._isOperating = false;
    this._frame = options?._frame ?? null;
    this._cancellation = null;
    this._mistake = null;
    this._previousTask = null;
    this._nextTask = null;
    this._room.tasks.add(this);
    if (this._frame !== null) enterMembers(this._frame, this);
    if (options?.deadline !== undefined) {
      this._frame = new CancelScope(loop, this, { deadline: options.deadline });
    }
    const signal = options?.signal;
    if (signal !== undefined) {
      cancellationOf(this).signal = signal;
      cancelOnAbort(signal, this);
    }
    if (options?.eagerStart === true && loop.isRunning()) this._startEagerly();
    else loop._push(this._handle);
  }

  // Looks

  /** Tells the task apart in messages; may be set. */
  get name(): string {
    return typeof this._name === 'string' ? this._name : `Task-${String(this._name)}`;
  }

  set name(name: string) {
    validateString('name', name);
    this._name = name;
  }

  /**
   * The future the task waits for; undefined when it runs, is about to, or waits for something that is
   * none, as a generator that reads a stream does. {@link Task.stack} tells of that as well.
   */
  get awaiting(): Future<unknown> | undefined {
    const awaited = this._awaited;
    return awaited instanceof Future ? (awaited as Future<unknown>) : undefined;
  }

  /** @internal */
  get _awaited(): Suspension | undefined {
    return this._waiting ?? this._firstAwait?.future;
  }

  /** The tasks that wait for this one. */
  get awaitedBy(): ReadonlySet<Task<unknown>> {
    return new Set(this._room.tasks.snapshot().filter((task) => waitsFor(task, this)));
  }

  /**
   * What the task waits for, and what that waits for in turn; in debug mode with the lines of code.
   *
   * Suspends: never.
   */
  stack(): string {
    return describeWaits(this, (awaited) => (awaited instanceof Task ? awaited : null));
  }

  /** @internal */
  get _context(): ContextSnapshot | null {
    return this._handle.context;
  }

  /** @internal */
  get _room(): TaskRoom<Task<unknown>, unknown> {
    return roomOf(this._loop);
  }

  /** @internal */
  _kind(): string {
    return 'Task';
  }

  /** @internal */
  _describe(): string {
    const name = inspect(this.name);
    const awaited = this._awaited;
    const state = cancelRequests(this) > 0 && !this.done() ? 'cancelling' : this._describeState();
    if (awaited === undefined) return `<Task ${name} ${state}>`;
    const target = awaited instanceof Task ? `<Task ${inspect(awaited.name)}>` : `<${awaited._kind()}>`;
    return `<Task ${name} ${state} awaiting ${target}>`;
  }

  /** @internal */
  _contextOfFailure(): ContextSnapshot | null {
    return this._context;
  }

  // Settling is the coroutine's business

  /**
   * Refused: the coroutine returns the result.
   *
   * @throws {@link InvalidStateError} `ERR_INVALID_STATE` - always.
   */
  setResult(_value: T): never {
    throw new InvalidStateError('Task does not support setResult(): its coroutine returns the result');
  }

  /**
   * Refused: the coroutine returns the result.
   *
   * @throws {@link InvalidStateError} `ERR_INVALID_STATE` - always.
   */
  setResultUnlessDone(_value: T): never {
    throw new InvalidStateError(
      'Task does not support setResultUnlessDone(): its coroutine returns the result',
    );
  }

  /**
   * Refused: the coroutine throws the exception.
   *
   * @throws {@link InvalidStateError} `ERR_INVALID_STATE` - always.
   */
  setException(_error: unknown): never {
    throw new InvalidStateError('Task does not support setException(): its coroutine throws the exception');
  }

  // Cancelling

  /**
   * Asks the coroutine to stop: a {@link CancelledError} is thrown where it waits, in the next turn. It
   * may clean up, and it may refuse by catching the error; the task is cancelled only when the
   * error leaves the coroutine. A task that waits for another task cancels that one instead.
   *
   * Suspends: never. The body of a task that has not begun is never entered.
   *
   * @param reason - Becomes the error's `reason` and that of {@link Task.signal}.
   * @returns Whether the task was not done.
   * @source CPython 3.13 `Task.cancel`
   */
  cancel(reason?: unknown): boolean {
    return this._cancelWithin(null, reason);
  }

  /** {@link Task.cancel} of what goes on in a frame; elsewhere async functions of the task go on. @internal */
  _cancelWithin(frame: Frame | null, reason: unknown): boolean {
    if (this.done()) return false;
    const cancellation = cancellationOf(this);
    if (cancellation.isPassingOn) {
      breakCircle(this);
      return true;
    }
    cancellation.requests++;
    const { controller } = cancellation;
    const told = controller === null ? reason : abortSignal(this, controller, reason);
    // What is meant for a part is taken back at its end; a reason that was there before is not.
    if (frame === null || cancellation.requests === 1) cancellation.reason = told;
    cancellation.isPassingOn = true;
    const isPassedOn = cancelAwaited(this, frame, told);
    cancellation.isPassingOn = false;
    if (!isPassedOn) requestCancellation(this, frame);
    return true;
  }

  /** How many cancellations were requested and not taken back. */
  cancelling(): number {
    return cancelRequests(this);
  }

  /**
   * Takes one request to cancel back, by whoever made it and caught the error. The last one withdraws
   * what has not been delivered, and gives the task a new {@link Task.signal}.
   *
   * Suspends: never.
   *
   * @returns How many requests are left.
   * @source CPython 3.13 `Task.uncancel`
   */
  uncancel(): number {
    const cancellation = this._cancellation;
    if (cancellation === null) return 0;
    if (cancellation.requests > 0 && --cancellation.requests === 0) {
      clearCancellation(this);
      forgetDelivery(this);
      if (cancellation.controller?.signal.aborted === true) cancellation.controller = null;
    }
    return cancellation.requests;
  }

  /**
   * Aborted while the task is being cancelled, with the same reason: for interfaces that take a signal.
   * Made when it is first read.
   */
  get signal(): AbortSignal {
    const cancellation = cancellationOf(this);
    if (cancellation.controller === null) {
      cancellation.controller = new AbortController();
      if (cancellation.requests > 0) {
        cancellation.reason = abortSignal(this, cancellation.controller, cancellation.reason);
      }
    }
    return cancellation.controller.signal;
  }

  // Running

  // Runs the first step now, as if it came from the ready queue.
  _startEagerly(): void {
    const handle = this._handle;
    const { context } = handle;
    if (context === null) return runUntracked(() => this._step());
    context.runInAsyncScope(() => {
      this._step();
      handle.context = contextAfterRun(context);
    });
  }

  /** Goes on to where the coroutine waits next. @internal */
  _step(): void {
    const generator = this._generator;
    if (generator === null) return this._start();
    const loop = this._loop;
    const caller = loop._currentTask;
    loop._currentTask = this;
    let step: IteratorResult<unknown, T>;
    try {
      if ((this._cancellation !== null || this._mistake !== null) && this._isInterrupted()) {
        step = generator.throw(this._takeInterruption());
      } else {
        this._waiting = null;
        step = generatorNext.call(generator) as IteratorResult<unknown, T>;
      }
    } catch (error) {
      loop._currentTask = caller;
      return this._fail(error);
    }
    loop._currentTask = caller;
    if (step.done === true) this._finish(step.value);
    else if (step.value === undefined) this._pause();
    else this._stopAt(step.value);
  }

  _isInterrupted(): boolean {
    if (this._mistake !== null) return true;
    return isCancelDue(this, this._frame) && this._waiting?._keepsResult !== true;
  }

  _takeInterruption(): unknown {
    const awaited = this._waiting;
    this._waiting = null;
    const mistake = this._mistake;
    this._mistake = null;
    return isCancelDue(this, this._frame) ? takeCancellation(this, awaited) : mistake;
  }

  _pause(): void {
    if (cancelRequests(this) > 0) noteWait(this, null, this._frame);
    if (this._frame !== null) this._mistake = this._dueInFrame(this._frame);
    this._loop._push(this._handle);
  }

  /** What is thrown at a wait in `frame`, if something around it was cancelled. @internal */
  _dueInFrame(frame: Frame | null): Error | null {
    const scope = cancellingFrame(frame);
    return scope === null ? null : new CancelledError(scope._reason);
  }

  /** Code of an async function becomes part of it. @internal */
  _beTracked(): void {
    if (this._isTracked) return;
    this._isTracked = true;
    if (isCancelKept(this)) undelivered.count++;
  }

  _stopAt(value: unknown): void {
    const awaited = takeAwaited(value);
    if (awaited === null) this._throwLater(badYield(this, value));
    else this._waitFor(awaited);
  }

  _waitFor(future: Suspension): void {
    const mistake =
      future._loop === this._loop && future !== (this as Suspension) ? null : future._waitMistake(this);
    if (mistake !== null) return this._throwLater(mistake);
    this._waiting = future;
    future._addHandle(this._handle);
    if (this._cancellation !== null && this._isPassedOn(future)) return;
    if (this._frame !== null) cancelInFrame(this._frame, future);
  }

  // A cancellation that was kept goes to what the task begins to wait for.
  _isPassedOn(future: Suspension): boolean {
    if (cancelRequests(this) > 0) noteWait(this, future, this._frame);
    return isCancelDue(this, this._frame) && passOnAtWait(this, future);
  }

  _throwLater(mistake: Error): void {
    this._mistake = mistake;
    this._loop._push(this._handle);
  }

  // The first step of a function
  _start(): void {
    if (isCancelKept(this) && this._waiting === null) return this._endCancelled(takeCancellation(this, null));
    const { _waiting: waiting } = this;
    this._waiting = null;
    const loop = this._loop;
    const isGeneratorKnown = this._handle.kind === KIND_STEP;
    const caller = loop._currentTask;
    loop._currentTask = this;
    let result: unknown;
    try {
      result = this._callFunction(isGeneratorKnown);
    } catch (error) {
      return this._fail(error);
    } finally {
      loop._currentTask = caller;
    }
    if (isGeneratorKnown || isGenerator(result)) {
      // It has not begun: that is its first step's.
      this._waiting = waiting;
      if (isGeneratorKnown) this._drive(result as GeneratorCoroutine<T>);
      else this._driveUntracked(result as GeneratorCoroutine<T>);
    } else if (isThenable(result)) this._begun(result as PromiseLike<T>);
    else this._fail(badResult(this, result));
  }

  _callFunction(isGeneratorKnown: boolean): unknown {
    const coroutine = this._function as Call['coroutine'];
    this._function = null;
    const signal = coroutine.length > 0 ? this.signal : undefined;
    if (isGeneratorKnown) return coroutine(signal, this);
    this._isTracked = true;
    return runTracked(this, beginFunction, { coroutine, signal });
  }

  _drive(generator: GeneratorCoroutine<T>): void {
    this._generator = generator;
    this._step();
  }

  // An ordinary function gave a generator: the task goes on as that of a generator function.
  _driveUntracked(generator: GeneratorCoroutine<T>): void {
    stopUnneededTracking();
    this._isTracked = false;
    if (isCancelKept(this)) undelivered.count--;
    this._handle = new StepHandle(KIND_STEP, this._context, this);
    this._drive(toBuiltInGenerator(generator));
  }

  // The async function goes on by itself, and the task ends when its promise does.
  _begun(result: PromiseLike<T>): void {
    keepTracking();
    const context = this._context;
    if (context === null || isContextEmpty(context)) this._handle = goesOnByItself;
    // Another awaitable is what the task waits for; the promise of an async function is not.
    if (isNativePromise(result)) return;
    runTracked(this, (value: PromiseLike<T>) => endWith(Promise.resolve(value)), result);
  }

  // Ending

  _finish(value: T): void {
    if (isCancelKept(this)) return this._endCancelled(takeCancellation(this, null));
    if (cancelRequests(this) > 0) noteValue(this);
    this._leave();
    this._settleResult(value);
  }

  _fail(error: unknown): void {
    if (isCancelled(error)) return this._endCancelled(error);
    const signal = this._cancellation?.controller?.signal;
    if (signal !== undefined && isAbortOf(signal, error)) {
      return this._endCancelled(new CancelledError(this._cancellation?.reason));
    }
    this._leave();
    this._settleFailed(error);
    if (error instanceof FatalError) this._loop._fail(error);
  }

  _endCancelled(error: unknown): void {
    if (this._frame instanceof CancelScope && this._frame._endsTask(this, error)) {
      return this._fail(new TimeoutError(undefined, { cause: error }));
    }
    this._leave();
    this._settleCancelled(error);
  }

  _leaveCancellation(cancellation: Cancellation): void {
    clearCancellation(this);
    if (cancellation.requests > 0) forgetDelivery(this);
    if (cancellation.signal !== null) ignoreAbort(cancellation.signal, this);
    cancellation.signal = null;
  }

  // Lets go of everything that is of no use to a task that is done.
  _leave(): void {
    if (this._cancellation !== null) this._leaveCancellation(this._cancellation);
    this._generator = null;
    this._function = null;
    this._waiting = null;
    while (this._firstAwait !== null) this._firstAwait.unlink();
    this._spareWakeUp = null;
    if (this._frame !== null) {
      leaveMembers(this._frame, this);
      this._frame = null;
    }
    // A task outlives its loop when its promise does; it is in no list then.
    if (!this._loop.isClosed()) this._room.tasks.remove(this);
  }
}

interface Call {
  coroutine: (signal: AbortSignal | undefined, task: unknown) => unknown;
  signal: AbortSignal | undefined;
}

// The handle of every task whose async function has begun in no context of its own: nothing steps it any more.
const goesOnByItself = new StepHandle(KIND_ASYNC_STEP, null, {
  _step: () => undefined,
  _describe: () => 'an async function',
});

function beginFunction({ coroutine, signal }: Call, task: unknown): unknown {
  const result = coroutine(signal, task);
  if (isNativePromise(result)) endWith(result);
  return result;
}

function isNativePromise(value: unknown): value is Promise<unknown> {
  return value instanceof Promise && !(value instanceof Future);
}

// Called as code of a task, which ends with the outcome of `promise`. The two functions are the same for all tasks, and
// find theirs as any code of it does.
function endWith(promise: PromiseLike<unknown>): void {
  promise.then(finishTracked, failTracked);
}

function finishTracked(value: unknown): void {
  (trackedTask() as Task<unknown>)._finish(value);
}

function failTracked(error: unknown): void {
  (trackedTask() as Task<unknown>)._fail(error);
}

// A task is a future without the promise that other futures are: most tasks are never awaited by an
// async function, and it would be a third of a task's time and memory. What `extends` says is said
// here, as a constructor that calls super() makes a promise.
// eslint-disable-next-line @typescript-eslint/no-empty-object-type
export interface Task<T> extends Future<T> {}
beFutureClass(Task);
