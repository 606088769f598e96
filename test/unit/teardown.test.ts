import { afterEach, expect, test, vi } from 'vitest';
import type { ExceptionContext } from '../../src/core/exception.js';
import { EventLoop } from '../../src/event-loop.js';
import { run } from '../../src/run.js';
import { createTask } from '../../src/task/current.js';
import { sleep } from '../../src/task/sleep.js';
import type { Coroutine } from '../../src/task/task.js';
import { tearDown } from '../../src/teardown.js';
import { runChild } from '../support/child.js';

afterEach(() => {
  vi.restoreAllMocks();
});

// What reaches the exception handler while a loop is torn down that was left with these tasks.
async function reportsOf(graceMs: number, ...coroutines: Coroutine<unknown>[]): Promise<ExceptionContext[]> {
  const loop = new EventLoop();
  const reports: ExceptionContext[] = [];
  loop.setExceptionHandler((_loop, context) => reports.push(context));
  await loop.runUntilComplete(async () => {
    for (const [index, coroutine] of coroutines.entries()) createTask(coroutine, { name: `left ${index}` });
    await sleep(1);
  });
  await tearDown(loop, graceMs);
  expect(loop.isClosed()).toBe(true);
  return reports;
}

const refusers: Record<string, Coroutine<unknown>> = {
  *generator() {
    for (;;) {
      try {
        yield* sleep(60_000);
      } catch {
        // Goes on.
      }
    }
  },
  'async function': async () => {
    for (;;) {
      try {
        await sleep(60_000);
      } catch {
        // Goes on.
      }
    }
  },
};

test.each(Object.keys(refusers))(
  'a task that refuses to end is given up after the grace, and told of once, with what it waits for: %s',
  async (form) => {
    const reports = await reportsOf(10, refusers[form]!);
    expect(reports).toHaveLength(1);
    expect(reports[0]!.message.split('\n')).toEqual([
      'Task did not end within the grace period of run()',
      expect.stringContaining("<Task 'left 0' cancelling awaiting <"),
      expect.stringContaining('awaiting <'),
    ]);
    expect(reports[0]!.task).toMatchObject({ name: 'left 0' });
  },
);

test('a task that ends in time beside one that does not is reported as ever', async () => {
  const error = new Error('while cleaning up');
  const reports = await reportsOf(10, refusers.generator!, async () => {
    try {
      await sleep(60_000);
    } finally {
      // eslint-disable-next-line no-unsafe-finally -- that is what is tested
      throw error;
    }
  });
  expect(reports.map(({ message, exception }) => [message.split('\n')[0], exception])).toEqual([
    ['unhandled exception during run() shutdown', error],
    ['Task did not end within the grace period of run()', undefined],
  ]);
});

test('without a grace the tasks are cancelled all the same', async () => {
  const log: string[] = [];
  const reports = await reportsOf(0, function* () {
    try {
      yield* sleep(60_000);
    } finally {
      log.push('cleaned up');
    }
  });
  expect(log).toEqual(['cleaned up']);
  expect(reports).toEqual([]);
});

test('a cleaning up that can never end, without a limit, ends with code 13 and says who waits', async () => {
  const { code, stderr } = await runChild(`
    await run(async () => {
      createTask(async () => {
        try {
          await sleep(60_000);
        } finally {
          await new Future(EventLoop.running());
        }
      }, { name: 'stuck' });
      await sleep(1);
    }, { graceMs: Infinity });
  `);
  expect(code).toBe(13);
  expect(stderr).toContain("<Task 'stuck' cancelling awaiting <Future>>");
});

test('the default handler writes the report to standard error', async () => {
  const written = vi.spyOn(console, 'error').mockReturnValue();
  await run(
    async () => {
      createTask(refusers['async function']!, { name: 'refuser' });
      await sleep(1);
    },
    { graceMs: 5 },
  );
  expect(written).toHaveBeenCalledTimes(1);
  expect(written.mock.calls[0]![0]).toMatch(
    /^evloop: Task did not end[^]*<Task 'refuser' cancelling awaiting/,
  );
});
