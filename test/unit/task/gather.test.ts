// gather(), wait(), asCompleted() and ensureFuture(): what the traps do not say.
import { describe, expect, test } from 'vitest';
import { CancelledError, TimeoutError } from '../../../src/base/errors.js';
import { asCompleted } from '../../../src/task/as-completed.js';
import { createTask } from '../../../src/task/current.js';
import { ensureFuture } from '../../../src/task/ensure-future.js';
import { Future } from '../../../src/task/future.js';
import { gather } from '../../../src/task/gather.js';
import { sleep } from '../../../src/task/sleep.js';
import { Task } from '../../../src/task/task.js';
import { waitFor } from '../../../src/task/wait-for.js';
import { wait } from '../../../src/task/wait.js';
import { forms, outcome } from '../../support/forms.js';
import { withLoop } from '../../support/loop.js';

describe.each(forms)('$name', ({ call }) => {
  test('gather: everything that can be waited for, and the results in its order', async () => {
    await withLoop(async (loop) => {
      const future = new Future<string>(loop);
      loop.callLater(1, () => future.setResult('future'));
      const steps = function* (): Generator<unknown, string> {
        return yield* sleep(0, 'generator');
      };
      const results = await call(() =>
        gather([
          future,
          createTask(() => sleep(2, 'task')),
          steps,
          steps(),
          async () => await sleep(0, 'async function'),
          Promise.resolve('promise'),
          sleep(0, 'operation'),
          wait([future]),
        ]),
      );
      const { done } = results[7];
      expect([...done].length).toBe(1);
      expect(results.slice(0, 7)).toEqual([
        'future',
        'task',
        'generator',
        'generator',
        'async function',
        'promise',
        'operation',
      ]);
    });
  });

  test('gather: a function that is there twice is called twice', async () => {
    await withLoop(async () => {
      let calls = 0;
      const count = async (): Promise<number> => ++calls;
      expect(await call(() => gather([count, count]))).toEqual([1, 2]);
    });
  });

  test('gather: returnExceptions gives errors and cancellations as results', async () => {
    await withLoop(async (loop) => {
      const futures = [new Future<number>(loop), new Future<number>(loop), new Future<number>(loop)] as const;
      const task = call(() => gather(futures, { returnExceptions: true }));
      const error = new Error('broken');
      await sleep(1);
      futures[0].setException(error);
      futures[1].cancel('why');
      futures[2].setResult(5);
      const results = await task;
      expect(results[0]).toBe(error);
      expect(results[1]).toMatchObject({ name: 'CancelledError', reason: 'why' });
      expect(results[2]).toBe(5);
    });
  });

  test('gather: a child that refuses to be cancelled does not hide the cancellation', async () => {
    await withLoop(async () => {
      const stubborn = async (): Promise<string> => {
        try {
          await sleep(60_000);
        } catch {
          // Goes on.
        }
        return await sleep(1, 'value');
      };
      const task = call(() => gather([stubborn]));
      await sleep(1);
      task.cancel('why');
      expect(await outcome(task)).toMatchObject({ name: 'CancelledError', reason: 'why' });
    });
  });

  test('wait: promises are waited for, and the sets hold them', async () => {
    await withLoop(async () => {
      const fast = Promise.resolve('fast');
      const slow = new Promise<string>(() => undefined);
      const result = await call(() => wait([slow, fast], { returnWhen: 'FIRST_COMPLETED' }));
      expect([...result.done][0]).toBe(fast);
      expect([...result.pending][0]).toBe(slow);
    });
  });

  test('wait: an operation goes on after the time is over', async () => {
    await withLoop(async () => {
      const task = createTask(() => sleep(5, 'value'));
      const operation = wait([task]);
      const { pending } = await call(() => wait([operation], { timeout: 0 }));
      expect(pending.size).toBe(1);
      expect([...(await operation).done][0]).toBe(task);
    });
  });

  test('wait: errors stay unread', async () => {
    const reports: unknown[] = [];
    await withLoop(async (loop) => {
      loop.setExceptionHandler((_loop, { message }) => reports.push(message));
      const future = new Future<void>(loop);
      future.setException(new Error('unread'));
      await call(() => wait([future]));
    });
    expect(reports).toEqual(['Future exception was never retrieved']);
  });

  test('as_completed: for await gives the futures themselves, in the order in which they are done', async () => {
    await withLoop(async (loop) => {
      const gates = [new Future<string>(loop), new Future<string>(loop), new Future<string>(loop)];
      [2, 0, 1].forEach((n, turn) => loop.callLater(turn, () => gates[n]!.setResult(String(n))));
      const order: number[] = [];
      await createTask(async () => {
        for await (const given of asCompleted(gates)) {
          order.push((gates as unknown[]).indexOf(given));
        }
      });
      expect(order).toEqual([2, 0, 1]);
    });
  });
});

