import { expect, test } from 'vitest';
import type { TimerHandle } from '../../../src/core/timers.js';
import {
  block,
  later,
  nodeTurn,
  oneTurn,
  soon,
  stopped,
  withIdleLoop,
  withLoop,
} from '../../support/loop.js';
import { seededRandom } from '../../support/random.js';

const DAY_MS = 24 * 3600 * 1000;

test('timers run in the order of their deadlines', () =>
  withLoop(async (loop) => {
    const calls: number[] = [];
    for (const delay of [7, 3, 5, 1, 0, 4]) loop.callLater(delay, () => calls.push(delay));
    await later(loop, 9);
    expect(calls).toEqual([0, 1, 3, 4, 5, 7]);
  }));

test('arguments are passed on', () =>
  withLoop(async (loop) => {
    const calls: unknown[] = [];
    loop.callLater(0, (...args) => calls.push(args), 1, 'two');
    loop.callAt(loop.time(), (...args) => calls.push(args), 3);
    loop.callLater(1, (...args) => calls.push(args));
    await later(loop, 2);
    expect(calls).toEqual([[1, 'two'], [3], []]);
  }));

test('10,000 timers with one deadline run in start order, also after cancelling random ones', () =>
  withLoop(async (loop) => {
    const random = seededRandom(1);
    const calls: number[] = [];
    const timers: TimerHandle[] = [];
    const when = loop.time() + 30;
    for (let i = 0; i < 10_000; i++) timers.push(loop.callAt(when, (n) => calls.push(n), i));
    const expected: number[] = [];
    for (let i = 0; i < 10_000; i++) {
      if (random() < 0.3) timers[i]!.cancel();
      else expected.push(i);
    }
    expect(loop.statistics().timers).toBe(expected.length);
    await new Promise<void>((resolve) => {
      loop.callAt(when, resolve);
    });
    expect(calls).toEqual(expected);
  }));

test('ties are broken in start order for timers that native knows and for those it does not yet', () =>
  withLoop(async (loop) => {
    const calls: string[] = [];
    const when = loop.time() + 10;
    loop.callAt(when, () => calls.push('first'));
    await later(loop, 1);
    loop.callAt(when, () => calls.push('second'));
    const taken = loop.callAt(when, () => calls.push('never'));
    loop.callAt(when, () => calls.push('third'));
    taken.cancel();
    await new Promise<void>((resolve) => {
      loop.callAt(when, resolve);
    });
    expect(calls).toEqual(['first', 'second', 'third']);
  }));

test('a timer is never early', () =>
  withLoop(async (loop) => {
    // Something of Node's and something of the loop's is due every millisecond.
    const interval = setInterval(() => undefined, 1);
    let tick = loop.callLater(1, function again() {
      tick = loop.callLater(1, again);
    });
    const early: string[] = [];
    const all: Promise<void>[] = [];
    for (let delayMs = 1; delayMs <= 50; delayMs += 0.5) {
      const begin = process.hrtime.bigint();
      all.push(
        new Promise((resolve) => {
          loop.callLater(delayMs, () => {
            const elapsedMs = Number(process.hrtime.bigint() - begin) / 1e6;
            if (elapsedMs < delayMs) early.push(`${String(delayMs)} ms after ${String(elapsedMs)}`);
            resolve();
          });
        }),
      );
    }
    await Promise.all(all);
    tick.cancel();
    clearInterval(interval);
    expect(early).toEqual([]);
  }));

test('loop.time() has reached the deadline when the timer runs', () =>
  withLoop(async (loop) => {
    for (let i = 0; i < 20; i++) {
      const when = loop.time() + i / 7;
      await new Promise<void>((resolve) => {
        loop.callAt(when, resolve);
      });
      expect(loop.time()).toBeGreaterThanOrEqual(when);
    }
  }));

