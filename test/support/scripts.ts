// One script for both forms of coroutines and bodies, so that one expectation holds for both.
import { createTask } from '../../src/task/current.js';
import type { Awaitable } from '../../src/task/awaitable.js';
import type { TaskOptions } from '../../src/task/task-options.js';
import type { Task } from '../../src/task/task.js';

/** `yield x` stands for `yield* x` in a generator and for `await x` in an async function. */
export type Script<A extends unknown[] = any[]> = (...args: A) => Generator<Awaitable<any>>;

/** A script as a generator function, or as an async function. */
export type Form = <A extends unknown[]>(script: Script<A>) => (...args: A) => any;

export const forms: Record<string, Form> = {
  generator: (script) =>
    function* (...args): Generator<unknown, unknown, unknown> {
      const steps = script(...args);
      let isOver = false;
      try {
        let step = steps.next();
        while (step.done !== true) {
          try {
            const value: unknown = yield* step.value;
            step = steps.next(value);
          } catch (error) {
            step = steps.throw(error);
          }
        }
        isOver = true;
        return step.value;
      } finally {
        // Closed from outside, as any generator may be.
        if (!isOver) steps.return(undefined);
      }
    },
  async:
    (script) =>
    async (...args) => {
      const steps = script(...args);
      let step = steps.next();
      while (step.done !== true) {
        try {
          const value: unknown = await step.value;
          step = steps.next(value);
        } catch (error) {
          step = steps.throw(error);
        }
      }
      return step.value as unknown;
    },
};

/** Every form of a task with every form of the bodies in it. */
export const pairs: readonly (readonly [title: string, host: Form, body: Form])[] = Object.keys(
  forms,
).flatMap((host) =>
  Object.keys(forms).map((body) => [`${host} task, ${body} body`, forms[host]!, forms[body]!] as const),
);

/** Starts a script as a task of the running loop. */
export function start(form: Form, script: Script, options?: TaskOptions): Task<any> {
  return createTask(form(script) as () => PromiseLike<unknown>, options);
}

/** How a future ends: `value`, or the error. */
export async function outcome(future: PromiseLike<unknown>): Promise<unknown> {
  try {
    return await future;
  } catch (error) {
    return error;
  }
}
