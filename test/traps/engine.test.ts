// C-110 to C-112, C-114, C-121, C-122: what the engine and Node do around the loop.
import { describe, expect, test } from 'vitest';
import { EventLoop, type SwallowedCancel } from '../../src/event-loop.js';
import { sleep } from '../../src/task/sleep.js';
import type { Coroutine } from '../../src/task/task.js';
import { runChild } from '../support/child.js';
import { later, nodeTurn, oneTurn, soon, withIdleLoop, withLoop } from '../support/loop.js';

test('C-110 running from the top level of a module blocks neither promise jobs nor Node', async () => {
  const { stdout, code } = await runChild(`
    const loop = new EventLoop();
    const order = [];
    queueMicrotask(() => order.push('job'));
    setImmediate(() => order.push('immediate'));
    const result = await loop.runUntilComplete(async () => {
      await sleep(5);
      await new Promise((resolve) => setTimeout(resolve, 1));
      return 'result';
    });
    console.log([...order, result].join());
    loop.close();
  `);
  expect(stdout.trim()).toBe('job,immediate,result');
  expect(code).toBe(0);
});

test.each(['perCallback', 'perBatch'] as const)('C-111 drain: %s', (drain) =>
  withIdleLoop(
    async (loop) => {
      const calls: string[] = [];
      for (const name of ['imm1', 'imm2']) {
        loop.callSoon(() => {
          calls.push(name);
          void Promise.resolve().then(() => calls.push('micro'));
          process.nextTick(() => calls.push('tick'));
        });
      }
      await oneTurn(loop);
      await nodeTurn();
      expect(calls).toEqual(
        drain === 'perCallback'
          ? ['imm1', 'tick', 'micro', 'imm2', 'tick', 'micro']
          : ['imm1', 'imm2', 'tick', 'tick', 'micro', 'micro'],
      );
    },
    { drain },
  ),
);

test('C-111 an async-function task that a future resumes goes on before the next callback', () =>
  withIdleLoop<EventLoop>(
    async (loop) => {
      const calls: string[] = [];
      const future = loop.createFuture();
      const task = loop.createTask(async () => {
        await future;
        calls.push('task');
        await Promise.resolve();
        calls.push('job of the task');
      });
      await oneTurn(loop);
      future.setResult();
      loop.callSoon(() => calls.push('callback'));
      await loop.runUntilComplete(task);
      expect(calls).toEqual(['task', 'job of the task', 'callback']);
    },
    { make: (options) => new EventLoop(options) },
  ));

test('C-112 a thenable takes the jobs that it takes in Node', () =>
  withLoop(async (loop) => {
    const calls: string[] = [];
    const thenable = {
      then(resolve: () => void) {
        calls.push('then-called');
        resolve();
      },
    };
    await new Promise<void>((resolve) => {
      loop.callSoon(() => {
        void (async () => {
          await thenable;
          calls.push('thenable');
        })();
        void Promise.resolve()
          .then(() => calls.push('p1'))
          .then(() => calls.push('p2'))
          .then(() => resolve());
      });
    });
    expect(calls).toEqual(['then-called', 'p1', 'thenable', 'p2']);
  }));

describe('C-114 catch {} swallows a cancellation', () => {
  const swallowers: Record<string, Coroutine<string>> = {
    *generator() {
      try {
        yield* sleep(60_000);
      } catch {
        yield* sleep(1);
      }
      return 'goes on';
    },
    'async function': async () => {
      try {
        await sleep(60_000);
      } catch {
        await sleep(1);
      }
      return 'goes on';
    },
  };

  test.each(Object.keys(swallowers))('the task goes on, and somebody is told: %s', (form) =>
    withLoop<EventLoop>(
      async (loop) => {
        const heard: SwallowedCancel[] = [];
        loop.onSwallowedCancel = (info) => heard.push(info);
        const task = loop.createTask(swallowers[form]!);
        await soon(loop);
        await soon(loop);
        task.cancel('why');
        expect(await task).toBe('goes on');
        expect(heard).toEqual([{ task, reason: 'why' }]);
      },
      { make: (options) => new EventLoop(options) },
    ),
  );
});

test('C-121 delays are not truncated to milliseconds, nor to 31 bits', () =>
  withLoop(async (loop) => {
    const lateMs: number[] = [];
    for (const delayMs of [0.25, 0.5, 0.999, 1.001, 1.5, 2.75]) {
      const begin = loop.time();
      await later(loop, delayMs);
      lateMs.push(loop.time() - begin - delayMs);
    }
    expect(Math.min(...lateMs)).toBeGreaterThanOrEqual(0);
    const far = [2 ** 31 - 1, 2 ** 31, 2 ** 32, 2 ** 32 + 1].map((delay) =>
      loop.callLater(delay, () => expect.fail('ran')),
    );
    await later(loop, 10);
    for (const timer of far) timer.cancel();
  }));

test('C-121 timers within one millisecond keep their order', () =>
  withLoop(async (loop) => {
    const calls: number[] = [];
    const base = loop.time() + 5;
    for (const fraction of [0.9, 0.1, 0.5, 0.3, 0.7]) {
      loop.callAt(base + fraction, () => calls.push(fraction));
    }
    await later(loop, 8);
    expect(calls).toEqual([0.1, 0.3, 0.5, 0.7, 0.9]);
  }));

test('C-122 an exception of a callback poisons nothing that native does next', () =>
  withLoop(async (loop) => {
    let errors = 0;
    loop.setExceptionHandler(() => errors++);
    for (let i = 0; i < 100; i++) {
      loop.callSoon(() => {
        throw new Error('boom');
      });
      loop.callLater(0, () => {
        throw new Error('boom');
      });
      // This one calls into native, as does the next turn.
      loop.callSoon(() => loop._native.flush());
      await soon(loop);
    }
    await later(loop, 1);
    expect(errors).toBe(200);
  }));

test('C-122 an exception that leaves the turn goes to Node, and the next turn is sound', async () => {
  const { stdout, code } = await runChild(`
    process.on('uncaughtException', (error) => console.log('caught', error.message));
    const loop = new EventLoop();
    loop.runForever();
    loop.callSoon(() => process.nextTick(() => { throw new Error('tick'); }));
    loop.callSoon(() => console.log('sibling'));
    loop.callLater(1, () => console.log('timer'));
  `);
  expect(stdout.trim().split('\n')).toEqual(['caught tick', 'sibling', 'timer']);
  expect(code).toBe(0);
});

test('C-122 a batch of a million handles needs no more memory than they do', async () => {
  const { stdout, code } = await runChild(
    `
    const loop = new EventLoop({ drain: 'perBatch' });
    loop.runForever();
    let left = 1e6;
    const callback = () => { if (--left === 0) console.log('done'); };
    for (let round = 0; round < 20; round++) for (let i = 0; i < 5e4; i++) loop.callSoon(callback);
    `,
    { nodeArgs: ['--max-old-space-size=256'] },
  );
  expect({ code, stdout: stdout.trim() }).toEqual({ code: 0, stdout: 'done' });
});

test('C-122 many turns leave no handles of native behind', () =>
  withLoop(async (loop) => {
    let left = 100_000;
    await new Promise<void>((resolve) => {
      loop.callSoon(function again() {
        if (--left === 0) resolve();
        else loop.callSoon(again);
      });
    });
    expect(loop.statistics().turns).toBeGreaterThanOrEqual(100_000);
  }));
