// Knows when the last of many tasks is done.
import { InvalidStateError } from '../base/errors.js';
import { validateInstance } from '../base/validate.js';
import type { LoopCore } from '../core/loop.js';
import type { Awaitable } from './awaitable.js';
import { createTaskOn } from './create.js';
import { requireRunningLoop } from './current.js';
import { Future, validateLoop } from './future.js';
import type { TaskOptions } from './task-options.js';
import type { Coroutine, Task } from './task.js';

/**
 * Counts tasks, and says when it is closed and all of them are done. It neither cancels them nor reads
 * their outcome.
 *
 * @example
 * ```ts
 * const tracker = new TaskTracker();
 * for (let i = 1; i <= 3; i++) tracker.createTask(async () => await sleep(i));
 * tracker.close();
 * await tracker.wait();
 * ```
 * @source tokio-util 0.7 `TaskTracker`
 */
export class TaskTracker {
  readonly #loop: LoopCore;
  readonly #tracked = new Set<Future<unknown>>();
  #isClosed = false;
  #waiters: Future<void>[] = [];

  /**
   * @param loop - Runs the tasks.
   * @defaultValue the running loop
   * @throws TypeError `ERR_INVALID_ARG_TYPE` - `loop` is no event loop.
   * @throws {@link InvalidStateError} `ERR_INVALID_STATE` - no loop is given, and none is running.
   */
  constructor(loop?: LoopCore) {
    if (loop !== undefined) validateLoop(loop);
    this.#loop = loop ?? requireRunningLoop();
  }

  /** Tasks that are not done. */
  get size(): number {
    return this.#tracked.size;
  }

  /** Whether it was closed. */
  get isClosed(): boolean {
    return this.#isClosed;
  }

  /**
   * Starts a task and tracks it.
   *
   * Suspends: never.
   *
   * @throws As the loop's `createTask()`.
   * @throws {@link InvalidStateError} `ERR_INVALID_STATE` - the tracker is closed.
   */
  createTask<T>(coroutine: Coroutine<T>, options?: TaskOptions): Task<T> {
    this.#checkOpen();
    const task = createTaskOn(this.#loop, coroutine, options);
    this.track(task);
    return task;
  }

  /**
   * Tracks a task or another future until it is done.
   *
   * Suspends: never.
   *
   * @throws TypeError `ERR_INVALID_ARG_TYPE` - it is no future.
   * @throws {@link InvalidStateError} `ERR_INVALID_STATE` - the tracker is closed.
   */
  track(future: Future<unknown>): void {
    validateInstance('future', future, Future<unknown>);
    this.#checkOpen();
    if (future.done() || this.#tracked.has(future)) return;
    this.#tracked.add(future);
    future.addDoneCallback(() => {
      this.#tracked.delete(future);
      this.#settle();
    });
  }

  #checkOpen(): void {
    if (this.#isClosed) throw new InvalidStateError('The task tracker is closed');
  }

  /** Takes no more tasks; lets {@link TaskTracker.wait} come to an end. Idempotent. */
  close(): void {
    this.#isClosed = true;
    this.#settle();
  }

  /** Takes tasks again. */
  reopen(): void {
    this.#isClosed = false;
  }

  /**
   * Waits until the tracker is closed and every task is done.
   *
   * Suspends: unless that is so already. A cancel point; the tasks are left alone.
   */
  wait(): Awaitable<void> {
    const waiter = new Future<void>(this.#loop);
    this.#waiters.push(waiter);
    this.#settle();
    return waiter;
  }

  #settle(): void {
    if (!this.#isClosed || this.#tracked.size > 0) return;
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const waiter of waiters) waiter.setResultUnlessDone();
  }
}
