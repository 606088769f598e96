// The two ways in which a task waits: tests of what both must do run once with each.
import type { Awaitable } from '../../src/task/awaitable.js';
import { createTask } from '../../src/task/current.js';
import type { Task } from '../../src/task/task.js';

/** Starts a task that waits for what `use` gives. */
export type Start = <T>(use: () => Awaitable<T>) => Task<T>;

export const forms: readonly (readonly [name: string, start: Start])[] = [
  [
    'generator task',
    (use) =>
      createTask(function* () {
        return yield* use();
      }),
  ],
  ['async task', (use) => createTask(async () => await use())],
];

/** What became of a task: its result, or the name of its error. */
export async function outcome(task: PromiseLike<unknown>): Promise<unknown> {
  try {
    return await task;
  } catch (error) {
    return (error as Error).name;
  }
}