test('a burst of timers in one turn is not early, and in order', () =>
  withLoop(async (loop) => {
    // More than the loop reads the clock for.
    const count = 100;
    const begins: bigint[] = [];
    const calls: number[] = [];
    const early: number[] = [];
    await soon(loop);
    for (let i = 0; i < count; i++) {
      begins.push(process.hrtime.bigint());
      loop.callLater(
        5,
        (n: number) => {
          calls.push(n);
          if (Number(process.hrtime.bigint() - begins[n]!) / 1e6 < 5) early.push(n);
        },
        i,
      );
    }
    await later(loop, 8);
    expect(early).toEqual([]);
    expect(calls).toEqual(Array.from({ length: count }, (_, i) => i));
  }));

test('timers of a burst can be cancelled and reset like any other', () =>
  withLoop(async (loop) => {
    const calls: number[] = [];
    const timers = Array.from({ length: 40 }, (_, i) => loop.callLater(1e6, (n) => calls.push(n), i));
    for (let i = 0; i < 40; i += 2) timers[i]!.cancel();
    for (let i = 1; i < 40; i += 4) timers[i]!.reset(i / 10);
    await later(loop, 5);
    expect(calls).toEqual([1, 5, 9, 13, 17, 21, 25, 29, 33, 37]);
    for (const timer of timers) timer.cancel();
  }));

test('zero and negative delays run in the next turn, the smaller deadline first', () =>
  withIdleLoop(async (loop) => {
    const calls: string[] = [];
    loop.callLater(0, () => calls.push('zero'));
    loop.callLater(-5, () => calls.push('minus five'));
    loop.callAt(loop.time() - 1000, () => calls.push('past'));
    loop.callLater(-Infinity, () => calls.push('minus infinity'));
    loop.callSoon(() => calls.push('soon'));
    await oneTurn(loop);
    expect(calls).toEqual(['soon', 'minus infinity', 'past', 'minus five', 'zero']);
  }));

test('a timer with delay 0 that re-arms itself lets others run', () =>
  withLoop(async (loop) => {
    let runs = 0;
    let timer = loop.callLater(0, function again() {
      runs++;
      timer = loop.callLater(0, again);
    });
    await later(loop, 5);
    await nodeTurn();
    await nodeTurn();
    timer.cancel();
    expect(runs).toBeGreaterThan(2);
  }));

test('far deadlines wait', () =>
  withLoop(async (loop) => {
    const ran: number[] = [];
    const timers = [
      30 * DAY_MS,
      40 * DAY_MS,
      2 ** 31,
      2 ** 32,
      1e12,
      2 ** 53,
      Number.MAX_VALUE,
      Infinity,
    ].map((delay) => loop.callLater(delay, () => ran.push(delay)));
    expect(timers.at(-1)!.when()).toBe(Infinity);
    expect(timers[1]!.when() - loop.time()).toBeCloseTo(40 * DAY_MS, -2);
    await later(loop, 20);
    expect(ran).toEqual([]);
    expect(loop.statistics().timers).toBe(timers.length);
    for (const timer of timers) timer.cancel();
  }));

test('a timer that never comes does not hide one that does', () =>
  withLoop(async (loop) => {
    const never = loop.callLater(Infinity, () => expect.fail('ran'));
    expect(loop.statistics().nextDeadline).toBe(Infinity);
    await later(loop, 2);
    never.reset(1);
    const ran = new Promise<void>((resolve) => {
      never.cancel();
      loop.callLater(1, resolve);
    });
    await ran;
  }));

test.each([NaN, undefined, null, '5', {}, 5n])('the delay %s is refused', (delay) =>
  withLoop((loop) => {
    const timer = loop.callLater(1e6, () => undefined);
    const code = typeof delay === 'number' ? 'ERR_OUT_OF_RANGE' : 'ERR_INVALID_ARG_TYPE';
    const refused = expect.objectContaining({ code });
    expect(() => loop.callLater(delay as number, () => undefined)).toThrow(refused);
    expect(() => loop.callAt(delay as number, () => undefined)).toThrow(refused);
    expect(() => timer.reset(delay as number)).toThrow(refused);
    expect(() => timer.resetAt(delay as number)).toThrow(refused);
    // What was refused has changed nothing.
    expect(loop.statistics().timers).toBe(1);
    timer.cancel();
  }),
);

