import { describe, expect, test } from 'vitest';
import { CancelledError, InvalidStateError, isCancelled } from '../../../src/base/errors.js';
import { ExceptionGroup } from '../../../src/base/exception-group.js';
import { currentDeadline } from '../../../src/task/deadline.js';
import { sleep } from '../../../src/task/sleep.js';
import { taskGroup, type TaskGroup } from '../../../src/task/task-group.js';
import { cancelScope } from '../../../src/task/cancel-scope.js';
import type { CancelScope } from '../../../src/task/scope.js';
import type { Task } from '../../../src/task/task.js';
import { timeoutAt } from '../../../src/task/timeout.js';
import { outcome, pairs } from '../../support/forms.js';
import { later, withLoop } from '../../support/loop.js';

const LONG = 60_000;
const messagesOf = (error: unknown): string[] => {
  expect(error).toBeInstanceOf(ExceptionGroup);
  return (error as ExceptionGroup).errors.map((one) => (one as Error).message);
};

describe.each(pairs)('%s', (_, host, body) => {
  const after = (delayMs: number, end: () => unknown) =>
    body.coroutine(function* () {
      yield sleep(delayMs);
      return end();
    });
  const fail = (message: string) => (): never => {
    throw new Error(message);
  };
  const run = (use: (group: TaskGroup) => Generator<any>, options?: object): Task<any> =>
    host.start(function* () {
      return yield taskGroup(body.coroutine(use), options);
    });

  test('TaskGroup: gives what the body returns, when all tasks are through', async () => {
    await withLoop(async () => {
      const log: unknown[] = [];
      const task = run(function* (group) {
        const first = group.createTask(
          after(2, () => log.push('task')),
          { name: 'first' },
        );
        log.push(
          group.size,
          [...group.tasks].map((it) => it.name),
          first.name,
        );
        yield sleep(0);
        return 'value';
      });
      expect(await task).toBe('value');
      expect(log).toEqual([1, ['first'], 'first', 'task']);
    });
  });

  test('TaskGroup: tasks is a copy, of those that are not done', async () => {
    await withLoop(async () => {
      const task = run(function* (group) {
        const quick = group.createTask(after(0, () => 'quick'));
        const slow = group.createTask(after(LONG, () => 'slow'));
        const before = group.tasks;
        yield quick;
        yield sleep(0);
        const now = [...group.tasks];
        slow.cancel();
        return [before.size, now.length, now[0] === slow];
      });
      expect(await task).toEqual([2, 1, true]);
    });
  });

  test("TaskGroup: onError: 'collect' lets everything go on to its end", async () => {
    await withLoop(async () => {
      const log: unknown[] = [];
      const task = run(
        function* (group) {
          group.createTask(after(1, fail('one')));
          group.createTask(after(4, () => log.push('two')));
          group.createTask(after(2, fail('three')));
          yield sleep(3);
          log.push('body');
          throw new Error('own');
        },
        { onError: 'collect' },
      );
      expect(messagesOf(await outcome(task))).toEqual(['one', 'three', 'own']);
      expect(log.sort()).toEqual(['body', 'two']);
      expect(task.cancelling()).toBe(0);
    });
  });

  test("TaskGroup: onError: 'collect' is cancelled by others all the same", async () => {
    await withLoop(async (loop) => {
      const task = run(
        function* (group) {
          group.createTask(after(LONG, () => 'never'));
          yield sleep(LONG);
        },
        { onError: 'collect' },
      );
      await later(loop, 1);
      task.cancel();
      expect(isCancelled(await outcome(task))).toBe(true);
    });
  });

  test('TaskGroup: a group within a group, whose errors stay nested', async () => {
    await withLoop(async () => {
      const log: unknown[] = [];
      const task = run(function* (group) {
        group.createTask(
          body.coroutine(function* () {
            try {
              yield sleep(LONG);
            } finally {
              log.push('sibling');
            }
          }),
        );
        yield taskGroup(
          body.coroutine(function* (inner: TaskGroup) {
            inner.createTask(after(1, fail('inner')));
            yield sleep(LONG);
          }),
        );
      });
      const error = (await outcome(task)) as ExceptionGroup;
      expect(error.errors.map(messagesOf)).toEqual([['inner']]);
      expect(log).toEqual(['sibling']);
    });
  });

  test('cancel before start: startOnCancel lets a task begin that is cancelled before', async () => {
    await withLoop(async () => {
      const log: unknown[] = [];
      const enter = (name: string) =>
        body.coroutine(function* () {
          log.push(`${name} entered`);
          try {
            yield sleep(LONG);
          } finally {
            log.push(`${name} left`);
          }
        });
      const task = run(function* (group) {
        group.createTask(enter('one'), { startOnCancel: true });
        group.createTask(enter('two'));
        group.cancel();
        throw new Error('body');
      });
      expect(messagesOf(await outcome(task))).toEqual(['body']);
      expect(log).toEqual(['one entered', 'one left']);
    });
  });

  test('start-and-ready: start() waits until the task says so, and gives its value; the task goes on', async () => {
    await withLoop(async () => {
      const log: unknown[] = [];
      const task = run(function* (group) {
        const value: unknown = yield group.start(
          body.coroutine(function* (ready: (value: string) => void) {
            yield sleep(1);
            ready('up');
            ready('again');
            yield sleep(1);
            log.push('task');
          }),
        );
        log.push(value, group.size);
      });
      await task;
      expect(log).toEqual(['up', 1, 'task']);
    });
  });

  test("start-and-ready: an error before is thrown to the caller, one afterwards is the group's", async () => {
    await withLoop(async () => {
      const before = run(function* (group) {
        try {
          yield group.start(after(1, fail('before')));
        } catch (error) {
          return (error as Error).message;
        }
        return 'no error';
      });
      expect(await before).toBe('before');
      const afterwards = run(function* (group) {
        yield group.start(
          body.coroutine(function* (ready: (value?: unknown) => void) {
            ready();
            yield sleep(1);
            throw new Error('afterwards');
          }),
        );
        yield sleep(LONG);
      });
      expect(messagesOf(await outcome(afterwards))).toEqual(['afterwards']);
    });
  });

  test('start-and-ready: a task that ends without ready() is an error, one that is cancelled a cancellation', async () => {
    await withLoop(async () => {
      const seen: unknown[] = [];
      const task = run(function* (group) {
        for (const end of [
          () => 'no ready',
          (): never => {
            throw new CancelledError('own');
          },
        ]) {
          try {
            yield group.start(after(0, end));
          } catch (error) {
            seen.push(error);
          }
        }
        return group.size;
      });
      expect(await task).toBe(0);
      expect(seen[0]).toBeInstanceOf(InvalidStateError);
      expect((seen[0] as Error).message).toBe('The task ended without calling ready()');
      expect(isCancelled(seen[1])).toBe(true);
      expect(task.cancelling()).toBe(0);
    });
  });

  test.each([false, true])(
    'start-and-ready: whoever waits is cancelled: so is the task, and it is waited for (it fails: %s)',
    async (fails) => {
      await withLoop(async (loop) => {
        const log: unknown[] = [];
        const task = run(function* (group) {
          const done = group.completed();
          try {
            yield group.start(
              body.coroutine(function* () {
                try {
                  yield sleep(LONG);
                } finally {
                  yield sleep(1);
                  log.push('task');
                  if (fails) fail('cleanup')();
                }
              }),
            );
          } finally {
            log.push('caller');
            // Once, although both whoever started it and the group hear of the end.
            const ends: IteratorResult<unknown>[] = [yield done.next(), yield done.next()];
            log.push(...ends.map((it) => it.done));
          }
        });
        await later(loop, 1);
        task.cancel('why');
        const error = await outcome(task);
        expect(log).toEqual(['task', 'caller', false, true]);
        if (fails) expect(messagesOf(error)).toEqual(['cleanup']);
        else expect(isCancelled(error)).toBe(true);
      });
    },
  );

  test('join as completed: completed() gives the tasks in the order in which they end', async () => {
    await withLoop(async () => {
      const order: unknown[] = [];
      const task = run(function* (group) {
        for (const turns of [3, 1, 2]) {
          group.createTask(
            body.coroutine(function* () {
              for (let turn = 0; turn < turns * 4; turn++) yield sleep(0);
              return turns;
            }),
          );
        }
        const done = group.completed();
        for (;;) {
          const next: IteratorResult<Task<unknown>> = yield done.next();
          if (next.done === true) return 'none left';
          order.push(next.value.result());
        }
      });
      expect(await task).toBe('none left');
      expect(order).toEqual([1, 2, 3]);
    });
  });

  test('join as completed: a failure ends it by cancelling the body, or is one of them', async () => {
    await withLoop(async () => {
      for (const onError of ['cancelAll', 'collect']) {
        const seen: unknown[] = [];
        const task = run(
          function* (group) {
            group.createTask(after(1, fail('bad')));
            group.createTask(after(onError === 'collect' ? 8 : LONG, () => 'good'));
            const done = group.completed();
            try {
              for (;;) {
                const next: IteratorResult<Task<unknown>> = yield done.next();
                if (next.done === true) break;
                seen.push(next.value.exception()?.message ?? next.value.result());
              }
            } catch (error) {
              seen.push(isCancelled(error));
              throw error;
            }
          },
          { onError },
        );
        expect(messagesOf(await outcome(task))).toEqual(['bad']);
        if (onError === 'collect') expect(seen).toEqual(['bad', 'good']);
        else expect(seen.at(-1)).toBe(true);
      }
    });
  });

  test('join as completed: several may wait, and all hear of the end', async () => {
    await withLoop(async () => {
      const task = run(function* (group) {
        const done = group.completed();
        group.createTask(after(2, () => 'one'));
        const waiters = [1, 2, 3].map(() =>
          body.start(function* () {
            const next: IteratorResult<Task<unknown>> = yield done.next();
            return next.done === true ? 'end' : next.value.result();
          }),
        );
        const results: unknown[] = [];
        for (const waiter of waiters) results.push(yield waiter);
        return results;
      });
      expect(await task).toEqual(['one', 'end', 'end']);
    });
  });

  test('deadline inheritance: tasks of a group, and tasks of those, eager or not, inherit the limits around it', async () => {
    await withLoop(async (loop) => {
      const when = loop.time() + LONG;
      const log: unknown[] = [];
      const note = (name: string) => log.push([name, currentDeadline() === when]);
      const task = host.start(function* () {
        yield timeoutAt(
          when,
          body.coroutine(function* () {
            yield taskGroup(
              body.coroutine(function* (group: TaskGroup) {
                for (const eagerStart of [true, false]) {
                  group.createTask(
                    body.coroutine(function* () {
                      note('child');
                      yield taskGroup(
                        body.coroutine(function* (inner: TaskGroup) {
                          inner.createTask(
                            body.coroutine(function* () {
                              yield sleep(0);
                              note('grandchild');
                            }),
                            { eagerStart },
                          );
                          yield inner.start(
                            body.coroutine(function* (ready: (value?: unknown) => void) {
                              note('started');
                              ready();
                            }),
                          );
                        }),
                      );
                    }),
                    { eagerStart },
                  );
                }
                // No task of the group.
                yield body.start(function* () {
                  log.push(['other', currentDeadline()]);
                });
              }),
            );
          }),
        );
        log.push(['behind', currentDeadline()]);
      });
      await task;
      expect(log.filter((it) => (it as unknown[])[1] === true)).toHaveLength(6);
      expect(log.filter((it) => (it as unknown[])[1] === false)).toEqual([]);
      expect(log.filter((it) => (it as unknown[])[1] === Infinity)).toEqual([
        ['other', Infinity],
        ['behind', Infinity],
      ]);
    });
  });

  test('cancel scope: reaches tasks of tasks of groups inside of it, and lets go of those that are done', async () => {
    await withLoop(async (loop) => {
      const log: unknown[] = [];
      const task = host.start(function* () {
        yield cancelScope(
          {},
          body.coroutine(function* (scope: CancelScope) {
            yield taskGroup(
              body.coroutine(function* (group: TaskGroup) {
                group.createTask(after(0, () => 'done before'));
                group.createTask(
                  body.coroutine(function* () {
                    yield taskGroup(
                      body.coroutine(function* (inner: TaskGroup) {
                        for (const eagerStart of [true, false]) {
                          inner.createTask(
                            body.coroutine(function* () {
                              try {
                                yield sleep(LONG);
                              } catch (error) {
                                log.push((error as CancelledError).reason);
                                throw error;
                              }
                            }),
                            { eagerStart },
                          );
                        }
                      }),
                    );
                  }),
                );
                yield sleep(1);
                loop.callSoon(() => scope.cancel('scope'));
                yield sleep(LONG);
              }),
            );
          }),
        );
        return 'behind';
      });
      expect(await task).toBe('behind');
      expect(log).toEqual(['scope', 'scope']);
    });
  });
});

test('join as completed: for await in an async function', async () => {
  await withLoop(async () => {
    const order: unknown[] = [];
    await taskGroup(async (group) => {
      for (const turns of [8, 0, 4]) {
        group.createTask(function* () {
          for (let turn = 0; turn < turns; turn++) yield;
          return turns;
        });
      }
      for await (const task of group.completed()) order.push(task.result());
    });
    expect(order).toEqual([0, 4, 8]);
  });
});
