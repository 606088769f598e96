import { setTimeout as nodeTimeout } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { FatalError, InvalidStateError, LoopClosedError } from '../../src/base/errors.js';
import { EventLoop } from '../../src/event-loop.js';
import { sleep } from '../../src/task/sleep.js';
import { Task } from '../../src/task/task.js';
import { isCollected } from '../support/garbage.js';
import { soon, withIdleLoop, withLoop } from '../support/loop.js';

const make = (options: object): EventLoop => new EventLoop(options);
const idle = (body: (loop: EventLoop) => unknown): Promise<void> => withIdleLoop<EventLoop>(body, { make });
const running = (body: (loop: EventLoop) => unknown): Promise<void> => withLoop<EventLoop>(body, { make });

test('running() and current()', async () => {
  expect(EventLoop.current()).toBeUndefined();
  expect(() => EventLoop.running()).toThrow(InvalidStateError);
  await running(async (loop) => {
    expect(EventLoop.running()).toBe(loop);
    expect(EventLoop.current()).toBe(loop);
    const seen = await loop.createTask(function* () {
      yield;
      return EventLoop.running();
    });
    expect(seen === loop).toBe(true);
  });
  expect(EventLoop.current()).toBeUndefined();
});

test('runUntilComplete runs every kind of work', async () => {
  await idle(async (loop) => {
    const future = loop.createFuture<number>();
    loop.callSoon(() => future.setResult(4));
    expect([
      await loop.runUntilComplete(function* () {
        return yield* sleep(1, 1);
      }),
      await loop.runUntilComplete(async () => await sleep(1, 2)),
      await loop.runUntilComplete(
        (function* () {
          yield;
          return 3;
        })(),
      ),
      await loop.runUntilComplete(future),
      await loop.runUntilComplete(nodeTimeout(1, 5)),
    ]).toEqual([1, 2, 3, 4, 5]);
  });
});

test('runUntilComplete rejects with what was thrown', async () => {
  await idle(async (loop) => {
    const error = new Error('x');
    await expect(
      loop.runUntilComplete(async () => {
        throw error;
      }),
    ).rejects.toBe(error);
    await expect(
      loop.runUntilComplete(function* () {
        loop.allTasks().forEach((task) => task.cancel('r'));
        yield;
      }),
    ).rejects.toMatchObject({ name: 'CancelledError', reason: 'r' });
  });
});

test('runUntilComplete stops although other tasks go on', async () => {
  await idle(async (loop) => {
    const gate = loop.createFuture<string>();
    const other = loop.createTask(function* () {
      return yield* gate;
    });
    expect(await loop.runUntilComplete(async () => await sleep(1, 'first'))).toBe('first');
    expect([loop.isRunning(), other.done()]).toEqual([false, false]);
    gate.setResult('later');
    expect(await loop.runUntilComplete(other)).toBe('later');
  });
});

test('stop() before the end is an error, and the work can go on in another run', async () => {
  await idle(async (loop) => {
    const future = loop.createFuture<number>();
    loop.callSoon(() => loop.stop());
    await expect(loop.runUntilComplete(future)).rejects.toThrow('stopped before the future was done');
    loop.callSoon(() => future.setResult(1));
    expect(await loop.runUntilComplete(future)).toBe(1);
    // The stop of the first run must not end this one early.
    expect(await loop.runUntilComplete(async () => await sleep(2, 'through'))).toBe('through');
  });
});

test('a fatal error ends the run with it, once', async () => {
  await idle(async (loop) => {
    const error = new FatalError('fatal');
    await expect(
      loop.runUntilComplete(function* () {
        throw error;
      }),
    ).rejects.toBe(error);
    await expect(
      loop.runUntilComplete(async () => {
        await sleep(1);
        throw error;
      }),
    ).rejects.toBe(error);
    expect(await loop.runUntilComplete(async () => await sleep(2, 'through'))).toBe('through');
  });
});

test('a loop runs once at a time, and one per thread', async () => {
  await running(async (loop) => {
    expect(() => loop.runForever()).toThrow(InvalidStateError);
    const generator = (function* () {
      yield;
    })();
    expect(() => loop.runUntilComplete(generator)).toThrow(InvalidStateError);
    expect(generator.next().done).toBe(true);
    const other = new EventLoop();
    expect(() => other.runForever()).toThrow(InvalidStateError);
    other.close();
    expect(loop.isRunning()).toBe(true);
  });
});

test('a closed loop does nothing any more', async () => {
  const loop = new EventLoop();
  loop.close();
  expect(() => loop.createTask(async () => undefined)).toThrow(LoopClosedError);
  expect(() => loop.runForever()).toThrow(LoopClosedError);
  expect(() => loop.runUntilComplete(async () => undefined)).toThrow(LoopClosedError);
});

