import { describe, expect, test } from 'vitest';
import { BrokenBarrierError } from '../../../src/base/errors.js';
import { Barrier } from '../../../src/sync/barrier.js';
import type { Task } from '../../../src/task/task.js';
import { forms } from '../../support/forms.js';
import { soon, withLoop } from '../../support/loop.js';

async function turns(loop: Parameters<typeof soon>[0], count = 12): Promise<void> {
  for (let turn = 0; turn < count; turn++) await soon(loop);
}

describe.each(forms)('$name', ({ start }) => {
  const arrive = (barrier: Barrier): Task<number> =>
    start(function* () {
      return yield barrier.wait();
    });

  test('Barrier: unique indices, and those who come while it drains are the next round', async () => {
    await withLoop(async (loop) => {
      const barrier = new Barrier(3);
      const tasks = Array.from({ length: 6 }, () => arrive(barrier));
      await turns(loop, 20);
      expect(tasks.map((task) => task.result()).sort()).toEqual([0, 0, 1, 1, 2, 2]);
      expect(barrier.statistics()).toEqual({ parties: 3, waiting: 0, state: 'filling' });
    });
  });

  test('Barrier: abort() is for those who wait and those who come, until a reset', async () => {
    await withLoop(async (loop) => {
      const barrier = new Barrier(2);
      const waiter = arrive(barrier);
      await turns(loop);
      expect([barrier.waiting, barrier.parties]).toEqual([1, 2]);
      const breaker = start(function* () {
        yield barrier.abort();
      });
      await breaker;
      await expect(waiter.toPromise()).rejects.toBeInstanceOf(BrokenBarrierError);
      await expect(arrive(barrier).toPromise()).rejects.toMatchObject({ code: 'ERR_BROKEN_BARRIER' });
      expect([barrier.broken, barrier.waiting]).toEqual([true, 0]);
      const mender = start(function* () {
        yield barrier.reset();
      });
      await mender;
      const both = [arrive(barrier), arrive(barrier)];
      expect((await both[0]!) + (await both[1]!)).toBe(1);
      expect(barrier.broken).toBe(false);
    });
  });

  test('Barrier: of one, nobody waits', async () => {
    await withLoop(async () => {
      const barrier = new Barrier(1);
      expect(await arrive(barrier)).toBe(0);
      expect(await arrive(barrier)).toBe(0);
    });
  });
});
