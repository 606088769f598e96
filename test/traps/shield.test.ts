// C-30 to C-32: shield(), in both forms of tasks. Observed on CPython 3.13; the report of C-31 is that of 3.14.
import { describe, expect, test } from 'vitest';
import type { CancelledError } from '../../src/base/errors.js';
import { isCancelled } from '../../src/base/errors.js';
import type { ExceptionContext } from '../../src/core/exception.js';
import { run } from '../../src/run.js';
import { cleanup } from '../../src/task/cancel-scope.js';
import { Future } from '../../src/task/future.js';
import { shield } from '../../src/task/shield.js';
import { sleep } from '../../src/task/sleep.js';
import { forms, outcome } from '../support/forms.js';
import { later, soon, withLoop } from '../support/loop.js';

describe.each(forms)('$name', (form) => {
  test('C-30 whoever waits is cancelled at once, what is shielded goes on', async () => {
    await withLoop(async (loop) => {
      const log: unknown[] = [];
      const gate = new Future<void>(loop);
      const inner = form.start(function* () {
        yield gate;
        log.push('inner');
        return 'saved';
      });
      const outer = form.start(function* () {
        try {
          return yield shield(inner);
        } catch (error) {
          log.push((error as CancelledError).reason);
          throw error;
        }
      });
      await later(loop, 1);
      outer.cancel('why');
      expect(isCancelled(await outcome(outer))).toBe(true);
      expect([outer.cancelled(), inner.done()]).toEqual([true, false]);
      gate.setResult();
      expect(await inner).toBe('saved');
      expect(log).toEqual(['why', 'inner']);
    });
  });

  test('C-30 when what is shielded is cancelled by others, whoever waits is told', async () => {
    await withLoop(async (loop) => {
      const inner = form.start(function* () {
        yield sleep(60_000);
      });
      const outer = form.start(function* () {
        return yield shield(inner);
      });
      await later(loop, 1);
      inner.cancel('others');
      const error = (await outcome(outer)) as CancelledError;
      expect([isCancelled(error), error.reason]).toEqual([true, 'others']);
      expect([outer.cancelled(), outer.cancelling()]).toEqual([true, 0]);
    });
  });

  test('C-31 an error after the waiter was cancelled is reported, once', async () => {
    await withLoop(async (loop) => {
      const reports: ExceptionContext[] = [];
      loop.setExceptionHandler((_loop, context) => reports.push(context));
      const gate = new Future<void>(loop);
      const inner = form.start(function* () {
        yield gate;
        throw new RangeError('late');
      });
      const outers = [1, 2].map(() =>
        form.start(function* () {
          yield shield(inner);
        }),
      );
      await later(loop, 1);
      for (const outer of outers) outer.cancel();
      await Promise.all(outers.map(outcome));
      gate.setResult();
      await later(loop, 1);
      expect(reports).toHaveLength(1);
      expect(reports[0]).toMatchObject({
        message: 'Task exception in shielded future',
        exception: { message: 'late' },
      });
      expect(reports[0]!.future).toBe(inner);
    });
  });

  test('C-31 an error that somebody hears of is not reported', async () => {
    await withLoop(async (loop) => {
      const inner = form.start(function* () {
        yield sleep(1);
        throw new RangeError('heard');
      });
      expect(await outcome(form.start(() => wait()))).toBeInstanceOf(RangeError);
      function* wait(): Generator<any> {
        return yield shield(inner);
      }
      await soon(loop);
    });
  });

  test('C-32 a shield does not keep the end of the program away; a cleanup has its time', async () => {
    const log: string[] = [];
    await run(
      form.coroutine(function* () {
        const shielded = form.start(function* () {
          try {
            yield sleep(60_000);
          } finally {
            log.push('shielded');
          }
        });
        form.start(function* () {
          yield shield(shielded);
        });
        form.start(function* () {
          try {
            yield sleep(60_000);
          } finally {
            yield cleanup(
              1000,
              form.coroutine(function* () {
                yield sleep(2);
                log.push('cleaned up');
              }),
            );
          }
        });
        yield sleep(1);
      }) as () => PromiseLike<unknown>,
    );
    expect(log).toEqual(['shielded', 'cleaned up']);
  });
});
