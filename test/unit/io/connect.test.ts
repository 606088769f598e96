import { AsyncLocalStorage } from 'node:async_hooks';
import { once } from 'node:events';
import net from 'node:net';
import { describe, expect, test } from 'vitest';
import { CancelledError, InvalidStateError } from '../../../src/base/errors.js';
import { EventLoop } from '../../../src/event-loop.js';
import { connect, listen } from '../../../src/io/open.js';
import type { ConnectOptions } from '../../../src/io/connect-options.js';
import type { Stream } from '../../../src/io/stream.js';
import type { Future } from '../../../src/task/future.js';
import type { Task } from '../../../src/task/task.js';
import { nodeTurn, soon } from '../../support/loop.js';
import { abi } from '../../../src/native/abi.js';
import { NetServer, descriptorCount, until, withEventLoop } from '../../support/net.js';

/** A port of 127.0.0.1 that nobody listens on. */
async function closedPort(): Promise<number> {
  const server = await NetServer.open();
  const { port } = server;
  await server.close();
  return port;
}

/**
 * A listener whose backlog is full: further connects to it stay in progress, because the kernel drops
 * their SYN.
 */
async function deafListener(loop: EventLoop): Promise<{ port: number; close: () => Promise<void> }> {
  const index = loop._native.listen('127.0.0.1', 0, 0, 0, 1);
  const generation = loop._rings.control[abi.CTL_RESULT_GENERATION]!;
  const address = loop._native.address(index, generation, false);
  if (typeof address === 'number') throw new Error('no address');
  const port = address[2];
  const fillers = Array.from({ length: 2 }, () =>
    net.connect(port, '127.0.0.1').on('error', () => undefined),
  );
  await Promise.all(fillers.map(async (filler) => await once(filler, 'connect')));
  return {
    port,
    close: async () => {
      for (const filler of fillers) filler.destroy();
      loop._rings.submit(abi.OP_RESET, index, generation, 0, 0);
      await soon(loop);
    },
  };
}

async function errorOf(work: PromiseLike<unknown>): Promise<NodeJS.ErrnoException & Record<string, unknown>> {
  try {
    await work;
  } catch (error) {
    return error as NodeJS.ErrnoException & Record<string, unknown>;
  }
  throw new Error('It did not fail');
}

