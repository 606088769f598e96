// Traps of the loop, the queue and the timers; numbers are those of the feature table.
import { AsyncLocalStorage } from 'node:async_hooks';
import { expect, test } from 'vitest';
import type { TimerHandle } from '../../src/core/timers.js';
import { EventLoop } from '../../src/event-loop.js';
import type { Transport } from '../../src/io/protocol.js';
import { runChild } from '../support/child.js';
import { FakeClock } from '../support/clock.js';
import { isCollected } from '../support/garbage.js';
import { later, nodeTurn, oneTurn, soon, withIdleLoop, withLoop } from '../support/loop.js';
import { seededRandom } from '../support/random.js';

const DAY_MS = 24 * 3600 * 1000;

test('C-01 a batch is what was ready when it began', () =>
  withIdleLoop(async (loop) => {
    const calls: string[] = [];
    loop.callSoon(() => {
      calls.push('a');
      loop.callSoon(() => calls.push('scheduled by a'));
    });
    loop.callSoon(() => calls.push('b'));
    const { polls } = loop.statistics();
    await oneTurn(loop);
    expect(calls).toEqual(['a', 'b']);
    await oneTurn(loop);
    expect(calls).toEqual(['a', 'b', 'scheduled by a']);
    // There was a poll in between.
    expect(loop.statistics().polls - polls).toBe(2);
  }));

test('C-01 100,000 callbacks that reschedule themselves do not delay a timer of 10 ms', () =>
  withLoop(async (loop) => {
    // Small, so that one round of all of them fits into the delay many times.
    const count = 1000;
    let runs = 0;
    let isOver = false;
    const again = (): void => {
      runs++;
      if (!isOver) loop.callSoon(again);
    };
    for (let i = 0; i < count; i++) loop.callSoon(again);
    const due = loop.time() + 10;
    const lateMs = await new Promise<number>((resolve) => {
      loop.callAt(due, () => resolve(loop.time() - due));
    });
    const runsUntilThen = runs;
    isOver = true;
    await soon(loop);
    expect(runsUntilThen).toBeGreaterThan(count);
    // A few batches, and whatever else this machine does.
    expect(lateMs).toBeLessThan(100);
  }));

test('C-01 a batch of 100,000 does not delay it by more than itself', () =>
  withLoop(async (loop) => {
    let left = 100_000;
    for (let i = left; i > 0; i--) loop.callSoon(() => left--);
    const leftAtTimer = await new Promise<number>((resolve) => {
      loop.callLater(0, () => resolve(left));
    });
    expect(leftAtTimer).toBe(0);
  }));

test('C-02 already queued, then I/O, then timers by deadline', () =>
  withLoop<EventLoop>(
    async (loop) => {
      const calls: string[] = [];
      const server = await loop.createServer(() => ({ dataReceived: () => void calls.push('io') }), {
        host: '127.0.0.1',
        port: 0,
      });
      let lost!: () => void;
      const isLost = new Promise<void>((resolve) => (lost = resolve));
      const [transport] = await loop.createConnection(() => ({ connectionLost: lost }), {
        host: '127.0.0.1',
        port: server.port,
      });
      await later(loop, 5);
      await new Promise<void>((resolve) => {
        loop.callSoon(() => {
          // Sent when this batch is through, so the next poll finds it.
          transport.write('x');
          loop.callLater(0, () => {
            calls.push('later 0');
            resolve();
          });
          loop.callSoon(() => calls.push('soon'));
          loop.callLater(-5, () => calls.push('negative'));
        });
      });
      expect(calls).toEqual(['soon', 'io', 'negative', 'later 0']);
      transport.abort();
      await isLost;
      await server.close();
    },
    { make: (options) => new EventLoop(options) },
  ));

test('C-03 equal deadlines run in start order, also after random cancellations', () =>
  withLoop(async (loop) => {
    const random = seededRandom(3);
    const calls: number[] = [];
    const timers: TimerHandle[] = [];
    const when = loop.time() + 20;
    for (let i = 0; i < 10_000; i++) timers.push(loop.callAt(when, (n) => calls.push(n), i));
    const left = new Set(timers.keys());
    for (let i = 0; i < 4000; i++) {
      const index = Math.floor(random() * timers.length);
      timers[index]!.cancel();
      left.delete(index);
    }
    await new Promise<void>((resolve) => {
      loop.callAt(when, resolve);
    });
    expect(calls).toEqual([...left]);
  }));

test('C-03 equal deadlines run in start order across callAt and callLater', async () => {
  const clock = new FakeClock(100);
  await withLoop(
    async (loop) => {
      const calls: number[] = [];
      for (let i = 0; i < 100; i++) {
        if (i % 3 === 0) loop.callAt(110, (n) => calls.push(n), i);
        else loop.callLater(10, (n) => calls.push(n), i);
      }
      await clock.advance(loop, 10);
      expect(calls).toEqual(Array.from({ length: 100 }, (_, i) => i));
    },
    { clock },
  );
});

