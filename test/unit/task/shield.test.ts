import { describe, expect, test } from 'vitest';
import { isCancelled } from '../../../src/base/errors.js';
import { Future } from '../../../src/task/future.js';
import { shield } from '../../../src/task/shield.js';
import { sleep } from '../../../src/task/sleep.js';
import { forms, outcome } from '../../support/forms.js';
import { soon, withLoop } from '../../support/loop.js';

describe.each(forms)('$name', (form) => {
  test('shield: gives the result or the error of what it is around', async () => {
    await withLoop(async (loop) => {
      const future = new Future<string>(loop);
      const failing = new Future<string>(loop);
      loop.callLater(1, () => {
        future.setResult('value');
        failing.setException(new RangeError('error'));
      });
      const task = form.start(function* () {
        const value: unknown = yield shield(future);
        try {
          yield shield(failing);
        } catch (error) {
          return [value, (error as Error).message];
        }
        return 'no error';
      });
      expect(await task).toEqual(['value', 'error']);
    });
  });

  test('shield: a coroutine becomes a task, a promise is wrapped', async () => {
    await withLoop(async (loop) => {
      let isThrough = false;
      const entered = new Future<void>(loop);
      const task = form.start(function* () {
        expect(yield shield(Promise.resolve('promised'))).toBe('promised');
        yield shield(
          form.coroutine(function* () {
            entered.setResult();
            yield sleep(2);
            isThrough = true;
          }),
        );
      });
      await entered;
      task.cancel();
      expect(isCancelled(await outcome(task))).toBe(true);
      while (loop.statistics().tasks > 0) await soon(loop);
      expect(isThrough).toBe(true);
    });
  });
});

test('shield: what is done already is given as it is', async () => {
  await withLoop((loop) => {
    const future = new Future<string>(loop);
    future.setResult('done');
    expect(shield(future)).toBe(future);
  });
});

test('shield: one that was cancelled lets go, however long the future lives', async () => {
  await withLoop(async (loop) => {
    const future = new Future<void>(loop);
    for (let round = 0; round < 100; round++) shield(future).cancel();
    const waits = 1 + (future._rest?.size ?? 0);
    expect(waits).toBeLessThanOrEqual(2);
    future.setResult();
    await soon(loop);
  });
});

test('shield: a shield that somebody else settled is left alone', async () => {
  await withLoop(async (loop) => {
    const inner = new Future<string>(loop);
    const outer = shield(inner);
    outer.setResult('own');
    inner.setResult('inner');
    await soon(loop);
    expect(outer.result()).toBe('own');
  });
});
