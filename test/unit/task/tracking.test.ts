// In a file of its own: the first async function of the process switches tracking on for good.
import { expect, test } from 'vitest';
import { isContextTracked } from '../../../src/core/context.js';
import { createTaskOn } from '../../../src/task/create.js';
import { Future } from '../../../src/task/future.js';
import { trackedTask } from '../../../src/task/tracking.js';
import { fakeLoop } from '../../support/fake-loop.js';

test('generators switch nothing on, also when a plain function gives them', () => {
  const wasTracked = isContextTracked();
  const loop = fakeLoop();
  function* body(): Generator<undefined, unknown, unknown> {
    yield;
    return trackedTask();
  }
  const tasks = [createTaskOn(loop, body()), createTaskOn(loop, body), createTaskOn(loop, () => body())];
  loop.run();
  expect(tasks.map((task) => task.result())).toEqual([undefined, undefined, undefined]);
  expect(isContextTracked()).toBe(wasTracked);
});

test('a generator started within the first async function does not switch its tracking off', async () => {
  const loop = fakeLoop();
  const future = new Future<void>(loop);
  const task = createTaskOn(loop, async () => {
    createTaskOn(
      loop,
      () =>
        (function* () {
          yield;
        })(),
      { eagerStart: true },
    );
    await future;
  });
  await loop.settle();
  expect(task.awaiting).toBe(future);
  task.cancel();
  await loop.settle();
  expect(task.cancelled()).toBe(true);
});
