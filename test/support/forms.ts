// Tests of what both forms of coroutines must do are written once, as scripts, and run in each.
import type { Awaitable } from '../../src/task/awaitable.js';
import { createTask } from '../../src/task/current.js';
import type { TaskOptions } from '../../src/task/task-options.js';
import type { Coroutine, Task } from '../../src/task/task.js';

/** `yield x` stands for `yield* x` in a generator and for `await x` in an async function. */
export type Script<A extends unknown[] = any[], T = any> = (...args: A) => Generator<Awaitable<any>, T>;

/** A form of coroutines. */
export interface Form {
  readonly name: string;
  /** The script as a function of this form. */
  readonly coroutine: <A extends unknown[], T>(
    script: Script<A, T>,
  ) => (...args: A) => Generator<unknown, T, unknown> | Promise<T>;
  /** Runs a script as a task. */
  readonly start: (script: Script<[]>, options?: TaskOptions) => Task<any>;
  /** Waits, in a task, for what `use` gives. */
  readonly call: <T>(use: () => Awaitable<T>) => Task<T>;
}

function form(name: string, coroutine: Form['coroutine']): Form {
  const start: Form['start'] = (script, options) =>
    createTask(coroutine(script) as Coroutine<unknown>, options);
  return {
    name,
    coroutine,
    start,
    call: <T>(use: () => Awaitable<T>) =>
      start(function* () {
        return yield use();
      }),
  };
}

export const generatorForm = form(
  'generator',
  (script) =>
    function* (...args) {
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
        if (!isOver) steps.return(undefined as never);
      }
    },
);

export const asyncForm = form('async function', (script) => async (...args) => {
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
  return step.value;
});

export const forms: readonly Form[] = [generatorForm, asyncForm];

/** Every form of a task with every form of the bodies in it. */
export const pairs: readonly (readonly [title: string, host: Form, body: Form])[] = forms.flatMap((host) =>
  forms.map((body) => [`${host.name} task, ${body.name} body`, host, body] as const),
);

/** What an awaitable ends with: its value, or its error. */
export async function outcome(awaitable: PromiseLike<unknown>): Promise<unknown> {
  try {
    return await awaitable;
  } catch (error) {
    return error;
  }
}
