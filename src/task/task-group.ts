// Tasks that begin and end together.
//
// The group waits for all of its tasks, whatever happens. The first one that fails cancels the others
// and the body: by a request to cancel the task that runs it, which is taken back at the end. Others
// who cancel that task are told apart by the count, as in asyncio.
import { CancelledError, FatalError, InvalidStateError, isCancelled } from '../base/errors.js';
import { cancelRequests, isCancelKept, isCancelledByOthers } from './cancellation.js';
import { ExceptionGroup } from '../base/exception-group.js';
import { validateFunction, validateObject, validateOneOf } from '../base/validate.js';
import { Handle, KIND_STEP } from '../core/handle.js';
import type { LoopCore } from '../core/loop.js';
import type { Awaitable } from './awaitable.js';
import { runBody, type Body } from './body.js';
import { closeCoroutine, isGeneratorFunction, type GeneratorCoroutine } from './coroutine.js';
import { createTaskOn } from './create.js';
import { requireRunningLoop } from './current.js';
import type { Future } from './future.js';
import { PlainFrame, shieldIn, type Frame } from './frame.js';
import { operate, steppingTask, type Steps } from './operation.js';
import { TaskRegistry, type Linked } from './registry.js';
import { StepFuture } from './step-future.js';
import { validateTaskOptions, type TaskOptions } from './task-options.js';
import type { Coroutine, Task } from './task.js';

const ON_ERROR = ['cancelAll', 'collect'] as const;

/** How a task group works. */
export interface TaskGroupOptions {
  /**
   * `'cancelAll'`: the first failure cancels the body and the other tasks. `'collect'`: everything goes
   * on to its end; the failures are thrown then.
   * @defaultValue 'cancelAll'
   */
  onError?: 'cancelAll' | 'collect';
}

/**
 * A task of {@link TaskGroup.start}: calls `ready` when whoever waits for it may go on.
 */
export type StartBody<V, T> = (ready: (value: V) => void) => Generator<unknown, T, unknown> | PromiseLike<T>;

/** Hears of the end of one task of a group, which has a list of them. */
class ChildEnd extends Handle implements Linked<ChildEnd> {
  declare readonly group: TaskGroup;
  declare readonly task: Task<unknown>;
  declare _previousTask: ChildEnd | null;
  declare _nextTask: ChildEnd | null;

  // Nothing has to drain before it; and a group reads the errors of its tasks, as a step does.
  constructor(group: TaskGroup, task: Task<unknown>) {
    super(KIND_STEP, null);
    this.group = group;
    this.task = task;
    this._previousTask = null;
    this._nextTask = null;
  }

  _run(): void {
    this.group._onTaskDone(this);
  }

  _describe(): string {
    return `end of ${this.task._describe()}`;
  }
}

/**
 * Tasks that are over when the block they belong to is; its body gets it.
 *
 * @source CPython 3.13 asyncio/taskgroups.py `TaskGroup`
 */
export class TaskGroup extends PlainFrame {
  readonly #loop: LoopCore;
  readonly #host: Task<unknown>;
  readonly #isCollecting: boolean;
  readonly #inside: TaskOptions = { _frame: this };
  readonly #ends = new TaskRegistry<ChildEnd>();
  readonly #errors: unknown[] = [];
  #fatal: FatalError | null = null;
  // Done when the last task is, while the group waits for that.
  #allDone: Future<void> | null = null;
  // How many requests to cancel the host there were at the beginning; and how many of others the body
  // has heard of, whose business they are.
  readonly #cancelling: number;
  #heard: number;
  #isExiting = false;
  #isAbandoned = false;
  #isAborting = false;
  #isHostCancelled = false;
  // The tasks that are done, for whoever asked for them.
  #completed: Completed | null = null;

  /** @internal */
  constructor(loop: LoopCore, host: Task<unknown>, options: TaskGroupOptions | undefined) {
    super(host._frame);
    this.#loop = loop;
    this.#host = host;
    this.#cancelling = cancelRequests(host);
    this.#heard = cancelRequests(host);
    this.#isCollecting = options?.onError === 'collect';
  }

