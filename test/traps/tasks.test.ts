// C-112, C-113, C-115, C-116: what JavaScript adds.
import { getEventListeners } from 'node:events';
import { expect, test } from 'vitest';
import { EventLoop } from '../../src/event-loop.js';
import { createTaskOn } from '../../src/task/create.js';
import { Future } from '../../src/task/future.js';
import { sleep } from '../../src/task/sleep.js';
import { fakeLoop } from '../support/fake-loop.js';
import { nodeTurn, soon, withLoop } from '../support/loop.js';

const make = (options: object): EventLoop => new EventLoop(options);

test('C-112 explicit then() takes one job more than a promise; await takes as many', async () => {
  const log: string[] = [];
  const future = new Future<void>(fakeLoop());
  future.setResult();
  const native = Promise.resolve();
  void (async () => {
    await future;
    log.push('await future');
  })();
  void (async () => {
    await native;
    log.push('await promise');
  })();
  void native.then(() => log.push('promise 1')).then(() => log.push('promise 2'));
  await nodeTurn();
  expect(log).toEqual(['await future', 'await promise', 'promise 1', 'promise 2']);
});

test('C-113 a wait in finally goes on although the generator was told to end', () => {
  const loop = fakeLoop();
  const log: string[] = [];
  const task = createTaskOn(loop, function* () {
    try {
      yield* new Future<void>(loop);
    } finally {
      log.push('cleanup');
      yield;
      log.push('cleaned');
    }
  });
  loop.run();
  task.cancel();
  loop.turn();
  expect([log, task.done()]).toEqual([['cleanup'], false]);
  loop.run();
  expect([log, task.cancelled()]).toEqual([['cleanup', 'cleaned'], true]);
});

test('C-115 what nobody waits for any more never becomes an unhandled rejection', async () => {
  const unhandled: unknown[] = [];
  const listener = (reason: unknown): unknown => unhandled.push(reason);
  process.on('unhandledRejection', listener);
  await withLoop<EventLoop>(
    async (loop) => {
      let rejectLate!: (error: Error) => void;
      const wrapped = loop.wrap(new Promise((_resolve, reject) => (rejectLate = reject)));
      wrapped.cancel();
      rejectLate(new Error('late'));
      const failed = loop.createFuture();
      const tasks = [
        loop.createTask(async () => await failed),
        loop.createTask(async () => await Promise.race([failed, sleep(0)])),
        loop.createTask(async () => await sleep(60_000)),
      ];
      await soon(loop);
      await soon(loop);
      tasks[2]!.cancel();
      failed.setException(new Error('awaited'));
      for (const task of tasks) await task.then(null, () => undefined);
      await nodeTurn();
      await nodeTurn();
    },
    { make },
  );
  process.off('unhandledRejection', listener);
  expect(unhandled).toEqual([]);
});

test('C-116 abort() of a signal only asks: nothing of the task runs inside', async () => {
  await withLoop<EventLoop>(
    async (loop) => {
      const controller = new AbortController();
      const log: string[] = [];
      const tasks = [
        loop.createTask(
          function* () {
            try {
              yield* sleep(60_000);
            } finally {
              log.push('generator');
            }
          },
          { signal: controller.signal },
        ),
        loop.createTask(
          async () => {
            try {
              await sleep(60_000);
            } finally {
              log.push('async');
            }
          },
          { signal: controller.signal },
        ),
        loop.createTask(
          function* () {
            yield;
            controller.abort('why');
            log.push('aborted');
          },
          { signal: controller.signal },
        ),
      ];
      for (const task of tasks) await task.then(null, () => undefined);
      expect(log[0]).toBe('aborted');
      expect(log.sort()).toEqual(['aborted', 'async', 'generator']);
      expect(tasks.map((task) => task.cancelled())).toEqual([true, true, true]);
      expect(getEventListeners(controller.signal, 'abort')).toEqual([]);
    },
    { make },
  );
});

test('C-116 tasks that end leave no listener at their signal, however many there were', async () => {
  await withLoop<EventLoop>(
    async (loop) => {
      const { signal } = new AbortController();
      const ends: (() => Generator<unknown, void>)[] = [
        function* () {
          yield;
        },
        function* () {
          yield;
          throw new Error('failed');
        },
      ];
      const tasks = Array.from({ length: 10_000 }, (_, i) => loop.createTask(ends[i % 2]!, { signal }));
      expect(getEventListeners(signal, 'abort')).toHaveLength(1);
      for (const task of tasks) await task.then(null, () => undefined);
      expect(getEventListeners(signal, 'abort')).toEqual([]);
    },
    { make },
  );
});
