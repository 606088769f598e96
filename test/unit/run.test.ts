import { AsyncLocalStorage, AsyncResource } from 'node:async_hooks';
import { expect, test } from 'vitest';
import { EventLoop } from '../../src/event-loop.js';
import { run, Runner } from '../../src/run.js';
import { createTask } from '../../src/task/current.js';
import { sleep } from '../../src/task/sleep.js';

test('runs every kind of coroutine and closes the loop', async () => {
  const loops: EventLoop[] = [];
  const loopFactory = (options: object): EventLoop => {
    const loop = new EventLoop(options);
    loops.push(loop);
    return loop;
  };
  const inGenerator = await run(
    function* () {
      return yield* sleep(1, 'generator');
    },
    { loopFactory },
  );
  const inAsync = await run(async () => await sleep(1, 'async'), { loopFactory });
  expect([inGenerator, inAsync]).toEqual(['generator', 'async']);
  expect(loops.map((loop) => loop.isClosed())).toEqual([true, true]);
  expect(EventLoop.current()).toBeUndefined();
});

test('rejects with what main threw, behind the cleaning up', async () => {
  const log: string[] = [];
  const error = new Error('x');
  await expect(
    run(async () => {
      createTask(async () => {
        try {
          await sleep(60_000);
        } finally {
          log.push('cleaned');
        }
      });
      await sleep(1);
      throw error;
    }),
  ).rejects.toBe(error);
  expect(log).toEqual(['cleaned']);
});

test('what is left is cancelled and awaited, also what it makes while it cleans up', async () => {
  const log: string[] = [];
  const value = await run(function* () {
    createTask(function* () {
      try {
        yield* sleep(60_000);
      } finally {
        createTask(async () => {
          try {
            log.push('second begins');
            await sleep(60_000);
          } finally {
            await sleep(2);
            log.push('second cleaned');
          }
        });
        yield* sleep(1);
        log.push('first cleaned');
      }
    });
    yield;
    return 'main';
  });
  expect(value).toBe('main');
  expect(log).toEqual(['second begins', 'first cleaned', 'second cleaned']);
});

test('an error while cleaning up is reported, and does not replace the result', async () => {
  const reports: unknown[] = [];
  const loopFactory = (options: object): EventLoop => {
    const loop = new EventLoop(options);
    loop.setExceptionHandler((_loop, context) => reports.push([context.message, context.exception]));
    return loop;
  };
  const error = new Error('while cleaning up');
  const value = await run(
    async () => {
      createTask(async () => {
        try {
          await sleep(60_000);
        } finally {
          // eslint-disable-next-line no-unsafe-finally -- that is what is tested
          throw error;
        }
      });
      return await sleep(1, 'fine');
    },
    { loopFactory },
  );
  expect(value).toBe('fine');
  expect(reports).toEqual([['unhandled exception during run() shutdown', error]]);
});

test('run() within a running loop throws and closes the coroutine', async () => {
  await run(async () => {
    const generator = (function* () {
      yield;
    })();
    expect(() => run(generator)).toThrow(expect.objectContaining({ code: 'ERR_INVALID_STATE' }));
    expect(generator.next().done).toBe(true);
  });
});

test('bad arguments', () => {
  const type = expect.objectContaining({ name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' });
  for (const main of [undefined, 5, Promise.resolve()]) expect(() => run(main as any)).toThrow(type);
  const main = async (): Promise<void> => undefined;
  for (const options of [5, { debug: 'yes' }, { loopFactory: 5 }, { graceMs: '5' }]) {
    expect(() => run(main, options as any)).toThrow(type);
  }
  for (const made of [undefined, null, 5, {}]) {
    expect(() => run(main, { loopFactory: () => made as never })).toThrow(
      expect.objectContaining({ name: 'TypeError', code: 'ERR_INVALID_RETURN_VALUE' }),
    );
  }
  expect(() => run(main, { graceMs: -1 })).toThrow(expect.objectContaining({ code: 'ERR_OUT_OF_RANGE' }));
  expect(EventLoop.current()).toBeUndefined();
});

test('option debug', async () => {
  expect(await run(async () => EventLoop.running().debug, { debug: true })).toBe(true);
  expect(await run(async () => EventLoop.running().debug, { debug: false })).toBe(false);
});

test('a runner runs several coroutines on one loop', async () => {
  const runner = new Runner();
  const { loop } = runner;
  expect(await runner.run(async () => EventLoop.running() === loop)).toBe(true);
  expect(
    await runner.run(function* () {
      yield;
      return EventLoop.running() === loop;
    }),
  ).toBe(true);
  await expect(
    runner.run(async () => {
      throw new Error('x');
    }),
  ).rejects.toThrow('x');
  expect(loop.isClosed()).toBe(false);
  await runner[Symbol.asyncDispose]();
  await runner.close();
  expect(loop.isClosed()).toBe(true);
  expect(() => runner.run(async () => undefined)).toThrow(
    expect.objectContaining({ code: 'ERR_INVALID_STATE' }),
  );
  expect(() => runner.loop).toThrow(expect.objectContaining({ code: 'ERR_INVALID_STATE' }));
});

test.each(['generator', 'async function'])(
  'a runner runs the coroutine in the context it is given, or in that of the call: %s',
  async (form) => {
    const storage = new AsyncLocalStorage<string>();
    const read =
      form === 'generator'
        ? function* () {
            yield* sleep(0);
            return storage.getStore();
          }
        : async () => {
            await sleep(0);
            return storage.getStore();
          };
    await using runner = new Runner();
    const context = storage.run('chosen', () => new AsyncResource('TEST'));
    expect(await storage.run('current', () => runner.run(read, { context }))).toBe('chosen');
    expect(await storage.run('current', () => runner.run(read))).toBe('current');
    expect(await runner.run(read)).toBeUndefined();
    storage.disable();
  },
);

test('a runner whose coroutine runs cannot be closed, and goes on', async () => {
  const runner = new Runner();
  const value = await runner.run(async () => {
    expect(() => runner.close()).toThrow(expect.objectContaining({ code: 'ERR_INVALID_STATE' }));
    return await sleep(1, 'value');
  });
  expect(value).toBe('value');
  await runner.close();
});

test('whoever closes a runner twice waits for the same', async () => {
  const log: string[] = [];
  const runner = new Runner();
  await runner.run(async () => {
    createTask(async () => {
      try {
        await sleep(60_000);
      } finally {
        await sleep(1);
        log.push('cleaned up');
      }
    });
    await sleep(0);
  });
  void runner.close();
  await runner.close();
  expect(log).toEqual(['cleaned up']);
});

test('the loop of a runner that was never used is never made', async () => {
  let made = 0;
  const runner = new Runner({
    loopFactory: (options) => {
      made++;
      return new EventLoop(options);
    },
  });
  await runner.close();
  expect(made).toBe(0);
});
