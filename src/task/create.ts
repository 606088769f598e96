// How the tasks of a loop are made: by its factory if it has one.
import { invalidReturnValue, LoopClosedError } from '../base/errors.js';
import type { LoopCore } from '../core/loop.js';
import { closeCoroutine, validateCoroutine } from './coroutine.js';
import { Future } from './future.js';
import { roomOf } from './room.js';
import { validateTaskOptions, type TaskOptions } from './task-options.js';
import { Task, type Coroutine } from './task.js';

/** Makes the tasks of a loop, in place of the built-in way. */
export type TaskFactory = <T>(loop: LoopCore, coroutine: Coroutine<T>, options: TaskOptions) => Task<T>;

/** The room of a loop; made on first use. @internal */
export const taskRoom = roomOf<Task<unknown>, TaskFactory>;

/**
 * Makes a task of a loop, by its factory if it has one.
 *
 * @throws TypeError `ERR_INVALID_ARG_TYPE` - no coroutine, or a wrong option; a generator is closed then.
 * @throws TypeError `ERR_INVALID_RETURN_VALUE` - the factory made no task.
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
    if (!(task instanceof Future)) throw invalidReturnValue('factory', 'a task', task);
    return task as Task<T>;
  } catch (error) {
    closeCoroutine(coroutine);
    throw error;
  }
}
