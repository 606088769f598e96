// C-90 to C-92, C-112, C-113, C-115, C-116: contexts, unread errors, and what JavaScript adds.
import { AsyncLocalStorage } from 'node:async_hooks';
import { expect, test } from 'vitest';
import { EventLoop } from '../../src/event-loop.js';
import { createTaskOn } from '../../src/task/create.js';
import { currentTask } from '../../src/task/current.js';
import { Future } from '../../src/task/future.js';
import { sleep } from '../../src/task/sleep.js';
import { fakeLoop } from '../support/fake-loop.js';
import { nodeTurn, soon, withLoop } from '../support/loop.js';

const make = (options: object): EventLoop => new EventLoop(options);

test('C-90 a callback, a done callback and a task see the context of where they were made', async () => {
  await withLoop<EventLoop>(
    async (loop) => {
      const storage = new AsyncLocalStorage<number>();
      const seen: Record<string, unknown> = {};
      const future = loop.createFuture();
      storage.run(1, () => loop.callSoon(() => (seen.callSoon = storage.getStore())));
      storage.run(2, () => future.addDoneCallback(() => (seen.doneCallback = storage.getStore())));
      const tasks = storage.run(3, () => [
        loop.createTask(function* () {
          yield;
          seen.generator = storage.getStore();
          storage.enterWith(99);
          yield;
          seen.generatorLater = storage.getStore();
        }),
        loop.createTask(async () => {
          await sleep(0);
          seen.async = storage.getStore();
        }),
      ]);
      await storage.run(4, async () => {
        future.setResult();
        for (const task of tasks) await task;
        seen.outside = storage.getStore();
      });
      expect(seen).toEqual({
        callSoon: 1,
        doneCallback: 2,
        generator: 3,
        generatorLater: expect.any(Number),
        async: 3,
        outside: 4,
      });
    },
    { make },
  );
});

test('C-90 what a task sets does not leak into the next handle', async () => {
  await withLoop<EventLoop>(
    async (loop) => {
      const storage = new AsyncLocalStorage<number>();
      let leaked: unknown = 'not run';
      loop.createTask(function* () {
        storage.enterWith(99);
        yield;
      });
      loop.callSoon(() => (leaked = storage.getStore()));
      await soon(loop);
      expect(leaked).toBeUndefined();
    },
    { make },
  );
});

test('C-91 the exception handler runs in the context of what failed', async () => {
  await withLoop<EventLoop>(
    async (loop) => {
      const storage = new AsyncLocalStorage<string>();
      const seen: unknown[] = [];
      loop.setExceptionHandler((_loop, context) =>
        seen.push([(context.exception as Error).message, storage.getStore()]),
      );
      storage.run('callback', () =>
        loop.callSoon(() => {
          throw new Error('in a callback');
        }),
      );
      const future = loop.createFuture();
      storage.run('done callback', () =>
        future.addDoneCallback(() => {
          throw new Error('in a done callback');
        }),
      );
      future.setResult();
      await soon(loop);
      await soon(loop);
      expect(seen).toEqual([
        ['in a callback', 'callback'],
        ['in a done callback', 'done callback'],
      ]);
    },
    { make },
  );
});

test('C-92 cleaning up after a cancellation happens in the context of the task', async () => {
  await withLoop<EventLoop>(
    async (loop) => {
      const storage = new AsyncLocalStorage<string>();
      const seen: unknown[] = [];
      const tasks = storage.run('task', () => [
        loop.createTask(function* () {
          try {
            yield* sleep(60_000);
          } finally {
            seen.push(storage.getStore());
            yield* sleep(0);
            seen.push(storage.getStore());
          }
        }),
        loop.createTask(async (signal) => {
          signal.addEventListener('abort', () => seen.push(storage.getStore(), currentTask()));
          try {
            await sleep(60_000);
          } finally {
            seen.push(storage.getStore());
            await sleep(0);
            seen.push(storage.getStore());
          }
        }),
      ]);
      await soon(loop);
      await soon(loop);
      storage.run('canceller', () => {
        for (const task of tasks) task.cancel();
      });
      for (const task of tasks) await task.then(null, () => undefined);
      expect(seen).toEqual(['task', null, 'task', 'task', 'task', 'task']);
    },
    { make },
  );
});

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
    },
    { make },
  );
});
