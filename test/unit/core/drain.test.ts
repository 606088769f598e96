import { afterEach, describe, expect, test, vi } from 'vitest';
import type * as handleModule from '../../../src/core/handle.js';
import type { LoopCore } from '../../../src/core/loop.js';
import type { SchedulingPolicy } from '../../../src/core/policy.js';
import { nodeTurn, oneTurn, withIdleLoop, withLoop } from '../../support/loop.js';

// How the batch gets to drain is decided when the modules are loaded, so each way loads its own.
async function loadWith(env: Record<string, string>): Promise<{
  LoopCore: typeof LoopCore;
  handle: typeof handleModule;
  drainTicks: (() => void) | null;
}> {
  vi.resetModules();
  for (const [name, value] of Object.entries(env)) vi.stubEnv(name, value);
  const loop = await import('../../../src/core/loop.js');
  const drain = await import('../../../src/core/drain.js');
  const handle = await import('../../../src/core/handle.js');
  return { LoopCore: loop.LoopCore, handle, drainTicks: drain.drainTicks };
}

afterEach(() => {
  vi.unstubAllEnvs();
  vi.resetModules();
});

// A callback that leaves a job, a tick and an immediate job behind, all noted under its name.
function noisy(calls: string[], name: string): () => void {
  return () => {
    calls.push(name);
    void Promise.resolve().then(() => {
      calls.push(`${name} job`);
      process.nextTick(() => calls.push(`${name} tick of job`));
    });
    process.nextTick(() => {
      calls.push(`${name} tick`);
      void Promise.resolve().then(() => calls.push(`${name} job of tick`));
    });
  };
}

const drained = (name: string): string[] => [
  name,
  `${name} tick`,
  `${name} job`,
  `${name} job of tick`,
  `${name} tick of job`,
];

