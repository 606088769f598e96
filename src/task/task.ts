// A task steps a coroutine from one wait to the next; it is the future of the coroutine's result.
//
// A generator is stepped from the ready queue: its task waits for a future by putting one handle,
// always the same, into the future's callbacks. An async function is only started here and goes on
// by itself in promise jobs; its task knows what it awaits (future.ts) and when it ends.
//
// While a task is not done it is in one of three states, as in CPython:
//   waiting     #waiting or an Await is set, and that future is pending
//   scheduled   its handle is in the ready queue, or that future's wake-up is
//   running
import { inspect } from 'node:util';
import {
  CancelledError,
  describe,
  FatalError,
  InvalidStateError,
  isCancelled,
  LoopClosedError,
} from '../base/errors.js';
import { validateAbortSignal, validateBoolean, validateObject, validateString } from '../base/validate.js';
import { captureContext, validateContext, type ContextSnapshot } from '../core/context.js';
import { Handle, KIND_ASYNC_STEP, KIND_STEP, type HandleKind } from '../core/handle.js';
import type { LoopCore } from '../core/loop.js';
import { cancelOnAbort, ignoreAbort, isAbortOf } from './abort.js';
import {
  closeCoroutine,
  generatorNext,
  isGenerator,
  isGeneratorFunction,
  isThenable,
  toBuiltInGenerator,
  validateCoroutine,
  type GeneratorCoroutine,
} from './coroutine.js';
import { awaitSite, beFuture, Future, takeAwaited, type Suspension, type Await } from './future.js';
import { TaskRegistry, type Linked } from './registry.js';
import { keepTracking, runTracked, runUntracked, stopUnneededTracking, undelivered } from './tracking.js';

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

/** How a task is made. */
export interface TaskOptions {
  /** Tells tasks apart in messages. @defaultValue `Task-` and a number */
  name?: string;
  /** The async context it runs in. @defaultValue a snapshot of this moment */
  context?: ContextSnapshot;
  /**
   * Runs the coroutine at once, up to where it first waits, instead of from the ready queue. Only
   * while the loop runs.
   * @defaultValue false
   */
  eagerStart?: boolean;
  /** Cancels the task when it aborts, with its reason. */
  signal?: AbortSignal;
}

/** Makes the tasks of a loop, in place of the built-in way. */
export type TaskFactory = <T>(loop: LoopCore, coroutine: Coroutine<T>, options: TaskOptions) => Task<T>;

/** What the task room keeps for each loop. @internal */
export class TaskRoom {
  readonly tasks = new TaskRegistry<Task<unknown>>();
  factory: TaskFactory | null = null;

  constructor(loop: LoopCore) {
    loop._taskCount = () => this.tasks.size;
    loop._onClose.push(() => this.#reportPending(loop));
  }

  #reportPending(loop: LoopCore): void {
    for (const task of this.tasks.snapshot()) {
      this.tasks.remove(task);
      loop.callExceptionHandler({
        message: 'Task was destroyed but it is pending!',
        task,
        sourceTraceback: task.createdAt,
      });
    }
  }
}

const rooms = new WeakMap<LoopCore, TaskRoom>();
// Nearly always it is the same loop as last time.
let lastLoop: LoopCore | null = null;
let lastRoom: TaskRoom | null = null;

/** The room of a loop; made on first use. @internal */
export function taskRoom(loop: LoopCore): TaskRoom {
  if (loop === lastLoop) return lastRoom!;
  let room = rooms.get(loop);
  if (room === undefined) {
    room = new TaskRoom(loop);
    rooms.set(loop, room);
    loop._onClose.push(() => {
      if (lastLoop !== loop) return;
      lastLoop = null;
      lastRoom = null;
    });
  }
  lastLoop = loop;
  lastRoom = room;
  return room;
}

let tasksNamed = 0;

class StepHandle extends Handle {
  readonly task: Task<unknown>;

  constructor(kind: HandleKind, context: ContextSnapshot | null, task: Task<unknown>) {
    super(kind, context);
    this.task = task;
  }

  _run(): void {
    this.task._step();
  }

