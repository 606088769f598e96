// Traps of the loop, the queue and the timers; numbers are those of the feature table.
import { expect, test } from 'vitest';
import type { TimerHandle } from '../../src/core/timers.js';
import { EventLoop } from '../../src/event-loop.js';
import type { Transport } from '../../src/io/protocol.js';
import { FakeClock } from '../support/clock.js';
import { isCollected } from '../support/garbage.js';
import { later, oneTurn, soon, withIdleLoop, withLoop } from '../support/loop.js';
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