test('C-03 and on the real clock, for those that say they are equal', () =>
  withLoop(async (loop) => {
    const calls: string[] = [];
    await soon(loop);
    for (let i = 0; i < 50; i++) {
      const timer = loop.callLater(3, () => calls.push(`${String(i)} a`));
      loop.callAt(timer.when(), () => calls.push(`${String(i)} b`));
    }
    await later(loop, 10);
    expect(calls).toEqual(Array.from({ length: 50 }, (_, i) => [`${String(i)} a`, `${String(i)} b`]).flat());
  }));

test('C-04 no timer is early', () =>
  withLoop(async (loop) => {
    const random = seededRandom(4);
    const all: Promise<number>[] = [];
    await soon(loop);
    for (let i = 0; i < 300; i++) {
      const delayMs = random() * 20;
      const begin = process.hrtime.bigint();
      all.push(
        new Promise((resolve) => {
          loop.callLater(delayMs, () => resolve(Number(process.hrtime.bigint() - begin) / 1e6 - delayMs));
        }),
      );
    }
    expect(Math.min(...(await Promise.all(all)))).toBeGreaterThanOrEqual(0);
  }));

test('C-05 a timer that a timer starts with delay 0 is no part of the batch', () =>
  withIdleLoop(async (loop) => {
    const calls: string[] = [];
    loop.callLater(0, () => {
      calls.push('outer');
      loop.callLater(0, () => calls.push('inner'));
      loop.callLater(-1000, () => calls.push('inner of the past'));
    });
    loop.callLater(0, () => calls.push('sibling'));
    await oneTurn(loop);
    expect(calls).toEqual(['outer', 'sibling']);
    await oneTurn(loop);
    expect(calls).toEqual(['outer', 'sibling', 'inner of the past', 'inner']);
  }));

test('C-06 a cancelled timer is forgotten at once', () =>
  withLoop(async (loop) => {
    const start = (): { timer: TimerHandle; held: WeakRef<object> } => {
      const argument = { large: new Array(1000).fill(0) };
      return { timer: loop.callLater(1e6, (_: object) => undefined, argument), held: new WeakRef(argument) };
    };
    const known = start();
    await soon(loop);
    const { timers } = loop.statistics();
    // One that native knows, and one that it does not.
    const fresh = start();
    expect(loop.statistics().timers).toBe(timers + 1);
    known.timer.cancel();
    fresh.timer.cancel();
    expect(loop.statistics().timers).toBe(timers - 1);
    expect(await isCollected(known.held)).toBe(true);
    expect(await isCollected(fresh.held)).toBe(true);
  }));

test('C-07 a timer of 40 days is neither early nor in the way', () =>
  withLoop(async (loop) => {
    const timers = [24.8 * DAY_MS, 40 * DAY_MS, 400 * DAY_MS].map((delay) =>
      loop.callLater(delay, () => expect.fail('ran')),
    );
    await soon(loop);
    const { wakeups } = loop.statistics();
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(loop.statistics().wakeups - wakeups).toBeLessThanOrEqual(1);
    for (const timer of timers) timer.cancel();
  }));

test('C-07 and comes when its time has come', async () => {
  const clock = new FakeClock();
  await withLoop(
    async (loop) => {
      const calls: number[] = [];
      for (const days of [400, 40, 24.8]) loop.callLater(days * DAY_MS, () => calls.push(days));
      for (let day = 0; day < 400; day += 10) await clock.advance(loop, 10 * DAY_MS);
      expect(calls).toEqual([24.8, 40, 400]);
    },
    { clock },
  );
});

test('C-08 stop() in a callback: the batch ends, what it scheduled waits', () =>
  withIdleLoop(async (loop) => {
    const calls: string[] = [];
    loop.callSoon(() => {
      calls.push('a');
      loop.callSoon(() => calls.push('late'));
      loop.stop();
      loop.callLater(0, () => calls.push('timer'));
    });
    loop.callSoon(() => calls.push('b'));
    await loop._start();
    expect(calls).toEqual(['a', 'b']);
    await oneTurn(loop);
    expect(calls).toEqual(['a', 'b', 'late', 'timer']);
  }));

