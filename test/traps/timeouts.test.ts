// C-20 to C-29: time limits, in both forms of tasks and of bodies.
// The expectations were observed on CPython 3.13, but for C-21.
import { describe, expect, test } from 'vitest';
import { CancelledError, InvalidStateError, isCancelled, TimeoutError } from '../../src/base/errors.js';
import { ExceptionGroup } from '../../src/base/exception-group.js';
import type { LoopCore } from '../../src/core/loop.js';
import { createTask } from '../../src/task/current.js';
import { Future } from '../../src/task/future.js';
import { sleep } from '../../src/task/sleep.js';
import { timeout, timeoutAt, type Timeout } from '../../src/task/timeout.js';
import { waitFor } from '../../src/task/wait-for.js';
import { FakeClock } from '../support/clock.js';
import { outcome, pairs, type Script } from '../support/forms.js';
import { later, soon, turns, withLoop } from '../support/loop.js';

const LONG = 60_000;

describe.each(pairs)('%s', (_, host, body) => {
  test('C-20 a limit that is over lets a body through that never waits', async () => {
    await withLoop(async (loop) => {
      for (const delayMs of [0, -1, -Infinity]) {
        let limit!: Timeout;
        const task = host.start(function* () {
          return yield timeout(
            delayMs,
            body.coroutine(function* (it: Timeout) {
              limit = it;
              return 'through';
            }),
          );
        });
        expect(await task).toBe('through');
        expect(limit.expired).toBe(false);
      }
      expect(await host.start(() => past(loop.time() - 5, function* () {}))).toBe(undefined);
    });
  });

  function* past(when: number, script: Script): ReturnType<Script> {
    return yield timeoutAt(when, body.coroutine(script));
  }

  test('C-20 a limit that is over ends the first wait, be it sleep(0)', async () => {
    await withLoop(async (loop) => {
      const log: unknown[] = [];
      const error = await outcome(
        host.start(() =>
          past(loop.time() - 5, function* () {
            try {
              yield sleep(0);
              yield sleep(0);
              log.push('not reached');
            } catch (raised) {
              log.push(isCancelled(raised));
              throw raised;
            }
          }),
        ),
      );
      expect(error).toBeInstanceOf(TimeoutError);
      expect((error as Error).cause).toBeInstanceOf(CancelledError);
      expect(log).toEqual([true]);
    });
  });

  describe.each([false, true])('C-21 strict: %s', (strict) => {
    const limited = async (
      at: (when: number, settle: () => void) => void,
      use: (when: number, future: Future<string>) => Script,
    ): Promise<unknown> => {
      let result: unknown;
      const clock = new FakeClock();
      await withLoop(
        async (loop) => {
          const when = 3;
          const future = new Future<string>(loop);
          at(when, () => loop.callAt(when, () => future.setResultUnlessDone('value')));
          const task = host.start(use(when, future));
          await turns(loop);
          await clock.advance(loop, when);
          result = await outcome(task);
        },
        { clock },
      );
      return result;
    };

    test('C-21 a value that comes at the very deadline wins, unless strict: set before', async () => {
      const result = await limited(
        (_when, settle) => settle(),
        (when, future) =>
          function* () {
            return yield timeoutAt(
              when,
              body.coroutine(function* () {
                return yield future;
              }),
              { strict },
            );
          },
      );
      if (strict) expect(result).toBeInstanceOf(TimeoutError);
      else expect(result).toBe('value');
    });

    test('C-21 a value that comes at the very deadline wins, unless strict: set behind', async () => {
      const result = await limited(
        () => undefined,
        (when, future) =>
          function* () {
            return yield timeoutAt(
              when,
              body.coroutine(function* () {
                future._loop.callAt(when, () => future.setResultUnlessDone('value'));
                return yield future;
              }),
              { strict },
            );
          },
      );
      if (strict) expect(result).toBeInstanceOf(TimeoutError);
      else expect(result).toBe('value');
    });

    test('C-21 the same for a limit within a limit', async () => {
      const result = await limited(
        (_when, settle) => settle(),
        (when, future) =>
          function* () {
            return yield timeoutAt(
              when,
              body.coroutine(function* () {
                return yield timeoutAt(
                  when,
                  body.coroutine(function* () {
                    return yield future;
                  }),
                  { strict },
                );
              }),
              { strict },
            );
          },
      );
      if (strict) expect(result).toBeInstanceOf(TimeoutError);
      else expect(result).toBe('value');
    });

    test('C-21 the same for waitFor() of a task', async () => {
      const result = await limited(
        (_when, settle) => settle(),
        (when, future) =>
          function* () {
            const inner = body.start(function* () {
              return yield future;
            });
            // So that both are due at once, whatever the clock does between.
            return yield timeoutAt(
              when,
              body.coroutine(function* () {
                return yield waitFor(inner, null);
              }),
              { strict },
            );
          },
      );
      if (strict) expect(result).toBeInstanceOf(TimeoutError);
      else expect(result).toBe('value');
    });
  });

  test('C-21 a body that finds a result every time is ended all the same', async () => {
    await withLoop(async (loop) => {
      let awaited = new Future<number>(loop);
      let rounds = 0;
      let isOver = false;
      // Behind every step of the body a result is there for the next one.
      const feed = (): void => {
        awaited.setResultUnlessDone(rounds);
        if (!isOver) loop.callSoon(feed);
      };
      const task = host.start(function* () {
        return yield timeout(
          2,
          body.coroutine(function* () {
            loop.callSoon(feed);
            for (;;) {
              yield awaited;
              awaited = new Future<number>(loop);
              rounds++;
            }
          }),
        );
      });
      const watchdog = loop.callLater(2000, () => task.cancel('limit never came'));
      const error = await outcome(task);
      watchdog.cancel();
      isOver = true;
      expect(error).toBeInstanceOf(TimeoutError);
      expect(rounds).toBeGreaterThan(0);
      await soon(loop);
    });
  });

  test('C-22 only the limit that is over raises: an outer one before an inner one', async () => {
    await withLoop(async () => {
      let outer!: Timeout;
      let inner!: Timeout;
      const seen: unknown[] = [];
      const task = host.start(function* () {
        try {
          yield timeout(
            2,
            body.coroutine(function* (it: Timeout) {
              outer = it;
              try {
                yield timeout(
                  LONG,
                  body.coroutine(function* (within: Timeout) {
                    inner = within;
                    yield sleep(LONG);
                  }),
                );
              } catch (error) {
                seen.push((error as Error).name);
                throw error;
              }
            }),
          );
        } catch (error) {
          seen.push((error as Error).name);
        }
        return task.cancelling();
      });
      expect(await task).toBe(0);
      expect(seen).toEqual(['CancelledError', 'TimeoutError']);
      expect([outer.expired, inner.expired]).toEqual([true, false]);
    });
  });

  test('C-23 two limits of the same moment: both expire, the outer one raises', async () => {
    const clock = new FakeClock();
    const play = async (loop: LoopCore): Promise<void> => {
      const limits: Timeout[] = [];
      const seen: unknown[] = [];
      const when = 2;
      const task = host.start(function* () {
        try {
          yield timeoutAt(
            when,
            body.coroutine(function* (it: Timeout) {
              limits.push(it);
              try {
                yield timeoutAt(
                  when,
                  body.coroutine(function* (within: Timeout) {
                    limits.push(within);
                    yield sleep(LONG);
                  }),
                );
              } catch (error) {
                seen.push(isCancelled(error) || error);
                throw error;
              }
            }),
          );
        } catch (error) {
          seen.push((error as Error).name);
        }
        return task.cancelling();
      });
      await turns(loop);
      await clock.advance(loop, when);
      expect(await task).toBe(0);
      expect(seen).toEqual([true, 'TimeoutError']);
      expect(limits.map((it) => it.expired)).toEqual([true, true]);
    };
    await withLoop(play, { clock });
  });

  test.each(['before', 'behind'])(
    'C-24 somebody cancels in the turn of the deadline, %s it',
    async (order) => {
      const clock = new FakeClock();
      const play = async (loop: LoopCore): Promise<void> => {
        const when = 2;
        const task = host.start(function* () {
          const cancel = (): void => void loop.callAt(when, () => task.cancel('somebody'));
          if (order === 'before') cancel();
          yield timeoutAt(
            when,
            body.coroutine(function* () {
              if (order === 'behind') cancel();
              yield sleep(LONG);
            }),
            { strict: true },
          );
        });
        await turns(loop);
        await clock.advance(loop, when);
        expect(isCancelled(await outcome(task))).toBe(true);
        expect([task.cancelled(), task.cancelling()]).toEqual([true, 1]);
      };
      await withLoop(play, { clock });
    },
  );

  test('C-25 a body that swallows the error and goes on to its end', async () => {
    await withLoop(async () => {
      let limit!: Timeout;
      const task = host.start(function* () {
        const value: unknown = yield timeout(
          1,
          body.coroutine(function* (it: Timeout) {
            limit = it;
            try {
              yield sleep(LONG);
            } catch {
              // As careless code does.
            }
            yield sleep(1);
            return 'swallowed';
          }),
        );
        yield sleep(0);
        return [value, task.cancelling()];
      });
      expect(await task).toEqual(['swallowed', 0]);
      expect(limit.expired).toBe(true);
    });
  });

  test('C-26 another error goes on, with the TimeoutError in its chain of causes', async () => {
    await withLoop(async () => {
      const raise = (wrap: (cause: unknown) => Error) =>
        outcome(
          host.start(function* () {
            yield timeout(
              1,
              body.coroutine(function* () {
                try {
                  yield sleep(LONG);
                } catch (error) {
                  throw wrap(error);
                }
              }),
            );
          }),
        ) as Promise<Error>;
      const error = await raise((cause) => new Error('outer', { cause: new Error('inner', { cause }) }));
      expect(error.message).toBe('outer');
      const cause = (error.cause as Error).cause as Error;
      expect(cause).toBeInstanceOf(TimeoutError);
      expect(cause.cause).toBeInstanceOf(CancelledError);
      const group = (await raise(
        (inner) => new ExceptionGroup('several', [new Error('one', { cause: inner }), new Error('two')]),
      )) as ExceptionGroup;
      expect(group.errors.map((one) => (one as Error).cause instanceof TimeoutError)).toEqual([true, false]);
    });
  });

  test('C-27 a limit can be moved while it is active, and not afterwards', async () => {
    await withLoop(async (loop) => {
      let limit!: Timeout;
      const refused: string[] = [];
      const move = (): void => {
        try {
          limit.reschedule(loop.time() + 1);
        } catch (error) {
          expect(error).toBeInstanceOf(InvalidStateError);
          refused.push((error as Error).message);
        }
      };
      const expired = host.start(function* () {
        yield timeout(
          LONG,
          body.coroutine(function* (it: Timeout) {
            limit = it;
            it.reschedule(null);
            expect(it.when()).toBe(null);
            it.reschedule(loop.time() + LONG);
            it.reschedule(loop.time() - 1);
            try {
              yield sleep(LONG);
            } finally {
              move();
            }
          }),
        );
      });
      expect(await outcome(expired)).toBeInstanceOf(TimeoutError);
      move();
      await host.start(function* () {
        yield timeout(
          null,
          body.coroutine(function* (it: Timeout) {
            limit = it;
            expect(it.when()).toBe(null);
          }),
        );
      });
      move();
      expect(refused).toEqual(
        ['expiring', 'expired', 'finished'].map((state) => `Cannot change state of ${state} Timeout`),
      );
    });
  });

  test('C-28 waitFor() waits for the end of what it cancelled, and gives what comes of it', async () => {
    await withLoop(async (loop) => {
      const run = (end: () => unknown): Promise<unknown> =>
        outcome(
          host.start(function* () {
            const inner = body.start(function* () {
              try {
                yield sleep(LONG);
              } catch {
                yield sleep(3);
              }
              return end();
            });
            const began = loop.time();
            try {
              return [yield waitFor(inner, 1), loop.time() - began >= 4];
            } finally {
              expect(inner.done()).toBe(true);
            }
          }),
        );
      expect(await run(() => 'late')).toEqual(['late', true]);
      const broken = (): never => {
        throw new Error('broken');
      };
      expect(await run(broken)).toMatchObject({ message: 'broken' });
      const cancelled = (): never => {
        throw new CancelledError();
      };
      expect(await run(cancelled)).toBeInstanceOf(TimeoutError);
    });
  });

  test('C-29 waitFor() without any time: only what is done', async () => {
    await withLoop(async (loop) => {
      const log: string[] = [];
      const done = new Future<string>(loop);
      done.setResult('done');
      const failed = new Future<string>(loop);
      failed.setException(new RangeError('failed'));
      const run = (delayMs: number, awaitable: () => any): Promise<unknown> =>
        outcome(
          host.start(function* () {
            return yield waitFor(awaitable(), delayMs);
          }),
        );
      for (const delayMs of [0, -1]) {
        expect(await run(delayMs, () => done)).toBe('done');
        expect(await run(delayMs, () => failed)).toBeInstanceOf(RangeError);
        const entered = body.coroutine(function* () {
          log.push('entered');
        });
        expect(await run(delayMs, () => entered)).toBeInstanceOf(TimeoutError);
        const pending = new Future<string>(loop);
        expect(await run(delayMs, () => pending)).toBeInstanceOf(TimeoutError);
        expect(pending.cancelled()).toBe(true);
      }
      expect(log).toEqual([]);
    });
  });

  test('C-29 waitFor() for ever, and a waiter that is cancelled cancels what it waits for', async () => {
    await withLoop(async (loop) => {
      for (const delayMs of [null, Infinity, LONG, 0]) {
        const log: unknown[] = [];
        const inner = body.start(function* () {
          try {
            yield sleep(LONG);
          } catch (error) {
            log.push((error as CancelledError).reason);
            yield sleep(1);
            throw error;
          }
        });
        await soon(loop);
        const task = host.start(function* () {
          yield waitFor(inner, delayMs);
        });
        await soon(loop);
        task.cancel('enough');
        expect(isCancelled(await outcome(task))).toBe(true);
        expect(task.cancelled()).toBe(true);
        // Without any time it was cancelled for that, and goes on to its end by itself.
        expect(isCancelled(await outcome(inner))).toBe(true);
        expect(log).toEqual([delayMs === 0 ? undefined : 'enough']);
      }
    });
  });

  test('C-29 a waiter cancelled in the turn in which the value comes is not kept alive by it', async () => {
    await withLoop(async (loop) => {
      const future = new Future<string>(loop);
      const task = host.start(function* () {
        return yield waitFor(future, LONG);
      });
      await later(loop, 1);
      future.setResult('value');
      task.cancel();
      expect(isCancelled(await outcome(task))).toBe(true);
    });
  });
});

test('C-27 a limit cannot be moved before it is entered, for it is not there yet', () => {
  expect(() => timeout(1, () => Promise.resolve())).toThrow(InvalidStateError);
  expect(() => createTask(async () => undefined)).toThrow(InvalidStateError);
});
