import { AsyncLocalStorage } from 'node:async_hooks';
import { once } from 'node:events';
import net from 'node:net';
import { constants } from 'node:os';
import { inspect } from 'node:util';
import { describe, expect, test } from 'vitest';
import { CancelledError, InvalidStateError } from '../../../src/base/errors.js';
import type { ExceptionContext } from '../../../src/core/exception.js';
import type { EventLoop } from '../../../src/event-loop.js';
import { connect, listen } from '../../../src/io/open.js';
import type { ConnectionHandler, Server } from '../../../src/io/server.js';
import type { Stream } from '../../../src/io/stream.js';
import type { NativeLoop } from '../../../src/native/binding.js';
import { sleep } from '../../../src/task/sleep.js';
import { nodeTurn, soon } from '../../support/loop.js';
import { NetServer, descriptorCount, netConnect, received, until, withEventLoop } from '../../support/net.js';

const HOST = '127.0.0.1';

function* echo(stream: Stream): Generator<unknown, void> {
  for (;;) {
    const chunk = yield* stream.read();
    if (chunk.length === 0) return;
    stream.write(chunk);
    yield* stream.drain();
  }
}

async function errorOf(work: PromiseLike<unknown>): Promise<NodeJS.ErrnoException> {
  try {
    await work;
  } catch (error) {
    return error as NodeJS.ErrnoException;
  }
  throw new Error('It did not fail');
}

/** Keeps what reaches the exception handler. */
function catchReports(loop: EventLoop): ExceptionContext[] {
  const reports: ExceptionContext[] = [];
  loop.setExceptionHandler((_, context) => reports.push(context));
  return reports;
}

function isDone(waiting: PromiseLike<unknown>): () => boolean {
  let done = false;
  void waiting.then(() => (done = true));
  return () => done;
}