test.each(['only', 'first of two', 'last of two'])(
  'C-08 stop() in an async-function task, the %s of its batch: what it scheduled waits',
  (place) =>
    withIdleLoop<EventLoop>(
      async (loop) => {
        const calls: string[] = [];
        const idle = async (): Promise<void> => {
          calls.push('sibling');
        };
        if (place === 'last of two') loop.createTask(idle);
        loop.createTask(async () => {
          await Promise.resolve();
          calls.push('a');
          loop.callSoon(() => calls.push('late'));
          loop.stop();
        });
        if (place === 'first of two') loop.createTask(idle);
        await loop.runForever();
        expect(calls.sort()).toEqual(place === 'only' ? ['a'] : ['a', 'sibling']);
        await oneTurn(loop);
        expect(calls).toContain('late');
        await oneTurn(loop);
      },
      { make: (options) => new EventLoop(options) },
    ),
);

test('C-08 stop() before the run: one turn that runs what was queued and does not wait', () =>
  withIdleLoop(async (loop) => {
    const calls: string[] = [];
    loop.callSoon(() => {
      calls.push('a');
      loop.callSoon(() => calls.push('next'));
    });
    const timer = loop.callLater(10_000, () => expect.fail('ran'));
    loop.stop();
    const begin = performance.now();
    await loop._start();
    expect(calls).toEqual(['a']);
    expect(performance.now() - begin).toBeLessThan(5000);
    timer.cancel();
    await oneTurn(loop);
  }));

test('C-09 runUntilComplete that stop() interrupts leaves the task pending', () =>
  withIdleLoop<EventLoop>(
    async (loop) => {
      const calls: string[] = [];
      const task = loop.createTask(function* () {
        while (!calls.includes('go')) yield;
        calls.push('done');
        return 42;
      });
      loop.callLater(1, () => loop.stop());
      await expect(loop.runUntilComplete(task)).rejects.toMatchObject({
        code: 'ERR_INVALID_STATE',
        message: expect.stringMatching(/stopped before the future was done/i) as string,
      });
      expect(task.done()).toBe(false);
      expect(task.cancelling()).toBe(0);
      // The first run has left no callback behind that would end this one when the task is done.
      const other = loop.createTask(function* () {
        calls.push('go');
        while (!task.done()) yield;
        for (let i = 0; i < 3; i++) yield;
        calls.push('other done');
      });
      await loop.runUntilComplete(other);
      expect(calls).toEqual(['go', 'done', 'other done']);
      expect(await loop.runUntilComplete(task)).toBe(42);
    },
    { make: (options) => new EventLoop(options) },
  ));

test('C-10a a handle of the batch that an earlier one cancels does not run (callbacks, timers, protocols)', () =>
  withLoop<EventLoop>(
    async (loop) => {
      const calls: string[] = [];
      loop.callSoon(() => {
        calls.push('a');
        b.cancel();
        timer.cancel();
      });
      const b = loop.callSoon(() => calls.push('b'));
      const timer = loop.callLater(-1, () => calls.push('timer'));
      loop.callLater(0, () => calls.push('c'));
      await later(loop, 1);
      expect(calls).toEqual(['a', 'c']);

      // Two connections with bytes in the same poll: the first to be told closes the other.
      const told: number[] = [];
      const transports: Transport[] = [];
      const server = await loop.createServer(
        () => {
          const index = transports.length;
          return {
            connectionMade: (transport) => void transports.push(transport),
            dataReceived: () => {
              told.push(index);
              transports[1 - index]!.abort();
            },
          };
        },
        { host: '127.0.0.1', port: 0 },
      );
      const clients = await Promise.all(
        [0, 1].map(async () => {
          let connectionLost!: () => void;
          const lost = new Promise<void>((resolve) => (connectionLost = resolve));
          const [transport] = await loop.createConnection(() => ({ connectionLost }), {
            host: '127.0.0.1',
            port: server.port,
          });
          return { transport, lost };
        }),
      );
      while (transports.length < 2) await later(loop, 1);
      await new Promise<void>((resolve) => {
        loop.callSoon(() => {
          for (const { transport } of clients) transport.write('x');
          resolve();
        });
      });
      await later(loop, 5);
      expect(told).toHaveLength(1);
      for (const transport of [...transports, ...clients.map((client) => client.transport)]) {
        transport.abort();
      }
      await Promise.all(clients.map((client) => client.lost));
      await server.close();
    },
    { make: (options) => new EventLoop(options) },
  ));

test('C-10b a timer that was cancelled after native found it due, and before it was delivered, does not run', () =>
  withIdleLoop(async (loop) => {
    // The completion is in the ring already while the callback of another turn cancels it.
    const calls: string[] = [];
    const timers = Array.from({ length: 5000 }, (_, i) =>
      loop.callLater(-1, (n) => calls.push(String(n)), i),
    );
    loop.callSoon(() => {
      for (const timer of timers) timer.cancel();
      // Its place in the table is taken by others at once.
      for (let i = 0; i < 5000; i++) loop.callLater(-1, () => calls.push('new'));
    });
    await oneTurn(loop);
    expect(calls).toEqual([]);
    for (let turn = 0; turn < 5; turn++) await oneTurn(loop);
    expect(calls).toHaveLength(5000);
    expect(new Set(calls)).toEqual(new Set(['new']));
  }));

