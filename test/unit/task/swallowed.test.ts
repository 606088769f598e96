import { AsyncLocalStorage } from 'node:async_hooks';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { EventLoop, type SwallowedCancel } from '../../../src/event-loop.js';
import { currentTask } from '../../../src/task/current.js';
import { Future } from '../../../src/task/future.js';
import { shieldIn } from '../../../src/task/frame.js';
import { operate } from '../../../src/task/operation.js';
import { sleep } from '../../../src/task/sleep.js';
import type { Coroutine, Task } from '../../../src/task/task.js';
import { soon, withLoop } from '../../support/loop.js';

// Node's timer, which looks again a second later, is moved by hand; everything else goes on.
beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
});
afterEach(async () => {
  await vi.advanceTimersByTimeAsync(1000);
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
});

// `yield x` in a body stands for `yield* x` in a generator and `await x` in an async function.
type Body = () => Generator<PromiseLike<any> & Iterable<any>, unknown>;

const forms: Record<string, (body: Body) => Coroutine<unknown>> = {
  generator: (body) =>
    function* () {
      const generator = body();
      let step = generator.next();
      while (step.done !== true) {
        try {
          const value: unknown = yield* step.value;
          step = generator.next(value);
        } catch (error) {
          step = generator.throw(error);
        }
      }
      return step.value;
    },
  'async function': (body) => async () => {
    const generator = body();
    let step = generator.next();
    while (step.done !== true) {
      try {
        const value: unknown = await step.value;
        step = generator.next(value);
      } catch (error) {
        step = generator.throw(error);
      }
    }
    return step.value;
  },
};

const turns = async (loop: EventLoop): Promise<void> => {
  for (let i = 0; i < 10; i++) await soon(loop);
};

describe.each(Object.keys(forms))('%s', (form) => {
  // Cancels a task of this body once it waits; returns what the hook heard.
  async function heardOf(
    body: (loop: EventLoop) => Body,
    {
      after,
      debug = false,
    }: { after?: (loop: EventLoop, task: Task<unknown>) => unknown; debug?: boolean } = {},
  ): Promise<SwallowedCancel[]> {
    const heard: SwallowedCancel[] = [];
    await withLoop<EventLoop>(
      async (loop) => {
        loop.onSwallowedCancel = (info) => heard.push(info);
        const task = loop.createTask(forms[form]!(body(loop)), { name: 'swallower' });
        await turns(loop);
        task.cancel('why');
        await turns(loop);
        await after?.(loop, task);
        await turns(loop);
        if (task.done()) return;
        task.cancel();
        await task.then(null, () => undefined);
      },
      { debug, make: (options) => new EventLoop(options) },
    );
    return heard;
  }
  const never = (loop: EventLoop): Future<void> => loop.createFuture();
  const passSecond = (): Promise<unknown> => vi.advanceTimersByTimeAsync(1000);

  test('swallow detection: who catches it, waits again and returns a value is told of, once', async () => {
    const heard = await heardOf(
      (loop) =>
        function* () {
          try {
            yield never(loop);
          } catch {
            yield sleep(0);
            yield sleep(0);
          }
          return 'value';
        },
    );
    expect(heard).toEqual([{ task: expect.objectContaining({ name: 'swallower' }), reason: 'why' }]);
  });

  test('swallow detection: who catches it and still waits a second later is told of, once', async () => {
    const counts: number[] = [];
    const heard = await heardOf(
      (loop) =>
        function* () {
          try {
            yield never(loop);
          } catch {
            yield never(loop);
          }
        },
      {
        after: async (loop) => {
          const hook = loop.onSwallowedCancel!;
          let count = 0;
          loop.onSwallowedCancel = (info) => {
            count++;
            hook(info);
          };
          for (const ms of [999, 1, 5000]) {
            await vi.advanceTimersByTimeAsync(ms);
            counts.push(count);
          }
        },
      },
    );
    expect(counts).toEqual([0, 1, 1]);
    expect(heard).toHaveLength(1);
  });

  test('swallow detection: in debug mode the hook is told the line that waits again', async () => {
    const [info] = await heardOf(
      (loop) =>
        function* () {
          try {
            yield never(loop);
          } catch {
            yield sleep(1);
          }
        },
      { debug: true, after: (_loop, task) => task },
    );
    expect(info!.site).toContain('swallowed.test.ts');
  });

  test('a finally that waits is not accused, nor a catch that throws on', async () => {
    const heard = await heardOf(
      (loop) =>
        function* () {
          try {
            yield never(loop);
          } catch (error) {
            yield sleep(0);
            throw error;
          } finally {
            yield sleep(0);
          }
        },
    );
    expect(heard).toEqual([]);
  });

  test('who catches it and returns without waiting is not accused', async () => {
    const heard = await heardOf(
      (loop) =>
        function* () {
          try {
            yield never(loop);
          } catch {
            return 'value';
          }
          return undefined;
        },
    );
    expect(heard).toEqual([]);
  });

  test('who takes it back with uncancel() is not accused, however late', async () => {
    const heard = await heardOf(
      (loop) =>
        function* () {
          const task = currentTask()!;
          try {
            yield never(loop);
          } catch {
            yield sleep(0);
            task.uncancel();
          }
          yield sleep(1);
          return 'value';
        },
      { after: passSecond },
    );
    expect(heard).toEqual([]);
  });

  test('who fails while it cleans up is not accused', async () => {
    await withLoop<EventLoop>(
      async (loop) => {
        const heard: unknown[] = [];
        loop.onSwallowedCancel = (info) => heard.push(info);
        const task = loop.createTask(
          forms[form]!(function* () {
            try {
              yield never(loop);
            } finally {
              yield sleep(0);
              // eslint-disable-next-line no-unsafe-finally -- that is what is tested
              throw new Error('while cleaning up');
            }
          }),
        );
        await turns(loop);
        task.cancel();
        await expect(task.toPromise()).rejects.toThrow('while cleaning up');
        expect(heard).toEqual([]);
      },
      { make: (options) => new EventLoop(options) },
    );
  });

  test('a task whose inner task swallowed it never saw it', async () => {
    const heard = await heardOf(
      (loop) =>
        function* () {
          const inner = loop.createTask(
            forms[form]!(function* () {
              try {
                yield never(loop);
              } catch {
                return 'part';
              }
              return undefined;
            }),
          );
          const part: unknown = yield inner;
          yield sleep(0);
          return part;
        },
    );
    expect(heard).toEqual([]);
  });

  test('a wait in a shield is cleaning up, and so is one that the library needs', async () => {
    const heard = await heardOf(
      (loop) =>
        function* () {
          try {
            yield never(loop);
          } catch {
            yield operate(
              loop,
              (function* () {
                const task = currentTask()!;
                const { _frame } = task;
                task._frame = shieldIn(_frame);
                yield* sleep(1);
                task._frame = _frame;
              })(),
            );
            yield Object.assign(sleep(1), { _isCleanup: true });
            return 'value';
          }
          return undefined;
        },
    );
    expect(heard).toEqual([]);
  });
});

