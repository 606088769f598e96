// C-40 to C-52: groups of tasks, in both forms of tasks and of bodies.
// Observed on CPython 3.13; C-46, C-49, C-50 and C-51 are those of 3.15, C-40a is our own.
import { describe, expect, test } from 'vitest';
import { CancelledError, FatalError, InvalidStateError, isCancelled } from '../../src/base/errors.js';
import { ExceptionGroup } from '../../src/base/exception-group.js';
import type { ExceptionContext } from '../../src/core/exception.js';
import { EventLoop } from '../../src/event-loop.js';
import { createTask, currentTask } from '../../src/task/current.js';
import { sleep } from '../../src/task/sleep.js';
import { taskGroup, type TaskGroup } from '../../src/task/task-group.js';
import type { Task } from '../../src/task/task.js';
import { outcome, pairs } from '../support/forms.js';
import { later, soon, withLoop } from '../support/loop.js';

const LONG = 60_000;
const namesOf = (error: unknown): string[] =>
  (error as ExceptionGroup).errors.map((one) => (one as Error).message);

describe.each(pairs)('%s', (_, host, body) => {
  // A child that logs how it ends.
  const child = (log: unknown[], name: string, delayMs = LONG, end?: () => unknown) =>
    body.coroutine(function* () {
      try {
        yield sleep(delayMs);
        log.push(name);
      } catch (error) {
        log.push(`${name} cancelled`);
        throw error;
      }
      return end?.();
    });
  const fail = (message: string) => (): never => {
    throw new Error(message);
  };

  test('C-40 the first failure cancels the others and the body, and waits for all', async () => {
    await withLoop(async () => {
      const log: unknown[] = [];
      const task = host.start(function* () {
        try {
          yield taskGroup(
            body.coroutine(function* (group: TaskGroup) {
              group.createTask(child(log, 'bad', 1, fail('broken')));
              group.createTask(
                body.coroutine(function* () {
                  try {
                    yield sleep(LONG);
                  } finally {
                    yield sleep(3);
                    log.push('slow cleanup');
                  }
                }),
              );
              try {
                yield sleep(LONG);
              } finally {
                log.push('body');
              }
            }),
          );
        } finally {
          log.push('exit');
        }
      });
      const error = await outcome(task);
      expect(error).toBeInstanceOf(ExceptionGroup);
      expect(namesOf(error)).toEqual(['broken']);
      expect((error as Error).message).toBe('unhandled errors in a TaskGroup');
      expect(log).toEqual(['bad', 'body', 'slow cleanup', 'exit']);
    });
  });

  test('C-40 an error of the body alone comes in a group as well, when all are through', async () => {
    await withLoop(async () => {
      const log: unknown[] = [];
      const task = host.start(function* () {
        yield taskGroup(
          body.coroutine(function* (group: TaskGroup) {
            group.createTask(child(log, 'child'));
            yield sleep(1);
            throw new Error('body');
          }),
        );
      });
      expect(namesOf(await outcome(task))).toEqual(['body']);
      expect(log).toEqual(['child cancelled']);
    });
  });

  test('C-40a tasks are cancelled in the order in which they were started', async () => {
    await withLoop(async () => {
      const log: unknown[] = [];
      const task = host.start(function* () {
        yield taskGroup(
          body.coroutine(function* (group: TaskGroup) {
            for (const name of ['a', 'b', 'c', 'd', 'e']) group.createTask(child(log, name));
            yield sleep(1);
            throw new Error('body');
          }),
        );
      });
      await outcome(task);
      expect(log).toEqual(['a', 'b', 'c', 'd', 'e'].map((name) => `${name} cancelled`));
    });
  });

  test('C-41 errors are in the order of the failures, that of the body last', async () => {
    await withLoop(async () => {
      const task = host.start(function* () {
        yield taskGroup(
          body.coroutine(function* (group: TaskGroup) {
            const late = (name: string, delayMs: number) =>
              body.coroutine(function* () {
                try {
                  yield sleep(LONG);
                } finally {
                  yield sleep(delayMs);
                  fail(name)();
                }
              });
            group.createTask(late('second', 6));
            group.createTask(late('first', 1));
            yield sleep(1);
            throw new Error('body');
          }),
        );
      });
      expect(namesOf(await outcome(task))).toEqual(['first', 'second', 'body']);
    });
  });

  test('C-42 a task that ends cancelled is no failure', async () => {
    await withLoop(async () => {
      const log: unknown[] = [];
      const task = host.start(function* () {
        return yield taskGroup(
          body.coroutine(function* (group: TaskGroup) {
            const one = group.createTask(child(log, 'one'));
            group.createTask(
              body.coroutine(function* () {
                throw new CancelledError('own');
              }),
            );
            group.createTask(child(log, 'three', 2));
            yield sleep(1);
            one.cancel();
            return 'fine';
          }),
        );
      });
      expect(await task).toBe('fine');
      expect(log.sort()).toEqual(['one cancelled', 'three']);
    });
  });

  test('C-43 behind the group nothing is left of the cancellation', async () => {
    await withLoop(async () => {
      const task = host.start(function* () {
        let caught: unknown;
        try {
          yield taskGroup(
            body.coroutine(function* (group: TaskGroup) {
              group.createTask(
                body.coroutine(function* () {
                  fail('broken')();
                }),
              );
              yield sleep(LONG);
            }),
          );
        } catch (error) {
          caught = error;
        }
        const left = task.cancelling();
        yield sleep(1);
        return [caught instanceof ExceptionGroup, left, task.signal.aborted];
      });
      expect(await task).toEqual([true, 0, false]);
    });
  });

  test('C-44 cancelled by others while a task fails: the group first, the rest at the next wait', async () => {
    await withLoop(async (loop) => {
      const seen: unknown[] = [];
      const task = host.start(function* () {
        try {
          yield taskGroup(
            body.coroutine(function* (group: TaskGroup) {
              group.createTask(
                body.coroutine(function* () {
                  try {
                    yield sleep(LONG);
                  } finally {
                    fail('cleanup')();
                  }
                }),
              );
              yield sleep(LONG);
            }),
          );
        } catch (error) {
          seen.push(namesOf(error), task.cancelling());
        }
        try {
          yield sleep(LONG);
        } catch (error) {
          seen.push((error as CancelledError).reason);
          throw error;
        }
      });
      await later(loop, 1);
      task.cancel('others');
      await outcome(task);
      expect(task.cancelled()).toBe(true);
      expect(seen).toEqual([['cleanup'], 1, 'others']);
    });
  });

  test.each([true, false])(
    'C-45 cancelled by others, tasks are clean: no group (body waits: %s)',
    async (waits) => {
      await withLoop(async (loop) => {
        const log: unknown[] = [];
        const task = host.start(function* () {
          yield taskGroup(
            body.coroutine(function* (group: TaskGroup) {
              group.createTask(child(log, 'child'));
              if (waits) yield sleep(LONG);
            }),
          );
        });
        await later(loop, 1);
        task.cancel('others');
        const error = (await outcome(task)) as CancelledError;
        expect([isCancelled(error), error.reason, task.cancelled()]).toEqual([true, 'others', true]);
        expect(log).toEqual(['child cancelled']);
      });
    },
  );

  test.each(['body', 'task'])(
    'C-46 a fatal error of the %s goes on bare, the others are reported',
    (place) => {
      const loop = new EventLoop();
      const reports: ExceptionContext[] = [];
      loop.setExceptionHandler((_loop, context) => reports.push(context));
      const fatal = new FatalError('fatal');
      const log: unknown[] = [];
      let seen: unknown;
      const main = host.coroutine(function* () {
        try {
          yield taskGroup(
            body.coroutine(function* (group: TaskGroup) {
              group.createTask(
                body.coroutine(function* () {
                  try {
                    yield sleep(LONG);
                  } finally {
                    yield sleep(1);
                    log.push('waited for');
                    fail('hidden')();
                  }
                }),
              );
              if (place === 'task') {
                group.createTask(
                  body.coroutine(function* () {
                    throw fatal;
                  }),
                );
              }
              yield sleep(1);
              throw fatal;
            }),
          );
        } catch (error) {
          seen = error;
          throw error;
        }
      });
      return (async () => {
        // The error ends the run; the next one goes on with what is left.
        const task = loop.createTask(main);
        const ends: unknown[] = [];
        for (let round = 0; round < 3 && !task.done(); round++) {
          ends.push(await outcome(loop.runUntilComplete(task)));
        }
        expect(ends[0]).toBe(fatal);
        expect(seen).toBe(fatal);
        expect(log).toEqual(['waited for']);
        expect(reports.map((it) => (it.exception as Error).message)).toEqual(['hidden']);
        expect(reports[0]!.message).toBe('An error of a task group is hidden by a fatal one');
        loop.close();
      })();
    },
  );

  test('C-47 no task is added to a group that shuts down or is over; while others end, it is', async () => {
    await withLoop(async () => {
      const seen: unknown[] = [];
      let closed = 0;
      const add = (group: TaskGroup): void => {
        const generator = (function* () {})();
        const close = generator.return.bind(generator);
        generator.return = (value) => {
          closed++;
          return close(value);
        };
        try {
          group.createTask(generator);
          seen.push('added');
        } catch (error) {
          expect(error).toBeInstanceOf(InvalidStateError);
          seen.push((error as Error).message);
        }
      };
      let kept!: TaskGroup;
      const task = host.start(function* () {
        yield taskGroup(
          body.coroutine(function* (group: TaskGroup) {
            kept = group;
            group.createTask(
              body.coroutine(function* () {
                yield sleep(1);
                add(group);
                yield sleep(1);
                fail('broken')();
              }),
            );
            group.createTask(
              body.coroutine(function* () {
                try {
                  yield sleep(LONG);
                } finally {
                  add(group);
                }
              }),
            );
          }),
        );
      });
      expect(namesOf(await outcome(task))).toEqual(['broken']);
      add(kept);
      expect(() => kept.start(async () => undefined)).toThrow('finished');
      expect(seen).toEqual(['added', 'The task group is shutting down', 'The task group is finished']);
      expect(closed).toBe(2);
    });
  });

  test('C-48 a body that returns early waits for the tasks', async () => {
    await withLoop(async () => {
      const log: unknown[] = [];
      const task = host.start(function* () {
        const value: unknown = yield taskGroup(
          body.coroutine(function* (group: TaskGroup) {
            group.createTask(child(log, 'child', 2));
            return 'early';
          }),
        );
        return [value, ...log];
      });
      expect(await task).toEqual(['early', 'child']);
    });
  });

  test('C-49 an eager task that fails at once does not cancel whoever starts it right then', async () => {
    await withLoop(async () => {
      const log: unknown[] = [];
      const task = host.start(function* () {
        yield taskGroup(
          body.coroutine(function* (group: TaskGroup) {
            const done = group.createTask(
              body.coroutine(function* () {
                log.push('ran');
              }),
              { eagerStart: true },
            );
            log.push(group.tasks.has(done));
            group.createTask(
              body.coroutine(function* () {
                fail('eager')();
              }),
              { eagerStart: true },
            );
            log.push(currentTask()?.cancelling());
            group.createTask(child(log, 'next'));
            try {
              yield sleep(LONG);
            } finally {
              log.push('cancelled');
            }
          }),
        );
      });
      expect(namesOf(await outcome(task))).toEqual(['eager']);
      expect(log.slice(0, 3)).toEqual(['ran', true, 0]);
      expect(log).toContain('cancelled');
      expect(log).not.toContain('next');
    });
  });

  test('C-49 an eager task that cancels the group before it has joined is cancelled as well', async () => {
    await withLoop(async () => {
      const log: unknown[] = [];
      const task = host.start(function* () {
        return yield taskGroup(
          body.coroutine(function* (group: TaskGroup) {
            group.createTask(
              body.coroutine(function* () {
                group.cancel();
                try {
                  yield sleep(LONG);
                } finally {
                  log.push('cancelled');
                }
              }),
              { eagerStart: true },
            );
            return 'body';
          }),
        );
      });
      await task;
      expect([log, task.cancelling()]).toEqual([['cancelled'], 0]);
    });
  });

  test('C-50 cancel() ends body and tasks without an error, also twice, and afterwards does nothing', async () => {
    await withLoop(async () => {
      const log: unknown[] = [];
      let kept!: TaskGroup;
      const task = host.start(function* () {
        const value: unknown = yield taskGroup(
          body.coroutine(function* (group: TaskGroup) {
            kept = group;
            group.createTask(child(log, 'child'));
            yield sleep(1);
            group.cancel('enough');
            group.cancel();
            try {
              yield sleep(LONG);
            } catch (error) {
              log.push((error as CancelledError).reason);
              throw error;
            }
            return 'not reached';
          }),
        );
        kept.cancel();
        yield sleep(1);
        return [value, task.cancelling()];
      });
      expect(await task).toEqual([undefined, 0]);
      expect(log).toEqual(expect.arrayContaining(['enough', 'child cancelled']));
    });
  });

  test('C-50 cancel() of a group whose body is through, from one of its tasks or from outside', async () => {
    await withLoop(async (loop) => {
      for (const place of ['inside', 'outside']) {
        const log: unknown[] = [];
        const task = host.start(function* () {
          const value: unknown = yield taskGroup(
            body.coroutine(function* (group: TaskGroup) {
              group.createTask(child(log, 'child'));
              if (place === 'outside') loop.callLater(1, () => group.cancel());
              else {
                group.createTask(
                  body.coroutine(function* () {
                    yield sleep(1);
                    group.cancel();
                  }),
                );
              }
              return 'body';
            }),
          );
          yield sleep(1);
          return [value, task.cancelling()];
        });
        expect(await task).toEqual(['body', 0]);
        expect(log).toEqual(['child cancelled']);
      }
    });
  });

  test('C-50 errors are raised although the group was cancelled', async () => {
    await withLoop(async () => {
      const task = host.start(function* () {
        yield taskGroup(
          body.coroutine(function* (group: TaskGroup) {
            group.createTask(
              body.coroutine(function* () {
                try {
                  yield sleep(LONG);
                } finally {
                  fail('cleanup')();
                }
              }),
            );
            yield sleep(1);
            group.cancel();
            yield sleep(LONG);
          }),
        );
      });
      expect(namesOf(await outcome(task))).toEqual(['cleanup']);
      expect(task.cancelling()).toBe(0);
    });
  });

  test('C-50 cancel() in a task that was cancelled before and cleans up ends the group without an error', async () => {
    await withLoop(async (loop) => {
      const log: unknown[] = [];
      const task = host.start(function* () {
        try {
          yield sleep(LONG);
        } finally {
          yield taskGroup(
            body.coroutine(function* (group: TaskGroup) {
              group.createTask(child(log, 'child'));
              yield sleep(1);
              group.cancel();
              yield sleep(LONG);
            }),
          );
          log.push('behind');
        }
      });
      await later(loop, 1);
      task.cancel('first');
      const error = (await outcome(task)) as CancelledError;
      expect([error.reason, task.cancelling()]).toEqual(['first', 1]);
      expect(log).toEqual(['child cancelled', 'behind']);
    });
  });

  test.each(['waits', 'is through'])(
    'C-51 others cancel in the turn of cancel(), while the body %s',
    async (state) => {
      await withLoop(async (loop) => {
        for (const order of ['group first', 'others first', 'others when it is delivered']) {
          const log: unknown[] = [];
          let kept!: TaskGroup;
          const task = host.start(function* () {
            yield taskGroup(
              body.coroutine(function* (group: TaskGroup) {
                kept = group;
                group.createTask(
                  body.coroutine(function* () {
                    try {
                      yield sleep(LONG);
                    } finally {
                      yield sleep(2);
                      log.push('child');
                    }
                  }),
                );
                if (state === 'waits') yield sleep(LONG);
              }),
            );
            yield sleep(LONG);
          });
          for (let turn = 0; turn < 6; turn++) await soon(loop);
          if (order === 'others first') task.cancel('others');
          kept.cancel('own');
          if (order === 'group first') task.cancel('others');
          if (order === 'others when it is delivered') {
            await soon(loop);
            await soon(loop);
            task.cancel('others');
          }
          expect(isCancelled(await outcome(task)), order).toBe(true);
          expect([task.cancelled(), task.cancelling(), log], order).toEqual([true, 1, ['child']]);
        }
      });
    },
  );
});

