import { expect, test } from 'vitest';
import type { EventLoop } from '../../../src/event-loop.js';
import { interval, intervalOn, type Interval, type IntervalOptions } from '../../../src/task/interval.js';
import { sleep } from '../../../src/task/sleep.js';
import { FakeClock } from '../../support/clock.js';
import { block, nodeTurn, soon } from '../../support/loop.js';
import { until, withEventLoop } from '../../support/net.js';

/** What a test of ticks needs: a clock that it moves, and when which tick was given. */
interface Bench {
  loop: EventLoop;
  clock: FakeClock;
  ticks: Interval;
  /** [due, given] of each tick. */
  given: [number, number][];
  /** Moves the clock, and lets whatever is due come in its turns. */
  advance(byMs: number): Promise<void>;
}

const FORMS = ['generator', 'await', 'for await'] as const;

/** A task takes every tick of an interval, one after the other. */
function ticking(
  form: (typeof FORMS)[number],
  options: IntervalOptions & { periodMs?: number },
  body: (bench: Bench) => Promise<void>,
): Promise<void> {
  const clock = new FakeClock(1000);
  const { periodMs = 50, ...rest } = options;
  return withEventLoop(
    async (loop) => {
      const ticks = intervalOn(loop, periodMs, rest);
      const given: [number, number][] = [];
      const note = (dueMs: number): void => void given.push([dueMs, clock.nowMs]);
      const coroutines = {
        *generator() {
          for (;;) note(yield* ticks.tick());
        },
        async await() {
          for (;;) note(await ticks.tick());
        },
        async 'for await'() {
          for await (const dueMs of ticks) note(dueMs);
        },
      };
      const task = loop.createTask<void>(coroutines[form]);
      const advance = async (byMs: number): Promise<void> => {
        await clock.advance(loop, byMs);
        for (let turn = 0; turn < 20; turn++) {
          await soon(loop);
          await nodeTurn();
        }
      };
      await advance(0);
      await body({ loop, clock, ticks, given, advance });
      expect(loop.statistics().timers).toBe(1);
      task.cancel();
      // The timer goes at once.
      expect(loop.statistics().timers).toBe(0);
      await expect(task.toPromise()).rejects.toMatchObject({ code: 'ABORT_ERR' });
    },
    { clock },
  );
}

test.each(FORMS)('ticks at once, and then every period: %s', (form) =>
  ticking(form, {}, async ({ given, advance }) => {
    expect(given).toEqual([[1000, 1000]]);
    await advance(49.9);
    expect(given.length).toBe(1);
    await advance(0.1);
    await advance(50);
    expect(given.slice(1)).toEqual([
      [1050, 1050],
      [1100, 1100],
    ]);
  }),
);

test.each(FORMS)('200 ms without a turn, burst: four quick ticks, and the old pace: %s', (form) =>
  ticking(form, {}, async ({ given, advance }) => {
    await advance(200);
    expect(given.slice(1).map(([dueMs]) => dueMs)).toEqual([1050, 1100, 1150, 1200]);
    await advance(49);
    expect(given.length).toBe(5);
    await advance(1);
    expect(given.at(-1)).toEqual([1250, 1250]);
  }),
);

test.each(FORMS)('210 ms without a turn, skip: one tick, and the next multiple: %s', (form) =>
  ticking(form, { missed: 'skip' }, async ({ given, advance }) => {
    await advance(210);
    expect(given.slice(1)).toEqual([[1050, 1210]]);
    await advance(39);
    expect(given.length).toBe(2);
    await advance(1);
    expect(given.slice(2)).toEqual([[1250, 1250]]);
    await advance(50);
    expect(given.slice(3)).toEqual([[1300, 1300]]);
  }),
);

test.each(FORMS)('210 ms without a turn, delay: one tick, and a period from there: %s', (form) =>
  ticking(form, { missed: 'delay' }, async ({ given, advance }) => {
    await advance(210);
    expect(given.slice(1)).toEqual([[1050, 1210]]);
    await advance(49);
    expect(given.length).toBe(2);
    await advance(1);
    expect(given.slice(2)).toEqual([[1260, 1260]]);
    await advance(50);
    expect(given.slice(3)).toEqual([[1310, 1310]]);
  }),
);