test('C-90 contexts are captured by callSoon when it schedules, by done callbacks when they are added, by tasks when they are made', () =>
  withLoop<EventLoop>(
    async (loop) => {
      const storage = new AsyncLocalStorage<number>();
      const seen: Record<string, number | undefined> = {};
      const future = loop.createFuture();
      let inner: number | undefined;
      storage.run(1, () => loop.callSoon(() => (seen.callSoon = storage.getStore())));
      storage.run(2, () => future.addDoneCallback(() => (seen.doneCallback = storage.getStore())));
      const task = storage.run(3, () =>
        loop.createTask(function* () {
          seen.task = storage.getStore();
          storage.enterWith(99);
          yield;
          inner = storage.getStore();
        }),
      );
      storage.run(4, () => future.setResult());
      await task;
      await soon(loop);
      expect(seen).toEqual({ callSoon: 1, doneCallback: 2, task: 3 });
      // What the task set is its own affair.
      expect(inner).toBe(99);
      expect(storage.getStore()).toBeUndefined();
      storage.disable();
    },
    { make: (options) => new EventLoop(options) },
  ));

test('C-91 the exception handler runs in the context of what failed', () =>
  withLoop<EventLoop>(
    async (loop) => {
      const storage = new AsyncLocalStorage<string>();
      const seen = new Map<unknown, string | undefined>();
      loop.setExceptionHandler((_, context) => {
        seen.set((context.exception as Error).message, storage.getStore());
      });
      const fail = (what: string): never => {
        throw new Error(what);
      };
      storage.run('of the handle', () => loop.callSoon(fail, 'handle'));
      storage.run('of the timer', () => loop.callLater(0, fail, 'timer'));
      const future = loop.createFuture();
      storage.run('of the done callback', () => future.addDoneCallback(() => fail('done callback')));
      storage.run('of whoever sets it', () => future.setResult());
      await later(loop, 1);
      await soon(loop);
      expect(Object.fromEntries(seen)).toEqual({
        handle: 'of the handle',
        timer: 'of the timer',
        'done callback': 'of the done callback',
      });
      storage.disable();
    },
    { make: (options) => new EventLoop(options) },
  ));

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

// What keeps a process, one program each.
const keepAlive: [title: string, program: string, code: number, stdout: string][] = [
  ['a loop without work does not keep the process', 'new EventLoop().runForever(); console.log(1);', 0, '1'],
  [
    'an unsettled top-level await ends with code 13',
    'const loop = new EventLoop(); await loop.runForever(); console.log(1);',
    13,
    '',
  ],
  [
    'nor does an unsettled async function keep it',
    '(async () => { await new EventLoop().runForever(); console.log(1); })();',
    0,
    '',
  ],
  [
    'run() whose program can never go on ends with code 13 as well',
    '(async () => { await run(async () => { await new Promise(() => {}); }); console.log(1); })();',
    13,
    '',
  ],
  [
    'a timer keeps it until it has run',
    'const loop = new EventLoop(); loop.runForever(); loop.callLater(20, () => console.log(1));',
    0,
    '1',
  ],
  [
    'an unreferenced timer does not',
    'const loop = new EventLoop(); loop.runForever(); loop.callLater(1e6, () => console.log(1)).unref();',
    0,
    '',
  ],
  [
    'neither does a timer that was cancelled',
    'const loop = new EventLoop(); loop.runForever(); loop.callLater(1e6, () => console.log(1)).cancel();',
    0,
    '',
  ],
  [
    'nor anything of an unreferenced loop',
    'const loop = new EventLoop(); loop.runForever(); loop.unref(); loop.callLater(1e6, () => console.log(1));',
    0,
    '',
  ],
  [
    'nor a timer of a loop that was never started',
    'const loop = new EventLoop(); loop.callLater(1e6, () => console.log(1)); loop.callSoon(() => console.log(2));',
    0,
    '',
  ],
  [
    'ready callbacks are run before the process ends',
    'const loop = new EventLoop(); loop.runForever(); setTimeout(() => loop.callSoon(() => console.log(1)), 5);',
    0,
    '1',
  ],
  [
    'a chain of them keeps it, as long as it goes on',
    `const loop = new EventLoop(); loop.runForever(); let left = 1000;
     loop.callSoon(function again() { if (--left > 0) loop.callSoon(again); else console.log(1); });`,
    0,
    '1',
  ],
];

test.each(keepAlive)('C-118 %s', async (_, program, code, stdout) => {
  const result = await runChild(program);
  expect({ ...result, stdout: result.stdout.trim() }).toMatchObject({ code, signal: null, stdout });
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
