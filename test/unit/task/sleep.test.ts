import { expect, test } from 'vitest';
import { EventLoop } from '../../../src/event-loop.js';
import { createTaskOn } from '../../../src/task/create.js';
import { sleep, sleepOn } from '../../../src/task/sleep.js';
import type { Task } from '../../../src/task/task.js';
import { fakeLoop } from '../../support/fake-loop.js';
import { withLoop } from '../../support/loop.js';

const make = (options: object): EventLoop => new EventLoop(options);

test.each([0, -1, -Infinity])('sleep(%d) is one turn, without future or timer', async (delayMs) => {
  const loop = fakeLoop();
  const generator: Task<unknown> = createTaskOn(loop, function* () {
    const before = loop.turns;
    const value = yield* sleepOn(loop, delayMs, 'value');
    return [value, loop.turns - before, generator.awaiting];
  });
  loop.turn();
  expect([loop.timers, loop.ready, generator.awaiting]).toEqual([0, 1, undefined]);
  loop.run();
  expect(generator.result()).toEqual(['value', 1, undefined]);
});

test.each([0, -5])('await sleep(%d) is one turn as well', async (delayMs) => {
  const loop = fakeLoop();
  let turn = 0;
  const task = createTaskOn(loop, async () => {
    turn = loop.turns;
    const value = await sleepOn(loop, delayMs, 'value');
    return [value, loop.turns - turn];
  });
  await loop.settle();
  expect(task.result()).toEqual(['value', 1]);
});

test('a turn of sleep(0) runs what was ready before', async () => {
  const loop = fakeLoop();
  const log: string[] = [];
  for (const name of ['a', 'b']) {
    createTaskOn(loop, function* () {
      for (let i = 0; i < 2; i++) {
        log.push(name);
        yield* sleepOn(loop, 0, undefined);
      }
    });
  }
  loop.run();
  expect(log.join('')).toBe('abab');
});

test('sleep(0) can be cancelled', async () => {
  const loop = fakeLoop();
  const tasks = [
    createTaskOn(loop, function* () {
      yield* sleepOn(loop, 0, undefined);
    }),
    createTaskOn(loop, async () => await sleepOn(loop, 0, undefined)),
  ];
  loop.turn();
  await new Promise((resolve) => setImmediate(resolve));
  for (const task of tasks) task.cancel();
  await loop.settle();
  expect(tasks.map((task) => task.cancelled())).toEqual([true, true]);
});

test('then() of sleep(0) is that of a promise', async () => {
  const loop = fakeLoop();
  const chain = sleepOn(loop, 0, 1)
    .then((value) => value + 1)
    .then((value) => value * 10);
  const all = Promise.all([sleepOn(loop, 0, 'a'), sleepOn(loop, 5, 'b')]);
  await loop.advance(5);
  expect([await chain, await all]).toEqual([20, ['a', 'b']]);
});

test('waits for the time to pass, in both forms', async () => {
  const loop = fakeLoop();
  const times: unknown[] = [];
  createTaskOn(loop, function* () {
    times.push([yield* sleepOn(loop, 20, 'generator'), loop.time()]);
  });
  createTaskOn(loop, async () => {
    times.push([await sleepOn(loop, 10.5, 'async'), loop.time()]);
  });
  await loop.advance(10);
  expect(times).toEqual([]);
  await loop.advance(50);
  expect(times).toEqual([
    ['async', 10.5],
    ['generator', 20],
  ]);
});

test('the time runs from the call', async () => {
  const loop = fakeLoop();
  const task = createTaskOn(loop, async () => {
    const first = sleepOn(loop, 10, 1);
    const second = sleepOn(loop, 10, 2);
    return [await first, await second, loop.time()];
  });
  await loop.advance(30);
  expect(task.result()).toEqual([1, 2, 10]);
});

test.each(['generator', 'async'])('cancelling takes the timer back at once: %s', async (form) => {
  const loop = fakeLoop();
  const task =
    form === 'async'
      ? createTaskOn(loop, async () => await sleepOn(loop, 60_000, undefined))
      : createTaskOn(loop, function* () {
          yield* sleepOn(loop, 60_000, undefined);
        });
  await loop.settle();
  expect(loop.timers).toBe(1);
  task.cancel();
  expect(loop.timers).toBe(0);
  await loop.settle();
  expect(task.cancelled()).toBe(true);
});

test('bad delays', () => {
  const loop = fakeLoop();
  expect(() => sleepOn(loop, NaN, 0)).toThrow(RangeError);
  expect(() => sleepOn(loop, NaN, 0)).toThrow(expect.objectContaining({ code: 'ERR_OUT_OF_RANGE' }));
  for (const delay of ['5', undefined, null, 5n]) {
    expect(() => sleepOn(loop, delay as any, 0)).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' }),
    );
  }
  expect(loop.timers).toBe(0);
});

test('needs a running loop', () => {
  expect(() => sleep(1)).toThrow(expect.objectContaining({ code: 'ERR_INVALID_STATE' }));
});

test('on the real loop it is never early', async () => {
  await withLoop<EventLoop>(
    async (loop) => {
      const early = await loop.createTask(async () => {
        let count = 0;
        for (const delayMs of [1, 2.5, 7]) {
          const begin = loop.time();
          await sleep(delayMs);
          if (loop.time() - begin < delayMs) count++;
        }
        return count;
      });
      expect(early).toBe(0);
      const generator = await loop.createTask(function* () {
        return yield* sleep(1, 'generator');
      });
      expect(generator).toBe('generator');
    },
    { make },
  );
});
