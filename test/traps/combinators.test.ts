// C-53 to C-58, C-112, C-113, C-115, C-117: several awaitables at once.
import { describe, expect, test, vi } from 'vitest';
import { CancelledError, TimeoutError } from '../../src/base/errors.js';
import type { LoopCore } from '../../src/core/loop.js';
import { EventLoop } from '../../src/event-loop.js';
import { asCompleted } from '../../src/task/as-completed.js';
import { closing } from '../../src/task/closing.js';
import { createTask } from '../../src/task/current.js';
import { Future } from '../../src/task/future.js';
import { gather } from '../../src/task/gather.js';
import { race } from '../../src/task/race.js';
import { sleep } from '../../src/task/sleep.js';
import { wait, type WaitResult } from '../../src/task/wait.js';
import { forms, outcome } from '../support/forms.js';
import { collect } from '../support/garbage.js';
import { nodeTurn, withLoop } from '../support/loop.js';

const make = (options: object): EventLoop => new EventLoop(options);

// A future is iterable, so that comparing two of them would wait for them.
function places<F>(all: readonly F[], { done, pending }: WaitResult<F>): number[][] {
  return [done, pending].map((set) => [...set].map((one) => all.indexOf(one)));
}

async function failing(delayMs: number, text: string): Promise<never> {
  await sleep(delayMs);
  throw new Error(text);
}

