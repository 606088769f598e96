import { describe, expect, test } from 'vitest';
import { CancelledError, InvalidStateError, TimeoutError } from '../../../src/base/errors.js';
import { createTask } from '../../../src/task/current.js';
import { currentDeadline } from '../../../src/task/deadline.js';
import { sleep } from '../../../src/task/sleep.js';
import { timeout, timeoutAt, type Timeout } from '../../../src/task/timeout.js';
import { forms, outcome, pairs } from '../../support/forms.js';
import { later, withLoop } from '../../support/loop.js';

const LONG = 60_000;

describe.each(pairs)('%s', (_, host, body) => {
  test('timeout scope: gives what the body returns, and leaves no timer', async () => {
    await withLoop(async (loop) => {
      let kept!: Timeout;
      const task = host.start(function* () {
        const value: unknown = yield timeout(
          LONG,
          body.coroutine(function* (limit: Timeout) {
            kept = limit;
            yield sleep(0);
            return ['value', limit.when()! - loop.time() > LONG / 2, limit.expired];
          }),
        );
        return [value, loop.statistics().timers];
      });
      expect(await task).toEqual([['value', true, false], 0]);
      expect(kept.expired).toBe(false);
    });
  });

  test('timeout scope: throws a TimeoutError because of the cancellation, when the body has cleaned up', async () => {
    await withLoop(async () => {
      const log: string[] = [];
      const task = host.start(function* () {
        yield timeout(
          1,
          body.coroutine(function* () {
            try {
              yield sleep(LONG);
            } finally {
              yield sleep(1);
              log.push('cleaned up');
            }
          }),
        );
      });
      const error = (await outcome(task)) as TimeoutError;
      expect(error).toBeInstanceOf(TimeoutError);
      expect([error.name, error.code]).toEqual(['TimeoutError', 'ETIMEDOUT']);
      expect(error.cause).toBeInstanceOf(CancelledError);
      expect([task.cancelled(), task.cancelling(), log]).toEqual([false, 0, ['cleaned up']]);
    });
  });

  test('timeout scope: null and Infinity are no limit', async () => {
    await withLoop(async (loop) => {
      const task = host.start(function* () {
        const whens: unknown[] = [];
        for (const delayMs of [null, Infinity]) {
          yield timeout(
            delayMs,
            body.coroutine(function* (limit: Timeout) {
              whens.push(limit.when(), loop.statistics().timers);
              yield sleep(0);
            }),
          );
        }
        return whens;
      });
      expect(await task).toEqual([null, 0, Infinity, 0]);
    });
  });

  test('timeout scope: reschedule() moves the deadline in both directions', async () => {
    await withLoop(async (loop) => {
      const task = host.start(function* () {
        return yield timeout(
          1,
          body.coroutine(function* (limit: Timeout) {
            limit.reschedule(loop.time() + LONG);
            yield sleep(3);
            limit.reschedule(loop.time() + 1);
            yield sleep(LONG);
          }),
        );
      });
      expect(await outcome(task)).toBeInstanceOf(TimeoutError);
    });
  });

  test('timeout scope: one after the other, and one in the other', async () => {
    await withLoop(async () => {
      const task = host.start(function* () {
        const seen: unknown[] = [];
        for (let round = 0; round < 3; round++) {
          try {
            yield timeout(
              LONG,
              body.coroutine(function* () {
                yield timeout(
                  1,
                  body.coroutine(function* () {
                    yield sleep(LONG);
                  }),
                );
              }),
            );
          } catch (error) {
            seen.push((error as Error).name);
          }
        }
        return [seen, task.cancelling(), task.signal.aborted];
      });
      expect(await task).toEqual([['TimeoutError', 'TimeoutError', 'TimeoutError'], 0, false]);
    });
  });

  test('timeout scope: the signal of the task is aborted for as long as the limit ends the body', async () => {
    await withLoop(async () => {
      const seen: unknown[] = [];
      const task = host.start(function* () {
        const { signal } = task;
        try {
          yield timeout(
            1,
            body.coroutine(function* () {
              yield sleep(LONG);
            }),
          );
        } catch {
          seen.push(signal.aborted, task.signal.aborted);
        }
      });
      await task;
      expect(seen).toEqual([true, false]);
    });
  });

  test('deadline inheritance: an inner limit of 10 s in an outer one fires with the outer', async () => {
    await withLoop(async (loop) => {
      const began = loop.time();
      const task = host.start(function* () {
        yield timeoutAt(
          began + 2,
          body.coroutine(function* () {
            yield timeout(
              10_000,
              body.coroutine(function* () {
                expect(currentDeadline()).toBe(began + 2);
                yield sleep(LONG);
              }),
            );
          }),
        );
      });
      expect(await outcome(task)).toBeInstanceOf(TimeoutError);
      expect(loop.time() - began).toBeLessThan(10_000);
    });
  });
});