test('a tick that is late by less than a period changes no pace but that of delay', async () => {
  const dues: Record<string, number[]> = {};
  for (const missed of ['burst', 'skip', 'delay'] as const) {
    await ticking('generator', { missed }, async ({ given, advance }) => {
      for (let i = 0; i < 2; i++) await advance(60);
      dues[missed] = given.map(([dueMs]) => dueMs);
    });
  }
  expect(dues).toEqual({
    burst: [1000, 1050, 1100],
    skip: [1000, 1050, 1100],
    delay: [1000, 1050, 1110],
  });
});

test.each(['burst', 'skip'] as const)('%s does not drift', (missed) =>
  ticking('generator', { missed, periodMs: 0.1 }, async ({ given, advance }) => {
    for (let i = 1; i <= 100; i++) await advance(0.1);
    for (const [dueMs, givenMs] of given) expect(givenMs).toBeGreaterThanOrEqual(dueMs);
    const dues = given.map(([dueMs]) => dueMs);
    expect(dues).toEqual(dues.map((_, i) => 1000 + i * 0.1));
    expect(dues.length).toBeGreaterThanOrEqual(100);
  }),
);

test('startAt says when the first tick is due', () =>
  ticking('for await', { startAt: 1020 }, async ({ given, advance }) => {
    await advance(19);
    expect(given).toEqual([]);
    await advance(1);
    await advance(50);
    expect(given).toEqual([
      [1020, 1020],
      [1070, 1070],
    ]);
  }));

test('startAt may be past: those ticks are missed ones', async () => {
  const dues: Record<string, number[]> = {};
  for (const missed of ['burst', 'skip', 'delay'] as const) {
    await ticking('generator', { missed, startAt: 880 }, async ({ given, advance }) => {
      await advance(0);
      dues[missed] = given.map(([dueMs]) => dueMs);
      await advance(50);
      dues[missed].push(given.at(-1)![0]);
    });
  }
  expect(dues).toEqual({ burst: [880, 930, 980, 1030], skip: [880, 1030], delay: [880, 1050] });
});

test('a burst lets other callbacks run between two ticks', () =>
  withEventLoop(async (loop) => {
    const log: string[] = [];
    const ticks = intervalOn(loop, 1, { startAt: loop.time() - 3 });
    const task = loop.createTask(function* () {
      for (let i = 0; i < 3; i++) {
        yield* ticks.tick();
        log.push('tick');
        loop.callSoon(() => log.push('callback'));
      }
    });
    await task;
    await soon(loop);
    expect(log).toEqual(['tick', 'callback', 'tick', 'callback', 'tick', 'callback']);
  }));

test('a tick whose waiter was cancelled is given to the next', () =>
  withEventLoop(
    async (loop) => {
      const ticks = intervalOn(loop, 50, { startAt: 10 });
      const first = loop.createTask(function* () {
        return yield* ticks.tick();
      });
      await soon(loop);
      await soon(loop);
      first.cancel();
      expect(await ticks.tick()).toBe(10);
      expect(await ticks.tick()).toBe(60);
      expect(first.cancelled()).toBe(true);
    },
    { clock: { now: () => performance.now(), sleepTime: () => 1 } },
  ));

test.each(['generator', 'async'])('also when it came and the waiter had no time to see it: %s', (form) => {
  const clock = new FakeClock();
  return withEventLoop(
    async (loop) => {
      const ticks = intervalOn(loop, 50);
      const task = loop.createTask<number>(
        form === 'async'
          ? async () => await ticks.tick()
          : function* () {
              return yield* ticks.tick();
            },
      );
      // In the turn after the timer's, before the step that it made ready.
      const cancelled = new Promise<void>((resolve) => {
        const look = (): void => {
          if (task.awaiting?.done() !== true) {
            loop.callSoon(look);
            return;
          }
          task.cancel('late');
          resolve();
        };
        loop.callSoon(look);
      });
      await cancelled;
      await expect(task.toPromise()).rejects.toMatchObject({ reason: 'late' });
      expect(await ticks.tick()).toBe(0);
    },
    { clock },
  );
});