describe.each(forms)('$name', ({ call }) => {
  test('C-53 gather: the first error comes at once, the others go on and their errors are lost', async () => {
    await withLoop(async (loop) => {
      const gates = [new Future<string>(loop), new Future<string>(loop), new Future<string>(loop)];
      const tasks = gates.map((gate) => createTask(async () => await gate));
      loop.callSoon(() => gates[1]!.setException(new Error('first')));
      expect(await outcome(call(() => gather(tasks)))).toMatchObject({ message: 'first' });
      expect(tasks.map((task) => task.done())).toEqual([false, true, false]);
      gates[2]!.setException(new Error('late'));
      gates[0]!.setResult('went on');
      expect(await tasks[0]).toBe('went on');
    });
    // An error that was not read would be reported at the loop's close, and fail withLoop().
  });

  test('C-53 gather: in debug mode a lost error is written to standard error', async () => {
    const written = vi.spyOn(console, 'error').mockImplementation(() => undefined);
    try {
      await withLoop(
        async (loop) => {
          const futures = [new Future<void>(loop), new Future<void>(loop)];
          loop.callSoon(() => futures[0]!.setException(new Error('first')));
          await outcome(call(() => gather(futures)));
          futures[1]!.setException(new Error('late'));
          await sleep(0);
          expect(written).toHaveBeenCalledExactlyOnceWith(
            expect.stringMatching(/An error is lost: gather\(\) was over before[^]*late/),
          );
        },
        { debug: true },
      );
    } finally {
      written.mockRestore();
    }
  });

  test('C-54 gather: cancelling cancels all', async () => {
    await withLoop(async () => {
      const children = [createTask(() => sleep(1000)), createTask(() => sleep(1000))];
      const task = call(() => gather(children));
      await sleep(1);
      task.cancel('why');
      expect(await outcome(task)).toMatchObject({ name: 'CancelledError', reason: 'why' });
      await sleep(0);
      expect(children.map((child) => child.cancelled())).toEqual([true, true]);
    });
  });

  test('C-54 gather: a cancelled child fails it, which cancels nobody', async () => {
    await withLoop(async (loop) => {
      const child = new Future<void>(loop);
      let outer!: Future<unknown>;
      const task = call(() => (outer = gather([child, new Future<void>(loop)])));
      await sleep(1);
      child.cancel('child');
      expect(await outcome(task)).toMatchObject({ name: 'CancelledError', reason: 'child' });
      expect(outer.cancelled()).toBe(false);
      expect(outer.exception()).toBeInstanceOf(CancelledError);
      expect(task.cancelling()).toBe(0);
    });
  });

  test('C-55 gather: returnExceptions and cancelled, waits for all and throws', async () => {
    await withLoop(async () => {
      const ends: string[] = [];
      const child = (name: string, delayMs: number) => async (): Promise<void> => {
        try {
          await sleep(1000);
        } finally {
          await sleep(delayMs);
          ends.push(name);
        }
      };
      let outer!: Future<unknown>;
      const task = call(
        () => (outer = gather([child('slow', 4), child('fast', 1)], { returnExceptions: true })),
      );
      await sleep(1);
      task.cancel();
      expect(await outcome(task)).toBeInstanceOf(CancelledError);
      expect(ends).toEqual(['fast', 'slow']);
      expect(outer.cancelled()).toBe(false);
    });
  });

  test('C-56 gather: what is there twice runs once', async () => {
    await withLoop(async () => {
      let runs = 0;
      const steps = (function* (): Generator<unknown, number> {
        yield* sleep(0);
        return ++runs;
      })();
      expect(await call(() => gather([steps, steps]))).toEqual([1, 1]);
      const task = createTask(async () => ++runs);
      expect(await call(() => gather([task, task]))).toEqual([2, 2]);
    });
  });

  test('C-57 gather: cancelling it after it failed does nothing to the rest', async () => {
    await withLoop(async () => {
      const slow = createTask(() => sleep(3, 'slow'));
      let outer!: Future<unknown>;
      await outcome(call(() => (outer = gather([() => failing(0, 'first'), slow]))));
      expect(outer.cancel()).toBe(false);
      expect(await slow).toBe('slow');
    });
  });

  test('C-58 wait: cancels nothing when the time is over', async () => {
    await withLoop(async (loop) => {
      const gate = new Future<string>(loop);
      const tasks = [createTask(async () => await gate), createTask(() => sleep(0, 'fast'))];
      expect(places(tasks, await call(() => wait(tasks, { timeout: 1 })))).toEqual([[1], [0]]);
      gate.setResult('slow');
      expect(await tasks[0]).toBe('slow');
    });
  });

  test('C-58 wait: FIRST_EXCEPTION does not count a cancelled task', async () => {
    await withLoop(async (loop) => {
      const gates = [new Future<void>(loop), new Future<void>(loop), new Future<void>(loop)];
      const tasks = gates.map((gate) => createTask(async () => await gate));
      const waiting = call(() => wait(tasks, { returnWhen: 'FIRST_EXCEPTION' }));
      await sleep(1);
      tasks[0]!.cancel();
      await sleep(1);
      expect(waiting.done()).toBe(false);
      gates[1]!.setException(new Error('error'));
      expect(places(tasks, await waiting)).toEqual([[0, 1], [2]]);
      gates[2]!.setResult();
      await tasks[2];
    });
  });

  test('C-58 wait: refuses coroutines and none at all', async () => {
    await withLoop(async () => {
      const steps = function* (): Generator<unknown, void> {};
      const attempts: any[] = [[steps], [steps()], [async () => undefined], []];
      for (const futures of attempts) {
        const error = await outcome(call(() => wait(futures)));
        expect(error).toMatchObject(
          futures.length === 0
            ? { code: 'ERR_OUT_OF_RANGE' }
            : {
                code: 'ERR_INVALID_ARG_TYPE',
                message: expect.stringContaining('wait() takes no coroutines, make tasks of them'),
              },
        );
      }
    });
  });

  test('C-58 wait: cancelling it leaves the tasks alone', async () => {
    await withLoop(async () => {
      const slow = createTask(() => sleep(3, 'slow'));
      const waiting = call(() => wait([slow]));
      await sleep(1);
      waiting.cancel();
      expect(await outcome(waiting)).toBeInstanceOf(CancelledError);
      expect(await slow).toBe('slow');
    });
  });

  test('C-115 a loser that is rejected later is nobody’s unhandled rejection', async () => {
    const unhandled = vi.fn();
    process.on('unhandledRejection', unhandled);
    try {
      await withLoop(async (loop) => {
        let reject!: (error: Error) => void;
        const foreign = new Promise<string>((_resolve, refuse) => (reject = refuse));
        const fast = new Future<string>(loop);
        loop.callLater(1, () => fast.setResult('fast'));
        expect(await call(() => race([foreign, fast]))).toBe('fast');
        reject(new Error('too late'));
        await nodeTurn();
        await nodeTurn();
      });
      expect(unhandled).not.toHaveBeenCalled();
    } finally {
      process.off('unhandledRejection', unhandled);
    }
  });

  test('C-113 a loser that waits in its finally is driven to its end', async () => {
    await withLoop(async () => {
      const log: string[] = [];
      const loser = function* (): Generator<unknown, void> {
        try {
          yield* sleep(1000);
        } finally {
          yield* sleep(2);
          yield;
          log.push('cleaned up');
        }
      };
      log.push((await call(() => race([loser, () => sleep(1, 'won')]))) as string);
      expect(log).toEqual(['cleaned up', 'won']);
    });
  });
});

