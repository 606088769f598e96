// Which sockets listen() opens.
import dgram from 'node:dgram';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import net from 'node:net';
import { describe, expect, test } from 'vitest';
import type { EventLoop } from '../../../src/event-loop.js';
import type { ListenOptions } from '../../../src/io/listening.js';
import { connect, listen } from '../../../src/io/open.js';
import type { Server } from '../../../src/io/server.js';
import { abi } from '../../../src/native/abi.js';
import { forms, outcome } from '../../support/forms.js';
import {
  NetServer,
  descriptorCount,
  keepAliveTimer,
  netConnect,
  until,
  withEventLoop,
} from '../../support/net.js';

const HOST = '127.0.0.1';

function* idle(): Generator<unknown, void> {
  // Says nothing, and closes at once.
}

/** Whether a connection is accepted. */
async function answers(port: number, host: string): Promise<boolean> {
  try {
    (await netConnect(port, host)).destroy();
    return true;
  } catch {
    return false;
  }
}

function portsOf(server: Server): (number | undefined)[] {
  return server.addresses.map(({ port }) => port);
}

describe.each(forms)('server: listen() in a $name', ({ call }) => {
  test('binds each of several hosts once', () =>
    withEventLoop(async () => {
      const host = [HOST, '::1', HOST, 'localhost', '127.0.0.2'];
      const server = await call(() => listen(idle, { host }));
      const addresses = server.addresses.map(({ address }) => address);
      expect(addresses).toEqual([...new Set(addresses)]);
      expect(addresses.slice(0, 2)).toEqual([HOST, '::1']);
      expect(addresses.at(-1)).toBe('127.0.0.2');
      expect(new Set(portsOf(server)).size).toBe(1);
      for (const address of addresses) expect(await answers(server.port, address!)).toBe(true);
      await server.close();
    }));

  test('fails when one of the hosts is unknown, and leaves nothing open', () =>
    withEventLoop(async (loop) => {
      const host = [HOST, 'no-such-host.invalid', 'neither-this.invalid'];
      const error = await outcome(call(() => listen(idle, { host })));
      expect((error as NodeJS.ErrnoException).code).toMatch(/ENOTFOUND|EAI_AGAIN/);
      expect(loop.statistics()).toMatchObject({ sockets: 0, references: 0 });
    }));

  test('samePort: false gives each address a port of its own', () =>
    withEventLoop(async () => {
      const server = await call(() => listen(idle, { samePort: false }));
      expect(new Set(portsOf(server)).size).toBe(server.addresses.length);
      for (const { address, port } of server.addresses) {
        expect(await answers(port!, address === '::' ? '::1' : HOST)).toBe(true);
      }
      await server.close();
    }));

  test('ipv6Only: false serves both families with one socket', () =>
    withEventLoop(async () => {
      const peers: (string | undefined)[] = [];
      const server = await call(() =>
        listen((stream) => Promise.resolve(peers.push(stream.info.peer?.address)), { ipv6Only: false }),
      );
      expect(server.addresses).toEqual([{ family: 'IPv6', address: '::', port: server.port }]);
      for (const host of [HOST, '::1']) expect(await answers(server.port, host)).toBe(true);
      await until('both were served', () => peers.length === 2);
      expect(peers).toEqual([`::ffff:${HOST}`, '::1']);
      await server.close();
      const narrow = await call(() => listen(idle, { host: '::' }));
      expect(await answers(narrow.port, HOST)).toBe(false);
      await narrow.close();
    }));

  test('reusePort lets two servers share a port', () =>
    withEventLoop(async () => {
      const first = await call(() => listen(idle, { host: HOST, reusePort: true }));
      const { port } = first;
      const second = await call(() => listen(idle, { host: HOST, port, reusePort: true }));
      expect(await outcome(call(() => listen(idle, { host: HOST, port })))).toMatchObject({
        code: 'EADDRINUSE',
      });
      await first.close();
      expect(await answers(port, HOST)).toBe(true);
      await second.close();
    }));

  test('backlog is how many connections wait', () =>
    withEventLoop(async (loop) => {
      const server = await call(() => listen(idle, { host: HOST, backlog: 1 }));
      // Nobody accepts while the loop does not run.
      loop.stop();
      await until('it has stopped', () => !loop.isRunning());
      const sockets = Array.from({ length: 6 }, () =>
        net.connect(server.port, HOST).on('error', () => undefined),
      );
      await until('two have connected', () => sockets.filter(({ connecting }) => !connecting).length >= 2);
      await new Promise((resolve) => setTimeout(resolve, 20));
      expect(sockets.filter(({ connecting }) => !connecting).length).toBe(2);
      for (const socket of sockets) socket.destroy();
      const running = loop._start();
      running.catch(() => undefined);
      await server.close();
    }));
});

