import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { LoopCore } from '../../../src/core/loop.js';
import type { TimerHandle } from '../../../src/core/timers.js';
import { abi } from '../../../src/native/abi.js';
import { Rings } from '../../../src/native/rings.js';
import { later, oneTurn, soon, withIdleLoop, withLoop } from '../../support/loop.js';

const MASK = abi.SUBMISSION_CAPACITY - 1;
const GENERATION_MASK = 0x7fffffff;
// Where positions change their sign, and where they wrap.
const starts = [0, 1, 2 ** 31 - 8, 2 ** 31, 2 ** 32 - 8, 2 ** 32 - 1];

interface Entry {
  op: number;
  index: number;
  generation: number;
  a?: number;
  b?: number;
  timeMs?: number;
}

// The rings with somebody at native's end, beside a dumb model of what must be in them.
class Bench {
  readonly rings: Rings;
  /** What waits, oldest first. */
  readonly pending: Entry[] = [];
  /** What native has seen. */
  readonly drained: Entry[] = [];
  readonly expected: Entry[] = [];
  readonly timers: { index: number; generation: number; entry: Entry }[] = [];
  turnRequests = 0;

  constructor(start: number) {
    this.rings = new Rings({
      flush: () => this.drain(this.pending.length),
      requestTurn: () => {
        this.turnRequests++;
        this.rings.control[abi.CTL_WAKE_REQUESTED] = 1;
      },
    });
    this.rings.control[abi.CTL_SUBMISSION_HEAD] = start;
    this.rings.control[abi.CTL_SUBMISSION_TAIL] = start;
  }

  read(position: number): Entry {
    const { submissions } = this.rings;
    const at = (position & MASK) * abi.ENTRY_WORDS;
    const [op, index, generation, a, b] = submissions.subarray(at, at + 5);
    const entry: Entry = { op: op!, index: index!, generation: generation! };
    if (op === abi.OP_TIMER_START || op === abi.OP_TIMER_START_IN) {
      entry.timeMs = new Float64Array(submissions.buffer, (at + 6) * 4, 1)[0]!;
    } else {
      entry.a = a!;
      entry.b = b!;
    }
    return entry;
  }

  /** What native does with the oldest entries. */
  drain(count: number): void {
    const { control } = this.rings;
    for (const entry of this.pending.splice(0, count)) {
      const position = control[abi.CTL_SUBMISSION_HEAD]!;
      const found = this.read(position);
      if (entry.op === abi.OP_NOP) expect(found.op).toBe(abi.OP_NOP);
      else {
        this.drained.push(found);
        this.expected.push(entry);
      }
      control[abi.CTL_SUBMISSION_HEAD] = position + 1;
    }
  }

  add(entry: Entry): void {
    // A full ring is emptied before the entry is written.
    this.pending.push(entry);
  }

  check(): void {
    const { control } = this.rings;
    const head = control[abi.CTL_SUBMISSION_HEAD]!;
    expect((control[abi.CTL_SUBMISSION_TAIL]! - head) >>> 0).toBe(this.pending.length);
    this.pending.forEach((entry, i) => {
      const found = this.read((head + i) >>> 0);
      if (entry.op === abi.OP_NOP) expect(found.op).toBe(abi.OP_NOP);
      else expect(found).toEqual(entry);
    });
    expect(this.drained).toEqual(this.expected);
  }
}

