import { expect, test } from 'vitest';
import { EventLoop } from '../../../src/event-loop.js';
import { createTask, currentTask } from '../../../src/task/current.js';
import { sleep } from '../../../src/task/sleep.js';
import { nodeTurn, soon, withLoop } from '../../support/loop.js';

const make = (options: object): EventLoop => new EventLoop(options);
const inLoop = (body: (loop: EventLoop) => unknown): Promise<void> => withLoop<EventLoop>(body, { make });

test('there is none outside of the loop', () => {
  expect(currentTask()).toBeNull();
  expect(() => createTask(async () => undefined)).toThrow(
    expect.objectContaining({ code: 'ERR_INVALID_STATE' }),
  );
});

test('a generator task, before and after its waits and in generators below it', async () => {
  await inLoop(async (loop) => {
    const seen: unknown[] = [];
    function* below(): Generator<unknown, void, unknown> {
      seen.push(currentTask());
      yield* sleep(1);
      seen.push(currentTask());
    }
    const task = loop.createTask(function* () {
      seen.push(currentTask());
      yield;
      seen.push(currentTask());
      yield* below();
    });
    await task;
    expect(seen).toHaveLength(4);
    for (const value of seen) expect(value).toBe(task);
    expect(currentTask()).toBeNull();
  });
});

test('an async function, before and after its awaits and in functions below it', async () => {
  await inLoop(async (loop) => {
    const seen: unknown[] = [];
    const below = async (): Promise<void> => {
      seen.push(currentTask());
      await sleep(1);
      seen.push(currentTask());
      await nodeTurn();
      seen.push(currentTask());
    };
    const task = loop.createTask(async () => {
      seen.push(currentTask());
      await Promise.resolve();
      seen.push(currentTask());
      await below();
      seen.push(currentTask());
    });
    await task;
    expect(seen).toHaveLength(6);
    for (const value of seen) expect(value).toBe(task);
  });
});

test('tasks that take turns see themselves', async () => {
  await inLoop(async (loop) => {
    const mistakes: unknown[] = [];
    const tasks = Array.from({ length: 20 }, (_value, index) =>
      index % 2 === 0
        ? loop.createTask(function* () {
            for (let i = 0; i < 10; i++) {
              if (currentTask() !== tasks[index]) mistakes.push(currentTask());
              yield* sleep(i % 3);
            }
          })
        : loop.createTask(async () => {
            for (let i = 0; i < 10; i++) {
              if (currentTask() !== tasks[index]) mistakes.push(currentTask());
              await sleep(i % 3);
            }
          }),
    );
    for (const task of tasks) await task;
    expect(mistakes).toEqual([]);
  });
});

test.each(['generator', 'async'])('callbacks made by a task belong to none: %s', async (form) => {
  await inLoop(async (loop) => {
    const seen: unknown[] = [];
    const schedule = (): void => {
      loop.callSoon(() => seen.push('soon', currentTask()));
      loop.callLater(1, () => seen.push('later', currentTask()));
      const future = loop.createFuture();
      future.addDoneCallback(() => seen.push('done', currentTask()));
      future.setResult();
    };
    const task =
      form === 'async'
        ? loop.createTask(async () => {
            await sleep(0);
            schedule();
          })
        : loop.createTask(function* () {
            yield;
            schedule();
          });
    task.addDoneCallback(() => seen.push('task done', currentTask()));
    await task;
    await sleep(5);
    expect(seen.filter((value) => typeof value !== 'string')).toEqual([null, null, null, null]);
    expect(seen).toHaveLength(8);
  });
});

test('tasks made by tasks, eagerly too, and the maker afterwards', async () => {
  await inLoop(async (loop) => {
    const seen: [string, string | undefined][] = [];
    const note = (where: string): unknown => seen.push([where, currentTask()?.name]);
    const child = (name: string, eagerStart: boolean): void => {
      loop.createTask(
        function* () {
          note(`generator ${name}`);
          yield;
          note(`generator ${name}`);
        },
        { name: `generator ${name}`, eagerStart },
      );
      loop.createTask(
        async () => {
          note(`async ${name}`);
          await sleep(0);
          note(`async ${name}`);
        },
        { name: `async ${name}`, eagerStart },
      );
    };
    const parents = [
      loop.createTask(
        async () => {
          child('of async', false);
          note('async parent');
          child('of async, eager', true);
          note('async parent');
          await sleep(1);
          note('async parent');
        },
        { name: 'async parent' },
      ),
      loop.createTask(
        function* () {
          child('of generator', false);
          child('of generator, eager', true);
          note('generator parent');
          yield* sleep(1);
          note('generator parent');
        },
        { name: 'generator parent' },
      ),
    ];
    for (const parent of parents) await parent;
    await sleep(2);
    expect(seen).toHaveLength(21);
    for (const [where, name] of seen) expect(name).toBe(where);
  });
});

test('an async function called by a generator task belongs to no task once it went on by itself', async () => {
  await inLoop(async (loop) => {
    const future = loop.createFuture<number>();
    const helper = async (): Promise<number> => await future;
    const made: Promise<number>[] = [];
    const parent = loop.createTask(async () => {
      const child = loop.createTask(function* () {
        made.push(helper());
        yield* sleep(60_000);
      });
      await sleep(1);
      child.cancel();
      await child.then(null, () => undefined);
    });
    await parent;
    expect(future.done()).toBe(false);
    future.setResult(4);
    expect(await made[0]).toBe(4);
  });
});

test('what outlives a task sees none', async () => {
  await inLoop(async (loop) => {
    let seen: unknown;
    const task = loop.createTask(async () => {
      void (async () => {
        await nodeTurn();
        await nodeTurn();
        seen = currentTask();
      })();
    });
    await task;
    await nodeTurn();
    await nodeTurn();
    await nodeTurn();
    await soon(loop);
    expect(seen).toBeNull();
  });
});

test('createTask runs on the loop that runs', async () => {
  await inLoop(async (loop) => {
    const task = createTask(async () => currentTask()?.name, { name: 'mine' });
    expect(loop.allTasks()).toEqual(new Set([task]));
    expect(await task).toBe('mine');
    expect(loop.allTasks()).toEqual(new Set());
  });
});