test('only one may wait at a time', () =>
  withEventLoop(async (loop) => {
    const ticks = intervalOn(loop, 10);
    const first = ticks.tick();
    expect(() => ticks.tick()).toThrow(expect.objectContaining({ code: 'ERR_INVALID_STATE' }));
    await first;
    await ticks.tick();
  }));

test('close() ends loops, fails who waits, and takes the timer back', () =>
  withEventLoop(async (loop) => {
    const far = { startAt: loop.time() + 60_000 };
    const closed = { code: 'ERR_INVALID_STATE', message: 'The interval is closed' };
    const looped = intervalOn(loop, 10, far);
    const awaited = intervalOn(loop, 10, far);
    const loopTask = loop.createTask(async () => {
      let count = 0;
      for await (const _ of looped) count++;
      return count;
    });
    const tickTask = loop.createTask(function* () {
      yield* awaited.tick();
    });
    await until('both wait', () => loop.statistics().timers === 2);
    looped.close();
    awaited[Symbol.dispose]();
    expect(loop.statistics().timers).toBe(0);
    expect(await loopTask).toBe(0);
    await expect(tickTask.toPromise()).rejects.toMatchObject(closed);
    awaited.close();
    expect(() => awaited.tick()).toThrow(expect.objectContaining(closed));
    for await (const _ of looped) expect.fail('it is closed');
  }));

test('close() in the body of the loop ends it', () =>
  withEventLoop(async (loop) => {
    const dues: number[] = [];
    const ticks = intervalOn(loop, 1);
    for await (const dueMs of ticks) if (dues.push(dueMs) === 3) ticks.close();
    expect(dues).toEqual([dues[0], dues[0]! + 1, dues[0]! + 2]);
  }));

test('leaving the loop early leaves no timer, and the interval goes on', () =>
  withEventLoop(async (loop) => {
    const ticks = intervalOn(loop, 2);
    let first = 0;
    for await (const dueMs of ticks) {
      first = dueMs;
      break;
    }
    expect(loop.statistics().timers).toBe(0);
    expect(await ticks.tick()).toBe(first + 2);
  }));

test('on the real clock it is never early, and a stall is made up for', () =>
  withEventLoop(async (loop) => {
    await loop.createTask(async () => {
      const ticks = interval(5);
      const begin = await ticks.tick();
      block(12);
      const lateness: number[] = [];
      for (let i = 1; i <= 6; i++) {
        expect(await ticks.tick()).toBeCloseTo(begin + i * 5, 6);
        lateness.push(loop.time() - (begin + i * 5));
      }
      expect(Math.min(...lateness)).toBeGreaterThanOrEqual(0);
      await sleep(1);
    });
  }));

test('bad arguments', () =>
  withEventLoop((loop) => {
    const range = expect.objectContaining({ name: 'RangeError', code: 'ERR_OUT_OF_RANGE' });
    const type = expect.objectContaining({ name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' });
    for (const ms of [0, -1, NaN, Infinity]) expect(() => intervalOn(loop, ms)).toThrow(range);
    for (const ms of ['5', undefined, null, 5n]) expect(() => intervalOn(loop, ms as any)).toThrow(type);
    for (const options of [{ missed: 'never' }, { startAt: NaN }, { startAt: Infinity }]) {
      expect(() => intervalOn(loop, 1, options as any)).toThrow(range);
    }
    for (const options of [5, { missed: 5 }, { startAt: '5' }]) {
      expect(() => intervalOn(loop, 1, options as any)).toThrow(type);
    }
  }));

test('needs a running loop', () => {
  expect(() => interval(1)).toThrow(expect.objectContaining({ code: 'ERR_INVALID_STATE' }));
});
