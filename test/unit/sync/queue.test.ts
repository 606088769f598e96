// Queues, in both forms.
import { inspect } from 'node:util';
import { describe, expect, test } from 'vitest';
import { InvalidStateError, QueueEmpty, QueueFull, QueueShutDown } from '../../../src/base/errors.js';
import { LifoQueue } from '../../../src/sync/lifo-queue.js';
import { PriorityQueue } from '../../../src/sync/priority-queue.js';
import { Queue, type OverflowPolicy } from '../../../src/sync/queue.js';
import { createTask } from '../../../src/task/current.js';
import { Future } from '../../../src/task/future.js';
import { sleep } from '../../../src/task/sleep.js';
import { forms, outcome } from '../../support/forms.js';
import { withIdleLoop, withLoop } from '../../support/loop.js';

const names = (all: readonly { name: string }[]): string[] => all.map(({ name }) => name);
const errorOf = (call: () => unknown): unknown => {
  try {
    call();
    return null;
  } catch (error) {
    return error;
  }
};

describe.each(forms)('$name', ({ call }) => {
  test('Queue: first in, first out', async () => {
    await withLoop(async () => {
      const queue = new Queue<number>(Infinity);
      for (let i = 0; i < 100; i++) await call(() => queue.put(i));
      expect(queue.size).toBe(100);
      expect(queue.qsize()).toBe(100);
      for (let i = 0; i < 100; i++) expect(await call(() => queue.get())).toBe(i);
      expect(queue.empty()).toBe(true);
    });
  });

  test('Queue: putters that wait for room get it in the order in which they came', async () => {
    await withLoop(async () => {
      const queue = new Queue<number>(1);
      const putters = [0, 1, 2, 3].map((i) => call(() => queue.put(i)));
      await sleep(0);
      await sleep(0);
      expect(queue.full()).toBe(true);
      expect(queue.statistics()).toMatchObject({ size: 1, tasksWaitingPut: 3 });
      for (let i = 0; i < 4; i++) expect(await call(() => queue.get())).toBe(i);
      for (const putter of putters) await putter;
      expect(queue.statistics()).toMatchObject({ size: 0, tasksWaitingPut: 0 });
    });
  });

  test('Queue: getters that wait get items in the order in which they came', async () => {
    await withLoop(async () => {
      const queue = new Queue<string>(5);
      const getters = [0, 1, 2].map(() => call(() => queue.get()));
      await sleep(0);
      await sleep(0);
      expect(queue.statistics().tasksWaitingGet).toBe(3);
      for (const item of ['a', 'b', 'c']) queue.putNowait(item);
      expect(await Promise.all(getters)).toEqual(['a', 'b', 'c']);
    });
  });

  test('Queue: a cancelled wait takes nothing and puts nothing', async () => {
    await withLoop(async () => {
      const queue = new Queue<number>(1);
      const getter = call(() => queue.get());
      await sleep(1);
      getter.cancel();
      expect(await outcome(getter)).toMatchObject({ name: 'CancelledError' });
      queue.putNowait(1);
      const putter = call(() => queue.put(2));
      await sleep(1);
      putter.cancel();
      expect(await outcome(putter)).toMatchObject({ name: 'CancelledError' });
      expect(queue.getNowait()).toBe(1);
      expect(queue.empty()).toBe(true);
      expect(queue.statistics()).toMatchObject({ tasksWaitingGet: 0, tasksWaitingPut: 0, unfinished: 1 });
    });
  });

  test('Queue: a putter that comes between finds the room taken, and the woken one waits again', async () => {
    await withLoop(async () => {
      const queue = new Queue<string>(1);
      queue.putNowait('first');
      const putter = call(() => queue.put('woken'));
      await sleep(1);
      expect(queue.getNowait()).toBe('first');
      queue.putNowait('between');
      await sleep(1);
      expect(putter.done()).toBe(false);
      expect(queue.getNowait()).toBe('between');
      await putter;
      expect(queue.getNowait()).toBe('woken');
    });
  });

  test('Queue: whatever an item is, getting it changes nothing of it', async () => {
    await withLoop(async (loop) => {
      const queue = new Queue<unknown>(Infinity);
      const promise = Object.freeze(Promise.resolve('promised'));
      const future = new Future<string>(loop);
      for (const item of [undefined, null, promise, future]) queue.putNowait(item);
      expect(await call(() => queue.get())).toBe(undefined);
      expect(await call(() => queue.get())).toBe(null);
      // Awaiting flattens.
      expect(await call(() => queue.get())).toBe('promised');
      const getter = call(() => queue.get());
      await sleep(0);
      future.setResult('later');
      expect(await getter).toBe('later');
      expect(Object.hasOwn(future, Symbol.iterator)).toBe(false);
    });
  });

  test('join/task_done: join returns at once when nothing is unfinished, else when all is', async () => {
    await withLoop(async () => {
      const queue = new Queue<number>(Infinity);
      await call(() => queue.join());
      queue.putNowait(1);
      queue.putNowait(2);
      const joiner = call(() => queue.join());
      await sleep(0);
      await sleep(0);
      expect(queue.statistics()).toMatchObject({ unfinished: 2, tasksWaitingJoin: 1 });
      queue.getNowait();
      queue.getNowait();
      queue.taskDone();
      await sleep(1);
      expect(joiner.done()).toBe(false);
      // More work before the last is done: the wait goes on.
      queue.putNowait(3);
      queue.taskDone();
      await sleep(1);
      expect(joiner.done()).toBe(false);
      queue.taskDone();
      await joiner;
      // And a later one waits anew.
      queue.putNowait(4);
      const next = call(() => queue.join());
      await sleep(1);
      expect(next.done()).toBe(false);
      next.cancel();
      expect(await outcome(next)).toMatchObject({ name: 'CancelledError' });
      expect(queue.statistics().tasksWaitingJoin).toBe(0);
    });
  });

  test('shutdown: putting throws, getting goes on until the queue is empty', async () => {
    await withLoop(async () => {
      const queue = new Queue<number>(2);
      queue.putNowait(1);
      queue.putNowait(2);
      const putter = call(() => queue.put(3));
      await sleep(1);
      queue.shutdown();
      queue.shutdown();
      expect(await outcome(putter)).toMatchObject({ name: 'QueueShutDown' });
      expect(await outcome(call(() => queue.put(4)))).toMatchObject({ name: 'QueueShutDown' });
      expect(errorOf(() => queue.putNowait(4))).toBeInstanceOf(QueueShutDown);
      expect(errorOf(() => queue.offer(4))).toBeInstanceOf(QueueShutDown);
      expect(await call(() => queue.get())).toBe(1);
      // With room again, the queue is as shut down as before.
      expect(await outcome(call(() => queue.put(4)))).toMatchObject({ name: 'QueueShutDown' });
      expect(queue.getNowait()).toBe(2);
      expect(await outcome(call(() => queue.get()))).toMatchObject({ name: 'QueueShutDown' });
      expect(errorOf(() => queue.getNowait())).toBeInstanceOf(QueueShutDown);
      expect(queue.statistics()).toMatchObject({ isShutDown: true, unfinished: 2 });
    });
  });

  test('shutdown: whoever waits for an item is woken', async () => {
    await withLoop(async () => {
      const queue = new Queue<number>(2);
      const getters = [call(() => queue.get()), call(() => queue.get())];
      await sleep(1);
      queue.shutdown();
      for (const getter of getters) expect(await outcome(getter)).toMatchObject({ name: 'QueueShutDown' });
    });
  });

  test('shutdown: immediate drops what is left and lets join return', async () => {
    await withLoop(async () => {
      const queue = new Queue<number>(2);
      queue.putNowait(1);
      queue.putNowait(2);
      const joiner = call(() => queue.join());
      const putter = call(() => queue.put(3));
      await sleep(1);
      queue.shutdown();
      queue.shutdown({ immediate: true });
      await joiner;
      expect(await outcome(putter)).toMatchObject({ name: 'QueueShutDown' });
      expect(queue.empty()).toBe(true);
      expect(queue.statistics().unfinished).toBe(0);
    });
  });

  test('overflow policy: put follows it where it does not wait', async () => {
    await withLoop(async () => {
      const left: Partial<Record<OverflowPolicy, unknown>> = {};
      for (const overflow of ['dropOldest', 'dropNewest', 'throw'] as const) {
        const queue = new Queue<number>(2, { overflow });
        const outcomes: unknown[] = [];
        for (const item of [1, 2, 3]) outcomes.push(await outcome(call(() => queue.put(item))));
        left[overflow] = { outcomes, items: [queue.getNowait(), queue.getNowait()], ...queue.statistics() };
      }
      expect(left).toMatchObject({
        dropOldest: { outcomes: [undefined, undefined, undefined], items: [2, 3], dropped: 1, unfinished: 2 },
        dropNewest: { outcomes: [undefined, undefined, undefined], items: [1, 2], dropped: 1, unfinished: 2 },
        throw: {
          outcomes: [undefined, undefined, { name: 'QueueFull' }],
          items: [1, 2],
          dropped: 0,
          unfinished: 2,
        },
      });
    });
  });

  test('priority/LIFO: the least item first, equal ones in the order in which they were put', async () => {
    await withLoop(async () => {
      const queue = new PriorityQueue<{ name: string; level: number }>({
        compare: (a, b) => a.level - b.level,
        maxSize: Infinity,
      });
      for (const [name, level] of [
        ['c', 2],
        ['a', 1],
        ['d', 2],
        ['b', 1],
      ] as const) {
        await call(() => queue.put({ name, level }));
      }
      const taken = [];
      while (!queue.empty()) taken.push(await call(() => queue.get()));
      expect(names(taken)).toEqual(['a', 'b', 'c', 'd']);
    });
  });

  test('priority/LIFO: last in, first out', async () => {
    await withLoop(async () => {
      const queue = new LifoQueue<number>(3);
      for (let i = 0; i < 3; i++) await call(() => queue.put(i));
      const putter = call(() => queue.put(3));
      await sleep(1);
      expect(await call(() => queue.get())).toBe(2);
      await putter;
      expect([queue.getNowait(), queue.getNowait(), queue.getNowait()]).toEqual([3, 1, 0]);
    });
  });

  test('a queue that was made before there was a loop belongs to the first on which somebody waits', async () => {
    const queue = new Queue<number>(1);
    queue.putNowait(1);
    await withLoop(async () => {
      // Who need not wait, binds nothing.
      expect(await call(() => queue.get())).toBe(1);
    });
    await withLoop(async () => {
      const getter = call(() => queue.get());
      await sleep(1);
      queue.putNowait(2);
      expect(await getter).toBe(2);
    });
    await withLoop(async () => {
      expect(await outcome(call(() => queue.get()))).toMatchObject({ name: 'InvalidStateError' });
      queue.putNowait(3);
      expect(await outcome(call(() => queue.put(4)))).toMatchObject({ name: 'InvalidStateError' });
      expect(await call(() => queue.get())).toBe(3);
    });
  });
});