const command = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      type: fc.constant('submit' as const),
      words: fc.array(fc.nat(2 ** 31), { minLength: 4, maxLength: 4 }),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      type: fc.constant('timer' as const),
      index: fc.nat(5),
      isDelay: fc.boolean(),
      timeMs: fc.double({ noNaN: true }),
    }),
  },
  { weight: 5, arbitrary: fc.record({ type: fc.constant('withdraw' as const), pick: fc.nat() }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('withdraw newest' as const) }) },
  {
    weight: 3,
    arbitrary: fc.record({
      type: fc.constant('send' as const),
      socket: fc.nat(2),
      length: fc.integer({ min: 1, max: 999 }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      type: fc.constant('extend' as const),
      socket: fc.nat(2),
      gap: fc.constantFrom(0, 0, 0, 1),
      length: fc.integer({ min: 1, max: 99 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('drain' as const), count: fc.nat(12) }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('settle' as const), nowMs: fc.nat(1000) }) },
);

type Command = typeof command extends fc.Arbitrary<infer T> ? T : never;

function perform(bench: Bench, step: Command): void {
  const { rings, pending, timers } = bench;
  const tail = (): number => rings.control[abi.CTL_SUBMISSION_TAIL]!;
  switch (step.type) {
    case 'submit': {
      const [index, generation, a, b] = step.words as [number, number, number, number];
      const position = rings.submit(abi.OP_TIMER_CANCEL, index, generation, a, b);
      expect((position + 1) >>> 0).toBe(tail());
      bench.add({ op: abi.OP_TIMER_CANCEL, index, generation, a, b });
      return;
    }
    case 'timer': {
      const op = step.isDelay ? abi.OP_TIMER_START_IN : abi.OP_TIMER_START;
      const generation = rings.submitTimer(op, step.index, step.timeMs);
      expect(generation).toBe((tail() - 1) & GENERATION_MASK);
      const entry = { op, index: step.index, generation, timeMs: step.timeMs };
      bench.add(entry);
      timers.push({ index: step.index, generation, entry });
      return;
    }
    case 'withdraw':
    case 'withdraw newest': {
      if (timers.length === 0) return;
      const at = step.type === 'withdraw' ? step.pick % timers.length : timers.length - 1;
      const { index, generation, entry } = timers.splice(at, 1)[0]!;
      const place = pending.indexOf(entry);
      expect(rings.withdrawTimer(index, generation)).toBe(place !== -1);
      // Twice is once.
      if (place === pending.length - 1 && place !== -1) pending.pop();
      else if (place !== -1) pending[place] = { op: abi.OP_NOP, index, generation };
      expect(rings.withdrawTimer(index, generation)).toBe(false);
      return;
    }
    case 'send': {
      rings.submit(abi.OP_SEND, step.socket, 7, 1000, step.length);
      bench.add({ op: abi.OP_SEND, index: step.socket, generation: 7, a: 1000, b: step.length });
      return;
    }
    case 'extend': {
      const last = pending.at(-1);
      const end = last?.op === abi.OP_SEND ? last.a! + last.b! : 1000;
      const isPossible = last?.op === abi.OP_SEND && last.index === step.socket && step.gap === 0;
      expect(rings.extendSend(abi.OP_SEND, step.socket, 7, end + step.gap, step.length)).toBe(isPossible);
      if (isPossible) last.b! += step.length;
      return;
    }
    case 'drain':
      bench.drain(step.count);
      return;
    case 'settle': {
      const first = rings.control[abi.CTL_SUBMISSION_HEAD]!;
      const settled: [number, number][] = [];
      rings.settleTimers(first, step.nowMs, (index, generation) => settled.push([index, generation]));
      const starts = pending.filter(({ timeMs }) => timeMs !== undefined);
      expect(settled).toEqual(starts.map(({ index, generation }) => [index, generation]));
      for (const entry of starts) {
        if (entry.op === abi.OP_TIMER_START_IN) entry.timeMs! += step.nowMs;
        entry.op = abi.OP_TIMER_START;
      }
    }
  }
}

describe.each(starts)('with positions from %i', (start) => {
  test('the submission ring does what a list does', () => {
    fc.assert(
      fc.property(fc.array(command, { maxLength: 60 }), (script) => {
        const bench = new Bench(start);
        for (const step of script) {
          perform(bench, step);
          bench.check();
        }
        bench.drain(bench.pending.length);
        bench.check();
      }),
      { numRuns: 150 },
    );
  });

  test('a full ring is emptied before anything is overwritten', () => {
    const bench = new Bench(start);
    for (let i = 0; i < 3 * abi.SUBMISSION_CAPACITY + 5; i++) {
      bench.rings.submit(abi.OP_TIMER_CANCEL, i, 0, 0, 0);
      bench.add({ op: abi.OP_TIMER_CANCEL, index: i, generation: 0, a: 0, b: 0 });
    }
    bench.drain(bench.pending.length);
    bench.check();
    expect(bench.drained).toHaveLength(3 * abi.SUBMISSION_CAPACITY + 5);
  });

  test('a loop works while its positions wrap', () =>
    withLoop(async (loop) => {
      await soon(loop);
      const { control } = loop._rings;
      const gap = control[abi.CTL_SUBMISSION_TAIL]! - control[abi.CTL_SUBMISSION_HEAD]!;
      expect(gap).toBe(0);
      control[abi.CTL_SUBMISSION_HEAD] = control[abi.CTL_SUBMISSION_TAIL] = start;
      control[abi.CTL_COMPLETION_HEAD] = control[abi.CTL_COMPLETION_TAIL] = start;
      const calls: number[] = [];
      const expected: number[] = [];
      for (let round = 0; round < 5; round++) {
        const timers = Array.from({ length: 30 }, (_, i) =>
          loop.callLater(0, (n) => calls.push(n), round * 30 + i),
        );
        timers.forEach((timer, i) => {
          if (i % 3 === 0) timer.cancel();
          else expected.push(round * 30 + i);
        });
        // One that native must find again after the wrap.
        const far = loop.callLater(1e6, () => expect.fail('ran'));
        await later(loop, 1);
        far.cancel();
      }
      expect(calls).toEqual(expected);
    }));
});

test('outside of turns the first submission asks for one, the rest ride along', () => {
  const bench = new Bench(0);
  bench.rings.submit(abi.OP_TIMER_CANCEL, 0, 0, 0, 0);
  bench.rings.submitTimer(abi.OP_TIMER_START, 0, 0);
  expect(bench.turnRequests).toBe(1);
  bench.rings.control[abi.CTL_WAKE_REQUESTED] = 0;
  bench.rings.control[abi.CTL_IN_HOST] = 1;
  bench.rings.submit(abi.OP_TIMER_CANCEL, 0, 0, 0, 0);
  expect(bench.turnRequests).toBe(1);
});

test('a position of long ago names nothing', () => {
  const bench = new Bench(0);
  const generation = bench.rings.submitTimer(abi.OP_TIMER_START, 3, 1);
  bench.add({ op: abi.OP_TIMER_START, index: 3, generation, timeMs: 1 });
  bench.drain(1);
  expect(bench.rings.withdrawTimer(3, generation)).toBe(false);
  // The same place in the ring, one round later.
  for (let i = 0; i < abi.SUBMISSION_CAPACITY; i++) bench.rings.submitTimer(abi.OP_TIMER_START, 3, 1);
  expect(bench.rings.withdrawTimer(3, generation)).toBe(false);
});

// Timers through the real native side, against a sorted list.

const timerStep = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      type: fc.constant('start' as const),
      inMs: fc.double({ min: -2, max: 8, noNaN: true }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('tie' as const), pick: fc.nat() }) },
  { weight: 3, arbitrary: fc.record({ type: fc.constant('cancel' as const), pick: fc.nat() }) },
  {
    weight: 3,
    arbitrary: fc.record({
      type: fc.constant('reset' as const),
      pick: fc.nat(),
      inMs: fc.double({ min: -1, max: 8, noNaN: true }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('turn' as const) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      type: fc.constant('wait' as const),
      ms: fc.double({ min: 0, max: 1, noNaN: true }),
    }),
  },
);

