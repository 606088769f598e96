// Both ways to write a coroutine, so that one set of expectations holds for both.
import type { Awaitable } from '../../src/task/awaitable.js';
import { createTask } from '../../src/task/current.js';
import type { Task } from '../../src/task/task.js';

/** A task that makes an awaitable and waits for it. */
export type Caller = <T>(use: () => Awaitable<T>) => Task<T>;

export const forms: [name: string, start: Caller][] = [
  [
    'in a generator task',
    (use) =>
      createTask(function* () {
        return yield* use();
      }),
  ],
  ['in an async function', (use) => createTask(async () => await use())],
];

/** What an awaitable ends with: its value, or what it throws. */
export function settled(awaitable: PromiseLike<unknown>): Promise<unknown> {
  return Promise.resolve(awaitable.then(null, (error: unknown) => error));
}
