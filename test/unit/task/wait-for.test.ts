import { describe, expect, test } from 'vitest';
import { InvalidStateError, isCancelled, TimeoutError } from '../../../src/base/errors.js';
import { Queue } from '../../../src/sync/queue.js';
import { currentTask } from '../../../src/task/current.js';
import { currentDeadline } from '../../../src/task/deadline.js';
import { Future } from '../../../src/task/future.js';
import { sleep } from '../../../src/task/sleep.js';
import { waitFor } from '../../../src/task/wait-for.js';
import { forms, outcome } from '../../support/forms.js';
import { turns, withLoop } from '../../support/loop.js';

const LONG = 60_000;

describe.each(forms)('$name', (form) => {
  test('wait_for: gives the value of whatever can be waited for', async () => {
    await withLoop(async (loop) => {
      const task = form.start(function* () {
        const future = new Future<string>(loop);
        loop.callSoon(() => future.setResult('future'));
        return [
          yield waitFor(future, LONG),
          yield waitFor(Promise.resolve('promise'), LONG),
          yield waitFor(sleep(0, 'pause'), LONG),
          yield waitFor(
            form.coroutine(function* () {
              yield sleep(0);
              return 'coroutine';
            }),
            LONG,
          ),
        ];
      });
      expect(await task).toEqual(['future', 'promise', 'pause', 'coroutine']);
      expect(loop.statistics().timers).toBe(0);
    });
  });

  test('wait_for: a generator is part of the task that waits, and within its limit', async () => {
    await withLoop(async (loop) => {
      const when = loop.time() + LONG;
      const task = form.start(function* () {
        function* inner(): Generator<unknown, unknown[]> {
          yield* sleep(0);
          return [currentTask(), currentDeadline()];
        }
        return yield waitFor(inner(), LONG);
      });
      const [inner, deadline] = (await task) as [unknown, number];
      expect(inner === task).toBe(true);
      expect(deadline).toBeGreaterThanOrEqual(when);
      expect(deadline).toBeLessThan(Infinity);
    });
  });

  test.each([0, 1, 2, 3, 4])(
    'wait_for: an item of a queue is taken or still there when the task is cancelled %i callbacks later',
    (count) =>
      withLoop(async (loop) => {
        const queue = new Queue<string>(Infinity);
        const taken: unknown[] = [];
        const task = form.start(function* () {
          taken.push(yield waitFor(queue.get(), LONG));
          yield sleep(LONG);
        });
        await turns(loop);
        queue.putNowait('item');
        const cancelLater = (left: number): void => {
          if (left === 0) task.cancel();
          else loop.callSoon(cancelLater, left - 1);
        };
        cancelLater(count);
        expect(isCancelled(await outcome(task))).toBe(true);
        expect([...taken, ...(queue.empty() ? [] : [queue.getNowait()])]).toEqual(['item']);
      }),
  );

  test('wait_for: cancels what takes too long, and throws a TimeoutError', async () => {
    await withLoop(async (loop) => {
      const future = new Future<string>(loop);
      const task = form.start(function* () {
        try {
          yield waitFor(future, 1);
        } catch (error) {
          return [error instanceof TimeoutError, future.cancelled(), task.cancelling()];
        }
        return 'no error';
      });
      expect(await task).toEqual([true, true, 0]);
    });
  });

  test('wait_for: what was cancelled by others is a cancellation', async () => {
    await withLoop(async (loop) => {
      const future = new Future<string>(loop);
      loop.callLater(1, () => future.cancel('others'));
      const task = form.start(function* () {
        yield waitFor(future, LONG);
      });
      expect(await outcome(task)).toMatchObject({ reason: 'others' });
      expect([task.cancelled(), task.cancelling()]).toEqual([true, 0]);
    });
  });
});

test('wait_for: outside of tasks', async () => {
  await withLoop(async () => {
    expect(await waitFor(sleep(1, 'value'), LONG)).toBe('value');
    expect(await outcome(waitFor(sleep(LONG), 1))).toBeInstanceOf(TimeoutError);
  });
  expect(() => waitFor(Promise.resolve(), 1)).toThrow(InvalidStateError);
});
