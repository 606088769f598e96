import { expect, test } from 'vitest';
import { CancelledError } from '../../../src/base/errors.js';
import { Once, Waiters } from '../../../src/io/waiters.js';
import { Task } from '../../../src/task/task.js';
import { fakeLoop } from '../../support/fake-loop.js';

test('each waiter has a future of its own', async () => {
  const loop = fakeLoop();
  const waiters = new Waiters(loop);
  const [first, second, third] = [waiters.add(), waiters.add(), waiters.add()];
  second.cancel();
  waiters.fulfil();
  await loop.settle();
  expect(first.result()).toBe(undefined);
  expect(() => second.result()).toThrow(CancelledError);
  expect(third.done()).toBe(true);
  expect(waiters.size).toBe(0);
});

test('a failure reaches those who still wait', () => {
  const loop = fakeLoop();
  const waiters = new Waiters(loop);
  const [first, second] = [waiters.add(), waiters.add()];
  first.cancel();
  const error = new Error('lost');
  waiters.fail(error);
  expect(first.cancelled()).toBe(true);
  expect(second.exception()).toBe(error);
});

test('the cancelled are forgotten', () => {
  const waiters = new Waiters(fakeLoop());
  const patient = Array.from({ length: 20 }, () => waiters.add());
  for (let i = 0; i < 10_000; i++) waiters.add().cancel();
  expect(waiters.size).toBeLessThan(100);
  waiters.fulfil();
  expect(patient.every((future) => future.done() && !future.cancelled())).toBe(true);
});

test('an event wakes those who waited before it, and nobody waits after it', async () => {
  const loop = fakeLoop();
  const once = new Once(loop);
  const order: string[] = [];
  const generator = new Task(loop, function* () {
    yield* once;
    order.push('generator');
  });
  const async = new Task(loop, async () => {
    await once;
    order.push('async');
  });
  await loop.settle();
  expect(order).toEqual([]);
  once.happen();
  once.happen();
  await loop.settle();
  expect(order.sort()).toEqual(['async', 'generator']);
  expect([generator.done(), async.done()]).toEqual([true, true]);

  const late = new Task(loop, function* () {
    yield* once;
    return 'at once';
  });
  expect(loop.turn()).toBe(1);
  expect(late.result()).toBe('at once');
});

test('cancelling one who waits for an event leaves the others', async () => {
  const loop = fakeLoop();
  const once = new Once(loop);
  const tasks = ['a', 'b'].map(
    () =>
      new Task(loop, async () => {
        await once;
      }),
  );
  await loop.settle();
  tasks[0]!.cancel();
  await loop.settle();
  expect(tasks[0]!.cancelled()).toBe(true);
  expect(tasks[1]!.done()).toBe(false);
  once.happen();
  await loop.settle();
  expect(tasks[1]!.result()).toBe(undefined);
});