test('C-56 gather: of nothing is done already', async () => {
  await withLoop(() => {
    const empty = gather([]);
    expect([empty.done(), empty.result()]).toEqual([true, []]);
  });
});

test('C-58 asCompleted: duplicates collapse, and after the timeout the rest goes on', async () => {
  await withLoop(async (loop) => {
    const gate = new Future<string>(loop);
    const slow = createTask(async () => await gate);
    const fast = new Future<string>(loop);
    fast.setResult('fast');
    const steps: unknown[] = [];
    await createTask(function* () {
      for (const next of asCompleted([fast, slow, fast], { timeout: 2 })) {
        try {
          steps.push(yield* next);
        } catch (error) {
          steps.push(error);
        }
      }
    });
    expect(steps).toEqual(['fast', expect.any(TimeoutError)]);
    gate.setResult('slow');
    expect(await slow).toBe('slow');
  });
});

test('C-112 gather: awaiting it takes the same turns whatever promise jobs its operands take', async () => {
  await withLoop(async (loop) => {
    const order: string[] = [];
    const thenable = {
      then(resolve: (value: string) => void) {
        order.push('then called');
        resolve('thenable');
      },
    };
    const done = new Future<string>(loop);
    done.setResult('future');
    void Promise.resolve().then(() => order.push('job'));
    const results = await gather([Promise.resolve('promise'), thenable as PromiseLike<string>, done]);
    expect(results).toEqual(['promise', 'thenable', 'future']);
    expect([...order].sort()).toEqual(['job', 'then called']);
  });
});

describe('C-117', () => {
  async function* tidy(log: string[]): AsyncGenerator<number, void> {
    try {
      for (let i = 0; ; i++) {
        await sleep(0);
        yield i;
      }
    } finally {
      await sleep(0);
      log.push('finally');
    }
  }

  test('C-117 an abandoned generator never runs its finally; a tracked one does at the end of the run', async () => {
    await withLoop<EventLoop>(
      async (loop) => {
        const abandoned: string[] = [];
        const tracked: string[] = [];
        const generators = [tidy(abandoned), loop.track(tidy(tracked))];
        for (const generator of generators) await generator.next();
        await loop.shutdownAsyncgens();
        expect([abandoned, tracked]).toEqual([[], ['finally']]);
      },
      { make },
    );
  });

  test('C-117 a tracked generator that is garbage is closed', async () => {
    await withLoop<EventLoop>(
      async (loop) => {
        const log: string[] = [];
        await (async () => void (await loop.track(tidy(log)).next()))();
        for (let round = 0; round < 10 && log.length === 0; round++) {
          await nodeTurn();
          collect();
          await sleep(1);
        }
        expect(log).toEqual(['finally']);
      },
      { make },
    );
  });

  test('C-117 a generator in closing() runs its finally when its task is cancelled', async () => {
    await withLoop(async (loop: LoopCore) => {
      const log: string[] = [];
      const task = createTask(function* () {
        const items = closing(tidy(log));
        for (;;) {
          yield* items.next();
          log.push('item');
          if (log.length === 2) task.cancel();
        }
      });
      expect(await outcome(task)).toBeInstanceOf(CancelledError);
      expect(log).toEqual(['item', 'item', 'finally']);
      expect(loop.statistics().tasks).toBe(0);
    });
  });
});