test('Queue: without waiting, what is not possible throws', () => {
  const queue = new Queue<number>(1);
  expect(errorOf(() => queue.getNowait())).toMatchObject({ name: 'QueueEmpty', code: 'ERR_QUEUE_EMPTY' });
  queue.putNowait(1);
  expect(errorOf(() => queue.putNowait(2))).toMatchObject({ name: 'QueueFull', code: 'ERR_QUEUE_FULL' });
  queue.shutdown();
  expect(errorOf(() => queue.putNowait(2))).toMatchObject({ code: 'ERR_QUEUE_SHUT_DOWN' });
  expect([new QueueEmpty(), new QueueFull(), new QueueShutDown()].map(String)).toEqual([
    'QueueEmpty: The queue is empty',
    'QueueFull: The queue is full',
    'QueueShutDown: The queue was shut down',
  ]);
});

test('Queue: put and get need a loop that runs', async () => {
  await withIdleLoop(() => {
    const queue = new Queue<number>(1);
    for (const call of [() => queue.put(1), () => queue.get(), () => queue.join()]) {
      expect(errorOf(call)).toBeInstanceOf(InvalidStateError);
    }
    expect(queue.size).toBe(0);
  });
});

test('Queue: a waiter goes on in the turn after the one in which it was woken', async () => {
  await withLoop(async () => {
    const queue = new Queue<string>(1);
    const log: string[] = [];
    const getter = createTask(function* () {
      log.push(`got ${yield* queue.get()}`);
    });
    const putter = createTask(function* () {
      yield* queue.put('a');
      log.push('put a');
      yield;
      log.push('a turn later');
      yield* queue.put('b');
      log.push('put b');
    });
    await getter;
    await putter;
    expect(log).toEqual(['put a', 'got a', 'a turn later', 'put b']);
  });
});

