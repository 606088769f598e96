// C-90 to C-92: which async context runs where.
import { AsyncLocalStorage } from 'node:async_hooks';
import { describe, expect, test } from 'vitest';
import { LoopRemote } from '../../src/core/remote.js';
import { EventLoop } from '../../src/event-loop.js';
import type { Protocol } from '../../src/io/protocol.js';
import { listen } from '../../src/io/open.js';
import { currentTask } from '../../src/task/current.js';
import { sleep } from '../../src/task/sleep.js';
import type { Coroutine } from '../../src/task/task.js';
import { later, soon, withLoop } from '../support/loop.js';
import { netConnect, received, until } from '../support/net.js';

const HOST = '127.0.0.1';
const make = (options: object): EventLoop => new EventLoop(options);

test('C-90 a callback, a done callback and a task see the context of where they were made', async () => {
  await withLoop<EventLoop>(
    async (loop) => {
      const storage = new AsyncLocalStorage<number>();
      const seen: Record<string, unknown> = {};
      const future = loop.createFuture();
      storage.run(1, () => loop.callSoon(() => (seen.callSoon = storage.getStore())));
      storage.run(2, () => future.addDoneCallback(() => (seen.doneCallback = storage.getStore())));
      const tasks = storage.run(3, () => [
        loop.createTask(function* () {
          yield;
          seen.generator = storage.getStore();
          storage.enterWith(99);
          yield;
          seen.generatorLater = storage.getStore();
        }),
        loop.createTask(async () => {
          await sleep(0);
          seen.async = storage.getStore();
        }),
      ]);
      await storage.run(4, async () => {
        future.setResult();
        for (const task of tasks) await task;
        seen.outside = storage.getStore();
      });
      expect(seen).toEqual({
        callSoon: 1,
        doneCallback: 2,
        generator: 3,
        generatorLater: expect.any(Number),
        async: 3,
        outside: 4,
      });
    },
    { make },
  );
});

test('C-90 what a task sets does not leak into the next handle', async () => {
  await withLoop<EventLoop>(
    async (loop) => {
      const storage = new AsyncLocalStorage<number>();
      let leaked: unknown = 'not run';
      loop.createTask(function* () {
        storage.enterWith(99);
        yield;
      });
      loop.callSoon(() => (leaked = storage.getStore()));
      await soon(loop);
      expect(leaked).toBeUndefined();
    },
    { make },
  );
});

const failing: [string, Coroutine<unknown>][] = [
  [
    'generator',
    function* () {
      yield;
      throw new Error('in a task');
    },
  ],
  [
    'async function',
    async () => {
      await sleep(0);
      throw new Error('in a task');
    },
  ],
];

test('C-91 the exception handler runs in the context of what failed', async () => {
  await withLoop<EventLoop>(
    async (loop) => {
      const storage = new AsyncLocalStorage<string>();
      const seen: unknown[] = [];
      loop.setExceptionHandler((_loop, context) =>
        seen.push([(context.exception as Error).message, storage.getStore()]),
      );
      storage.run('callback', () =>
        loop.callSoon(() => {
          throw new Error('in a callback');
        }),
      );
      storage.run('timer', () =>
        loop.callLater(0, () => {
          throw new Error('in a timer');
        }),
      );
      for (const [form, coroutine] of failing) {
        storage.run(form, () => loop.spawnDetached(coroutine));
      }
      const future = loop.createFuture();
      storage.run('done callback', () =>
        future.addDoneCallback(() => {
          throw new Error('in a done callback');
        }),
      );
      storage.run('whoever sets it', () => future.setResult());
      await later(loop, 2);
      expect(seen.sort()).toEqual([
        ['in a callback', 'callback'],
        ['in a done callback', 'done callback'],
        ['in a task', 'async function'],
        ['in a task', 'generator'],
        ['in a timer', 'timer'],
      ]);
    },
    { make },
  );
});

test('C-92 cleaning up after a cancellation happens in the context of the task', async () => {
  await withLoop<EventLoop>(
    async (loop) => {
      const storage = new AsyncLocalStorage<string>();
      const seen: unknown[] = [];
      const tasks = storage.run('task', () => [
        loop.createTask(function* () {
          try {
            yield* sleep(60_000);
          } finally {
            seen.push(storage.getStore());
            yield* sleep(0);
            seen.push(storage.getStore());
          }
        }),
        loop.createTask(async (signal) => {
          signal.addEventListener('abort', () => seen.push(storage.getStore(), currentTask()));
          try {
            await sleep(60_000);
          } finally {
            seen.push(storage.getStore());
            await sleep(0);
            seen.push(storage.getStore());
          }
        }),
      ]);
      await soon(loop);
      await soon(loop);
      storage.run('canceller', () => {
        for (const task of tasks) task.cancel();
      });
      for (const task of tasks) await task.then(null, () => undefined);
      expect(seen).toEqual(['task', null, 'task', 'task', 'task', 'task']);
    },
    { make },
  );
});