const swallowing = (loop: EventLoop): Task<unknown> =>
  loop.createTask(
    function* () {
      try {
        yield* new Future(loop);
      } catch {
        yield* sleep(0);
      }
    },
    { name: 'swallower' },
  );

test('a hook that throws is reported', async () => {
  await withLoop<EventLoop>(
    async (loop) => {
      const reports: unknown[] = [];
      loop.setExceptionHandler((_loop, context) => reports.push(context.message));
      loop.onSwallowedCancel = () => {
        throw new Error('in the hook');
      };
      const task = swallowing(loop);
      await turns(loop);
      task.cancel();
      await task;
      expect(reports).toEqual(['Exception in onSwallowedCancel']);
    },
    { make: (options) => new EventLoop(options) },
  );
});

test('the hook runs in the context of the task', async () => {
  const storage = new AsyncLocalStorage<string>();
  await withLoop<EventLoop>(
    async (loop) => {
      const seen: unknown[] = [];
      loop.onSwallowedCancel = () => seen.push(storage.getStore());
      const task = storage.run('task', () => swallowing(loop));
      await turns(loop);
      storage.run('canceller', () => task.cancel());
      await task;
      expect(seen).toEqual(['task']);
    },
    { make: (options) => new EventLoop(options) },
  );
  storage.disable();
});

test.each([
  [false, []],
  [true, [expect.stringContaining("<Task 'swallower' cancelling> was cancelled, waited again")]],
])('without a hook it is a warning of the process, in debug mode (%s) a report', async (debug, reported) => {
  const warned = vi.spyOn(process, 'emitWarning').mockReturnValue();
  const reports: string[] = [];
  await withLoop<EventLoop>(
    async (loop) => {
      loop.setExceptionHandler((_loop, context) => reports.push(context.message));
      const task = swallowing(loop);
      await turns(loop);
      task.cancel();
      await task;
    },
    { debug, make: (options) => new EventLoop(options) },
  );
  expect(reports).toEqual(reported);
  const warnings = warned.mock.calls as unknown[][];
  expect(warnings).toEqual(
    debug ? [] : [[expect.stringContaining('ended with a value'), { code: 'EVLOOP_SWALLOWED_CANCEL' }]],
  );
  vi.restoreAllMocks();
});

test('a task that its loop was closed with is told of by nobody but the loop', async () => {
  const reports: string[] = [];
  const loop = new EventLoop();
  loop.setExceptionHandler((_loop, context) => reports.push(context.message));
  loop.onSwallowedCancel = () => expect.fail('told of');
  await loop.runUntilComplete(async () => {
    const task = loop.createTask(function* () {
      try {
        yield* new Future(loop);
      } catch {
        yield* new Future(loop);
      }
    });
    await sleep(0);
    task.cancel();
    await sleep(0);
    await sleep(0);
  });
  loop.close();
  await vi.advanceTimersByTimeAsync(2000);
  expect(reports).toEqual(['Task was destroyed but it is pending!']);
  expect(vi.getTimerCount()).toBe(0);
});