describe('listen()', () => {
  test.each([
    ['a generator function', echo],
    [
      'an async function',
      async (stream: Stream) => {
        for await (const chunk of stream) {
          stream.write(chunk);
          await stream.drain();
        }
      },
    ],
    ['a function that returns a generator', (stream: Stream) => echo(stream)],
  ] as [string, ConnectionHandler][])('serves each connection with %s', (_name, handler) =>
    withEventLoop(async () => {
      const server = await listen(handler, { host: HOST });
      const peers = await Promise.all(Array.from({ length: 5 }, () => netConnect(server.port)));
      expect(server.connectionCount).toBeLessThanOrEqual(5);
      const answers = peers.map(async (peer) => await received(peer));
      peers.forEach((peer, i) => peer.end(`hello ${String(i)}`));
      expect((await Promise.all(answers)).map(String)).toEqual(peers.map((_, i) => `hello ${String(i)}`));
      await until('all are gone', () => server.connectionCount === 0);
      await server.close();
    }),
  );

  test('on port 0 picks a free one', () =>
    withEventLoop(async () => {
      const servers = await Promise.all([1, 2, 3].map(async () => await listen(echo, { host: HOST })));
      expect(new Set(servers.map((server) => server.port)).size).toBe(3);
      for (const server of servers) {
        expect(server.addresses).toEqual([{ family: 'IPv4', address: HOST, port: server.port }]);
        (await netConnect(server.port)).destroy();
        await server.close();
        expect(server.addresses.length).toBe(1);
      }
    }));

  test('C-89 without a host serves IPv4 and IPv6 on one port', () =>
    withEventLoop(async () => {
      const server = await listen(echo);
      expect(server.addresses).toEqual([
        { family: 'IPv4', address: '0.0.0.0', port: server.port },
        { family: 'IPv6', address: '::', port: server.port },
      ]);
      for (const host of [HOST, '::1']) {
        const peer = await netConnect(server.port, host);
        peer.end(host);
        expect(String(await received(peer))).toBe(host);
      }
      await server.close();
    }));

  test('C-89 tries another port when the one it was given is taken on the other family', () =>
    withEventLoop(async (loop) => {
      const ports: number[] = [];
      replaceListen(loop, (listenOn, host, ...rest) => {
        if (host !== '::' || ports.push(rest[0]) > 3) return listenOn(host, ...rest);
        return -constants.errno.EADDRINUSE;
      });
      const before = descriptorCount();
      const server = await listen(echo);
      expect(new Set(ports).size).toBe(4);
      expect(server.addresses.map(({ port }) => port)).toEqual([ports[3], ports[3]]);
      await until('the failed ones are closed', () => descriptorCount() === before + 2);
      await server.close();
    }));

  test('an address that this machine lacks is left out where there are others', () =>
    withEventLoop(async (loop) => {
      const missing = -constants.errno.EAFNOSUPPORT;
      replaceListen(loop, (listenOn, host, ...rest) => (host === '::' ? missing : listenOn(host, ...rest)));
      const server = await listen(echo);
      expect(server.addresses.map(({ address }) => address)).toEqual(['0.0.0.0']);
      await server.close();
      replaceListen(loop, () => missing);
      expect((await errorOf(listen(echo))).code).toBe('EAFNOSUPPORT');
    }));

  test('on a name serves what it stands for', () =>
    withEventLoop(async () => {
      const server = await listen(echo, { host: 'localhost' });
      for (const { address } of server.addresses) {
        const peer = await netConnect(server.port, address);
        peer.end('hello');
        expect(String(await received(peer))).toBe('hello');
      }
      expect(server.addresses.length).toBeGreaterThan(0);
      await server.close();
    }));

  test('fails with EADDRINUSE on a port that is taken, and leaves nothing open', () =>
    withEventLoop(async (loop) => {
      const other = await NetServer.open();
      const before = descriptorCount();
      const error = await errorOf(listen(echo, { host: HOST, port: other.port }));
      expect(error).toMatchObject({ code: 'EADDRINUSE', syscall: 'listen', address: HOST, port: other.port });
      // The first of two addresses was free.
      const six = await NetServer.open({}, '::1');
      expect((await errorOf(listen(echo, { port: six.port }))).code).toBe('EADDRINUSE');
      await six.close();
      await soon(loop);
      await until('nothing is left', () => descriptorCount() === before);
      expect(loop.statistics().references).toBe(0);
      await other.close();
    }));

  test('fails with EADDRNOTAVAIL on an address of somebody else', () =>
    withEventLoop(async () => {
      expect((await errorOf(listen(echo, { host: '192.0.2.1' }))).code).toBe('EADDRNOTAVAIL');
    }));

  test('fails on a name that nobody knows', () =>
    withEventLoop(async () => {
      expect((await errorOf(listen(echo, { host: 'no-such-host.invalid' }))).code).toMatch(
        /ENOTFOUND|EAI_AGAIN/,
      );
    }));

  test('with reusePort shares a port', () =>
    withEventLoop(async () => {
      const first = await listen(echo, { host: HOST, reusePort: true });
      const second = await listen(echo, { host: HOST, port: first.port, reusePort: true });
      const peers = await Promise.all(Array.from({ length: 40 }, () => netConnect(first.port)));
      await until('all are served', () => first.connectionCount + second.connectionCount === 40);
      for (const peer of peers) peer.destroy();
      await first.close();
      await second.close();
    }));

  test('listens again at once on the port of a server that was closed', () =>
    withEventLoop(async () => {
      // Somebody else of this machine may take the port in between, but not every time.
      for (let attempts = 10; ; attempts--) {
        const first = await listen(echo, { host: HOST });
        const peer = await netConnect(first.port);
        await until('it is served', () => first.connectionCount === 1);
        first.closeClients();
        await first.close();
        try {
          const second = await listen(echo, { host: HOST, port: first.port });
          await second.close();
          return;
        } catch (error) {
          if (attempts === 1) throw error;
        } finally {
          peer.destroy();
        }
      }
    }));

  test('cancelled before its task goes on closes the server', () =>
    withEventLoop(async (loop) => {
      const before = descriptorCount();
      for (const form of ['generator', 'async']) {
        const task =
          form === 'async'
            ? loop.createTask(async () => {
                task.cancel();
                await listen(echo, { host: HOST });
              })
            : loop.createTask(function* () {
                task.cancel();
                yield* listen(echo, { host: HOST });
              });
        await expect(task.toPromise()).rejects.toThrow(CancelledError);
      }
      await soon(loop);
      await until('the sockets are closed', () => descriptorCount() <= before);
    }));

  test('is refused without a running loop', () => {
    expect(() => listen(echo)).toThrow(InvalidStateError);
  });

  test('refuses bad arguments before anything is opened', () =>
    withEventLoop((loop) => {
      const anything = listen as unknown as (handler: unknown, options?: unknown) => unknown;
      const cases: [unknown[], string][] = [
        [[], 'ERR_INVALID_ARG_TYPE'],
        [[{}], 'ERR_INVALID_ARG_TYPE'],
        [[echo, null], 'ERR_INVALID_ARG_TYPE'],
        [[echo, 80], 'ERR_INVALID_ARG_TYPE'],
        [[echo, { host: 1 }], 'ERR_INVALID_ARG_TYPE'],
        [[echo, { port: '80' }], 'ERR_INVALID_ARG_TYPE'],
        [[echo, { port: -1 }], 'ERR_OUT_OF_RANGE'],
        [[echo, { port: 65_536 }], 'ERR_OUT_OF_RANGE'],
        [[echo, { backlog: 0 }], 'ERR_OUT_OF_RANGE'],
        [[echo, { backlog: '1' }], 'ERR_INVALID_ARG_TYPE'],
        [[echo, { reusePort: 1 }], 'ERR_INVALID_ARG_TYPE'],
        [[echo, { noDelay: 1 }], 'ERR_INVALID_ARG_TYPE'],
        [[echo, { limit: 0 }], 'ERR_OUT_OF_RANGE'],
        [[echo, { highWaterMark: 1.5 }], 'ERR_OUT_OF_RANGE'],
        [[echo, { lowWaterMark: '1' }], 'ERR_INVALID_ARG_TYPE'],
      ];
      for (const [args, code] of cases) {
        expect(() => anything(args[0], ...args.slice(1)), inspect(args)).toThrow(
          expect.objectContaining({ code }),
        );
      }
      expect(loop.statistics().sockets).toBe(0);
    }));
});

