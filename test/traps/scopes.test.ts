// C-13, C-114, C-116 and C-120: what scopes do that cancelling a task does not; in both forms.
import { getEventListeners } from 'node:events';
import { describe, expect, test } from 'vitest';
import { isCancelled } from '../../src/base/errors.js';
import { CancelScope } from '../../src/task/scope.js';
import { cancelScope } from '../../src/task/cancel-scope.js';
import { fromSignal } from '../../src/task/from-signal.js';
import { Future } from '../../src/task/future.js';
import { sleep } from '../../src/task/sleep.js';
import { TaskGroup, taskGroup } from '../../src/task/task-group.js';
import { Timeout } from '../../src/task/timeout.js';
import { forms, outcome, pairs } from '../support/forms.js';
import { soon, withLoop } from '../support/loop.js';

const LONG = 60_000;

describe.each(pairs)('%s', (_, host, body) => {
  test('C-13 a scope does not take a result away that is there; the next wait is cancelled', async () => {
    await withLoop(async (loop) => {
      const future = new Future<number>(loop);
      let kept!: CancelScope;
      const seen: unknown[] = [];
      const task = host.start(function* () {
        return [
          yield cancelScope(
            {},
            body.coroutine(function* (scope: CancelScope) {
              kept = scope;
              seen.push(yield future);
              try {
                yield sleep(LONG);
              } catch (error) {
                seen.push(isCancelled(error));
                throw error;
              }
            }),
          ),
          kept.cancelledCaught,
          task.cancelling(),
        ];
      });
      await soon(loop);
      await soon(loop);
      future.setResult(7);
      kept.cancel();
      expect(await task).toEqual([undefined, true, 0]);
      expect(seen).toEqual([7, true]);
    });
  });

  test('C-13 the same for a task that the scope encloses by a group', async () => {
    await withLoop(async (loop) => {
      const future = new Future<number>(loop);
      let kept!: CancelScope;
      const seen: unknown[] = [];
      const task = host.start(function* () {
        yield cancelScope(
          {},
          body.coroutine(function* (scope: CancelScope) {
            kept = scope;
            yield taskGroup(
              body.coroutine(function* (group: TaskGroup) {
                group.createTask(
                  body.coroutine(function* () {
                    seen.push(yield future);
                  }),
                );
              }),
            );
          }),
        );
      });
      for (let turn = 0; turn < 4; turn++) await soon(loop);
      future.setResult(7);
      kept.cancel();
      await task;
      // The group passes the cancellation of its host on, as an event: that takes the result.
      expect(seen.length).toBeLessThanOrEqual(1);
      expect(task.cancelling()).toBe(0);
    });
  });

  test('C-114 who swallows the error of a scope gets it again at the next wait', async () => {
    await withLoop(async () => {
      let swallowed = 0;
      const task = host.start(function* () {
        const value: unknown = yield cancelScope(
          {},
          body.coroutine(function* (scope: CancelScope) {
            scope.cancel();
            for (let round = 0; round < 3; round++) {
              try {
                yield sleep(round);
              } catch {
                swallowed++;
              }
            }
            yield sleep(LONG);
            return 'not reached';
          }),
        );
        // The scope is over, and nothing is left of it.
        yield sleep(0);
        return [value, task.cancelling()];
      });
      expect(await task).toEqual([undefined, 0]);
      expect(swallowed).toBe(3);
    });
  });

  test('C-116 abort() cancels in the next turn, and nothing runs inside of it', async () => {
    await withLoop(async (loop) => {
      const controller = new AbortController();
      const { signal } = controller;
      const log: unknown[] = [];
      const waits = function* () {
        try {
          yield sleep(LONG);
        } catch (error) {
          log.push((error as { reason: unknown }).reason);
          throw error;
        }
      };
      const tasks = [
        host.start(waits, { signal }),
        host.start(function* () {
          yield cancelScope({ signal }, body.coroutine(waits));
        }),
        host.start(function* () {
          yield fromSignal(signal);
        }),
      ];
      for (let turn = 0; turn < 3; turn++) await soon(loop);
      expect(getEventListeners(signal, 'abort')).toHaveLength(1);
      controller.abort('why');
      expect(log).toEqual([]);
      expect(tasks.map((task) => task.done())).toEqual([false, false, false]);
      await Promise.all(tasks.map(outcome));
      expect(log).toEqual(['why', 'why']);
      expect(tasks.map((task) => task.cancelled())).toEqual([true, false, true]);
      expect(getEventListeners(signal, 'abort')).toHaveLength(0);
    });
  });

  test('C-116 the listener is gone when nothing that hangs on the signal is left', async () => {
    await withLoop(async () => {
      const { signal } = new AbortController();
      await host.start(
        function* () {
          yield cancelScope(
            { signal },
            body.coroutine(function* () {
              yield sleep(1);
            }),
          );
          yield sleep(0);
        },
        { signal },
      );
      fromSignal(signal).cancel();
      expect(getEventListeners(signal, 'abort')).toHaveLength(0);
    });
  });
});

test.each(forms)('C-116 an abort() in the task itself comes at its next wait: $name', async ({ start }) => {
  await withLoop(async () => {
    const controller = new AbortController();
    const log: string[] = [];
    const task = start(
      function* () {
        yield sleep(0);
        controller.abort();
        log.push('behind abort()');
        yield sleep(LONG);
        log.push('not reached');
      },
      { signal: controller.signal },
    );
    expect(isCancelled(await outcome(task))).toBe(true);
    expect(log).toEqual(['behind abort()']);
  });
});

test('C-120 what has to know the error of its body is no disposable', () => {
  for (const type of [TaskGroup, Timeout, CancelScope]) {
    for (const symbol of [Symbol.dispose, Symbol.asyncDispose]) expect(symbol in type.prototype).toBe(false);
  }
});