test('bad arguments', async () => {
  await idle((loop) => {
    const type = expect.objectContaining({ name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' });
    for (const value of [undefined, null, 5, {}, 'x']) {
      expect(() => loop.runUntilComplete(value as any)).toThrow(type);
      expect(() => loop.createTask(value as any)).toThrow(type);
      expect(() => loop.wrap(value as any)).toThrow(type);
      if (value !== null) expect(() => loop.setTaskFactory(value as any)).toThrow(type);
    }
    expect(() => loop.createTask(Promise.resolve() as any)).toThrow('a coroutine was expected');
    expect(loop.isRunning()).toBe(false);
  });
});

test('allTasks() is a copy of what is not done', async () => {
  await running(async (loop) => {
    const tasks = [1, 2, 3].map((delayMs) => loop.createTask(async () => await sleep(delayMs)));
    const all = loop.allTasks();
    expect(all).toEqual(new Set(tasks));
    expect(loop.statistics().tasks).toBe(3);
    for (const task of all) await task;
    expect(all.size).toBe(3);
    expect(loop.allTasks().size).toBe(0);
    expect(loop.statistics().tasks).toBe(0);
  });
});

test('a task that nobody holds goes on', async () => {
  await running(async (loop) => {
    let done = false;
    const reference = (() => {
      const inner = loop.createFuture();
      const task = loop.createTask(function* () {
        yield* inner;
        done = true;
      });
      return [new WeakRef(task), new WeakRef(inner)] as const;
    })();
    await soon(loop);
    expect(await isCollected(reference[0])).toBe(false);
    reference[1].deref()!.setResult();
    await soon(loop);
    await soon(loop);
    expect(done).toBe(true);
    expect(await isCollected(reference[0])).toBe(true);
  });
});

test('yield() is one turn, in both forms', async () => {
  await running(async (loop) => {
    const log: string[] = [];
    const tasks = ['a', 'b'].map((name) =>
      loop.createTask(function* () {
        for (let i = 0; i < 3; i++) {
          log.push(name);
          if (i === 1) yield;
          else yield* loop.yield();
        }
      }),
    );
    for (const task of tasks) await task;
    expect(log.join('')).toBe('ababab');
    const turns = await loop.createTask(async () => {
      const before = loop.statistics().turns;
      await loop.yield();
      return loop.statistics().turns - before;
    });
    expect(turns).toBe(1);
  });
});

test('errors of detached tasks reach the exception handler', async () => {
  await running(async (loop) => {
    const reports: unknown[] = [];
    loop.setExceptionHandler((_loop, context) => reports.push([context.message, context.exception]));
    const error = new Error('x');
    const tasks = [
      loop.spawnDetached(function* () {
        yield;
        throw error;
      }),
      loop.spawnDetached(async () => {
        throw error;
      }),
      loop.spawnDetached(async () => 'fine'),
      loop.spawnDetached(async () => await sleep(60_000)),
    ];
    await soon(loop);
    tasks[3]!.cancel();
    await sleep(1);
    expect(tasks.map((task) => task.done())).toEqual([true, true, true, true]);
    const report = ['Unhandled exception in a detached task', error];
    expect(reports).toEqual([report, report]);
  });
});

test('the task factory makes the tasks', async () => {
  await running(async (loop) => {
    class Mine<T> extends Task<T> {}
    loop.setTaskFactory((factoryLoop, coroutine, options) => new Mine(factoryLoop, coroutine, options));
    expect(loop.getTaskFactory()).not.toBeNull();
    const task = loop.createTask(async () => await sleep(1, 1));
    expect(task).toBeInstanceOf(Mine);
    expect(await task).toBe(1);
    loop.setTaskFactory(null);
    expect(loop.getTaskFactory()).toBeNull();
  });
});

test('tasks that are pending when the loop closes are reported', async () => {
  const loop = new EventLoop();
  const errors: unknown[] = [];
  loop.setExceptionHandler((_loop, context) => errors.push([context.message, context.task]));
  const task = loop.createTask(async () => await sleep(60_000));
  await loop.runUntilComplete(async () => await sleep(1));
  loop.close();
  loop.close();
  expect(errors).toHaveLength(1);
  expect((errors[0] as unknown[])[0]).toBe('Task was destroyed but it is pending!');
  expect((errors[0] as unknown[])[1] === task).toBe(true);
});

test('promises, nextTick and steps of async functions keep their order across handles', async () => {
  await running(async (loop) => {
    const log: string[] = [];
    const future = loop.createFuture();
    void loop.createTask(async () => {
      await future;
      log.push('task');
      await Promise.resolve();
      log.push('task, one job later');
    });
    await soon(loop);
    loop.callSoon(() => {
      log.push('callback 1');
      process.nextTick(() => log.push('tick'));
      void Promise.resolve().then(() => log.push('job'));
    });
    future.setResult();
    loop.callSoon(() => log.push('callback 2'));
    await soon(loop);
    expect(log).toEqual(['callback 1', 'tick', 'job', 'task', 'task, one job later', 'callback 2']);
  });
});