describe('handlers', () => {
  test.each([
    ['an async function that rejects', async () => await Promise.reject(new Error('broken'))],
    [
      'a generator function that throws',

      function* () {
        throw new Error('broken');
      },
    ],
    [
      'a plain function that throws',
      () => {
        throw new Error('broken');
      },
    ],
    [
      'a generator function whose parameters throw',
      function* (_stream: unknown, _broken = fail()) {
        yield;
      },
    ],
  ] as [string, ConnectionHandler][])(
    '%s is reported; its connection is reset and others go on',
    (_name, bad) =>
      withEventLoop(async (loop) => {
        const reports = catchReports(loop);
        let isBad = true;
        const server = await listen(
          ((stream: Stream) => (isBad ? bad(stream) : echo(stream))) as ConnectionHandler,
          { host: HOST },
        );
        await resetBy(server.port);
        await until('it is gone', () => server.connectionCount === 0);
        isBad = false;
        const good = await netConnect(server.port);
        good.end('still here');
        expect(String(await received(good))).toBe('still here');
        await server.close();
        expect(reports.map(({ exception }) => (exception as Error).message)).toEqual(['broken']);
        loop.setExceptionHandler(() => undefined);
      }),
  );

  test('that a handler cannot even begin is reported, and later connections are served', () =>
    withEventLoop(async (loop) => {
      const reports = catchReports(loop);
      const server = await listen(echo, { host: HOST });
      loop.setTaskFactory(() => {
        throw new Error('no tasks today');
      });
      await resetBy(server.port);
      loop.setTaskFactory(null);
      const good = await netConnect(server.port);
      good.end('good');
      expect(String(await received(good))).toBe('good');
      await server.close();
      expect(reports.map(({ exception }) => (exception as Error).message)).toEqual(['no tasks today']);
      expect(server.connectionCount).toBe(0);
    }));

  test('that return close their stream after everything was sent', () =>
    withEventLoop(async () => {
      const server = await listen(
        async (stream) => {
          stream.write(Buffer.alloc(3_000_000, 'x'));
          await Promise.resolve();
        },
        { host: HOST },
      );
      const peer = await netConnect(server.port);
      expect((await received(peer)).length).toBe(3_000_000);
      peer.end();
      await until('it is gone', () => server.connectionCount === 0);
      await server.close();
    }));

  test('that are cancelled close their stream, and nothing is reported', () =>
    withEventLoop(async (loop) => {
      const server = await listen(
        function* (stream) {
          stream.write('hello');
          yield* stream.read();
        },
        { host: HOST },
      );
      const peer = await netConnect(server.port);
      await until('the handler runs', () => loop.allTasks().size === 1);
      await once(peer, 'data');
      for (const task of loop.allTasks()) task.cancel();
      await received(peer);
      peer.destroy();
      await until('it is gone', () => server.connectionCount === 0);
      await server.close();
    }));

  test('run in the async context of listen()', () =>
    withEventLoop(async () => {
      const storage = new AsyncLocalStorage<string>();
      const seen: unknown[] = [];
      const servers = [
        await storage.run('async', async () =>
          listen(async () => await Promise.resolve(seen.push(storage.getStore())), { host: HOST }),
        ),
        await storage.run('generator', async () =>
          listen(
            function* () {
              seen.push(storage.getStore());
              yield;
              seen.push(storage.getStore());
            },
            { host: HOST },
          ),
        ),
      ];
      for (const server of servers) {
        const peer = await netConnect(server.port);
        await received(peer);
        peer.destroy();
        await server.close();
      }
      expect(seen).toEqual(['async', 'generator', 'generator']);
    }));
});