  _describe(): string {
    return `step of ${this.task._describe()}`;
  }
}

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
  /** @internal */
  declare readonly _room: TaskRoom;
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
  declare _firstAwait: Await | null;
  // Whether it is an async function, which waits with promises.
  /** @internal */
  declare _isTracked: boolean;
  /** @internal */
  declare _cancelRequests: number;
  // A cancellation is on its way to what the task waits for.
  /** @internal */
  declare _isPassingOn: boolean;
  // A cancellation is to be thrown in at the next step.
  /** @internal */
  declare _mustCancel: boolean;
  /** @internal */
  declare _cancelReason: unknown;
  // An error is to be thrown in at the next step.
  /** @internal */
  declare _mistake: Error | null;
  /** @internal */
  declare _controller: AbortController | null;
  /** @internal */
  declare _cancelSignal: AbortSignal | null;
  /** @internal */
  declare _context: ContextSnapshot | null;
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
    beFuture(this, loop, null);
    validateCoroutine(coroutine);
    if (options !== undefined) validateTaskOptions(options);
    const isFunction = typeof coroutine === 'function';
    this._name = options?.name ?? ++tasksNamed;
    this._room = taskRoom(loop);
    this._generator = isFunction ? null : toBuiltInGenerator(coroutine);
    this._function = isFunction ? coroutine : null;
    this._context = options?.context ?? captureContext();
    const kind = !isFunction || isGeneratorFunction(coroutine) ? KIND_STEP : KIND_ASYNC_STEP;
    this._handle = new StepHandle(kind, this._context, this);
    this._waiting = null;
    this._firstAwait = null;
    this._isTracked = false;
    this._cancelRequests = 0;
    this._isPassingOn = false;
    this._mustCancel = false;
    this._cancelReason = undefined;
    this._mistake = null;
    this._controller = null;
    this._cancelSignal = null;
    this._previousTask = null;
    this._nextTask = null;
    this._room.tasks.add(this);
    const signal = options?.signal;
    if (signal !== undefined) {
      this._cancelSignal = signal;
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

  /** The future the task waits for; undefined when it runs, is about to, or waits for something foreign. */
  get awaiting(): Future<unknown> | undefined {
    const waiting = this._waiting;
    if (waiting !== null) return waiting instanceof Future ? (waiting as Future<unknown>) : undefined;
    return this._firstAwait?.future;
  }

  /** The tasks that wait for this one. */
  get awaitedBy(): ReadonlySet<Task<unknown>> {
    return new Set(this._room.tasks.snapshot().filter((task) => task._waitsFor(this)));
  }

  /** @internal */
  _waitsFor(future: Future<unknown>): boolean {
    if (this._waiting === future) return true;
    for (let wait = this._firstAwait; wait !== null; wait = wait.next) {
      if (wait.future === future) return true;
    }
    return false;
  }

  /**
   * What the task waits for, and what that waits for in turn; in debug mode with the lines of code.
   *
   * Suspends: never.
   */
  stack(): string {
    const lines = [this._describe()];
    const seen = new Set<unknown>();
    let task: Task<unknown> | null = null;
    for (let future = this.awaiting; future !== undefined && !seen.has(future); future = task?.awaiting) {
      seen.add(future);
      const site = awaitSite(future);
      if (site !== undefined) lines.push(site);
      lines.push(`awaiting ${future._describe()}`);
      task = future instanceof Task ? future : null;
    }
    return lines.join('\n');
  }

  /** @internal */
  _kind(): string {
    return 'Task';
  }

  /** @internal */
  _describe(): string {
    const name = inspect(this.name);
    const awaiting = this.awaiting;
    const state = this._cancelRequests > 0 && !this.done() ? 'cancelling' : this._describeState();
    if (awaiting === undefined) return `<Task ${name} ${state}>`;
    const target = awaiting instanceof Task ? `<Task ${inspect(awaiting.name)}>` : `<${awaiting._kind()}>`;
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
    if (this.done()) return false;
    if (this._isPassingOn) return this._breakCircle();
    this._cancelRequests++;
    this._cancelReason = this._controller === null ? reason : this._abort(this._controller, reason);
    this._isPassingOn = true;
    const isPassedOn = this._cancelAwaited();
    this._isPassingOn = false;
    if (!isPassedOn) this._requestCancellation();
    return true;
  }

  // Tasks wait for each other in a circle, and none can go first: this one stops waiting.
  _breakCircle(): boolean {
    const wait = this._firstAwait;
    if (this._waiting !== null) this._waiting._moveToReady(this._handle);
    else wait?.future._moveToReady(wait);
    this._requestCancellation();
    return true;
  }

  // Listeners run here and now, but outside of the canceller's context and task.
  _abort(controller: AbortController, reason: unknown): unknown {
    const loop = this._loop;
    const current = loop._currentTask;
    loop._currentTask = null;
    try {
      if (this._context === null) runUntracked(() => controller.abort(reason));
      else this._context.runInAsyncScope(() => controller.abort(reason));
    } finally {
      loop._currentTask = current;
    }
    // Without a reason the signal makes one.
    return reason ?? controller.signal.reason;
  }

  _cancelAwaited(): boolean {
    const reason = this._cancelReason;
    if (this._waiting !== null) return this._waiting.cancel(reason);
    let isPassedOn = false;
    let wait = this._firstAwait;
    while (wait !== null) {
      const { next, future } = wait;
      if (future.cancel(reason)) isPassedOn = true;
      wait = next;
    }
    return isPassedOn;
  }

  _requestCancellation(): void {
    if (this._mustCancel) return;
    this._mustCancel = true;
    if (this._isTracked) undelivered.count++;
  }

  /** The cancellation is delivered, or withdrawn. @internal */
  _clearCancellation(): void {
    if (!this._mustCancel) return;
    this._mustCancel = false;
    if (this._isTracked) undelivered.count--;
  }

  /** The error to throw into a task that was waiting for `awaited`. @internal */
  _takeCancellation(awaited: Suspension | null): unknown {
    this._clearCancellation();
    // The error of what was waited for is lost, and read.
    if (awaited?.cancelled() === true) return awaited._readError();
    awaited?._lose();
    return new CancelledError(this._cancelReason);
  }

  /** How many cancellations were requested and not taken back. */
  cancelling(): number {
    return this._cancelRequests;
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
    if (this._cancelRequests > 0 && --this._cancelRequests === 0) {
      this._clearCancellation();
      if (this._controller?.signal.aborted === true) this._controller = null;
    }
    return this._cancelRequests;
  }

  /**
   * Aborted while the task is being cancelled, with the same reason: for interfaces that take a signal.
   * Made when it is first read.
   */
  get signal(): AbortSignal {
    if (this._controller === null) {
      this._controller = new AbortController();
      if (this._cancelRequests > 0) this._cancelReason = this._abort(this._controller, this._cancelReason);
    }
    return this._controller.signal;
  }

  // Running

  // Runs the first step now, as if it came from the ready queue.
  _startEagerly(): void {
    const step = (): void => this._step();
    if (this._context === null) runUntracked(step);
    else this._context.runInAsyncScope(step);
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
      if (this._mustCancel || this._mistake !== null) {
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
    else if (step.value === undefined) loop._push(this._handle);
    else this._stopAt(step.value);
  }

  _takeInterruption(): unknown {
    const awaited = this._waiting;
    this._waiting = null;
    const mistake = this._mistake;
    this._mistake = null;
    return this._mustCancel ? this._takeCancellation(awaited) : mistake;
  }

  _stopAt(value: unknown): void {
    const awaited = takeAwaited(value);
    if (awaited === null) this._throwLater(this._badYield(value));
    else this._waitFor(awaited);
  }

  _waitFor(future: Suspension): void {
    const mistake =
      future._loop === this._loop && future !== (this as Suspension) ? null : future._waitMistake(this);
    if (mistake !== null) return this._throwLater(mistake);
    this._waiting = future;
    future._addHandle(this._handle);
    if (this._mustCancel && future.cancel(this._cancelReason)) this._clearCancellation();
  }

  _throwLater(mistake: Error): void {
    this._mistake = mistake;
    this._loop._push(this._handle);
  }

  _badYield(value: unknown): Error {
    if (value instanceof Future || isGenerator(value) || isThenable(value)) {
      const how = value instanceof Future || isGenerator(value) ? 'yield*' : 'yield* loop.wrap()';
      const what = value instanceof Future ? value._describe() : describe(value);
      return new TypeError(`yield was used instead of ${how} in ${this._describe()} with ${what}`);
    }
    return new TypeError(`Task got bad yield: ${describe(value)} in ${this._describe()}`);
  }

  // The first step of a function
  _start(): void {
    if (this._mustCancel) return this._endCancelled(this._takeCancellation(null));
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
    if (isGeneratorKnown) this._drive(result as GeneratorCoroutine<T>);
    else if (isGenerator(result)) this._driveUntracked(result as GeneratorCoroutine<T>);
    else if (isThenable(result)) this._follow(result as PromiseLike<T>);
    else this._fail(new TypeError(`The function of ${this._describe()} returned ${describe(result)}`));
  }

  _callFunction(isGeneratorKnown: boolean): unknown {
    const coroutine = this._function as (signal: AbortSignal | undefined, task: this) => unknown;
    this._function = null;
    const signal = coroutine.length > 0 ? this.signal : undefined;
    if (isGeneratorKnown) return coroutine(signal, this);
    this._isTracked = true;
    return runTracked(this, coroutine, signal);
  }

  _drive(generator: GeneratorCoroutine<T>): void {
    this._generator = generator;
    this._step();
  }

  // An ordinary function gave a generator: the task goes on as that of a generator function.
  _driveUntracked(generator: GeneratorCoroutine<T>): void {
    stopUnneededTracking();
    this._isTracked = false;
    if (this._mustCancel) undelivered.count--;
    this._handle = new StepHandle(KIND_STEP, this._context, this);
    this._drive(toBuiltInGenerator(generator));
  }

  // Ends when the promise of the async function does.
  _follow(result: PromiseLike<T>): void {
    keepTracking();
    // Another awaitable is what the task waits for; the promise of an async function is not.
    if (result instanceof Promise && !(result instanceof Future)) this._followPromise(result as Promise<T>);
    else runTracked(this, (value: PromiseLike<T>) => this._followPromise(Promise.resolve(value)), result);
  }

  _followPromise(promise: Promise<T>): void {
    promise.then(
      (value) => this._finish(value),
      (error: unknown) => this._fail(error),
    );
  }

  // Ending

  _finish(value: T): void {
    if (this._mustCancel) return this._endCancelled(this._takeCancellation(null));
    this._leave();
    this._settleResult(value);
  }

  _fail(error: unknown): void {
    if (isCancelled(error)) return this._endCancelled(error);
    const signal = this._controller?.signal;
    if (signal !== undefined && isAbortOf(signal, error)) {
      return this._endCancelled(new CancelledError(this._cancelReason));
    }
    this._leave();
    this._settleFailed(error);
    if (error instanceof FatalError) this._loop._fail(error);
  }

  _endCancelled(error: unknown): void {
    this._leave();
    this._settleCancelled(error);
  }

  // Lets go of everything that is of no use to a task that is done.
  _leave(): void {
    this._clearCancellation();
    this._generator = null;
    this._function = null;
    this._waiting = null;
    while (this._firstAwait !== null) this._firstAwait.unlink();
    if (this._cancelSignal !== null) {
      ignoreAbort(this._cancelSignal, this);
      this._cancelSignal = null;
    }
    // A task outlives its loop when its promise does; it is in no list then.
    if (!this._loop.isClosed()) this._room.tasks.remove(this);
  }
}

// A task is a future without the promise that other futures are: most tasks are never awaited by an
// async function, and it would be a third of a task's time and memory. What `extends` says is said
// here, as a constructor that calls super() makes a promise.
// eslint-disable-next-line @typescript-eslint/no-empty-object-type
export interface Task<T> extends Future<T> {}
Object.setPrototypeOf(Task, Future);
Object.setPrototypeOf(Task.prototype, Future.prototype);

/**
 * Makes a task of a loop, by its factory if it has one.
 *
 * @throws TypeError `ERR_INVALID_ARG_TYPE` - no coroutine, or a wrong option; a generator is closed then.
 * @internal
 */
export function createTaskOn<T>(loop: LoopCore, coroutine: Coroutine<T>, options?: TaskOptions): Task<T> {
  try {
    if (loop.isClosed()) throw new LoopClosedError();
    const factory = taskRoom(loop).factory;
    if (factory === null) return new Task(loop, coroutine, options);
    validateCoroutine(coroutine);
    if (options !== undefined) validateTaskOptions(options);
    const task: unknown = factory(loop, coroutine, options ?? {});
    if (!(task instanceof Future)) {
      throw new TypeError(`The task factory returned ${describe(task)}, not a task`);
    }
    return task as Task<T>;
  } catch (error) {
    closeCoroutine(coroutine);
    throw error;
  }
}

function validateTaskOptions(options: TaskOptions): void {
  validateObject('options', options);
  if (options.name !== undefined) validateString('options.name', options.name);
  if (options.eagerStart !== undefined) validateBoolean('options.eagerStart', options.eagerStart);
  if (options.signal !== undefined) validateAbortSignal('options.signal', options.signal);
  if (options.context !== undefined) validateContext('options.context', options.context);
}
