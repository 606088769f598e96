import { expect, test } from 'vitest';
import { createTaskOn } from '../../../src/task/create.js';
import { Future } from '../../../src/task/future.js';
import { sleepOn } from '../../../src/task/sleep.js';
import { TaskTracker } from '../../../src/task/tracker.js';
import { fakeLoop } from '../../support/fake-loop.js';

test('waits until it is closed and all tasks are done, however they end', async () => {
  const loop = fakeLoop();
  const tracker = new TaskTracker(loop);
  const tasks = [
    tracker.createTask(function* () {
      yield* sleepOn(loop, 1, undefined);
    }),
    tracker.createTask(async () => await sleepOn(loop, 2, undefined)),
    tracker.createTask(async () => {
      throw new Error('x');
    }),
    tracker.createTask(async () => await new Future<void>(loop)),
  ];
  const waiter = createTaskOn(loop, async () => {
    await tracker.wait();
    return loop.time();
  });
  await loop.advance(5);
  expect([tracker.size, tracker.isClosed]).toEqual([1, false]);
  tracker.close();
  await loop.settle();
  expect(waiter.done()).toBe(false);
  tasks[3]!.cancel();
  await loop.settle();
  expect([waiter.result(), tracker.size]).toEqual([5, 0]);
  expect(tasks[2]!.exception()).toMatchObject({ message: 'x' });
});

test('an empty one waits for close() alone', async () => {
  const loop = fakeLoop();
  const tracker = new TaskTracker(loop);
  const early = tracker.wait();
  await loop.settle();
  expect((early as Future<void>).done()).toBe(false);
  tracker.close();
  expect((early as Future<void>).done()).toBe(true);
  expect((tracker.wait() as Future<void>).done()).toBe(true);
});

test('cancelling a wait leaves the tasks alone', async () => {
  const loop = fakeLoop();
  const tracker = new TaskTracker(loop);
  const task = tracker.createTask(async () => await sleepOn(loop, 1, 'done'));
  const waiter = createTaskOn(loop, async () => await tracker.wait());
  await loop.settle();
  waiter.cancel();
  tracker.close();
  await loop.advance(2);
  expect([waiter.cancelled(), task.result()]).toEqual([true, 'done']);
});

test('closed, it takes nothing, until it is opened again', () => {
  const loop = fakeLoop();
  const tracker = new TaskTracker(loop);
  tracker.close();
  tracker.close();
  const state = expect.objectContaining({ code: 'ERR_INVALID_STATE' });
  expect(() => tracker.createTask(async () => undefined)).toThrow(state);
  expect(() => tracker.track(new Future(loop))).toThrow(state);
  tracker.reopen();
  const future = new Future<void>(loop);
  tracker.track(future);
  tracker.track(future);
  expect(tracker.size).toBe(1);
  future.setResult();
  loop.run();
  expect(tracker.size).toBe(0);
});

test('bad arguments', () => {
  const type = expect.objectContaining({ name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' });
  const tracker = new TaskTracker(fakeLoop());
  for (const value of [undefined, null, 5, Promise.resolve()]) {
    expect(() => tracker.track(value as any)).toThrow(type);
    expect(() => tracker.createTask(value as any)).toThrow(type);
  }
  expect(() => new TaskTracker(5 as any)).toThrow(type);
  expect(() => new TaskTracker()).toThrow(expect.objectContaining({ code: 'ERR_INVALID_STATE' }));
});