describe.each(forms)('$name', (form) => {
  test('spawn: the option deadline cancels the task as a scope around it, which fails with a TimeoutError', async () => {
    await withLoop(async (loop) => {
      const deadline = loop.time() + 2;
      const seen: unknown[] = [];
      const task = form.start(
        function* () {
          seen.push(currentDeadline() === deadline);
          for (let round = 0; round < 2; round++) {
            try {
              yield sleep(LONG);
            } catch (error) {
              seen.push((error as CancelledError).reason instanceof TimeoutError);
              if (round === 1) throw error;
            }
          }
        },
        { deadline },
      );
      const error = (await outcome(task)) as Error;
      expect(error).toBeInstanceOf(TimeoutError);
      expect(error.cause).toBeInstanceOf(CancelledError);
      expect([task.cancelled(), task.cancelling(), seen]).toEqual([false, 0, [true, true, true]]);
    });
  });

  test('spawn: a task that is through before its deadline, or is cancelled by others, is as without', async () => {
    await withLoop(async (loop) => {
      const options = { deadline: loop.time() + LONG };
      const early = form.start(function* () {
        yield sleep(0);
        return 'early';
      }, options);
      expect(await early).toBe('early');
      for (const delayMs of [0, 1]) {
        const cancelled = form.start(function* () {
          yield sleep(LONG);
        }, options);
        if (delayMs > 0) await later(loop, delayMs);
        cancelled.cancel('others');
        expect(((await outcome(cancelled)) as CancelledError).reason).toBe('others');
        expect(cancelled.cancelled()).toBe(true);
      }
      expect(loop.statistics().timers).toBe(0);
    });
  });

  test('spawn: a deadline that has passed ends the first wait, of an eager task as well', async () => {
    await withLoop(async (loop) => {
      for (const eagerStart of [true, false]) {
        const log: unknown[] = [];
        const task = form.start(
          function* () {
            log.push('entered');
            yield sleep(0);
            log.push('not reached');
          },
          { deadline: loop.time() - 1, eagerStart },
        );
        expect(await outcome(task)).toBeInstanceOf(TimeoutError);
        expect(log).toEqual(['entered']);
      }
    });
  });
});

test('timeout scope: outside of tasks it is a task of its own', async () => {
  await withLoop(async () => {
    expect(await timeout(LONG, async () => await sleep(1, 'value'))).toBe('value');
    expect(await outcome(timeout(1, async () => await sleep(LONG)))).toBeInstanceOf(TimeoutError);
  });
});

test('timeout scope: the body must give a generator or a promise', async () => {
  await withLoop(async () => {
    const task = createTask(function* () {
      yield* timeout(LONG, (() => 5) as never);
    });
    expect(await outcome(task)).toMatchObject({ code: 'ERR_INVALID_RETURN_VALUE' });
    const plain = createTask(function* () {
      return yield* timeout(LONG, () => sleepFor(1));
    });
    function* sleepFor(delayMs: number): Generator<unknown, string> {
      return yield* sleep(delayMs, 'plain function');
    }
    expect(await plain).toBe('plain function');
  });
});

test('timeout scope: needs a running loop', () => {
  expect(() => timeout(1, async () => undefined)).toThrow(InvalidStateError);
});
