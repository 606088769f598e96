// C-66 to C-69: who gets an item when wake-ups and cancellations cross, shutting down, joining, and ties.
import { describe, expect, test } from 'vitest';
import { PriorityQueue } from '../../src/sync/priority-queue.js';
import { Queue } from '../../src/sync/queue.js';
import { sleep } from '../../src/task/sleep.js';
import { forms, outcome } from '../support/forms.js';
import { withLoop } from '../support/loop.js';

describe.each(forms)('$name', ({ call }) => {
  test('C-66 a getter that is woken and then cancelled passes the wake-up on', async () => {
    await withLoop(async () => {
      const queue = new Queue<string>(Infinity);
      const getters = [call(() => queue.get()), call(() => queue.get())];
      await sleep(1);
      queue.putNowait('item');
      getters[0]!.cancel();
      expect([await outcome(getters[0]!), await outcome(getters[1]!)]).toMatchObject([
        { name: 'CancelledError' },
        'item',
      ]);
    });
  });

  test('C-66 a putter that is woken and then cancelled passes the wake-up on', async () => {
    await withLoop(async () => {
      const queue = new Queue<string>(1);
      queue.putNowait('first');
      const putters = [call(() => queue.put('cancelled')), call(() => queue.put('second'))];
      await sleep(1);
      expect(queue.getNowait()).toBe('first');
      putters[0]!.cancel();
      expect([await outcome(putters[0]!), await outcome(putters[1]!)]).toMatchObject([
        { name: 'CancelledError' },
        undefined,
      ]);
      expect(queue.getNowait()).toBe('second');
      expect(queue.empty()).toBe(true);
    });
  });

  test('C-66 when an item is taken from a woken getter, it waits on, and the order is kept', async () => {
    await withLoop(async () => {
      const queue = new Queue<string>(Infinity);
      const got: [number, string][] = [];
      for (const i of [0, 1]) {
        call(() => queue.get()).addDoneCallback((task) => got.push([i, task.result()]));
      }
      await sleep(1);
      queue.putNowait('a');
      expect(queue.getNowait()).toBe('a');
      queue.putNowait('b');
      queue.putNowait('c');
      await sleep(1);
      expect(got).toEqual([
        [0, 'b'],
        [1, 'c'],
      ]);
    });
  });

  test('C-67 shutdown wakes blocked putters, getters drain, and join wants the rest done', async () => {
    await withLoop(async () => {
      const queue = new Queue<number>(1);
      queue.putNowait(1);
      const putter = call(() => queue.put(2));
      const joiner = call(() => queue.join());
      await sleep(1);
      queue.shutdown();
      expect(await outcome(putter)).toMatchObject({ name: 'QueueShutDown' });
      expect(await call(() => queue.get())).toBe(1);
      expect(await outcome(call(() => queue.get()))).toMatchObject({ name: 'QueueShutDown' });
      expect(joiner.done()).toBe(false);
      queue.taskDone();
      await joiner;
    });
  });

  test('C-67 an immediate shutdown counts each dropped item as done', async () => {
    await withLoop(async () => {
      const queue = new Queue<number>(3);
      for (const item of [1, 2, 3]) queue.putNowait(item);
      queue.getNowait();
      const joiner = call(() => queue.join());
      await sleep(1);
      queue.shutdown({ immediate: true });
      await sleep(1);
      expect(joiner.done()).toBe(false);
      expect(queue.statistics()).toMatchObject({ size: 0, unfinished: 1 });
      queue.taskDone();
      await joiner;
    });
  });

  test('C-68 taskDone too often throws, and a put after join resolved does not undo it', async () => {
    await withLoop(async () => {
      const queue = new Queue<number>(Infinity);
      expect(() => queue.taskDone()).toThrow(expect.objectContaining({ code: 'ERR_INVALID_STATE' }));
      await call(() => queue.join());
      queue.putNowait(1);
      const joiner = call(() => queue.join());
      await sleep(1);
      queue.getNowait();
      queue.taskDone();
      // The joiner is woken, and has not run yet.
      queue.putNowait(2);
      await joiner;
      expect(queue.statistics().unfinished).toBe(1);
    });
  });

  test('C-69 equal priorities come in the order in which they were put', async () => {
    await withLoop(async () => {
      const queue = new PriorityQueue<[number, number]>({ compare: ([a], [b]) => a - b, maxSize: Infinity });
      for (let i = 0; i < 8; i++) await call(() => queue.put([1, i]));
      const order: number[] = [];
      while (!queue.empty()) order.push((await call(() => queue.get()))[1]);
      // asyncio: 0, 2, 6, 5, 7, 4, 1, 3
      expect(order).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    });
  });
});
