// Generators that come to their end: closing(), loop.track(), and the end of a run.
import { describe, expect, test } from 'vitest';
import { CancelledError } from '../../../src/base/errors.js';
import { EventLoop } from '../../../src/event-loop.js';
import { Runner } from '../../../src/run.js';
import { closing } from '../../../src/task/closing.js';
import { createTask } from '../../../src/task/current.js';
import { sleep } from '../../../src/task/sleep.js';
import { outcome } from '../../support/forms.js';
import { nodeTurn, withLoop } from '../../support/loop.js';

const make = (options: object): EventLoop => new EventLoop(options);

async function* count(
  log: unknown[],
  wait: () => PromiseLike<unknown> = () => sleep(0),
): AsyncGenerator<number, string> {
  try {
    for (let i = 0; i < 3; i++) {
      await wait();
      yield i;
    }
    return 'end';
  } finally {
    await sleep(0);
    log.push('finally');
  }
}

describe('closing', () => {
  test('async generators hooks: break runs finally', async () => {
    await withLoop(async () => {
      const log: unknown[] = [];
      await createTask(async () => {
        for await (const i of closing(count(log))) {
          log.push(i);
          if (i === 1) break;
        }
      });
      expect(log).toEqual([0, 1, 'finally']);
    });
  });

  test('async generators hooks: a generator task gets one item after the other', async () => {
    await withLoop(async () => {
      const log: unknown[] = [];
      await createTask(function* () {
        const items = closing(count(log));
        for (let step = yield* items.next(); step.done !== true; step = yield* items.next()) {
          log.push(step.value);
        }
        yield* items.close();
      });
      expect(log).toEqual([0, 1, 2, 'finally']);
    });
  });

  test('async generators hooks: close() goes through what is yielded in finally', async () => {
    await withLoop(async () => {
      const log: unknown[] = [];
      async function* stubborn(): AsyncGenerator<string, void> {
        try {
          yield 'item';
        } finally {
          yield 'ignored';
          log.push('through');
        }
      }
      await createTask(function* () {
        const items = closing(stubborn());
        yield* items.next();
        yield* items.close();
        yield* items.close();
      });
      expect(log).toEqual(['through']);
    });
  });

  test('async generators hooks: cancelled during a foreign promise, for await ends at once and finally runs after it', async () => {
    await withLoop(async (loop) => {
      const log: unknown[] = [];
      let open!: (value: unknown) => void;
      const foreign = new Promise((resolve) => (open = resolve));
      const task = createTask(async () => {
        for await (const i of closing(count(log, () => foreign))) log.push(i);
      });
      await sleep(1);
      task.cancel();
      expect(await outcome(task)).toBeInstanceOf(CancelledError);
      expect(log).toEqual([]);
      open(undefined);
      while (loop.statistics().tasks > 0) await nodeTurn();
      expect(log).toEqual(['finally']);
    });
  });

  test('async generators hooks: await using, without the syntax', async () => {
    await withLoop(async () => {
      const log: unknown[] = [];
      const items = closing(count(log));
      await items.next();
      await items[Symbol.asyncDispose]();
      expect(log).toEqual(['finally']);
    });
  });
});

describe('loop.track', () => {
  test('async generators hooks: is the generator in every respect', async () => {
    await withLoop<EventLoop>(
      async (loop) => {
        const log: unknown[] = [];
        const tracked = loop.track(count(log));
        for await (const i of tracked) log.push(i);
        expect(log).toEqual([0, 1, 2, 'finally']);
        expect(await tracked.next()).toEqual({ done: true, value: undefined });
        const thrown = loop.track(count(log));
        await thrown.next();
        await expect(thrown.throw(new Error('thrown in'))).rejects.toThrow('thrown in');
        const returned = loop.track(count(log));
        expect(await returned.return('early')).toEqual({ done: true, value: 'early' });
        log.length = 0;
        await loop.shutdownAsyncgens();
        expect(log).toEqual([]);
      },
      { make },
    );
  });

  test('async generators hooks: shutdown in a generator task, errors are reported with their context', async () => {
    const reports: unknown[] = [];
    await withLoop<EventLoop>(
      async (loop) => {
        async function* broken(): AsyncGenerator<number, void> {
          try {
            yield 1;
          } finally {
            await sleep(0);
            // eslint-disable-next-line no-unsafe-finally -- that is the case
            throw new Error('in finally');
          }
        }
        const generator = broken();
        await loop.track(generator).next();
        loop.setExceptionHandler((_, { message, exception, asyncGenerator }) => {
          reports.push(message, (exception as Error).message, asyncGenerator === generator);
        });
        await createTask(function* () {
          yield* loop.shutdownAsyncgens();
        });
      },
      { make },
    );
    expect(reports).toEqual([
      'an error occurred during closing of asynchronous generator',
      'in finally',
      true,
    ]);
  });

  test('async generators hooks: the end of a run closes them, after the tasks', async () => {
    const log: unknown[] = [];
    const runner = new Runner();
    await runner.run(async () => {
      await runner.loop.track(count(log)).next();
      createTask(async () => {
        try {
          await sleep(60_000);
        } finally {
          log.push('task');
        }
      });
      await sleep(1);
    });
    expect(log).toEqual([]);
    await runner.close();
    expect(log).toEqual(['task', 'finally']);
  });

  test('async generators hooks: one that does not end holds up the end of a run no longer than the grace', async () => {
    const errors: string[] = [];
    const runner = new Runner({ graceMs: 5 });
    runner.loop.setExceptionHandler((_, { message }) => errors.push(message));
    await runner.run(async () => {
      async function* endless(): AsyncGenerator<number, void> {
        try {
          yield 1;
        } finally {
          await sleep(60_000);
        }
      }
      await runner.loop.track(endless()).next();
    });
    await runner.close();
    expect(errors).toContain('Task was destroyed but it is pending!');
  });
});