test('Queue: outside of tasks both work as well', async () => {
  await withLoop(async () => {
    const queue = new Queue<number>(1);
    const first = queue.get();
    await queue.put(1);
    expect(await first).toBe(1);
    await queue.put(2);
    const second = queue.put(3);
    expect([await queue.get(), await queue.get()]).toEqual([2, 3]);
    await second;
  });
});

test('Queue: several gets of one async task at a time give an item each', async () => {
  await withLoop(async () => {
    const queue = new Queue<number>(5);
    const task = createTask(async () => await Promise.all([queue.get(), queue.get(), queue.get()]));
    await sleep(1);
    expect(queue.statistics().tasksWaitingGet).toBe(3);
    for (const item of [1, 2, 3]) queue.putNowait(item);
    expect(await task).toEqual([1, 2, 3]);
  });
});

test('Queue: waiting with a time limit again and again gathers nothing', async () => {
  await withLoop(async () => {
    const queue = new Queue<number>(5);
    for (let i = 0; i < 50; i++) {
      const getter = createTask(function* () {
        yield* queue.get();
      });
      await sleep(0);
      await sleep(0);
      expect(queue.statistics().tasksWaitingGet).toBe(1);
      getter.cancel();
      expect(await outcome(getter)).toMatchObject({ name: 'CancelledError' });
    }
    expect(queue.statistics().tasksWaitingGet).toBe(0);
  });
});