type TimerStep = typeof timerStep extends fc.Arbitrary<infer T> ? T : never;

// A timer as the list knows it: due at `when`, started as number `order`, seen by turns after `turn`.
interface Waiting {
  timer: TimerHandle;
  when: number;
  order: number;
}

class SortedList {
  readonly #loop: LoopCore;
  readonly timers: TimerHandle[] = [];
  readonly waiting = new Map<TimerHandle, Waiting>();
  /** What ran, with the time of its turn. */
  readonly ran: { waiting: Waiting; tickTime: number }[] = [];
  #order = 0;

  constructor(loop: LoopCore) {
    this.#loop = loop;
  }

  note(timer: TimerHandle): void {
    this.waiting.set(timer, { timer, when: timer.when(), order: this.#order++ });
  }

  start(when: number): void {
    const timer = this.#loop.callAt(when, () => {
      const waiting = this.waiting.get(timer);
      expect(waiting, 'a timer that does not wait ran').toBeDefined();
      this.waiting.delete(timer);
      this.ran.push({ waiting: waiting!, tickTime: this.#loop.tickTime() });
    });
    this.timers.push(timer);
    this.note(timer);
  }

  /** A turn ran everything that was due, in order. */
  endTurn(): void {
    const tickTime = this.#loop.tickTime();
    const ran = this.ran.splice(0);
    for (const { waiting } of ran) expect(waiting.when).toBeLessThanOrEqual(tickTime);
    const inOrder = [...ran].sort(
      (a, b) => a.waiting.when - b.waiting.when || a.waiting.order - b.waiting.order,
    );
    expect(ran).toEqual(inOrder);
    for (const { when } of this.waiting.values()) expect(when).toBeGreaterThan(tickTime);
    expect(this.#loop.statistics().timers).toBe(this.waiting.size);
    const next = Math.min(Infinity, ...[...this.waiting.values()].map(({ when }) => when));
    expect(this.#loop.statistics().nextDeadline).toBe(next);
  }
}

async function performTimers(loop: LoopCore, list: SortedList, step: TimerStep): Promise<void> {
  const pick = (n: number): TimerHandle | undefined => list.timers[n % Math.max(1, list.timers.length)];
  switch (step.type) {
    case 'start':
      list.start(loop.time() + step.inMs);
      return;
    case 'tie': {
      const other = pick(step.pick);
      if (other !== undefined) list.start(other.when());
      return;
    }
    case 'cancel': {
      const timer = pick(step.pick);
      timer?.cancel();
      if (timer !== undefined) list.waiting.delete(timer);
      return;
    }
    case 'reset': {
      const timer = pick(step.pick);
      if (timer === undefined || timer.cancelled()) return;
      timer.reset(step.inMs);
      list.note(timer);
      return;
    }
    case 'wait': {
      const end = loop.time() + step.ms;
      while (loop.time() < end);
      return;
    }
    case 'turn':
      await oneTurn(loop);
      list.endTurn();
  }
}

test('timers do what a sorted list does', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(timerStep, { maxLength: 50 }), async (script) => {
      await withIdleLoop(async (loop) => {
        const list = new SortedList(loop);
        for (const step of script) await performTimers(loop, list, step);
        await oneTurn(loop);
        list.endTurn();
        for (const timer of list.timers) timer.cancel();
      });
    }),
    { numRuns: 100 },
  );
});

test('and so do thousands of them, started and cancelled in the turns of each other', () =>
  withLoop(async (loop) => {
    const seed = 5;
    const random = fc.sample(
      fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 20_000, maxLength: 20_000 }),
      {
        numRuns: 1,
        seed,
      },
    )[0]!;
    let next = 0;
    const draw = (): number => random[next++ % random.length]!;
    const list = new SortedList(loop);
    const churn = (): void => {
      for (let i = 0; i < 200; i++) {
        const dice = draw();
        if (dice < 0.6) list.start(loop.time() + draw() * 6);
        else {
          const timer = list.timers[Math.floor(draw() * list.timers.length)];
          if (timer === undefined || timer.cancelled()) continue;
          if (dice < 0.8) {
            timer.cancel();
            list.waiting.delete(timer);
          } else {
            timer.reset(draw() * 6);
            list.note(timer);
          }
        }
      }
    };
    for (let round = 0; round < 20; round++) {
      churn();
      await later(loop, draw());
    }
    while (list.waiting.size > 0) await later(loop, 1);
    for (const { waiting, tickTime } of list.ran) expect(waiting.when).toBeLessThanOrEqual(tickTime);
    for (let i = 1; i < list.ran.length; i++) {
      const [before, after] = [list.ran[i - 1]!, list.ran[i]!];
      if (before.tickTime !== after.tickTime) continue;
      const isOrdered =
        before.waiting.when < after.waiting.when ||
        (before.waiting.when === after.waiting.when && before.waiting.order < after.waiting.order);
      expect(isOrdered).toBe(true);
    }
  }));