test('reset moves the deadline and the place among equals', () =>
  withLoop(async (loop) => {
    const calls: string[] = [];
    const when = loop.time() + 5;
    const a = loop.callAt(when, () => calls.push('a'));
    loop.callAt(when, () => calls.push('b'));
    const far = loop.callLater(1e6, () => calls.push('far'));
    expect(a.resetAt(when)).toBe(a);
    expect(far.resetAt(when)).toBe(far);
    expect(far.when()).toBe(when);
    await later(loop, 7);
    expect(calls).toEqual(['b', 'a', 'far']);
  }));

test('reset re-arms a timer that has run', () =>
  withLoop(async (loop) => {
    let runs = 0;
    const timer = loop.callLater(0, () => {
      if (++runs < 3) timer.reset(0);
    });
    await later(loop, 30);
    expect(runs).toBe(3);
    const when = loop.time() + 1;
    timer.resetAt(when);
    expect(loop.statistics().timers).toBe(1);
    await later(loop, 3);
    expect(runs).toBe(4);
  }));

test('reset of a timer that is due, but did not run yet, wins', () =>
  withIdleLoop(async (loop) => {
    const calls: string[] = [];
    loop.callLater(-1, () => {
      calls.push('first');
      second.reset(20);
    });
    const second = loop.callLater(0, () => calls.push('second'));
    await oneTurn(loop);
    expect(calls).toEqual(['first']);
    expect(loop.statistics().timers).toBe(1);
    second.reset(0);
    await oneTurn(loop);
    expect(calls).toEqual(['first', 'second']);
  }));

test('a cancelled timer cannot be reset', () =>
  withLoop((loop) => {
    const timer = loop.callLater(1e6, () => undefined);
    timer.cancel();
    expect(() => timer.reset(1)).toThrow(expect.objectContaining({ code: 'ERR_INVALID_STATE' }));
    expect(() => timer.resetAt(1)).toThrow(expect.objectContaining({ code: 'ERR_INVALID_STATE' }));
    timer.cancel();
  }));

test('a timer can be cancelled by one that is due with it', () =>
  withIdleLoop(async (loop) => {
    const calls: string[] = [];
    loop.callLater(-1, () => {
      calls.push('a');
      b.cancel();
    });
    const b = loop.callLater(0, () => calls.push('b'));
    loop.callLater(0, () => calls.push('c'));
    await oneTurn(loop);
    expect(calls).toEqual(['a', 'c']);
  }));

test('ref, unref and hasRef count what keeps the process', () =>
  withLoop(async (loop) => {
    const timer = loop.callLater(1e6, () => undefined);
    const references = (): number => loop.statistics().references;
    expect(timer.hasRef()).toBe(true);
    expect(references()).toBe(1);
    expect(timer.unref()).toBe(timer);
    timer.unref();
    expect(timer.hasRef()).toBe(false);
    expect(references()).toBe(0);
    // Moving it changes nothing about that.
    timer.reset(1e6);
    expect(references()).toBe(0);
    expect(timer.ref()).toBe(timer);
    timer.ref();
    expect(references()).toBe(1);
    timer.cancel();
    expect(references()).toBe(0);
    timer.ref().unref();
    expect(references()).toBe(0);

    const short = loop.callLater(0, () => undefined).unref();
    await soon(loop);
    await later(loop, 1);
    expect(references()).toBe(0);
    short.ref();
    expect(references()).toBe(0);
    short.reset(1);
    expect(references()).toBe(1);
    await later(loop, 2);
    expect(references()).toBe(0);
  }));

test('the loop counts references of its own', () =>
  withLoop((loop) => {
    expect(loop.hasRef()).toBe(true);
    expect(loop.unref()).toBe(loop);
    expect(loop.hasRef()).toBe(false);
    expect(loop.ref()).toBe(loop);
    expect(loop.hasRef()).toBe(true);
  }));

test('timers that are started while the loop does not run count from then', () =>
  withIdleLoop(async (loop) => {
    const calls: number[] = [];
    const begin = loop.time();
    for (let i = 0; i < 40; i++) loop.callLater(10, (n) => calls.push(n), i);
    block(12);
    await oneTurn(loop);
    // All are due, although the loop reads the clock only for the first of them.
    expect(calls).toHaveLength(40);
    expect(loop.time() - begin).toBeLessThan(1000);
  }));