  /** The tasks that are not done, the oldest first; a copy. */
  get tasks(): ReadonlySet<Task<unknown>> {
    return new Set(this.#ends.snapshot().map(({ task }) => task));
  }

  /** How many tasks are not done. */
  get size(): number {
    return this.#ends.size;
  }

  /**
   * Starts a task of the group.
   *
   * Suspends: never.
   *
   * @param coroutine - As for the loop's `createTask()`; a generator is closed when this throws.
   * @throws As the loop's `createTask()`.
   * @throws {@link InvalidStateError} `ERR_INVALID_STATE` - the group is shutting down, or finished.
   * @source CPython 3.13 `TaskGroup.create_task`
   */
  createTask<T>(coroutine: Coroutine<T>, options?: TaskOptions): Task<T> {
    try {
      this.#checkOpen();
      if (options !== undefined) validateTaskOptions(options);
    } catch (error) {
      closeCoroutine(coroutine);
      throw error;
    }
    const inside = options === undefined ? this.#inside : { ...options, _frame: this };
    return this.#adopt(createTaskOn(this.#loop, coroutine, inside));
  }

  #checkOpen(): void {
    if (this.#isExiting && this.#ends.size === 0) throw new InvalidStateError('The task group is finished');
    if (this.#isAborting) throw new InvalidStateError('The task group is shutting down');
  }

  #adopt<T>(task: Task<T>): Task<T> {
    // Also that of a task which is done already: its failure must not cancel its creator right now.
    this.#watch(new ChildEnd(this, task));
    // An eager task may have cancelled the group that it was about to join.
    if (this.#isAborting) task.cancel();
    return task;
  }

  #watch(end: ChildEnd): void {
    this.#ends.add(end);
    end.task._addHandle(end);
  }

  /**
   * Starts a task and waits until it says that it is ready.
   *
   * Suspends: until `ready` is called. A cancel point, which cancels the task and waits for it. Until
   * then its errors are thrown here; afterwards they are the group's.
   *
   * @param body - A generator function or an async function; gets `ready(value)`.
   * @returns What `ready` was called with.
   * @throws {@link InvalidStateError} `ERR_INVALID_STATE` - (rejects) the task ended without calling `ready`;
   *   the group is shutting down, or finished.
   * @throws TypeError `ERR_INVALID_ARG_TYPE` - `body` is no function.
   * @example
   * ```ts
   * await taskGroup(async (group) => {
   *   const port = await group.start<number, void>(async (ready) => {
   *     const server = await listen(async (stream) => void stream.close(), { host: '127.0.0.1' });
   *     ready(server.port);
   *     await server.close();
   *   });
   *   console.log(port);
   * });
   * ```
   * @source trio 0.30 `Nursery.start`
   */
  start<V, T>(body: StartBody<V, T>): Awaitable<V> {
    validateFunction('body', body);
    this.#checkOpen();
    return operate(this.#loop, this.#startSteps(body));
  }

  *#startSteps<V, T>(body: StartBody<V, T>): Steps<V> {
    const isReady = new StepFuture<V>(this.#loop);
    const ready = (value: V): void => void isReady.setResultUnlessDone(value);
    const coroutine = isGeneratorFunction(body) ? (body(ready) as GeneratorCoroutine<T>) : () => body(ready);
    const task = createTaskOn(this.#loop, coroutine, this.#inside);
    this.#watch(new StartEnd(this, task, isReady));
    try {
      return yield* isReady;
    } catch (error) {
      task.cancel();
      if (!task.done()) yield* this.#ended(task);
      throw error;
    }
  }

  *#ended(task: Task<unknown>): Steps<void> {
    const host = steppingTask(this.#loop);
    const frame = host._frame;
    const isOver = new StepFuture<void>(this.#loop);
    task.addDoneCallback(() => isOver.setResultUnlessDone());
    host._frame = shieldIn(frame);
    try {
      yield* isOver;
    } finally {
      host._frame = frame;
    }
  }

  /**
   * Cancels the body and every task; the group then ends without an error, unless something fails. Idempotent;
   * nothing after the group has ended.
   *
   * Suspends: never.
   *
   * @param reason - Becomes the errors' `reason`.
   * @source CPython 3.15 `TaskGroup.cancel`
   */
  cancel(reason?: unknown): void {
    if (this.#isAborting || (this.#isExiting && this.#ends.size === 0)) return;
    this.#abort(reason);
    this.#cancelHost(reason);
  }

  /**
   * The tasks in the order in which they end, until none is left; those that ended before are left out.
   *
   * Suspends: never; its `next()` does, until a task ends. A cancel point.
   *
   * @example
   * ```ts
   * await taskGroup(async (group) => {
   *   for (const delayMs of [3, 1, 2]) group.createTask(async () => await sleep(delayMs, delayMs));
   *   for await (const task of group.completed()) console.log(task.result());
   * });
   * ```
   * @source tokio 1 `JoinSet::join_next`
   */
  completed(): Completed {
    return (this.#completed ??= new Completed(this.#loop, () => this.#ends.size));
  }

  // In the order in which they were started.
  #abort(reason: unknown): void {
    this.#isAborting = true;
    for (const { task } of this.#ends.snapshot()) task.cancel(reason);
  }

  #cancelHost(reason: unknown): void {
    if (!this.#isExiting) this.#noteHeard();
    this.#isHostCancelled = true;
    this.#host._cancelWithin(this, reason);
  }

  #noteHeard(): void {
    const host = this.#host;
    if (!isCancelKept(host)) this.#heard = cancelRequests(host) - (this.#isHostCancelled ? 1 : 0);
  }

  /** @internal */
  _onTaskDone(end: ChildEnd): void {
    const { task } = end;
    this._forget(end);
    if (!task.cancelled() && task.exception() !== null) this.#fail(task._readError());
  }

  /** A task is none of the group any more. @internal */
  _forget(end: ChildEnd): void {
    this.#ends.remove(end);
    this.#completed?._add(end.task);
    if (this.#ends.size === 0) this.#allDone?.setResultUnlessDone();
  }

  #fail(error: unknown): void {
    if (this.#isAbandoned) return this.#report('An error of a task group that was abandoned', error);
    this.#errors.push(error);
    if (error instanceof FatalError) this.#fatal ??= error;
    if (this.#isAborting || this.#isHostCancelled || (this.#isCollecting && this.#fatal === null)) return;
    this.#abort(undefined);
    this.#cancelHost(undefined);
  }

  /** The body is through: waits for the tasks, and throws what there is to throw. @internal */
  *_exit(error: unknown, hasFailed: boolean): Steps<void> {
    this.#noteHeard();
    this.#isExiting = true;
    let cancellation: Error | null = hasFailed && isCancelled(error) ? error : null;
    if (error instanceof FatalError) this.#fatal ??= error;
    const isEnded = hasFailed && (!this.#isCollecting || cancellation !== null);
    if (isEnded && !this.#isAborting) this.#abort(undefined);
    cancellation = (yield* this.#join()) ?? cancellation;
    if (this.#isHostCancelled) cancellation = this.#takeBack(cancellation);
    if (this.#fatal !== null) throw this.#takeFatal(error, hasFailed);
    if (cancellation !== null && this.#errors.length === 0) throw cancellation;
    if (hasFailed && !isCancelled(error)) this.#errors.push(error);
    if (this.#errors.length > 0) throw this.#toGroup();
  }

  // The group's own request has served; returns the cancellation that is somebody else's.
  #takeBack(cancellation: Error | null): Error | null {
    const host = this.#host;
    const left = host.uncancel();
    if (!isCancelledByOthers(host, this._parent, this.#cancelling)) return null;
    // One that came while the group's own was on its way was delivered with that.
    if (cancellation !== null || left <= this.#heard || isCancelKept(host)) return cancellation;
    return new CancelledError(host._cancellation?.reason);
  }

  // Waits for all, however often the task is cancelled; returns the cancellation that ended the group.
  *#join(): Steps<Error | null> {
    const host = this.#host;
    let cancellation: Error | null = null;
    while (this.#ends.size > 0) {
      this.#allDone = new StepFuture<void>(this.#loop);
      try {
        yield* this.#allDone;
      } catch (error) {
        if (!this.#isAborting) {
          cancellation = error as Error;
          this.#abort(undefined);
        }
        // A scope around the group would cancel this wait again and again.
        host._frame = shieldIn(host._frame);
      }
    }
    this.#allDone = null;
    return cancellation;
  }

  // A fatal error goes on bare; the others are told of.
  #takeFatal(error: unknown, hasFailed: boolean): FatalError {
    if (hasFailed && !isCancelled(error)) this.#errors.push(error);
    for (const exception of this.#errors) {
      if (exception !== this.#fatal) {
        this.#report('An error of a task group is hidden by a fatal one', exception);
      }
    }
    return this.#fatal!;
  }

  #report(message: string, exception: unknown): void {
    this.#loop.callExceptionHandler({ message, exception, task: this.#host });
  }

  #toGroup(): ExceptionGroup {
    const host = this.#host;
    // Somebody else cancelled as well: the next wait of the task hears of it.
    if (cancelRequests(host) > 0) {
      const reason = host._cancellation?.reason;
      host.uncancel();
      host.cancel(reason);
    }
    return new ExceptionGroup('unhandled errors in a TaskGroup', this.#errors);
  }

  /** The generator that runs the group is closed: nobody can wait any more. @internal */
  _abandon(): void {
    this.#isExiting = true;
    this.#isAbandoned = true;
    if (!this.#isAborting) this.#abort(undefined);
    if (this.#isHostCancelled) this.#host.uncancel();
    for (const error of this.#errors) this.#report('An error of a task group that was abandoned', error);
  }
}

/** The end of a task of {@link TaskGroup.start}: the business of whoever started it until it is ready. */
class StartEnd extends ChildEnd {
  readonly #isReady: Future<unknown>;

  constructor(group: TaskGroup, task: Task<unknown>, isReady: Future<unknown>) {
    super(group, task);
    this.#isReady = isReady;
  }

  override _run(): void {
    const { group, task } = this;
    const isReady = this.#isReady;
    // Whoever started it was cancelled: what comes of it is the group's business.
    if (isReady.done()) return group._onTaskDone(this);
    group._forget(this);
    if (task.cancelled()) isReady.cancel();
    else if (task.exception() !== null) isReady.setException(task._readError());
    else isReady.setException(new InvalidStateError('The task ended without calling ready()'));
  }
}

/** Tasks of a group as they end: `for await` in async functions, `yield* next()` in generators. */
export class Completed implements AsyncIterable<Task<unknown>> {
  readonly #loop: LoopCore;
  readonly #countPending: () => number;
  readonly #tasks: Task<unknown>[] = [];
  #waiters: Future<void>[] = [];

  /** @internal */
  constructor(loop: LoopCore, countPending: () => number) {
    this.#loop = loop;
    this.#countPending = countPending;
  }

  /** @internal */
  _add(task: Task<unknown>): void {
    this.#tasks.push(task);
    // All of them: the last end is the end for every one.
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const waiter of waiters) waiter.setResultUnlessDone();
  }

  /**
   * The next task that ended, as iterators have it.
   *
   * Suspends: until one has. A cancel point.
   */
  next(): Awaitable<IteratorResult<Task<unknown>, undefined>> {
    return operate(this.#loop, this.#nextSteps());
  }

  *#nextSteps(): Steps<IteratorResult<Task<unknown>, undefined>> {
    for (;;) {
      const task = this.#tasks.shift();
      if (task !== undefined) return { done: false, value: task };
      if (this.#countPending() === 0) return { done: true, value: undefined };
      const waiter = new StepFuture<void>(this.#loop);
      this.#waiters.push(waiter);
      yield* waiter;
    }
  }

  // No async generator: its `yield` would wait for the task and give the result.
  [Symbol.asyncIterator](): AsyncIterator<Task<unknown>, undefined, undefined> {
    return { next: async () => await this.next() };
  }
}

function* runGroup<T>(loop: LoopCore, body: Body<[TaskGroup], T>, options?: TaskGroupOptions): Steps<T> {
  const host = steppingTask(loop);
  const group = new TaskGroup(loop, host, options);
  const frame: Frame | null = host._frame;
  host._frame = group;
  let result: T | undefined;
  let error: unknown;
  let hasFailed = false;
  let isAbandoned = true;
  try {
    try {
      result = yield* runBody(body, host, group);
    } catch (raised) {
      error = raised;
      hasFailed = true;
    }
    yield* group._exit(error, hasFailed);
    isAbandoned = false;
  } catch (raised) {
    isAbandoned = false;
    throw raised;
  } finally {
    host._frame = frame;
    if (isAbandoned) group._abandon();
  }
  return result as T;
}

/**
 * Runs `body`, which starts tasks, and waits until all of them are done. When one fails, or the body does,
 * the others and the body are cancelled; all failures are thrown together.
 *
 * Suspends: until the body and every task is through. A cancel point, which cancels them all.
 *
 * @param body - A generator function or an async function; gets the {@link TaskGroup}.
 * @param options - What happens when a task fails.
 * @returns What `body` returns.
 * @throws {@link ExceptionGroup} (rejects) - of the errors in the order of the failures, that of the body last; also of a
 *   single one. A {@link FatalError} goes on bare.
 * @throws TypeError `ERR_INVALID_ARG_TYPE`, RangeError `ERR_OUT_OF_RANGE` - an argument is wrong.
 * @throws {@link InvalidStateError} `ERR_INVALID_STATE` - no loop is running.
 * @example
 * ```ts
 * const [one, two] = await taskGroup(async (group) => {
 *   const first = group.createTask(async () => await sleep(2, 1));
 *   const second = group.createTask(async () => await sleep(1, 2));
 *   return [await first, await second];
 * });
 * ```
 * @source CPython 3.13 `asyncio.TaskGroup`. Differs: a body instead of a `with` block; tasks are cancelled in the
 *   order in which they were started.
 */
export function taskGroup<T>(body: Body<[TaskGroup], T>, options?: TaskGroupOptions): Awaitable<T> {
  validateFunction('body', body);
  if (options !== undefined) {
    validateObject('options', options);
    if (options.onError !== undefined) validateOneOf('options.onError', options.onError, ON_ERROR);
  }
  const loop = requireRunningLoop();
  return operate(loop, runGroup(loop, body, options));
}
