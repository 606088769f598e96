import { describe, expect, test } from 'vitest';
import { BoundedSemaphore, Semaphore } from '../../../src/sync/semaphore.js';
import { sleep } from '../../../src/task/sleep.js';
import { forms } from '../../support/forms.js';
import { soon, withLoop } from '../../support/loop.js';

async function turns(loop: Parameters<typeof soon>[0], count = 6): Promise<void> {
  for (let turn = 0; turn < count; turn++) await soon(loop);
}

describe.each(forms)('$name', ({ start, coroutine }) => {
  const wanting = (semaphore: Semaphore, permits: number, log: number[]) =>
    start(function* () {
      yield semaphore.acquire(permits);
      log.push(permits);
    });

  test('Semaphore: a large request at the head holds up the small ones behind it', async () => {
    await withLoop(async (loop) => {
      const semaphore = new Semaphore(2);
      const log: number[] = [];
      const tasks = [3, 1, 2].map((permits) => wanting(semaphore, permits, log));
      await turns(loop);
      expect(log).toEqual([]);
      expect(semaphore.statistics()).toEqual({ value: 2, size: 2, waiters: 3 });
      expect([semaphore.locked, semaphore.tryAcquire()]).toEqual([true, false]);
      semaphore.release();
      await turns(loop);
      expect(log).toEqual([3]);
      semaphore.release(3);
      for (const task of tasks) await task;
      expect(log).toEqual([3, 1, 2]);
      expect(semaphore.value).toBe(0);
    });
  });

  test('Semaphore: when a large request is cancelled, those behind it go on', async () => {
    await withLoop(async (loop) => {
      const semaphore = new Semaphore(1);
      const log: number[] = [];
      const [large, small] = [2, 1].map((permits) => wanting(semaphore, permits, log));
      await turns(loop);
      large!.cancel();
      await small;
      expect(log).toEqual([1]);
      expect([large!.cancelled(), semaphore.value]).toEqual([true, 0]);
    });
  });

  test('Semaphore: resize() lets others go on, or waits until enough was given back', async () => {
    await withLoop(async (loop) => {
      const semaphore = new Semaphore(1);
      const log: number[] = [];
      const tasks = [1, 1, 1].map((permits) => wanting(semaphore, permits, log));
      await turns(loop);
      expect(log).toHaveLength(1);
      semaphore.resize(2);
      await turns(loop);
      expect(log).toHaveLength(2);
      semaphore.resize(0);
      expect([semaphore.value, semaphore.locked]).toEqual([-2, true]);
      semaphore.release(2);
      await turns(loop);
      expect(log).toHaveLength(2);
      semaphore.resize(1);
      for (const task of tasks) await task;
      expect(semaphore.statistics()).toEqual({ value: 0, size: 1, waiters: 0 });
    });
  });

  test('Semaphore: withPermit runs so many bodies at a time', async () => {
    await withLoop(async () => {
      const semaphore = new Semaphore(4);
      let inside = 0;
      let most = 0;
      const tasks = Array.from({ length: 6 }, (_, index) =>
        start(function* () {
          return yield semaphore.withPermit(
            coroutine(function* () {
              most = Math.max(most, ++inside);
              yield sleep(0);
              inside--;
              return index;
            }),
            2,
          );
        }),
      );
      for (const [index, task] of tasks.entries()) expect(await task).toBe(index);
      expect([most, semaphore.value]).toEqual([2, 4]);
    });
  });

  test('Semaphore: what acquire(k) gives, gives back k permits', async () => {
    await withLoop(async (loop) => {
      const semaphore = new Semaphore(3);
      const task = start(function* () {
        const atOnce = yield semaphore.acquire(2);
        const value = semaphore.value;
        atOnce[Symbol.dispose]();
        const one = yield semaphore.acquire();
        const waited = yield semaphore.acquire(3);
        one.release();
        return [value, semaphore.value, waited];
      });
      await turns(loop);
      expect(semaphore.statistics().waiters).toBe(1);
      semaphore.release();
      const [value, left, waited] = await task;
      expect([value, left]).toEqual([1, 1]);
      waited.release();
      expect(semaphore.value).toBe(4);
    });
  });
});

test('Semaphore: tryAcquire() takes all or none, without a loop', () => {
  const semaphore = new Semaphore(2);
  expect([semaphore.tryAcquire(3), semaphore.tryAcquire(2), semaphore.tryAcquire()]).toEqual([
    false,
    true,
    false,
  ]);
  semaphore.release();
  expect(semaphore.value).toBe(1);
});

test('BoundedSemaphore: over-release throws and changes nothing', () => {
  const semaphore = new BoundedSemaphore(2);
  expect(semaphore.tryAcquire()).toBe(true);
  expect(() => semaphore.release(2)).toThrow('The semaphore is released more often than acquired');
  semaphore.release();
  expect(() => semaphore.release()).toThrow(expect.objectContaining({ code: 'ERR_INVALID_STATE' }));
  expect(semaphore.value).toBe(2);
  semaphore.resize(3);
  expect(semaphore.value).toBe(3);
});