describe('socket options: keepAlive', () => {
  test.each([
    [{ keepAlive: true, keepAliveDelay: 59_001 }, 60],
    [{ keepAlive: true }, 7200],
    [{ keepAlive: false, keepAliveDelay: 1000 }, null],
    [{}, null],
  ])('%j is in force on both sides before the first byte', (options, seconds) =>
    withEventLoop(async () => {
      const atServer: (number | null)[] = [];
      const server = await listen(
        function* (stream) {
          atServer.push(keepAliveTimer(stream.info));
          yield* stream.read();
        },
        { host: HOST, ...options },
      );
      const stream = await connect({ host: HOST, port: server.port, ...options });
      const atClient = keepAliveTimer(stream.info);
      await until('it is served', () => atServer.length === 1);
      for (const timer of [atClient, ...atServer]) {
        if (seconds === null) expect(timer).toBe(null);
        else expect(Math.abs(timer! - seconds)).toBeLessThan(5);
      }
      await stream.close();
      await server.close();
    }),
  );
});

describe('FD passing / accepted fd: listen() of a descriptor', () => {
  async function refused(fd: number): Promise<unknown> {
    const options: ListenOptions = { fd };
    return await outcome(listen(idle, options));
  }

  test('fails where there is none, and where it is no socket that listens', () =>
    withEventLoop(async (loop) => {
      expect(await refused(2 ** 31 - 1)).toMatchObject({ code: 'EBADF', syscall: 'listen' });
      const file = openSync('/dev/null', 'r');
      expect(await refused(file)).toMatchObject({ code: 'ENOTSOCK' });
      closeSync(file);
      const datagrams = dgram.createSocket('udp4').bind(0, HOST);
      await once(datagrams, 'listening');
      expect(await refused(descriptorOf(datagrams))).toMatchObject({ code: 'EPROTOTYPE' });
      datagrams.close();
      const server = await NetServer.open();
      const stream = await connect({ host: HOST, port: server.port });
      expect(await refused(lastDescriptor(loop))).toMatchObject({ code: 'EINVAL' });
      stream.abort();
      await stream.closed;
      await server.close();
    }));

  test('fails where the loop has it already, which goes on', () =>
    withEventLoop(async (loop) => {
      const server = await listen(idle, { host: HOST });
      const before = descriptorCount();
      expect(await refused(lastDescriptor(loop))).toMatchObject({ code: 'EEXIST' });
      expect(descriptorCount()).toBe(before);
      expect(await answers(server.port, HOST)).toBe(true);
      await server.close();
    }));
});

function descriptorOf(socket: dgram.Socket): number {
  const handle = Object.getOwnPropertySymbols(socket)
    .map((symbol) => (socket as unknown as Record<symbol, { handle?: { fd: number } }>)[symbol])
    .find((state) => state?.handle !== undefined);
  return handle!.handle!.fd;
}

/** The descriptor of the socket that was opened last, on a loop that had none before. */
function lastDescriptor(loop: EventLoop): number {
  return loop._native.descriptor(0, loop._rings.control[abi.CTL_RESULT_GENERATION]!);
}