describe.each([
  ['process._tickCallback', {}, true],
  ['native', { NODE_PENDING_DEPRECATION: '1' }, false],
] as const)('draining through %s', (_, env, isDirect) => {
  test('is what this environment does', async () => {
    const { drainTicks } = await loadWith(env);
    expect(drainTicks !== null).toBe(isDirect);
  });

  test('nextTick and promise jobs run between two callbacks, as Node does', async () => {
    const { LoopCore } = await loadWith(env);
    await withIdleLoop(
      async (loop) => {
        const calls: string[] = [];
        for (const name of ['a', 'b', 'c']) loop.callSoon(noisy(calls, name));
        loop.callLater(0, noisy(calls, 'timer'));
        const { drains } = loop.statistics();
        await oneTurn(loop);
        // The end of the run is a promise job as well, in the middle of what the last callback left.
        await nodeTurn();
        expect(calls).toEqual(['a', 'b', 'c', 'timer'].flatMap(drained));
        // The thread host cannot drain without leaving the stay, so it does not count these.
        if (isDirect || loop.statistics().host === 'thread') expect(loop.statistics().drains).toBe(drains);
        else expect(loop.statistics().drains - drains).toBe(3);
      },
      { make: (options) => new LoopCore(options) },
    );
  });

  test("drain: 'perBatch' drains when the batch is through", async () => {
    const { LoopCore } = await loadWith(env);
    await withIdleLoop(
      async (loop) => {
        const calls: string[] = [];
        for (const name of ['a', 'b']) {
          loop.callSoon(() => {
            calls.push(name);
            void Promise.resolve().then(() => calls.push(`${name} job`));
            process.nextTick(() => calls.push(`${name} tick`));
          });
        }
        await oneTurn(loop);
        expect(calls).toEqual(['a', 'b', 'a tick', 'b tick', 'a job', 'b job']);
      },
      { make: (options) => new LoopCore(options), drain: 'perBatch' },
    );
  });

  test("drain: 'perBatch' drains before the next batch", async () => {
    const { LoopCore } = await loadWith(env);
    await withLoop(
      async (loop) => {
        const calls: string[] = [];
        await new Promise<void>((resolve) => {
          loop.callSoon(() => {
            calls.push('a');
            void Promise.resolve().then(() => calls.push('a job'));
            loop.callSoon(() => {
              calls.push('b');
              process.nextTick(() => calls.push('b tick'));
              loop.callSoon(() => {
                calls.push('c');
                resolve();
              });
            });
          });
        });
        expect(calls).toEqual(['a', 'a job', 'b', 'b tick', 'c']);
      },
      { make: (options) => new LoopCore(options), drain: 'perBatch' },
    );
  });

  test('steps share a drain; a callback behind them waits for it', async () => {
    const { LoopCore, handle } = await loadWith(env);
    class Step extends handle.Handle {
      readonly #body: () => void;
      constructor(kind: 1 | 2, body: () => void) {
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
    const withJob = (calls: string[], name: string) => (): void => {
      calls.push(name);
      void Promise.resolve().then(() => calls.push(`${name} job`));
    };
    await withIdleLoop(
      async (loop) => {
        const calls: string[] = [];
        loop._push(new Step(handle.KIND_ASYNC_STEP, withJob(calls, 'async 1')));
        loop._push(new Step(handle.KIND_ASYNC_STEP, withJob(calls, 'async 2')));
        loop._push(new Step(handle.KIND_STEP, withJob(calls, 'step 1')));
        loop._push(new Step(handle.KIND_STEP, withJob(calls, 'step 2')));
        loop.callSoon(withJob(calls, 'callback'));
        loop._push(new Step(handle.KIND_ASYNC_STEP, withJob(calls, 'async 3')));
        await oneTurn(loop);
        expect(calls).toEqual([
          ...['async 1', 'async 2', 'async 1 job', 'async 2 job'],
          ...['step 1', 'step 2', 'step 1 job', 'step 2 job'],
          ...['callback', 'callback job'],
          ...['async 3', 'async 3 job'],
        ]);
      },
      { make: (options) => new LoopCore(options) },
    );
  });

  test('what a drain schedules belongs to the next batch', async () => {
    const { LoopCore } = await loadWith(env);
    await withIdleLoop(
      async (loop) => {
        const calls: string[] = [];
        loop.callSoon(() => {
          calls.push('a');
          void Promise.resolve().then(() => loop.callSoon(() => calls.push('scheduled by a job')));
        });
        loop.callSoon(() => calls.push('b'));
        await oneTurn(loop);
        expect(calls).toEqual(['a', 'b']);
        await oneTurn(loop);
        expect(calls).toEqual(['a', 'b', 'scheduled by a job']);
      },
      { make: (options) => new LoopCore(options) },
    );
  });

  test('a job can stop the loop, and the batch is still run to its end', async () => {
    const { LoopCore } = await loadWith(env);
    await withIdleLoop(
      async (loop) => {
        const calls: string[] = [];
        loop.callSoon(() => {
          calls.push('a');
          void Promise.resolve().then(() => loop.stop());
        });
        loop.callSoon(() => {
          calls.push('b');
          loop.callSoon(() => calls.push('next run'));
        });
        await loop._start();
        expect(calls).toEqual(['a', 'b']);
        await oneTurn(loop);
        expect(calls).toEqual(['a', 'b', 'next run']);
      },
      { make: (options) => new LoopCore(options) },
    );
  });

  test('a policy without a fixed order is asked after every async step', async () => {
    const { LoopCore, handle } = await loadWith(env);
    const inside: handleModule.Handle[] = [];
    const policy: SchedulingPolicy = {
      get size() {
        return inside.length;
      },
      push: (pushed) => void inside.push(pushed),
      pop: () => inside.shift(),
    };
    class Step extends handle.Handle {
      readonly #body: () => void;
      constructor(body: () => void) {
        super(handle.KIND_ASYNC_STEP, null);
        this.#body = body;
      }
      _run(): void {
        this.#body();
      }
      _describe(): string {
        return 'a step';
      }
    }
    await withIdleLoop(
      async (loop) => {
        const calls: string[] = [];
        for (const name of ['a', 'b']) {
          loop._push(
            new Step(() => {
              calls.push(name);
              void Promise.resolve().then(() => calls.push(`${name} job`));
            }),
          );
        }
        await oneTurn(loop);
        expect(calls).toEqual(['a', 'a job', 'b', 'b job']);
      },
      { make: (options) => new LoopCore(options), policy },
    );
  });
});