describe('a server', () => {
  async function serving(): Promise<{ server: Server; peer: net.Socket }> {
    const server = await listen(echo, { host: HOST });
    const peer = await netConnect(server.port);
    await until('it is served', () => server.connectionCount === 1);
    return { server, peer };
  }

  test('C-86 close() stops accepting and leaves connections alone', () =>
    withEventLoop(async () => {
      const { server, peer } = await serving();
      expect(server.isServing()).toBe(true);
      const isClosed = isDone(server.close());
      expect(server.isServing()).toBe(false);
      peer.write('still');
      expect(String((await once(peer, 'data'))[0])).toBe('still');
      const refused = await errorOf(netConnect(server.port));
      expect(refused.code).toBe('ECONNREFUSED');
      expect(isClosed()).toBe(false);
      peer.end();
      await until('it is closed', isClosed);
    }));

  test('C-86 waitClosed() that came before close() waits for both as well', () =>
    withEventLoop(async () => {
      const { server, peer } = await serving();
      const isClosed = isDone(server.waitClosed());
      peer.end();
      await until('the connection is gone', () => server.connectionCount === 0);
      for (let turn = 0; turn < 5; turn++) await nodeTurn();
      expect(isClosed()).toBe(false);
      void server.close();
      await until('it is closed', isClosed);
      await server.waitClosed();
    }));

  test('C-86 closeClients() ends its connections, and waitClosed() with them', () =>
    withEventLoop(async () => {
      const { server, peer } = await serving();
      const isClosed = isDone(server.close());
      server.closeClients();
      expect((await received(peer)).length).toBe(0);
      peer.destroy();
      await until('it is closed', isClosed);
    }));

  test('abortClients() resets its connections', () =>
    withEventLoop(async () => {
      const { server, peer } = await serving();
      const failed = new Promise<string>((resolve) => {
        peer.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? ''));
      });
      server.abortClients();
      expect(await failed).toBe('ECONNRESET');
      await server.close();
    }));

  test.each(['closeClients', 'abortClients'] as const)(
    '%s() ends very many connections in several turns, all of those that were open',
    (end) =>
      withEventLoop(async () => {
        const many = 250;
        const server = await listen(echo, { host: HOST });
        const peers = await Promise.all(Array.from({ length: many }, () => netConnect(server.port)));
        for (const peer of peers) peer.on('error', () => undefined);
        await until('all are served', () => server.connectionCount === many);
        const counts: number[] = [];
        server[end]();
        while (server.connectionCount > 0) {
          counts.push(server.connectionCount);
          await sleep(0);
        }
        // A part in each turn, the first of them at once.
        expect(new Set(counts).size).toBeGreaterThanOrEqual(many / 50);
        await server.close();
        for (const peer of peers) peer.destroy();
      }),
  );

  test('close() twice is once, and await using closes', () =>
    withEventLoop(async () => {
      const { server, peer } = await serving();
      peer.destroy();
      await Promise.all([server.close(), server.close()]);
      const other = await listen(echo, { host: HOST });
      await other[Symbol.asyncDispose]();
      expect(other.isServing()).toBe(false);
    }));

  test('cancelling one waiter of its end leaves the others', () =>
    withEventLoop(async (loop) => {
      const { server, peer } = await serving();
      const waiters = [1, 2].map(() =>
        loop.createTask(function* () {
          yield* server.waitClosed();
        }),
      );
      await soon(loop);
      waiters[0]!.cancel();
      await expect(waiters[0]!.toPromise()).rejects.toThrow(CancelledError);
      void server.close();
      peer.end();
      await waiters[1];
    }));

  test.each([
    [
      'a generator',
      (server: Server) =>
        function* () {
          yield* server.serveForever();
        },
    ],
    ['an async function', (server: Server) => async () => await server.serveForever()],
  ])('that %s serves forever is closed when that is cancelled, which waits for connections', (_, make) =>
    withEventLoop(async (loop) => {
      const { server, peer } = await serving();
      const task = loop.createTask<void>(make(server));
      await soon(loop);
      task.cancel('enough');
      expect(server.isServing()).toBe(false);
      for (let turn = 0; turn < 5; turn++) await nodeTurn();
      expect(task.done()).toBe(false);
      peer.end();
      const error = await errorOf(task);
      expect(error).toBeInstanceOf(CancelledError);
      expect((error as unknown as CancelledError).reason).toBe('enough');
      expect(server.connectionCount).toBe(0);
    }),
  );

  test('that serves forever does not wait for connections when it is cancelled twice', () =>
    withEventLoop(async (loop) => {
      const { server, peer } = await serving();
      const task = loop.createTask(async () => await server.serveForever());
      await soon(loop);
      task.cancel('first');
      await soon(loop);
      expect(task.done()).toBe(false);
      task.cancel('second');
      expect(await errorOf(task)).toMatchObject({ code: 'ABORT_ERR', reason: 'second' });
      expect(server.connectionCount).toBe(1);
      peer.end();
      await server.waitClosed();
    }));

  test('that serves forever and is closed by somebody else is cancelled', () =>
    withEventLoop(async () => {
      const { server, peer } = await serving();
      const forever = server.serveForever();
      void server.close();
      await nodeTurn();
      expect(forever.done()).toBe(false);
      peer.end();
      expect(await errorOf(forever)).toMatchObject({ code: 'ABORT_ERR', reason: 'the server was closed' });
      expect(forever.cancel()).toBe(false);
    }));

  test('serves forever once, and not when it is closed', () =>
    withEventLoop(async () => {
      const server = await listen(echo, { host: HOST });
      const forever = server.serveForever();
      const refused = expect.objectContaining({ name: 'InvalidStateError', code: 'ERR_INVALID_STATE' });
      expect(() => server.serveForever()).toThrow(refused);
      expect(forever.cancel()).toBe(true);
      expect(() => server.serveForever()).toThrow(refused);
      await server.waitClosed();
      expect(forever.cancelled()).toBe(true);
      expect(() => server.serveForever()).toThrow(refused);
    }));

  test('connections that wait to be accepted when it is closed are reset', () =>
    withEventLoop(async (loop) => {
      const server = await listen(echo, { host: HOST });
      const endings = await new Promise<Promise<string>[]>((resolve) => {
        // In one turn, so that nothing is accepted in between.
        loop.callSoon(() => {
          const peers = Array.from({ length: 5 }, () => net.connect(server.port, HOST));
          resolve(
            peers.map(
              (peer) =>
                new Promise((end) => {
                  peer.on('error', (error: NodeJS.ErrnoException) => end(error.code ?? ''));
                  peer.resume().on('close', () => end('close'));
                }),
            ),
          );
          void server.close();
        });
      });
      for (const ending of endings) expect(await ending).toMatch(/ECONNRESET|ECONNREFUSED|close/);
      await server.waitClosed();
      expect(server.connectionCount).toBe(0);
    }));

  test('counts as a reference until it is closed, unless it is unreferenced', () =>
    withEventLoop(async (loop) => {
      const references = (): number => loop.statistics().references;
      const before = references();
      const server = await listen(echo, { host: HOST });
      expect(references()).toBe(before + 1);
      expect(server.hasRef()).toBe(true);
      expect(server.unref().unref().hasRef()).toBe(false);
      expect(references()).toBe(before);
      server.ref().ref();
      expect(references()).toBe(before + 1);
      await server.close();
      expect(references()).toBe(before);
      server.unref().ref();
      expect(references()).toBe(before);
    }));

  test('its streams count as references until they are closed, unless they are unreferenced', () =>
    withEventLoop(async (loop) => {
      const references = (): number => loop.statistics().references;
      const server = await listen(echo, { host: HOST });
      const before = references();
      const stream = await connect({ host: HOST, port: server.port });
      await until('it is served', () => server.connectionCount === 1);
      expect(references()).toBe(before + 2);
      expect(stream.unref().unref().hasRef()).toBe(false);
      expect(references()).toBe(before + 1);
      stream.ref().ref();
      expect(references()).toBe(before + 2);
      stream.unref();
      await stream.close();
      await until('it is gone', () => server.connectionCount === 0);
      expect(references()).toBe(before);
      stream.ref();
      expect(references()).toBe(before);
      await server.close();
    }));

  test('says what it is', () =>
    withEventLoop(async () => {
      const { server, peer } = await serving();
      expect(inspect(server)).toBe(`<Server 127.0.0.1:${String(server.port)} serving connections=1>`);
      peer.destroy();
      await server.close();
      expect(inspect(server)).toContain('closed');
    }));

  test('that the loop takes down with it forgets its connections', async () => {
    let server: Server | undefined;
    let peer: net.Socket | undefined;
    await withEventLoop(async (loop) => {
      ({ server, peer } = await serving());
      const handler = loop.getExceptionHandler();
      // The handler's task is destroyed, which is reported.
      loop.setExceptionHandler(() => undefined);
      for (const task of loop.allTasks()) task.cancel();
      await until('it is gone', () => server!.connectionCount === 0);
      void server.close();
      await server.waitClosed();
      loop.setExceptionHandler(handler);
    });
    expect(server!.connectionCount).toBe(0);
    peer!.destroy();
  });
});

type Listen = NativeLoop['listen'];

/** Puts itself between the loop and its native side. */
function replaceListen(
  loop: EventLoop,
  replacement: (original: Listen, ...args: Parameters<Listen>) => number,
): void {
  const native = loop._native;
  const original = native.listen.bind(native);
  const stand: NativeLoop = Object.create(native, {
    listen: { value: (...args: Parameters<Listen>) => replacement(original, ...args) },
  }) as NativeLoop;
  Object.assign(loop, { _native: stand });
}

/** Connects, and is fulfilled once that has come to nothing. */
async function resetBy(port: number): Promise<void> {
  const socket = net.connect(port, HOST).resume();
  socket.on('error', () => undefined);
  await new Promise((resolve) => {
    socket.on('close', resolve);
  });
}

function fail(): never {
  throw new Error('broken');
}
