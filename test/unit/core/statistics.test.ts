import { expect, test } from 'vitest';
import {
  block,
  later,
  leftovers,
  NOTHING_LEFT,
  oneTurn,
  soon,
  withIdleLoop,
  withLoop,
} from '../../support/loop.js';

test('exact at a known point: three ready, two timers, the next deadline', () =>
  withIdleLoop(async (loop) => {
    for (let i = 0; i < 3; i++) loop.callSoon(() => undefined);
    const far = loop.callLater(2e6, () => undefined);
    const near = loop.callLater(1e6, () => undefined);
    const cancelled = loop.callLater(10, () => undefined);
    cancelled.cancel();
    const { backend, host } = loop.statistics();
    expect(loop.statistics()).toEqual({
      backend,
      host,
      ready: 3,
      timers: 2,
      nextDeadline: near.when(),
      tasks: 0,
      sockets: 0,
      references: 2,
      turns: 0,
      wakeups: 0,
      polls: 0,
      events: 0,
      drains: 0,
      handlesRun: 0,
      completionRingFull: 0,
      receiveSlabStarved: 0,
      busyMs: 0,
      runningMs: 0,
      utilization: 0,
    });
    await oneTurn(loop);
    expect(loop.statistics()).toMatchObject({
      ready: 0,
      timers: 2,
      nextDeadline: near.when(),
      turns: 1,
      wakeups: 1,
      polls: 1,
      handlesRun: 3,
    });
    near.cancel();
    expect(loop.statistics()).toMatchObject({ timers: 1, nextDeadline: far.when(), references: 1 });
    far.cancel();
    expect(leftovers(loop)).toEqual(NOTHING_LEFT);
  }));

test('also inside a batch', () =>
  withIdleLoop(async (loop) => {
    const seen: number[][] = [];
    const note = (): void => {
      const { ready, handlesRun } = loop.statistics();
      seen.push([ready, handlesRun]);
    };
    for (let i = 0; i < 3; i++) loop.callSoon(note);
    await oneTurn(loop);
    // One that runs is neither ready nor has it run.
    expect(seen).toEqual([
      [2, 0],
      [1, 1],
      [0, 2],
    ]);
    expect(loop.statistics().handlesRun).toBe(3);
  }));

test('the object is frozen and does not change', () =>
  withLoop(async (loop) => {
    const statistics = loop.statistics();
    const copy = { ...statistics };
    expect(Object.isFrozen(statistics)).toBe(true);
    await later(loop, 1);
    expect(statistics).toEqual(copy);
  }));

test('cancelled handles are not counted as run', () =>
  withIdleLoop(async (loop) => {
    loop.callSoon(() => undefined);
    loop.callSoon(() => undefined).cancel();
    await oneTurn(loop);
    expect(loop.statistics().handlesRun).toBe(1);
  }));

test('busy and running time, and their ratio', () =>
  withLoop(async (loop) => {
    await soon(loop);
    loop.callSoon(() => block(10));
    await soon(loop);
    await soon(loop);
    await later(loop, 20);
    const { busyMs, runningMs, utilization } = loop.statistics();
    expect(busyMs).toBeGreaterThanOrEqual(10);
    expect(runningMs).toBeGreaterThanOrEqual(30);
    expect(runningMs).toBeGreaterThan(busyMs);
    expect(utilization).toBeCloseTo(busyMs / runningMs, 1);
  }));

test('running time stands still while the loop does not run', () =>
  withIdleLoop(async (loop) => {
    await oneTurn(loop);
    const { runningMs } = loop.statistics();
    block(2);
    expect(loop.statistics().runningMs).toBe(runningMs);
  }));

test('an idle loop is not woken', () =>
  withLoop(async (loop) => {
    const timer = loop.callLater(3600 * 1000, () => undefined);
    await soon(loop);
    await later(loop, 1);
    await new Promise((resolve) => setTimeout(resolve, 5));
    const { wakeups } = loop.statistics();
    await new Promise((resolve) => setTimeout(resolve, 40));
    expect(loop.statistics().wakeups).toBe(wakeups);
    timer.cancel();
  }));
