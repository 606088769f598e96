import { expect, test } from 'vitest';
import { monotonicMs } from '../../../src/core/clock.js';
import { binding } from '../../../src/native/load.js';
import { FakeClock } from '../../support/clock.js';
import { block, later, oneTurn, soon, withIdleLoop, withLoop } from '../../support/loop.js';
import { seededRandom } from '../../support/random.js';

const HOUR_MS = 3600 * 1000;

test('the clock is that of native, and never behind it', () => {
  let lead = Infinity;
  for (let i = 0; i < 1000; i++) {
    const before = binding.now();
    lead = Math.min(lead, monotonicMs() - before);
  }
  expect(lead).toBeGreaterThanOrEqual(0);
  expect(lead).toBeLessThan(1);
});

test('loop.time() goes on inside a callback, tickTime() does not', () =>
  withLoop(async (loop) => {
    await new Promise<void>((resolve, reject) => {
      loop.callSoon(() => {
        try {
          const time = loop.time();
          const tickTime = loop.tickTime();
          expect(tickTime).toBeLessThanOrEqual(time);
          block(3);
          expect(loop.time() - time).toBeGreaterThanOrEqual(2.9);
          expect(loop.tickTime()).toBe(tickTime);
          resolve();
        } catch (error) {
          reject(error);
        }
      });
    });
    const tickTime = loop.tickTime();
    await later(loop, 2);
    expect(loop.tickTime()).toBeGreaterThan(tickTime);
  }));

test('loop.time() never goes back', () =>
  withLoop(async (loop) => {
    let last = 0;
    for (let i = 0; i < 200; i++) {
      await soon(loop);
      const now = loop.time();
      expect(now).toBeGreaterThanOrEqual(last);
      last = now;
    }
  }));

test('an injected clock is what timers run by', async () => {
  const clock = new FakeClock(1000);
  await withLoop(
    async (loop) => {
      const calls: string[] = [];
      expect(loop.time()).toBe(1000);
      expect(loop.tickTime()).toBe(1000);
      const timer = loop.callLater(50, () => calls.push('later'));
      loop.callAt(1020, () => calls.push('at'));
      expect(timer.when()).toBe(1050);
      expect(loop.statistics()).toMatchObject({ timers: 2, nextDeadline: 1020, references: 2 });
      await clock.advance(loop, 19);
      expect(calls).toEqual([]);
      await clock.advance(loop, 1);
      expect(calls).toEqual(['at']);
      await clock.advance(loop, 29.5);
      expect(calls).toEqual(['at']);
      await clock.advance(loop, 0.5);
      expect(calls).toEqual(['at', 'later']);
    },
    { clock },
  );
});

test('a jump of an hour runs each due timer once, in order', async () => {
  const clock = new FakeClock();
  await withLoop(
    async (loop) => {
      const random = seededRandom(7);
      const expected: [number, number][] = [];
      const calls: number[] = [];
      for (let i = 0; i < 500; i++) {
        const when = Math.floor(random() * 2 * HOUR_MS);
        const timer = loop.callAt(when, (n) => calls.push(n), i);
        if (random() < 0.2) timer.cancel();
        else expected.push([when, i]);
      }
      // Array.sort is stable, so equal deadlines stay in start order.
      expected.sort(([a], [b]) => a - b);
      await clock.advance(loop, HOUR_MS);
      const due = expected.filter(([when]) => when <= HOUR_MS).map(([, i]) => i);
      expect(calls).toEqual(due);
      await clock.advance(loop, HOUR_MS);
      expect(calls).toEqual(expected.map(([, i]) => i));
    },
    { clock },
  );
});

test('equal deadlines run in start order across callAt, callLater and reset', async () => {
  const clock = new FakeClock();
  await withLoop(
    async (loop) => {
      const calls: string[] = [];
      const moved = loop.callLater(5, () => calls.push('moved'));
      loop.callLater(10, () => calls.push('a'));
      loop.callAt(10, () => calls.push('b'));
      loop.callLater(10, () => calls.push('c'));
      moved.reset(10);
      await clock.advance(loop, 10);
      expect(calls).toEqual(['a', 'b', 'c', 'moved']);
    },
    { clock },
  );
});

test('a timer that is started by a due one with delay 0 runs in the next turn', async () => {
  const clock = new FakeClock();
  await withIdleLoop(
    async (loop) => {
      const calls: string[] = [];
      loop.callLater(10, () => {
        calls.push('outer');
        loop.callLater(0, () => calls.push('inner'));
      });
      loop.callLater(10, () => calls.push('sibling'));
      clock.nowMs = 10;
      await oneTurn(loop);
      expect(calls).toEqual(['outer', 'sibling']);
      await oneTurn(loop);
      expect(calls).toEqual(['outer', 'sibling', 'inner']);
    },
    { clock },
  );
});

test('the loop asks the clock how long it may sleep', async () => {
  // Runs a hundred times as fast as the real one.
  const origin = performance.now();
  const now = (): number => (performance.now() - origin) * 100;
  await withLoop(
    async (loop) => {
      const begin = performance.now();
      await later(loop, 1000);
      expect(now()).toBeGreaterThanOrEqual(1000);
      expect(performance.now() - begin).toBeLessThan(900);
    },
    { clock: { now, sleepTime: (deadline) => (deadline - now()) / 100 } },
  );
});

test('a clock that answers nonsense about sleeping does no harm', async () => {
  for (const answer of [-5, 0, Infinity]) {
    let nowMs = 0;
    await withLoop(
      async (loop) => {
        const ran: string[] = [];
        loop.callLater(1, () => ran.push('timer'));
        await soon(loop);
        nowMs = 1;
        await soon(loop);
        await soon(loop);
        expect(ran).toEqual(['timer']);
      },
      { clock: { now: () => nowMs, sleepTime: () => answer } },
    );
  }
});

test('timers of an injected clock count references, and can be cancelled in any order', async () => {
  const clock = new FakeClock();
  await withLoop(
    (loop) => {
      const random = seededRandom(3);
      const timers = Array.from({ length: 200 }, () =>
        loop.callLater(random() * 1000, () => expect.fail('ran')),
      );
      expect(loop.statistics()).toMatchObject({ timers: 200, references: 200 });
      timers[0]!.unref();
      expect(loop.statistics().references).toBe(199);
      timers[0]!.ref();
      for (const timer of timers.sort(() => random() - 0.5)) {
        timer.cancel();
        timer.cancel();
      }
      expect(loop.statistics()).toMatchObject({ timers: 0, references: 0, nextDeadline: Infinity });
    },
    { clock },
  );
});

test('a timer of an injected clock can be moved while it waits and after it ran', async () => {
  const clock = new FakeClock();
  await withLoop(
    async (loop) => {
      const calls: number[] = [];
      const timer = loop.callLater(10, () => calls.push(loop.time()));
      timer.reset(30);
      await clock.advance(loop, 20);
      expect(calls).toEqual([]);
      timer.resetAt(25);
      await clock.advance(loop, 5);
      expect(calls).toEqual([25]);
      timer.reset(5);
      await clock.advance(loop, 5);
      expect(calls).toEqual([25, 30]);
    },
    { clock },
  );
});
