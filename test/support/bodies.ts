// One body for both forms of coroutine: `yield x` in it stands for `yield* x` in a generator and for
// `await x` in an async function.
import type { Awaitable } from '../../src/task/awaitable.js';
import { createTask } from '../../src/task/current.js';
import type { Coroutine, Task } from '../../src/task/task.js';

export type Steps<T = unknown> = Generator<Awaitable<any>, T>;

function* inGenerator<T>(steps: Steps<T>): Generator<unknown, T, unknown> {
  let step = steps.next();
  while (step.done !== true) {
    try {
      const value: unknown = yield* step.value;
      step = steps.next(value);
    } catch (error) {
      step = steps.throw(error);
    }
  }
  return step.value;
}

async function inAsync<T>(steps: Steps<T>): Promise<T> {
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
}

export interface Form {
  name: string;
  /** A coroutine of this form. */
  coroutine<T>(body: () => Steps<T>): () => Generator<unknown, T, unknown> | Promise<T>;
  /** Starts one as a task. */
  spawn<T>(body: () => Steps<T>): Task<T>;
}

const make = (
  name: string,
  coroutine: <T>(body: () => Steps<T>) => () => Generator<unknown, T, unknown> | Promise<T>,
): Form => ({
  name,
  coroutine,
  spawn: <T>(body: () => Steps<T>) => createTask(coroutine(body) as Coroutine<T>),
});

export const generatorForm = make(
  'generator',
  (body) =>
    function* () {
      return yield* inGenerator(body());
    },
);
export const asyncForm = make('async function', (body) => async () => await inAsync(body()));
export const forms: readonly Form[] = [generatorForm, asyncForm];