describe('C-92 context capture: the value of where it was made is intact', () => {
  // What each construct sees that was made in a context of its own, and woken in another.
  type Construct = (loop: EventLoop, look: () => void) => unknown;
  const constructs: Record<string, Construct> = {
    'in callSoon()': (loop, look) => loop.callSoon(look),
    'in callSoonThreadsafe()': (loop, look) => loop.callSoonThreadsafe(look),
    'in callLater()': (loop, look) => loop.callLater(1, look),
    'in callAt()': (loop, look) => loop.callAt(loop.time(), look),
    'in a done callback': (loop, look) => {
      const future = loop.createFuture();
      future.addDoneCallback(look);
      new AsyncLocalStorage<number>().exit(() => future.setResult());
    },
    'in a generator task behind its wait': (loop, look) =>
      loop.createTask(function* () {
        yield* sleep(1);
        look();
      }),
    'in an async task behind its wait': (loop, look) =>
      loop.createTask(async () => {
        await sleep(1);
        look();
      }),
  };

  test.each(Object.keys(constructs))('%s', (name) =>
    withLoop<EventLoop>(
      async (loop) => {
        const storage = new AsyncLocalStorage<string>();
        const seen: unknown[] = [];
        storage.run('made', () => constructs[name]!(loop, () => seen.push(storage.getStore())));
        await storage.run('elsewhere', () => until('it runs', () => seen.length > 0));
        await soon(loop);
        expect(seen).toEqual(['made']);
        storage.disable();
      },
      { make },
    ),
  );

  test.each(['generator', 'async function'])('in the handler of a connection that is accepted: %s', (form) =>
    withLoop<EventLoop>(
      async () => {
        const storage = new AsyncLocalStorage<string>();
        const seen: unknown[] = [];
        const look = (): unknown => seen.push(storage.getStore());
        const handler =
          form === 'generator'
            ? function* () {
                yield* sleep(0);
                look();
              }
            : async () => {
                await sleep(0);
                look();
              };
        const server = await storage.run('made', async () => await listen(handler, { host: HOST }));
        await storage.run('elsewhere', async () => {
          const peer = await netConnect(server.port);
          await received(peer);
          peer.destroy();
        });
        await server.close();
        expect(seen).toEqual(['made']);
        storage.disable();
      },
      { make },
    ),
  );

  test('in every callback of a protocol', () =>
    withLoop<EventLoop>(
      async (loop) => {
        const storage = new AsyncLocalStorage<string>();
        const seen: Record<string, unknown> = {};
        const look = (name: string): void => void (seen[name] = storage.getStore());
        const factory = (): Protocol => {
          look('factory');
          return {
            connectionMade: () => look('connectionMade'),
            dataReceived: () => look('dataReceived'),
            eofReceived: () => {
              look('eofReceived');
              return false;
            },
            connectionLost: () => look('connectionLost'),
          };
        };
        const server = await storage.run(
          'made',
          async () => await loop.createServer(factory, { host: HOST }),
        );
        await storage.run('elsewhere', async () => {
          const peer = await netConnect(server.port);
          peer.end('hello');
          await until('connectionLost', () => 'connectionLost' in seen);
        });
        await server.close();
        expect(seen).toEqual({
          factory: 'made',
          connectionMade: 'made',
          dataReceived: 'made',
          eofReceived: 'made',
          connectionLost: 'made',
        });
        storage.disable();
      },
      { make },
    ));

  test('and what a thread posts, whose values cannot travel, has those of nobody', () =>
    withLoop<EventLoop>(
      async (loop) => {
        const storage = new AsyncLocalStorage<string>();
        const seen: unknown[] = [];
        const handle = loop.createRemote({ look: () => seen.push(storage.getStore()) });
        storage.run('elsewhere', () => new LoopRemote(handle).post('look'));
        await until('it runs', () => seen.length > 0);
        expect(seen).toEqual([undefined]);
        storage.disable();
      },
      { make },
    ));
});
