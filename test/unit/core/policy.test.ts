import { expect, test } from 'vitest';
import { Handle, KIND_ASYNC_STEP, type HandleKind } from '../../../src/core/handle.js';
import { FifoPolicy, type SchedulingPolicy } from '../../../src/core/policy.js';
import { block, later, oneTurn, soon, withIdleLoop, withLoop } from '../../support/loop.js';

class Step extends Handle {
  readonly #body: () => void;
  constructor(kind: HandleKind, body: () => void) {
    super(kind, null);
    this.#body = body;
  }
  _run(): void {
    this.#body();
  }
  _describe(): string {
    return 'a step';
  }
}

// Counts what it is given; the order is `take`'s.
class RecordingPolicy implements SchedulingPolicy {
  readonly pushed: Handle[] = [];
  readonly popped: Handle[] = [];
  readonly inside: Handle[] = [];
  readonly #take: (inside: Handle[]) => Handle | undefined;

  constructor(take: (inside: Handle[]) => Handle | undefined) {
    this.#take = take;
  }
  get size(): number {
    return this.inside.length;
  }
  push(handle: Handle): void {
    this.pushed.push(handle);
    this.inside.push(handle);
  }
  pop(): Handle | undefined {
    const handle = this.#take(this.inside);
    if (handle !== undefined) this.popped.push(handle);
    return handle;
  }
}

const lifo = (): RecordingPolicy => new RecordingPolicy((inside) => inside.pop());

test('FifoPolicy keeps the order of arrival', () => {
  const policy = new FifoPolicy();
  const handles = Array.from({ length: 100 }, () => new Step(KIND_ASYNC_STEP, () => undefined));
  expect(policy.pop()).toBeUndefined();
  for (const handle of handles) policy.push(handle);
  expect(policy.size).toBe(100);
  expect(handles.map(() => policy.pop())).toEqual(handles);
  expect(policy.pop()).toBeUndefined();
  expect(policy.isFifo).toBe(true);
});

test('a policy is given every handle once, of callbacks as of timers', async () => {
  const policy = new RecordingPolicy((inside) => inside.shift());
  await withLoop(
    async (loop) => {
      const handles = [
        loop.callSoon(() => undefined),
        loop.callLater(0, () => undefined),
        loop.callLater(2, () => undefined),
        loop.callAt(loop.time() + 1, () => undefined),
      ];
      const cancelled = loop.callSoon(() => expect.fail('ran'));
      cancelled.cancel();
      const neverDue = loop.callLater(1e6, () => undefined);
      neverDue.cancel();
      await later(loop, 5);
      await soon(loop);
      for (const handle of [...handles, cancelled]) {
        expect(policy.pushed.filter((pushed) => pushed === handle)).toHaveLength(1);
      }
      expect(policy.pushed).not.toContain(neverDue);
      // What was cancelled is popped like the rest; the loop skips it.
      expect(policy.popped).toHaveLength(policy.pushed.length);
      expect(new Set(policy.popped)).toEqual(new Set(policy.pushed));
      expect(policy.size).toBe(0);
    },
    { policy },
  );
});

test('the policy decides the order within a batch', () =>
  withIdleLoop(
    async (loop) => {
      const calls: number[] = [];
      for (let i = 0; i < 4; i++) {
        loop.callSoon(() => {
          calls.push(i);
          // With this policy it is the next to be popped, and it runs as part of this batch.
          if (i === 3) loop.callSoon(() => calls.push(10));
        });
      }
      await oneTurn(loop);
      expect(calls).toEqual([3, 10, 2, 1]);
      await oneTurn(loop);
      expect(calls).toEqual([3, 10, 2, 1, 0]);
    },
    { policy: lifo() },
  ));

test('priorities: the most urgent first, ties in order of arrival', async () => {
  const priorities = new Map<Handle, number>();
  const policy = new RecordingPolicy((inside) => {
    let best = 0;
    for (let i = 1; i < inside.length; i++) {
      if ((priorities.get(inside[i]!) ?? 0) > (priorities.get(inside[best]!) ?? 0)) best = i;
    }
    return inside.splice(best, 1)[0];
  });
  await withIdleLoop(
    async (loop) => {
      const calls: string[] = [];
      for (const [name, priority] of [
        ['a', 0],
        ['b', 2],
        ['c', 1],
        ['d', 2],
        ['e', 0],
      ] as const) {
        priorities.set(
          loop.callSoon(() => calls.push(name)),
          priority,
        );
      }
      await oneTurn(loop);
      expect(calls).toEqual(['b', 'd', 'c', 'a', 'e']);
    },
    { policy },
  );
});

test('a policy may drop handles', () =>
  withIdleLoop(
    async (loop) => {
      const calls: number[] = [];
      for (let i = 0; i < 6; i++) loop.callSoon(() => calls.push(i));
      await oneTurn(loop);
      expect(calls).toEqual([0, 2, 4]);
      loop.callSoon(() => calls.push(6));
      await oneTurn(loop);
      expect(calls).toEqual([0, 2, 4, 6]);
    },
    {
      // Forgets every second one.
      policy: new RecordingPolicy((inside) => {
        const next = inside.shift();
        inside.shift();
        return next;
      }),
    },
  ));

test('the loop asks the policy again after promise jobs ran, unless its order is fixed', async () => {
  async function trace(policy: SchedulingPolicy): Promise<string[]> {
    const calls: string[] = [];
    await withIdleLoop(
      async (loop) => {
        for (const name of ['a', 'b']) {
          loop._push(
            new Step(KIND_ASYNC_STEP, () => {
              calls.push(name);
              void Promise.resolve().then(() => calls.push(`${name} job`));
            }),
          );
        }
        await oneTurn(loop);
      },
      { policy },
    );
    return calls;
  }
  // One drain is enough for both: nothing that a job does could change what comes next.
  expect(await trace(new FifoPolicy())).toEqual(['a', 'b', 'a job', 'b job']);
  expect(await trace(new RecordingPolicy((inside) => inside.shift()))).toEqual(['a', 'a job', 'b', 'b job']);
});

test('a handle that the drain made urgent overtakes the rest of the batch', async () => {
  const urgent = new Set<Handle>();
  const policy = new RecordingPolicy((inside) => {
    const index = inside.findIndex((handle) => urgent.has(handle));
    return inside.splice(Math.max(0, index), 1)[0];
  });
  await withIdleLoop(
    async (loop) => {
      const calls: string[] = [];
      loop._push(
        new Step(KIND_ASYNC_STEP, () => {
          calls.push('a');
          void Promise.resolve().then(() => {
            const step = new Step(KIND_ASYNC_STEP, () => calls.push('urgent'));
            urgent.add(step);
            loop._push(step);
          });
        }),
      );
      loop._push(new Step(KIND_ASYNC_STEP, () => calls.push('b')));
      await oneTurn(loop);
      await oneTurn(loop);
      expect(calls).toEqual(['a', 'urgent', 'b']);
    },
    { policy },
  );
});

test('a custom policy and a full budget lose nothing', () =>
  withLoop(
    async (loop) => {
      let runs = 0;
      for (let i = 0; i < 200; i++) {
        loop.callSoon(() => {
          runs++;
          block(0.02);
        });
      }
      await later(loop, 0);
      while (runs < 200) await soon(loop);
      expect(runs).toBe(200);
    },
    { policy: new RecordingPolicy((inside) => inside.shift()), budgetMs: 0, maxBatch: 1 },
  ));
