// Operations in both forms, with bodies of both forms: one set of expectations for all.
import { describe, expect, test } from 'vitest';
import { CancelledError, isCancelled } from '../../../src/base/errors.js';
import type { LoopCore } from '../../../src/core/loop.js';
import type { Awaitable } from '../../../src/task/awaitable.js';
import { Queue } from '../../../src/sync/queue.js';
import { runBody, type Body } from '../../../src/task/body.js';
import { createTask, currentTask } from '../../../src/task/current.js';
import { ensureFuture } from '../../../src/task/ensure-future.js';
import { Future } from '../../../src/task/future.js';
import { operateHere, steppingTask } from '../../../src/task/operation.js';
import { race } from '../../../src/task/race.js';
import { sleep } from '../../../src/task/sleep.js';
import type { Task } from '../../../src/task/task.js';
import { withLoop } from '../../support/loop.js';

// Runs a body between two entries of a log.
function bracket<T>(log: unknown[], body: Body<[string], T>): Awaitable<T> {
  return operateHere(function* (loop: LoopCore) {
    const task = steppingTask(loop);
    log.push('enter');
    try {
      return yield* runBody(body, task, 'argument');
    } catch (error) {
      log.push(isCancelled(error) ? 'cancelled' : error);
      throw error;
    } finally {
      log.push('exit');
    }
  });
}

type Call = (use: () => Awaitable<unknown>) => Task<unknown>;
const callers: Record<string, Call> = {
  'generator task': (use) =>
    createTask(function* () {
      return yield* use();
    }),
  'async task': (use) => createTask(async () => await use()),
};

const bodies: Record<string, (log: unknown[], wait: () => Awaitable<unknown>) => Body<[string], unknown>> = {
  'generator body': (log, wait) =>
    function* (argument) {
      log.push(argument);
      const value = yield* wait();
      return [value, currentTask()?.name];
    },
  'async body': (log, wait) => async (argument) => {
    log.push(argument);
    const value = await wait();
    return [value, currentTask()?.name];
  },
};

describe.each(Object.keys(callers))('%s', (caller) => {
  describe.each(Object.keys(bodies))('%s', (form) => {
    const start = (log: unknown[], wait: () => Awaitable<unknown>): Task<unknown> => {
      const task = callers[caller]!(() => bracket(log, bodies[form]!(log, wait)));
      task.name = 'host';
      return task;
    };

    test('passes the value through, in the same task', async () => {
      await withLoop(async () => {
        const log: unknown[] = [];
        expect(await start(log, () => sleep(1, 'value'))).toEqual(['value', 'host']);
        expect(log).toEqual(['enter', 'argument', 'exit']);
      });
    });

    test('works without any wait', async () => {
      await withLoop(async (loop) => {
        const settled = new Future<string>(loop);
        settled.setResult('at once');
        const log: unknown[] = [];
        expect(await start(log, () => settled)).toEqual(['at once', 'host']);
      });
    });

    test('an error comes out', async () => {
      await withLoop(async (loop) => {
        const log: unknown[] = [];
        const future = new Future<string>(loop);
        const task = start(log, () => future);
        loop.callLater(1, () => future.setException(new Error('broken')));
        await expect(task).rejects.toThrow('broken');
        expect(log.at(-1)).toBe('exit');
      });
    });

    test('a cancellation reaches what the body waits for', async () => {
      await withLoop(async (loop) => {
        const log: unknown[] = [];
        const future = new Future<string>(loop);
        const task = start(log, () => future);
        loop.callLater(1, () => task.cancel('why'));
        const error: unknown = await task.then(null, (reason: unknown) => reason);
        expect(error).toBeInstanceOf(CancelledError);
        expect((error as CancelledError).reason).toBe('why');
        expect(future.cancelled()).toBe(true);
        expect(task.cancelled()).toBe(true);
        expect(log).toEqual(['enter', 'argument', 'cancelled', 'exit']);
      });
    });

    test('a cancellation while a pause lasts', async () => {
      await withLoop(async (loop) => {
        const log: unknown[] = [];
        const task = start(log, () => sleep(0));
        loop.callSoon(() => loop.callSoon(() => task.cancel()));
        await task.then(null, () => undefined);
        await sleep(1);
        expect(log.at(-1)).toBe('exit');
      });
    });
  });

  test('an async body that awaits a foreign promise keeps its value', async () => {
    await withLoop(async (loop) => {
      const log: unknown[] = [];
      let open!: (value: string) => void;
      const foreign = new Promise<string>((resolve) => (open = resolve));
      const task = callers[caller]!(() => bracket(log, async () => await foreign));
      loop.callLater(1, () => {
        task.cancel();
        open('kept');
      });
      await expect(task.then(null, (error: unknown) => Promise.reject(error as Error))).rejects.toThrow(
        'Cancelled',
      );
      expect(log).toEqual(['enter', 'exit']);
    });
  });
});

test('two operations at once in one async function are apart', async () => {
  await withLoop(async () => {
    const log: unknown[] = [];
    const task = createTask(async () =>
      Promise.all([
        bracket(log, async () => await sleep(2, 1)),
        bracket(log, function* () {
          return yield* sleep(1, 2);
        }),
      ]),
    );
    expect(await task).toEqual([1, 2]);
  });
});

test('outside of tasks an operation is a task', async () => {
  await withLoop(async () => {
    const log: unknown[] = [];
    expect(await bracket(log, async () => await sleep(1, 'done'))).toBe('done');
    expect(log).toEqual(['enter', 'exit']);
  });
});

test('an operation of a generator can be handed on to an async function', async () => {
  await withLoop(async () => {
    const log: unknown[] = [];
    const helper = async (operation: Awaitable<string>): Promise<string> => await operation;
    const task = createTask(function* () {
      const operation = bracket(log, async () => await sleep(1, 'done'));
      const inner = createTask(async () => await helper(operation));
      return yield* inner;
    });
    expect(await task).toBe('done');
  });
});

test('an operation of an async function that loses a race is cancelled, and loses no item', async () => {
  await withLoop(async () => {
    const queue = new Queue<string>(1);
    const task: Task<number> = createTask(async () => {
      expect(await race([queue.get(), sleep(0, 'other')])).toBe('other');
      expect(queue.statistics().tasksWaitingGet).toBe(0);
      return task.cancelling();
    });
    expect(await task).toBe(0);
    queue.putNowait('item');
    expect(queue.getNowait()).toBe('item');
  });
});

test('an operation of an async function that was woken when it is cancelled hands on', async () => {
  await withLoop(async () => {
    const queue = new Queue<string>(1);
    await createTask(async () => {
      const lost = ensureFuture(queue.get());
      await sleep(0);
      const next = createTask(() => queue.get());
      await sleep(0);
      queue.putNowait('item');
      lost.cancel();
      expect(await next).toBe('item');
    });
  });
});