test('join/task_done: taskDone more often than items were put throws', () => {
  const queue = new Queue<number>(5);
  expect(errorOf(() => queue.taskDone())).toMatchObject({ code: 'ERR_INVALID_STATE' });
  queue.putNowait(1);
  queue.taskDone();
  expect(errorOf(() => queue.taskDone())).toBeInstanceOf(InvalidStateError);
  // What was reported too early does not make the count negative.
  queue.shutdown({ immediate: true });
  expect(queue.statistics().unfinished).toBe(0);
});

test('async iteration: ends when the queue is shut down and empty', async () => {
  await withLoop(async () => {
    const queue = new Queue<number>(Infinity);
    const taken: number[] = [];
    const consumer = createTask(async () => {
      for await (const item of queue) taken.push(item);
      return 'ended';
    });
    await sleep(1);
    for (const item of [1, 2, 3]) await queue.put(item);
    queue.shutdown();
    expect(await consumer).toBe('ended');
    expect(taken).toEqual([1, 2, 3]);
    for await (const item of queue) taken.push(item);
    expect(taken).toHaveLength(3);
  });
});

test('async iteration: break does not shut the queue', async () => {
  await withLoop(async () => {
    const queue = new Queue<number>(Infinity);
    for (const item of [1, 2, 3]) queue.putNowait(item);
    for await (const item of queue) if (item === 2) break;
    expect(queue.statistics()).toMatchObject({ size: 1, isShutDown: false });
    queue.putNowait(4);
    expect([await queue.get(), await queue.get()]).toEqual([3, 4]);
  });
});

test('async iteration: two consumers share the items', async () => {
  await withLoop(async () => {
    const queue = new Queue<number>(Infinity);
    const taken: number[][] = [[], []];
    const consumers = taken.map((own) =>
      createTask(async () => {
        for await (const item of queue) {
          own.push(item);
          await sleep(0);
        }
      }),
    );
    for (let i = 0; i < 6; i++) await queue.put(i);
    queue.shutdown();
    for (const consumer of consumers) await consumer;
    expect(taken).toEqual([
      [0, 2, 4],
      [1, 3, 5],
    ]);
  });
});