test('as_completed: each step after the timeout throws', async () => {
  await withLoop(async (loop) => {
    const futures = [new Future<void>(loop), new Future<void>(loop)];
    const completed = asCompleted(futures, { timeout: 1 })[Symbol.asyncIterator]();
    for (const _ of futures) expect(await outcome(completed.next())).toBeInstanceOf(TimeoutError);
    expect(await completed.next()).toEqual({ done: true, value: undefined });
    expect(futures.map((future) => future.done())).toEqual([false, false]);
  });
});

test('as_completed: leaving the loop takes the timer back', async () => {
  await withLoop(async (loop) => {
    const done = new Future<void>(loop);
    done.setResult();
    await createTask(async () => {
      for await (const _ of asCompleted([done, new Future<void>(loop)], { timeout: 60_000 })) break;
    });
    expect(loop.statistics().timers).toBe(0);
  });
});

const isWaitedFor = ({ _first, _rest }: Future<unknown>): boolean => _first !== null || _rest !== null;

describe('as_completed: a cancelled for await', () => {
  const cancelled = async (futures: Future<unknown>[], wait: () => unknown): Promise<void> => {
    const task = createTask(async () => {
      for await (const _ of asCompleted(futures, { timeout: 60_000 }));
    });
    await wait();
    task.cancel();
    expect(await outcome(task)).toBeInstanceOf(CancelledError);
  };

  test('leaves nothing behind', async () => {
    await withLoop(async (loop) => {
      const futures = [new Future<void>(loop), new Future<void>(loop)];
      await cancelled(futures, () => sleep(1));
      expect(futures.map(isWaitedFor)).toEqual([false, false]);
      expect(loop.statistics().timers).toBe(0);
    });
  });

  test('leaves nothing behind although its step was done', async () => {
    await withLoop(async (loop) => {
      const futures = [new Future<void>(loop), new Future<void>(loop)];
      await cancelled(futures, async () => {
        await sleep(1);
        futures[0]!.setResult();
        await new Promise<void>((resolve) => loop.callSoon(() => loop.callSoon(resolve)));
      });
      expect(isWaitedFor(futures[1]!)).toBe(false);
      expect(loop.statistics().timers).toBe(0);
    });
  });
});

test('as_completed: whoever asks again after a cancelled step gets all that is left, and the timeout', async () => {
  await withLoop(async (loop) => {
    const futures = [1, 2, 3, 4].map(() => new Future<void>(loop));
    const completed = asCompleted(futures, { timeout: 30 })[Symbol.asyncIterator]();
    expect(await outcome(waitFor(completed.next() as never, 1))).toBeInstanceOf(TimeoutError);
    futures[2]!.setResult();
    futures[1]!.setResult();
    const given = [await completed.next(), await completed.next()];
    expect(given.map(({ value }) => futures.indexOf(value as Future<void>))).toEqual([1, 2]);
    expect(await outcome(waitFor(completed.next() as never, 1))).toBeInstanceOf(TimeoutError);
    const late = await outcome(completed.next());
    expect(late).toBeInstanceOf(TimeoutError);
    expect(futures[0]!.done()).toBe(false);
  });
});

test('as_completed: what a cancelled step had got goes to the next one', async () => {
  await withLoop(async (loop) => {
    const futures = [new Future<string>(loop), new Future<string>(loop)];
    const steps = [...asCompleted(futures)];
    const first = createTask(function* () {
      return yield* steps[0]!;
    });
    const second = createTask(function* () {
      return yield* steps[1]!;
    });
    await sleep(1);
    futures[0]!.setResult('first');
    // The step has it in the next turn, and its task would in the one after.
    loop.callSoon(() => loop.callSoon(() => undefined));
    loop.callSoon(() => first.cancel());
    expect(await outcome(first)).toBeInstanceOf(CancelledError);
    expect(await second).toBe('first');
  });
});

test('as_completed: of nothing', async () => {
  await withLoop(() => {
    expect([...asCompleted([])]).toEqual([]);
  });
});

test('ensureFuture: a future as it is, a coroutine as a task, a promise wrapped', async () => {
  await withLoop(async (loop) => {
    const future = new Future<string>(loop);
    expect(ensureFuture(future) === future).toBe(true);
    future.setResult('future');
    const steps = function* (): Generator<unknown, string> {
      return yield* sleep(0, 'generator');
    };
    for (const coroutine of [steps, steps(), async () => await sleep(0, 'generator')]) {
      const task = ensureFuture(coroutine);
      expect(task).toBeInstanceOf(Task);
      expect(await task).toBe('generator');
    }
    const wrapped = ensureFuture(Promise.resolve('promise'));
    expect(wrapped).toBeInstanceOf(Future);
    expect(await wrapped).toBe('promise');
    await createTask(function* () {
      const operation = ensureFuture(sleep(0, 'operation'));
      expect(operation).toBeInstanceOf(Task);
      expect(yield* operation).toBe('operation');
    });
  });
});