test('timers run in the order of when(), then of their starts, however many a turn starts', () =>
  withLoop(async (loop) => {
    const random = seededRandom(11);
    const started: TimerHandle[] = [];
    const ran: [TimerHandle, number][] = [];
    const early: number[] = [];
    function startSome(count: number): void {
      for (let i = 0; i < count; i++) {
        const begin = loop.time();
        const delayMs = random() * 8;
        const note = (): void => {
          ran.push([timer, timer.when()]);
          if (loop.time() < begin + delayMs) early.push(delayMs);
          if (random() < 0.1) startSome(2);
        };
        const timer = random() < 0.2 ? loop.callAt(begin + delayMs, note) : loop.callLater(delayMs, note);
        started.push(timer);
        // Who asks learns the deadline at once; it does not change any more.
        if (random() < 0.1) {
          const when = timer.when();
          expect(when).toBeGreaterThanOrEqual(begin + delayMs);
          loop.callSoon(() => expect(timer.when()).toBe(when));
        }
      }
    }
    await soon(loop);
    startSome(200);
    block(3);
    startSome(200);
    const atFirst = started.length;
    while (ran.length < started.length) await later(loop, 1);
    expect(early).toEqual([]);
    const place = new Map(started.map((timer, i) => [timer, i]));
    const inOrder = ran
      .filter(([timer]) => place.get(timer)! < atFirst)
      .sort(([a, aWhen], [b, bWhen]) => aWhen - bWhen || place.get(a)! - place.get(b)!);
    expect(ran.filter(([timer]) => place.get(timer)! < atFirst)).toEqual(inOrder);
  }));

test('callAt(timer.when()) runs behind the timer', () =>
  withLoop(async (loop) => {
    const calls: string[] = [];
    await soon(loop);
    for (let i = 0; i < 30; i++) {
      const timer = loop.callLater(5, () => calls.push(`timer ${String(i)}`));
      loop.callAt(timer.when(), () => calls.push(`at ${String(i)}`));
    }
    await later(loop, 8);
    expect(calls).toEqual(
      Array.from({ length: 30 }, (_, i) => [`timer ${String(i)}`, `at ${String(i)}`]).flat(),
    );
  }));

test('a million starts and cancels leave no memory behind', () =>
  withLoop(async (loop) => {
    // The first ones grow what is reused from then on.
    for (let i = 0; i < 10_000; i++) loop.callLater(60_000, () => undefined).cancel();
    await soon(loop);
    const before = process.memoryUsage();
    for (let round = 0; round < 100; round++) {
      const timers = Array.from({ length: 2000 }, () => loop.callLater(60_000, () => undefined));
      await soon(loop);
      for (const timer of timers) timer.cancel();
      await soon(loop);
    }
    expect(loop.statistics().timers).toBe(0);
    const after = process.memoryUsage();
    expect(after.arrayBuffers - before.arrayBuffers).toBeLessThan(1e6);
    expect(after.external - before.external).toBeLessThan(1e6);
  }));

test('more timers than the rings have entries', () =>
  withLoop(async (loop) => {
    const calls: number[] = [];
    const when = loop.time() + 10;
    const count = 20_000;
    for (let i = 0; i < count; i++) loop.callAt(when, (n) => calls.push(n), i);
    await new Promise<void>((resolve) => {
      loop.callAt(when, resolve);
    });
    expect(calls).toHaveLength(count);
    expect(calls.every((n, i) => n === i)).toBe(true);
  }));

test('timers wait while the loop is stopped', () =>
  withLoop(async (loop) => {
    const calls: string[] = [];
    await stopped(loop);
    loop.callLater(1, () => calls.push('timer'));
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(calls).toEqual([]);
    await oneTurn(loop);
    expect(calls).toEqual(['timer']);
  }));

test('Symbol.dispose cancels a timer', () =>
  withLoop((loop) => {
    const timer = loop.callLater(1e6, () => undefined);
    timer[Symbol.dispose]();
    expect(timer.cancelled()).toBe(true);
    expect(loop.statistics().timers).toBe(0);
  }));