describe('connect()', () => {
  test('gives a stream, in both forms', () =>
    withEventLoop(async (loop) => {
      const server = await NetServer.open();
      const { port } = server;
      const streams = [
        await loop.createTask(function* () {
          return yield* connect({ host: '127.0.0.1', port });
        }),
        await loop.createTask(async () => await connect({ host: '127.0.0.1', port })),
        await connect({ host: '127.0.0.1', port }),
      ];
      for (const stream of streams) {
        expect(stream.info.peer).toEqual({ family: 'IPv4', address: '127.0.0.1', port });
        await stream.close();
      }
      await server.close();
    }));

  test('over IPv6', () =>
    withEventLoop(async () => {
      const server = await NetServer.open({}, '::1');
      const stream = await connect({ host: '::1', port: server.port });
      expect(stream.info.peer).toEqual({ family: 'IPv6', address: '::1', port: server.port });
      expect(stream.info.local).toMatchObject({ family: 'IPv6', address: '::1' });
      await stream.close();
      await server.close();
    }));

  test('to localhost by default, trying one address after the other', () =>
    withEventLoop(async () => {
      // Only one of the addresses that localhost may have.
      const server = await NetServer.open();
      const stream = await connect({ port: server.port });
      expect(stream.info.peer?.port).toBe(server.port);
      await stream.close();
      await server.close();
    }));

  test('fails with ECONNREFUSED where nobody listens, and leaves nothing open', () =>
    withEventLoop(async (loop) => {
      const port = await closedPort();
      const before = descriptorCount();
      const error = await errorOf(connect({ host: '127.0.0.1', port }));
      expect(error).toMatchObject({
        name: 'SystemError',
        code: 'ECONNREFUSED',
        syscall: 'connect',
        address: '127.0.0.1',
        port,
      });
      await until('the descriptor is closed', () => descriptorCount() === before);
      expect(loop.statistics().references).toBe(0);
    }));

  test('combines the errors of several addresses', () =>
    withEventLoop(async () => {
      const port = await closedPort();
      const error = await errorOf(connect({ host: 'localhost', port }));
      expect(error.code).toBe('ECONNREFUSED');
      if (error instanceof AggregateError) {
        expect(error.errors.every((one: NodeJS.ErrnoException) => one.code === 'ECONNREFUSED')).toBe(true);
      }
    }));

  test('fails where the name is unknown', () =>
    withEventLoop(async (loop) => {
      const error = await errorOf(connect({ host: 'no-such-host.invalid', port: 1 }));
      expect(error.code).toMatch(/ENOTFOUND|EAI_AGAIN/);
      expect(loop.statistics().references).toBe(0);
    }));

  test('cancelled while the name is looked up leaves nothing behind', () =>
    withEventLoop(async (loop) => {
      const server = await NetServer.open();
      const task = loop.createTask(async () => await connect({ host: 'localhost', port: server.port }));
      await soon(loop);
      task.cancel();
      await expect(task.toPromise()).rejects.toThrow(CancelledError);
      const failing = connect({ host: 'no-such-host.invalid', port: 1 });
      failing.cancel();
      // The lookups end some time later, and nobody hears of them.
      await new Promise((resolve) => setTimeout(resolve, 20));
      expect(server.sockets.length).toBe(0);
      expect(loop.statistics().sockets).toBe(0);
      await server.close();
    }));

  test.each(['generator', 'async'])('cancelled in progress by a task in %s form closes the socket', (form) =>
    withEventLoop(async (loop) => {
      const deaf = await deafListener(loop);
      const before = descriptorCount();
      const { port } = deaf;
      const task =
        form === 'async'
          ? loop.createTask(async () => await connect({ host: '127.0.0.1', port }))
          : loop.createTask(function* () {
              return yield* connect({ host: '127.0.0.1', port });
            });
      await soon(loop);
      await soon(loop);
      expect(descriptorCount()).toBe(before + 1);
      expect(loop.statistics().references).toBeGreaterThan(0);
      task.cancel();
      await expect(task.toPromise()).rejects.toThrow(CancelledError);
      await until('the descriptor is closed', () => descriptorCount() === before);
      expect(loop.statistics().references).toBe(0);
      await deaf.close();
    }),
  );

  test.each(['generator', 'async'])(
    'cancelled between its end and the next step of a task in %s form',
    (form) =>
      withEventLoop(async (loop) => {
        const server = await NetServer.open();
        const begin = (): Future<Stream> => {
          const future = connect({ host: '127.0.0.1', port: server.port });
          const settle = future._settle.bind(future);
          future._settle = (state, value) => {
            settle(state, value);
            task.cancel();
          };
          return future;
        };
        const task: Task<Stream> =
          form === 'async'
            ? loop.createTask(async () => await begin())
            : loop.createTask(function* () {
                return yield* begin();
              });
        await expect(task.toPromise()).rejects.toThrow(CancelledError);
        await until('the socket is closed', () => loop.statistics().sockets === 0);
        expect(loop.statistics().references).toBe(0);
        await server.close();
      }),
  );

  test('can be cancelled by itself', () =>
    withEventLoop(async (loop) => {
      const deaf = await deafListener(loop);
      const future = connect({ host: '127.0.0.1', port: deaf.port });
      expect(future.cancel('too slow')).toBe(true);
      expect(await errorOf(future)).toMatchObject({ name: 'CancelledError', reason: 'too slow' });
      await deaf.close();
    }));

  test('is refused without a running loop', () => {
    expect(() => connect({ port: 1 })).toThrow(InvalidStateError);
  });

  test('refuses bad options before anything is opened', () =>
    withEventLoop((loop) => {
      const anything = connect as unknown as (options: unknown) => unknown;
      const wrongTypes: unknown[] = [
        undefined,
        null,
        'localhost:80',
        [],
        { host: 'localhost' },
        { port: '80' },
        { port: 80, host: 1 },
        { port: 80, noDelay: 'yes' },
        { port: 80, limit: '1' },
        { port: 80, highWaterMark: '1' },
        { port: 80, lowWaterMark: null },
      ];
      const outOfRange: unknown[] = [
        { port: 0 },
        { port: 65_536 },
        { port: 1.5 },
        { port: 80, limit: 0 },
        { port: 80, highWaterMark: -1 },
        { port: 80, highWaterMark: 10, lowWaterMark: 11 },
      ];
      for (const options of wrongTypes) {
        expect(() => anything(options), JSON.stringify(options)).toThrow(
          expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' }),
        );
      }
      for (const options of outOfRange) {
        expect(() => anything(options), JSON.stringify(options)).toThrow(
          expect.objectContaining({ code: 'ERR_OUT_OF_RANGE' }),
        );
      }
      expect(loop.statistics().sockets).toBe(0);
    }));

  test('many at once', () =>
    withEventLoop(async () => {
      const server = await NetServer.open();
      const streams = await Promise.all(
        Array.from({ length: 200 }, async () => await connect({ host: '127.0.0.1', port: server.port })),
      );
      const ports = new Set(streams.map((stream) => stream.info.local?.port));
      expect(ports.size).toBe(200);
      await Promise.all(streams.map(async (stream) => await stream.close()));
      await server.close();
    }));

  test('keeps the async context of the task', () =>
    withEventLoop(async (loop) => {
      const server = await NetServer.open();
      const storage = new AsyncLocalStorage<string>();
      const seen = await storage.run('mine', () =>
        loop.createTask(async () => {
          const stream = await connect({ host: '127.0.0.1', port: server.port });
          await stream.close();
          return storage.getStore();
        }),
      );
      expect(seen).toBe('mine');
      await server.close();
    }));
});

describe('Nagle', () => {
  test.each([undefined, true, false])('noDelay %s is taken', (noDelay) =>
    withEventLoop(async () => {
      const server = await listen(
        async (stream) => {
          stream.write(await stream.read());
        },
        { host: '127.0.0.1', ...(noDelay === undefined ? {} : { noDelay }) },
      );
      const options: ConnectOptions = { host: '127.0.0.1', port: server.port };
      const stream = await connect(noDelay === undefined ? options : { ...options, noDelay });
      stream.write('ping');
      expect(String(await stream.read())).toBe('ping');
      await stream.close();
      await server.close();
    }),
  );
});

test('a connect that is under way when its loop closes is forgotten', async () => {
  const before = descriptorCount();
  const loop = new EventLoop();
  const server = await NetServer.open();
  let future: PromiseLike<unknown> | undefined;
  await loop.runUntilComplete(async () => {
    future = connect({ host: '127.0.0.1', port: server.port });
    void connect({ host: 'localhost', port: server.port });
    await Promise.resolve();
  });
  loop.close();
  expect(future).toBeDefined();
  await server.close();
  for (let turn = 0; turn < 10; turn++) await nodeTurn();
  await new Promise((resolve) => setTimeout(resolve, 10));
  expect(descriptorCount()).toBeLessThanOrEqual(before);
});
