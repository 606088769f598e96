// Bodies that are neither generator nor async functions, but hand on what they would wait for.
import { describe, expect, test } from 'vitest';
import { createTask } from '../../../src/task/current.js';
import { sleep } from '../../../src/task/sleep.js';
import { timeout } from '../../../src/task/timeout.js';
import { forms, outcome } from '../../support/forms.js';
import { withLoop } from '../../support/loop.js';

describe.each(forms)('$name', ({ call }) => {
  test('a body that hands on a future, a task or an operation gives its value', async () => {
    await withLoop(async () => {
      expect(await call(() => timeout(1000, () => sleep(1, 'future')))).toBe('future');
      expect(await call(() => timeout(1000, () => createTask(() => sleep(1, 'task'))))).toBe('task');
      const inner = (): PromiseLike<string> => timeout(1000, async () => await sleep(1, 'operation'));
      expect(await call(() => timeout(1000, inner))).toBe('operation');
    });
  });

  test('what it hands on is cancelled as if it had waited for it itself', async () => {
    await withLoop(async (loop) => {
      const bodies = [
        () => sleep(60_000),
        () => createTask(() => sleep(60_000)),
        () => timeout(120_000, () => sleep(60_000)),
      ];
      for (const body of bodies) {
        expect(await outcome(call(() => timeout(1, body)))).toMatchObject({ name: 'TimeoutError' });
        const task = call(() => timeout(60_000, body));
        await sleep(1);
        task.cancel();
        expect(await outcome(task)).toMatchObject({ name: 'CancelledError' });
      }
      expect(loop.statistics().timers).toBe(0);
    });
  });
});
