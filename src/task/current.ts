// Tasks of the loop that runs.
import { InvalidStateError } from '../base/errors.js';
import { runningLoop, type LoopCore } from '../core/loop.js';
import { waitingFrame, waitingTask } from './await.js';
import { createTaskOn } from './create.js';
import type { Frame } from './frame.js';
import type { TaskOptions } from './task-options.js';
import { Task, type Coroutine } from './task.js';
import { trackedTask } from './tracking.js';

/** @throws {@link InvalidStateError} `ERR_INVALID_STATE` - no loop runs in this thread. @internal */
export function requireRunningLoop(): LoopCore {
  const loop = runningLoop();
  if (loop === null) throw new InvalidStateError('No event loop is running');
  return loop;
}

/**
 * The task whose coroutine is running; null in plain callbacks, done callbacks and outside of the loop.
 *
 * Suspends: never.
 *
 * @example
 * ```ts
 * console.log(currentTask()?.name);
 * ```
 * @source CPython 3.13 `asyncio.current_task`. Differs: null where that raises.
 */
export function currentTask(): Task<unknown> | null {
  const loop = runningLoop();
  if (loop === null) return null;
  if (loop._currentTask !== null) return loop._currentTask as Task<unknown>;
  const task = trackedTask();
  return task instanceof Task && task._loop === loop && !task.done() ? task : null;
}

/**
 * Starts a coroutine as a task of the running loop; its first step is in the next turn.
 *
 * Suspends: never.
 *
 * @param coroutine - A generator, a generator function or an async function; never a promise.
 * @throws TypeError `ERR_INVALID_ARG_TYPE` - it is no coroutine, or an option is wrong.
 * @throws {@link InvalidStateError} `ERR_INVALID_STATE` - no loop is running.
 * @example
 * ```ts
 * const task = createTask(async () => await stream.read(), { name: 'reader' });
 * ```
 * @source CPython 3.13 `asyncio.create_task`
 */
export function createTask<T>(coroutine: Coroutine<T>, options?: TaskOptions): Task<T> {
  return createTaskOn(requireRunningLoop(), coroutine, options);
}

/** What encloses the code that runs now, in a loop that runs. @internal */
export function callingFrame(loop: LoopCore): Frame | null {
  if (isSteppingGenerator(loop)) return (loop._currentTask as Task<unknown>)._frame;
  const task = waitingTask();
  return task === null ? null : waitingFrame(task);
}

/** Whether the code that runs now is a step of a generator task, which waits with `yield*`. @internal */
export function isSteppingGenerator(loop: LoopCore): boolean {
  const task = loop._currentTask as Task<unknown> | null;
  return task !== null && task._generator !== null;
}
