// C-86, C-87 and C-89: the life of servers. The expectations were observed on CPython 3.13, or read there.
import type net from 'node:net';
import { constants } from 'node:os';
import { describe, expect, test } from 'vitest';
import type { ExceptionContext } from '../../src/core/exception.js';
import type { CompletionTarget } from '../../src/core/loop.js';
import type { EventLoop } from '../../src/event-loop.js';
import { listen } from '../../src/io/open.js';
import type { Server } from '../../src/io/server.js';
import type { Stream } from '../../src/io/stream.js';
import { abi } from '../../src/native/abi.js';
import { FakeClock } from '../support/clock.js';
import { forms, outcome } from '../support/forms.js';
import { soon, turns } from '../support/loop.js';
import { netConnect, until, withEventLoop } from '../support/net.js';

const HOST = '127.0.0.1';

function* echo(stream: Stream): Generator<unknown, void> {
  for (;;) {
    const chunk = yield* stream.read();
    if (chunk.length === 0) return;
    stream.write(chunk);
    yield* stream.drain();
  }
}

async function serving(): Promise<{ server: Server; peer: net.Socket }> {
  const server = await listen(echo, { host: HOST });
  const peer = await netConnect(server.port);
  await until('it is served', () => server.connectionCount === 1);
  return { server, peer };
}

describe.each(forms)('in a $name', ({ call }) => {
  test('C-86 waitClosed() of a server that is closed waits for its connections', () =>
    withEventLoop(async (loop) => {
      const { server, peer } = await serving();
      void server.close();
      const waiting = call(() => server.waitClosed());
      await turns(loop);
      expect(waiting.done()).toBe(false);
      peer.end();
      await waiting;
      expect(server.connectionCount).toBe(0);
      await call(() => server.waitClosed());
    }));

  test('C-86 waitClosed() of a server without connections waits until it is closed', () =>
    withEventLoop(async (loop) => {
      const { server, peer } = await serving();
      const waiting = call(() => server.waitClosed());
      peer.end();
      await until('the connection is gone', () => server.connectionCount === 0);
      await turns(loop);
      expect(waiting.done()).toBe(false);
      void server.close();
      await waiting;
    }));

  test.each([
    ['closeClients()', (server: Server) => server.closeClients()],
    ['abortClients()', (server: Server) => server.abortClients()],
  ])('C-86 %s resolves waitClosed(), before close() and after it', (_, end) =>
    withEventLoop(async () => {
      for (const isClosedFirst of [true, false]) {
        const { server, peer } = await serving();
        const waiting = call(() => server.waitClosed());
        if (isClosedFirst) void server.close();
        end(server);
        if (!isClosedFirst) void server.close();
        await waiting;
        peer.destroy();
      }
    }),
  );

  test('C-86 close() gives what waitClosed() gives', () =>
    withEventLoop(async () => {
      const { server, peer } = await serving();
      const closing = call(() => server.close());
      await until('it is closed', () => !server.isServing());
      expect(closing.done()).toBe(false);
      peer.destroy();
      await closing;
    }));

  test('C-89 port 0 is one port for both families, or with samePort: false two', () =>
    withEventLoop(async () => {
      for (const [samePort, ports] of [
        [undefined, 1],
        [true, 1],
        [false, 2],
      ] as const) {
        const server = await call(() => listen(echo, samePort === undefined ? {} : { samePort }));
        expect(server.addresses.map(({ family }) => family)).toEqual(['IPv4', 'IPv6']);
        expect(new Set(server.addresses.map(({ port }) => port)).size).toBe(ports);
        await server.close();
      }
    }));
});

/** Sees the listeners of a loop, so that a test can tell them what the kernel would. */
function watchTargets(loop: EventLoop): CompletionTarget[] {
  const targets: CompletionTarget[] = [];
  const attach = loop._attach.bind(loop);
  loop._attach = (index, target) => {
    targets.push(target);
    attach(index, target);
  };
  return targets;
}

describe.each(['EMFILE', 'ENFILE', 'ENOBUFS', 'ENOMEM'] as const)('C-87 after %s', (code) => {
  interface Short {
    loop: EventLoop;
    clock: FakeClock;
    server: Server;
    peer: net.Socket;
    reports: ExceptionContext[];
  }

  /** A server with one connection that has just run into the shortage. The clock stands still. */
  async function withShortage(body: (short: Short) => Promise<void>): Promise<void> {
    const clock = new FakeClock();
    await withEventLoop(
      async (loop) => {
        const reports: ExceptionContext[] = [];
        loop.setExceptionHandler((_, context) => reports.push(context));
        const targets = watchTargets(loop);
        const { server, peer } = await serving();
        const listener = targets[0]! as CompletionTarget & { index: number };
        // Native has stopped accepting when it says so.
        loop._rings.submit(abi.OP_ACCEPT_STOP, listener.index, listener.generation, 0, 0);
        loop._native.flush();
        loop.callSoon(() => listener.complete(abi.CQ_ACCEPT, -constants.errno[code], 0, 0));
        await soon(loop);
        await body({ loop, clock, server, peer, reports });
        peer.destroy();
      },
      { clock },
    );
  }

  test('it is reported, connections go on, and accepting does a second later', () =>
    withShortage(async ({ loop, clock, server, peer, reports }) => {
      expect(reports).toMatchObject([
        { message: 'Accepting connections pauses', exception: { code, syscall: 'accept' }, server },
      ]);
      const late = await netConnect(server.port);
      await clock.advance(loop, 999);
      peer.write('still there');
      const [answer] = await new Promise<Buffer[]>((resolve) =>
        peer.once('data', (chunk) => resolve([chunk])),
      );
      expect(String(answer)).toBe('still there');
      expect(server.connectionCount).toBe(1);
      expect(server.isServing()).toBe(true);
      await clock.advance(loop, 1);
      await until('it is accepted', () => server.connectionCount === 2);
      expect(reports.length).toBe(1);
      late.destroy();
      server.abortClients();
      await server.close();
    }));

  test('the server can be closed, and leaves no timer', () =>
    withShortage(async ({ loop, server }) => {
      expect(loop.statistics().timers).toBe(1);
      server.abortClients();
      expect(await outcome(server.close())).toBeUndefined();
      expect(loop.statistics().timers).toBe(0);
    }));
});
