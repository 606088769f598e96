import { getEventListeners } from 'node:events';
import { describe, expect, test } from 'vitest';
import { CancelledError, isCancelled, TimeoutError } from '../../../src/base/errors.js';
import { cancelScope, cleanup, failAfter, moveOnAfter } from '../../../src/task/cancel-scope.js';
import { currentDeadline } from '../../../src/task/deadline.js';
import type { CancelScope } from '../../../src/task/scope.js';
import { Future } from '../../../src/task/future.js';
import { sleep } from '../../../src/task/sleep.js';
import { taskGroup, type TaskGroup } from '../../../src/task/task-group.js';
import { timeout } from '../../../src/task/timeout.js';
import { outcome, pairs } from '../../support/forms.js';
import { later, withLoop } from '../../support/loop.js';

const LONG = 60_000;

describe.each(pairs)('%s', (_, host, body) => {
  // Waits for ever, and logs the reason for which that ended.
  function* waits(log: unknown[], name: string): Generator<any, void> {
    try {
      yield sleep(LONG);
    } catch (error) {
      log.push([name, (error as CancelledError).reason]);
      throw error;
    }
  }

  test('cancel scope: gives what its body returns, and throws what it throws', async () => {
    await withLoop(async () => {
      const task = host.start(function* () {
        return yield cancelScope(
          {},
          body.coroutine(function* (scope: CancelScope) {
            yield sleep(0);
            expect([scope.cancelCalled, scope.cancelledCaught, scope.deadline, scope.shield]).toEqual([
              false,
              false,
              Infinity,
              false,
            ]);
            return 'value';
          }),
        );
      });
      expect(await task).toBe('value');
      const broken = host.start(function* () {
        yield cancelScope(
          {},
          body.coroutine(function* (scope: CancelScope) {
            scope.cancel();
            throw new RangeError('own');
          }),
        );
      });
      expect(await outcome(broken)).toBeInstanceOf(RangeError);
    });
  });

  test('cancel scope: cancel() is idempotent, tells whether it did anything, and not after the end', async () => {
    await withLoop(async () => {
      let kept!: CancelScope;
      const task = host.start(function* () {
        yield cancelScope(
          {},
          body.coroutine(function* (scope: CancelScope) {
            kept = scope;
            return 'through';
          }),
        );
        const late = kept.cancel();
        const results: unknown[] = [];
        yield cancelScope(
          {},
          body.coroutine(function* (scope: CancelScope) {
            results.push(scope.cancel('first'), scope.cancel('second'));
            yield* waits(results, 'body');
          }),
        );
        return [late, kept.cancelCalled, ...results];
      });
      expect(await task).toEqual([false, false, true, false, ['body', 'first']]);
    });
  });

  test('cancel scope: swallows only its own cancellation, the outer one goes through the inner', async () => {
    await withLoop(async () => {
      const log: unknown[] = [];
      const task = host.start(function* () {
        yield cancelScope(
          {},
          body.coroutine(function* (outer: CancelScope) {
            yield cancelScope(
              {},
              body.coroutine(function* (inner: CancelScope) {
                inner.cancel('inner');
                outer.cancel('outer');
                yield* waits(log, 'body');
              }),
            );
            log.push('not reached');
          }),
        );
        log.push('behind');
      });
      await task;
      expect(log).toEqual([['body', 'inner'], 'behind']);
    });
  });

  test('cancel scope: the inner one ends alone', async () => {
    await withLoop(async () => {
      const log: unknown[] = [];
      const task = host.start(function* () {
        return yield cancelScope(
          {},
          body.coroutine(function* (outer: CancelScope) {
            yield cancelScope(
              {},
              body.coroutine(function* (inner: CancelScope) {
                inner.cancel('inner');
                yield* waits(log, 'body');
              }),
            );
            yield sleep(1);
            return outer.cancelCalled;
          }),
        );
      });
      expect(await task).toBe(false);
      expect(log).toEqual([['body', 'inner']]);
    });
  });

  test('cancel scope: a task that is cancelled by others ends cancelled, though the scope was as well', async () => {
    await withLoop(async (loop) => {
      let kept!: CancelScope;
      const task = host.start(function* () {
        yield cancelScope(
          {},
          body.coroutine(function* (scope: CancelScope) {
            kept = scope;
            yield sleep(LONG);
          }),
        );
      });
      await later(loop, 1);
      kept.cancel('scope');
      task.cancel('others');
      expect(isCancelled(await outcome(task))).toBe(true);
      expect([task.cancelled(), kept.cancelledCaught]).toEqual([true, false]);
    });
  });

  test('cancel scope: a shield inside lets nothing of the outer one in, its own cancellation it does', async () => {
    await withLoop(async () => {
      const log: unknown[] = [];
      const task = host.start(function* () {
        yield cancelScope(
          {},
          body.coroutine(function* (outer: CancelScope) {
            outer.cancel('outer');
            yield cancelScope(
              { shield: true },
              body.coroutine(function* (shield: CancelScope) {
                yield sleep(1);
                log.push('shielded');
                shield.cancel('own');
                yield* waits(log, 'shield');
              }),
            );
            yield* waits(log, 'outer');
          }),
        );
      });
      await task;
      expect(log).toEqual(['shielded', ['shield', 'own'], ['outer', 'outer']]);
    });
  });

  test('cancel scope: shields within shields within cancelled scopes', async () => {
    await withLoop(async () => {
      const log: unknown[] = [];
      const task = host.start(function* () {
        yield cancelScope(
          {},
          body.coroutine(function* (one: CancelScope) {
            yield cancelScope(
              { shield: true },
              body.coroutine(function* (two: CancelScope) {
                one.cancel('one');
                yield cancelScope(
                  { shield: true },
                  body.coroutine(function* () {
                    two.cancel('two');
                    yield sleep(1);
                    log.push('innermost');
                  }),
                );
                yield* waits(log, 'two');
              }),
            );
            log.push('between');
            yield* waits(log, 'one');
          }),
        );
      });
      await task;
      expect(log).toEqual(['innermost', ['two', 'two'], 'between', ['one', 'one']]);
    });
  });

  test('cancel scope: a shield keeps the cancellation of the task until its body is through', async () => {
    await withLoop(async (loop) => {
      const log: unknown[] = [];
      const task = host.start(function* () {
        yield cancelScope(
          { shield: true },
          body.coroutine(function* () {
            yield sleep(2);
            log.push('through');
          }),
        );
        log.push('behind');
        yield* waits(log, 'task');
      });
      await later(loop, 1);
      task.cancel('why');
      expect(isCancelled(await outcome(task))).toBe(true);
      expect(log).toEqual(['through', 'behind', ['task', 'why']]);
    });
  });

  test('cancel scope: a shield that is lifted lets in what it kept away', async () => {
    await withLoop(async (loop) => {
      for (const from of ['task', 'scope']) {
        const log: unknown[] = [];
        let outer!: CancelScope;
        let inner!: CancelScope;
        const task = host.start(function* () {
          yield cancelScope(
            {},
            body.coroutine(function* (one: CancelScope) {
              outer = one;
              yield cancelScope(
                { shield: true },
                body.coroutine(function* (two: CancelScope) {
                  inner = two;
                  yield* waits(log, 'inner');
                }),
              );
            }),
          );
        });
        await later(loop, 1);
        if (from === 'task') task.cancel(from);
        else outer.cancel(from);
        await later(loop, 1);
        expect([task.done(), log]).toEqual([false, []]);
        inner.shield = false;
        await outcome(task);
        expect(log).toEqual([['inner', from]]);
        expect([inner.shield, task.cancelled()]).toEqual([false, from === 'task']);
      }
    });
  });

  test.each(['timeout', 'moveOnAfter', 'taskGroup'])(
    'cancel scope: what ends a %s inside of a shield is not taken for a cancellation that the shield holds up',
    async (kind) => {
      await withLoop(async (loop) => {
        const log: unknown[] = [];
        const release = new Future<void>(loop);
        const forever = body.coroutine(function* () {
          yield new Future(loop);
        });
        const inside = {
          timeout: () => timeout(1, forever),
          moveOnAfter: () => moveOnAfter(1, forever),
          taskGroup: () =>
            taskGroup(
              body.coroutine(function* (group: TaskGroup) {
                void release.then(() => group.cancel());
                yield new Future(loop);
              }),
            ),
        }[kind]!;
        const task = host.start(function* () {
          yield cancelScope(
            { shield: true },
            body.coroutine(function* () {
              loop.callSoon(() => {
                task.cancel('outside');
                loop.callLater(2, () => release.setResult());
              });
              try {
                log.push((yield inside()) as unknown);
              } catch (error) {
                log.push((error as Error).name);
              }
              yield sleep(0);
              log.push('shield is over');
            }),
          );
          yield* waits(log, 'task');
        });
        expect(isCancelled(await outcome(task))).toBe(true);
        expect(log).toEqual([
          kind === 'timeout' ? 'TimeoutError' : undefined,
          'shield is over',
          ['task', 'outside'],
        ]);
        await release;
      });
    },
  );

  test('cancel scope: time limits and groups inside of a shield work, though the task is being cancelled', async () => {
    await withLoop(async (loop) => {
      const log: unknown[] = [];
      const held = new Future<void>(loop);
      const task = host.start(function* () {
        yield cancelScope(
          { shield: true },
          body.coroutine(function* () {
            yield held;
            const limited = timeout(
              1,
              body.coroutine(function* () {
                yield sleep(LONG);
              }),
            );
            try {
              yield limited;
            } catch (error) {
              log.push((error as Error).name);
            }
            try {
              yield taskGroup(
                body.coroutine(function* (group: TaskGroup) {
                  group.createTask(body.coroutine(() => waits(log, 'child')));
                  group.createTask(
                    body.coroutine(function* () {
                      throw new Error('broken');
                    }),
                  );
                  yield* waits(log, 'body');
                }),
              );
            } catch (error) {
              log.push((error as Error).name);
            }
          }),
        );
        yield* waits(log, 'task');
      });
      await later(loop, 1);
      task.cancel('why');
      held.setResult();
      expect(isCancelled(await outcome(task))).toBe(true);
      expect(log[0]).toBe('TimeoutError');
      expect(log.slice(1, 3)).toEqual(
        expect.arrayContaining([
          ['child', undefined],
          ['body', undefined],
        ]),
      );
      expect(log.slice(3)).toEqual(['ExceptionGroup', ['task', 'why']]);
    });
  });

  test('cancel scope: the deadline cancels, may be moved, and is Infinity at first', async () => {
    await withLoop(async (loop) => {
      const task = host.start(function* () {
        let kept!: CancelScope;
        const log: unknown[] = [];
        const value: unknown = yield cancelScope(
          { deadline: loop.time() + 1 },
          body.coroutine(function* (scope: CancelScope) {
            kept = scope;
            scope.deadline = loop.time() + LONG;
            yield sleep(3);
            log.push(scope.cancelCalled);
            scope.deadline = loop.time() + 1;
            yield* waits(log, 'body');
          }),
        );
        const moved = kept.deadline;
        kept.deadline = 0;
        return [value, kept.cancelCalled, kept.cancelledCaught, Number.isFinite(moved), log];
      });
      const [value, isCalled, isCaught, isFinite, log] = (await task) as any[];
      expect([value, isCalled, isCaught, isFinite, log[0]]).toEqual([undefined, true, true, true, false]);
      expect(log[1][1]).toBeInstanceOf(TimeoutError);
    });
  });

  test('cancel scope: a deadline that has passed ends the first wait', async () => {
    await withLoop(async (loop) => {
      const log: unknown[] = [];
      const task = host.start(function* () {
        yield cancelScope(
          { deadline: loop.time() - 1 },
          body.coroutine(function* (scope: CancelScope) {
            log.push(scope.cancelCalled, currentDeadline());
            yield sleep(0);
            log.push('not reached');
          }),
        );
      });
      await task;
      expect(log).toEqual([true, -Infinity]);
    });
  });

  test('cancel scope: a signal cancels it, also one that has aborted, and no listener stays', async () => {
    await withLoop(async (loop) => {
      for (const isEarly of [true, false]) {
        const controller = new AbortController();
        const log: unknown[] = [];
        if (isEarly) controller.abort('signal');
        const task = host.start(function* () {
          yield cancelScope(
            { signal: controller.signal },
            body.coroutine(() => waits(log, 'body')),
          );
          return 'behind';
        });
        await later(loop, 1);
        controller.abort('signal');
        expect(await task).toBe('behind');
        expect(log).toEqual([['body', 'signal']]);
        expect(getEventListeners(controller.signal, 'abort')).toHaveLength(0);
      }
    });
  });

  test('cancel scope: the tasks of a group inside are cancelled at every wait as well, those outside are not', async () => {
    await withLoop(async (loop) => {
      const log: unknown[] = [];
      const outside = host.start(function* () {
        yield sleep(3);
        return 'outside';
      });
      const task = host.start(function* () {
        yield cancelScope(
          {},
          body.coroutine(function* (scope: CancelScope) {
            yield taskGroup(
              body.coroutine(function* (group: TaskGroup) {
                group.createTask(
                  body.coroutine(function* () {
                    for (let round = 0; round < 2; round++) {
                      try {
                        yield sleep(LONG);
                      } catch {
                        log.push(round);
                      }
                    }
                  }),
                );
                loop.callLater(1, () => scope.cancel('scope'));
              }),
            );
          }),
        );
      });
      await task;
      expect(log).toEqual([0, 1]);
      expect(await outside).toBe('outside');
    });
  });

  test('timeout scope: moveOnAfter() gives undefined when its time is over', async () => {
    await withLoop(async () => {
      const task = host.start(function* () {
        return [
          yield moveOnAfter(
            1,
            body.coroutine(function* () {
              yield sleep(LONG);
              return 'late';
            }),
          ),
          yield moveOnAfter(
            LONG,
            body.coroutine(function* () {
              yield sleep(0);
              return 'in time';
            }),
          ),
          task.cancelling(),
        ];
      });
      expect(await task).toEqual([undefined, 'in time', 0]);
    });
  });

  test('timeout scope: failAfter() throws a TimeoutError when its time is over', async () => {
    await withLoop(async () => {
      const late = host.start(function* () {
        yield failAfter(
          1,
          body.coroutine(function* () {
            yield sleep(LONG);
          }),
        );
      });
      const error = (await outcome(late)) as Error;
      expect(error).toBeInstanceOf(TimeoutError);
      expect(error.cause).toBeInstanceOf(CancelledError);
      const early = host.start(function* () {
        return yield failAfter(
          LONG,
          body.coroutine(function* () {
            return 'in time';
          }),
        );
      });
      expect(await early).toBe('in time');
    });
  });

  test('uncancellable cleanup: runs to its end while the task is cancelled again and again', async () => {
    await withLoop(async (loop) => {
      const log: unknown[] = [];
      const task = host.start(function* () {
        try {
          yield sleep(LONG);
        } finally {
          const value: unknown = yield cleanup(
            LONG,
            body.coroutine(function* () {
              for (let round = 0; round < 3; round++) yield sleep(1);
              return 'cleaned up';
            }),
          );
          log.push(value);
        }
      });
      for (const reason of ['first', 'second', 'third']) {
        await later(loop, 1);
        task.cancel(reason);
      }
      expect(isCancelled(await outcome(task))).toBe(true);
      expect(log).toEqual(['cleaned up']);
    });
  });

  test('uncancellable cleanup: is cut off when its time is over, and what comes from outside is not lost', async () => {
    await withLoop(async (loop) => {
      const log: unknown[] = [];
      const task = host.start(function* () {
        log.push(
          yield cleanup(
            4,
            body.coroutine(function* () {
              try {
                yield sleep(LONG);
              } catch (error) {
                log.push((error as CancelledError).reason instanceof TimeoutError);
                throw error;
              }
            }),
          ),
        );
        yield* waits(log, 'task');
      });
      await later(loop, 1);
      task.cancel('outside');
      expect(isCancelled(await outcome(task))).toBe(true);
      expect(log).toEqual([true, undefined, ['task', 'outside']]);
    });
  });

  test('uncancellable cleanup: its errors join the group', async () => {
    await withLoop(async (loop) => {
      const task = host.start(function* () {
        yield taskGroup(
          body.coroutine(function* (group: TaskGroup) {
            group.createTask(
              body.coroutine(function* () {
                try {
                  yield sleep(LONG);
                } finally {
                  yield cleanup(
                    LONG,
                    body.coroutine(function* () {
                      yield sleep(1);
                      throw new Error('cleanup');
                    }),
                  );
                }
              }),
            );
          }),
        );
      });
      await later(loop, 1);
      task.cancel();
      const error = (await outcome(task)) as AggregateError;
      expect(error.errors.map(String)).toEqual(['Error: cleanup']);
    });
  });

  test('cancel scope: an async body that awaits something foreign is cancelled at its next wait', async () => {
    await withLoop(async (loop) => {
      let open!: (value: string) => void;
      const foreign = new Promise<string>((resolve) => (open = resolve));
      const seen: unknown[] = [];
      const task = host.start(function* () {
        return yield cancelScope({}, async (scope: CancelScope) => {
          loop.callLater(1, () => {
            scope.cancel();
            open('kept');
          });
          seen.push(await foreign);
          await sleep(LONG);
        });
      });
      expect(await task).toBe(undefined);
      expect(seen).toEqual(['kept']);
    });
  });
});
