// What packages see of a connection is compared with what a socket of node:net shows them.
import { once } from 'node:events';
import net from 'node:net';
import type { Duplex } from 'node:stream';
import { expect, test } from 'vitest';
import { nodeConnection } from '../../../src/io/open.js';
import { NetServer, pattern, received, until, withEventLoop } from '../../support/net.js';

const HOST = '127.0.0.1';

/** What either makes has. */
interface SocketLike extends Duplex {
  connect(port: number, host: string): unknown;
  setTimeout(timeoutMs: number, listener?: () => void): unknown;
  destroySoon(): void;
  resetAndDestroy(): unknown;
  ref(): unknown;
  unref(): unknown;
  readonly connecting: boolean;
}

/** `peer` is the other end, once there is one. */
type Script = (socket: SocketLike, peer: () => Promise<net.Socket>, port: number) => unknown;

async function connected(socket: SocketLike, port: number): Promise<void> {
  socket.connect(port, HOST);
  await once(socket, 'connect');
}

const scripts: Record<string, Script> = {
  'the peer ends': async (socket, peer, port) => {
    await connected(socket, port);
    socket.resume();
    (await peer()).end('bye');
  },
  'it ends, and then the peer': async (socket, peer, port) => {
    await connected(socket, port);
    socket.resume();
    socket.end('bye');
    const other = await peer();
    await received(other);
    other.end();
  },
  'it is destroyed': async (socket, _, port) => {
    await connected(socket, port);
    socket.destroy();
  },
  'it is destroyed with an error': async (socket, _, port) => {
    await connected(socket, port);
    socket.destroy(Object.assign(new Error('mine'), { code: 'MINE' }));
  },
  'it is destroyed before it connects': (socket) => {
    socket.destroy();
  },
  'it is destroyed while it connects': (socket, _, port) => {
    socket.connect(port, HOST);
    socket.write('lost');
    socket.destroy();
  },
  'destroySoon() behind a write': async (socket, peer, port) => {
    await connected(socket, port);
    socket.write(pattern(1_000_000));
    socket.destroySoon();
    expect((await received(await peer())).length).toBe(1_000_000);
  },
  'destroySoon() while it connects': async (socket, peer, port) => {
    socket.connect(port, HOST);
    socket.write('early');
    socket.destroySoon();
    expect(String(await received(await peer()))).toBe('early');
  },
  'destroySoon() of one that has ended': async (socket, peer, port) => {
    await connected(socket, port);
    const back = received(await peer());
    socket.end('bye');
    await once(socket, 'finish');
    socket.destroySoon();
    expect(String(await back)).toBe('bye');
  },
  'it resets': async (socket, _, port) => {
    await connected(socket, port);
    socket.resetAndDestroy();
  },
  'the peer resets': async (socket, peer, port) => {
    await connected(socket, port);
    socket.resume();
    (await peer()).resetAndDestroy();
  },
  'nobody listens': async (socket) => {
    const server = await NetServer.open();
    const { port } = server;
    await server.close();
    socket.connect(port, HOST);
    socket.write('lost');
  },
  'it is written to after its end': async (socket, _, port) => {
    await connected(socket, port);
    socket.end();
    socket.write('late');
  },
  'it is referenced and not, before, while and after': async (socket, _, port) => {
    socket.unref();
    socket.ref();
    await connected(socket, port);
    socket.unref();
    socket.ref();
    socket.destroy();
    socket.unref();
    socket.ref();
  },
  'it is silent': async (socket, _, port) => {
    await connected(socket, port);
    socket.setTimeout(1, () => socket.end());
    socket.resume();
    await once(socket, 'finish');
    socket.destroy();
  },
};

const EVENTS = ['connect', 'ready', 'end', 'finish', 'timeout', 'close'] as const;

/** What happens to a socket, in order, and what it says of itself behind it. */
async function watch(socket: SocketLike, script: Script): Promise<unknown> {
  const server = await NetServer.open();
  const accepted = server.next();
  accepted.catch(() => undefined);
  const events: string[] = [];
  for (const event of EVENTS) socket.on(event, () => events.push(event));
  socket.on('error', (error: NodeJS.ErrnoException) => events.push(`error ${String(error.code)}`));
  await script(socket, () => accepted, server.port);
  await until('it is closed', () => events.includes('close'));
  const { destroyed, connecting, readableEnded, writableEnded, writableFinished } = socket;
  await server.close();
  return { events, destroyed, connecting, readableEnded, writableEnded, writableFinished };
}

test.each(Object.keys(scripts))('as with a socket of node:net: %s', (name) =>
  withEventLoop(async (loop) => {
    const script = scripts[name]!;
    const theirs = await watch(new net.Socket(), script);
    expect(await watch(nodeConnection() as unknown as SocketLike, script)).toEqual(theirs);
    await until('every socket is closed', () => loop.statistics().sockets === 0);
  }),
);