test('async iteration: a cancelled consumer leaves, and takes no item with it', async () => {
  await withLoop(async () => {
    const queue = new Queue<number>(1);
    const consumer = createTask(async () => {
      for await (const item of queue) throw new Error(`got ${String(item)}`);
    });
    await sleep(1);
    queue.putNowait(1);
    consumer.cancel();
    expect(await outcome(consumer)).toMatchObject({ name: 'CancelledError' });
    expect(queue.getNowait()).toBe(1);
  });
});

test('overflow policy: offer returns false when the item was not taken, and counts what was dropped', () => {
  const results: Partial<Record<OverflowPolicy, unknown>> = {};
  for (const overflow of ['wait', 'dropOldest', 'dropNewest'] as const) {
    const queue = new Queue<number>(2, { overflow });
    const offered = [1, 2, 3, 4].map((item) => queue.offer(item));
    const { dropped, unfinished } = queue.statistics();
    results[overflow] = { offered, dropped, unfinished, items: [queue.getNowait(), queue.getNowait()] };
  }
  expect(results).toEqual({
    wait: { offered: [true, true, false, false], dropped: 0, unfinished: 2, items: [1, 2] },
    dropOldest: { offered: [true, true, true, true], dropped: 2, unfinished: 2, items: [3, 4] },
    dropNewest: { offered: [true, true, false, false], dropped: 2, unfinished: 2, items: [1, 2] },
  });
  const queue = new Queue<number>(1, { overflow: 'throw' });
  expect(queue.offer(1)).toBe(true);
  expect(errorOf(() => queue.offer(2))).toBeInstanceOf(QueueFull);
  expect(errorOf(() => queue.putNowait(2))).toBeInstanceOf(QueueFull);
});

test('overflow policy: the oldest of a LIFO queue is what was put first', () => {
  const queue = new LifoQueue<number>(2, { overflow: 'dropOldest' });
  for (const item of [1, 2, 3]) queue.putNowait(item);
  expect([queue.getNowait(), queue.getNowait()]).toEqual([3, 2]);
});

test('priority/LIFO: a comparison that throws loses no item', () => {
  let isBroken = false;
  const queue = new PriorityQueue<number>({
    compare: (a, b) => {
      if (isBroken) throw new Error('cannot compare');
      return a - b;
    },
    maxSize: Infinity,
  });
  for (const item of [3, 1, 2]) queue.putNowait(item);
  isBroken = true;
  expect(errorOf(() => queue.putNowait(0))).toMatchObject({ message: 'cannot compare' });
  expect(errorOf(() => queue.getNowait())).toMatchObject({ message: 'cannot compare' });
  expect(queue.statistics()).toMatchObject({ size: 3, unfinished: 3 });
  isBroken = false;
  expect([queue.getNowait(), queue.getNowait(), queue.getNowait()]).toEqual([1, 2, 3]);
});

test('statistics: are exact and frozen, and inspection shows them', async () => {
  await withLoop(async () => {
    const queue = new Queue<number>(1);
    queue.putNowait(1);
    const putters = [createTask(async () => await queue.put(2)), createTask(async () => await queue.put(3))];
    await sleep(1);
    const statistics = queue.statistics();
    expect(statistics).toEqual({
      size: 1,
      maxSize: 1,
      unfinished: 1,
      dropped: 0,
      tasksWaitingGet: 0,
      tasksWaitingPut: 2,
      tasksWaitingJoin: 0,
      isShutDown: false,
    });
    expect(Object.isFrozen(statistics)).toBe(true);
    expect(inspect(queue)).toBe('<Queue size=1/1 unfinished=1 putters=2>');
    queue.shutdown({ immediate: true });
    expect(inspect(queue)).toBe('<Queue size=0/1 shut down>');
    for (const putter of putters) expect(await outcome(putter)).toMatchObject({ name: 'QueueShutDown' });
    const getters = new LifoQueue<number>(Infinity);
    const getter = createTask(async () => await getters.get());
    await sleep(1);
    expect(inspect(getters)).toBe('<LifoQueue size=0/Infinity getters=1>');
    getter.cancel();
    expect(await outcome(getter)).toMatchObject({ name: 'CancelledError' });
  });
});
