import { getEventListeners } from 'node:events';
import { describe, expect, test } from 'vitest';
import { isCancelled } from '../../../src/base/errors.js';
import { createTask } from '../../../src/task/current.js';
import { ensureFuture } from '../../../src/task/ensure-future.js';
import { fromSignal } from '../../../src/task/from-signal.js';
import { Future } from '../../../src/task/future.js';
import { sleep } from '../../../src/task/sleep.js';
import { forms, outcome } from '../../support/forms.js';
import { later, soon, withLoop } from '../../support/loop.js';

const listenersOf = (signal: AbortSignal): number => getEventListeners(signal, 'abort').length;

describe.each(forms)('$name', (form) => {
  test('AbortSignal bridge: fromSignal() is cancelled with the reason of the signal', async () => {
    await withLoop(async (loop) => {
      const controller = new AbortController();
      const task = form.start(function* () {
        yield fromSignal(controller.signal);
      });
      await later(loop, 1);
      expect(listenersOf(controller.signal)).toBe(1);
      controller.abort('reason');
      expect(await outcome(task)).toMatchObject({ reason: 'reason' });
      expect(listenersOf(controller.signal)).toBe(0);
    });
  });

  test('AbortSignal bridge: whoever waits for the signal is cancelled, and no listener stays', async () => {
    await withLoop(async (loop) => {
      const { signal } = new AbortController();
      const task = form.start(function* () {
        yield fromSignal(signal);
      });
      await later(loop, 1);
      task.cancel();
      expect(isCancelled(await outcome(task))).toBe(true);
      expect(listenersOf(signal)).toBe(0);
    });
  });

  test('AbortSignal bridge: 10 000 tasks on one signal have one listener, give no warning, and leave none', async () => {
    await withLoop(async (loop) => {
      const warnings: Error[] = [];
      const onWarning = (warning: Error): number => warnings.push(warning);
      process.on('warning', onWarning);
      const controller = new AbortController();
      const { signal } = controller;
      const waits = form.coroutine(function* () {
        yield sleep(60_000);
      }) as () => PromiseLike<void>;
      const tasks = Array.from({ length: 10_000 }, () => createTask(waits, { signal }));
      await soon(loop);
      expect(listenersOf(signal)).toBe(1);
      for (const task of tasks.slice(0, 5000)) task.cancel();
      await later(loop, 1);
      expect(listenersOf(signal)).toBe(1);
      controller.abort();
      await later(loop, 1);
      expect(tasks.every((task) => task.cancelled())).toBe(true);
      expect(listenersOf(signal)).toBe(0);
      // Warnings come in a later turn of Node's loop.
      await new Promise((resolve) => setImmediate(resolve));
      process.off('warning', onWarning);
      expect(warnings).toEqual([]);
    });
  });
});

test('AbortSignal bridge: a signal that has aborted gives a future that is cancelled', async () => {
  await withLoop(() => {
    const future = fromSignal(AbortSignal.abort('early'));
    expect(future.cancelled()).toBe(true);
    expect(future.cancel()).toBe(false);
  });
});

describe('ensureFuture', () => {
  test('ensureFuture: a future of the loop is itself, coroutines are tasks, the rest is wrapped', async () => {
    await withLoop(async (loop) => {
      const future = new Future<string>(loop);
      expect(ensureFuture(future)).toBe(future);
      future.setResult('future');
      const futures = [
        ensureFuture(async () => await sleep(0, 'async')),
        ensureFuture(function* () {
          return yield* sleep(0, 'generator');
        }),
        ensureFuture(Promise.resolve('promise')),
        ensureFuture({ then: (resolve: (value: string) => void) => resolve('thenable') } as never),
      ];
      expect(await Promise.all(futures)).toEqual(['async', 'generator', 'promise', 'thenable']);
    });
  });
});