test('C-52 a generator that is closed inside of its group goes bare, and its tasks are cancelled', async () => {
  await withLoop(async (loop) => {
    const log: unknown[] = [];
    const reports: ExceptionContext[] = [];
    loop.setExceptionHandler((_loop, context) => reports.push(context));
    function* helper(): Generator<unknown, string> {
      try {
        yield* taskGroup(function* (group) {
          group.createTask(function* () {
            try {
              yield* sleep(LONG);
            } finally {
              log.push('child');
              // Nobody is left to hear of it.
              // eslint-disable-next-line no-unsafe-finally
              throw new Error('abandoned');
            }
          });
          yield* sleep(1);
          yield;
        });
      } finally {
        log.push('closed');
      }
      return 'end';
    }
    const task: Task<unknown> = createTask(function* (): Generator<unknown, unknown[]> {
      const steps = helper();
      // The sleep, then the pause: driven by hand up to there.
      for (let step = steps.next(); step.value !== undefined; step = steps.next()) yield step.value;
      const end = steps.return('closed early');
      yield* sleep(1);
      return [end, task.cancelling()];
    });
    expect(await task).toEqual([{ done: true, value: 'closed early' }, 0]);
    expect(log).toEqual(['closed', 'child']);
    expect(reports.map((it) => [it.message, (it.exception as Error).message])).toEqual([
      ['An error of a task group that was abandoned', 'abandoned'],
    ]);
  });
});
