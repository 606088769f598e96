import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, test } from 'vitest';
import { InvalidStateError } from '../../../src/base/errors.js';
import { EventLoop } from '../../../src/event-loop.js';
import type { NodeConnection } from '../../../src/io/node-connection.js';
import { listen, nodeConnection } from '../../../src/io/open.js';
import { turns } from '../../support/loop.js';
import { Digest, NetServer, digested, pattern, received, until, withEventLoop } from '../../support/net.js';

const HOST = '127.0.0.1';

function withServer(body: (server: NetServer) => Promise<void>): Promise<void> {
  return withEventLoop(async (loop) => {
    const server = await NetServer.open();
    try {
      await body(server);
    } finally {
      await server.close();
      await until('every socket is closed', () => loop.statistics().sockets === 0);
    }
  });
}

describe('nodeConnection()', () => {
  test('connects when it is told to, and what was written before leaves then', async () => {
    await withServer(async (server) => {
      const accepted = server.next();
      const connection = nodeConnection().setNoDelay(true).setKeepAlive(true, 1000).unref().ref();
      connection.write('early ');
      expect([connection.pending, connection.connecting, connection.remotePort]).toEqual([
        true,
        false,
        undefined,
      ]);
      const heard: string[] = [];
      connection.on('connect', () => heard.push('connect')).on('ready', () => heard.push('ready'));
      connection.connect(server.port, HOST, () => heard.push('listener'));
      expect([connection.pending, connection.connecting]).toEqual([true, true]);
      connection.end('late');
      const peer = await accepted;
      expect(String(await received(peer))).toBe('early late');
      expect(heard).toEqual(['connect', 'listener', 'ready']);
      expect([connection.pending, connection.connecting]).toEqual([false, false]);
      expect([connection.remoteAddress, connection.remotePort]).toEqual([HOST, server.port]);
      const closed = once(connection, 'close');
      connection.resume();
      peer.end();
      await closed;
    });
  });

  test('connects at once when it is given a port', async () => {
    await withServer(async (server) => {
      const accepted = server.next();
      const connection = nodeConnection({ host: HOST, port: server.port });
      await once(connection, 'connect');
      const bytes = pattern(2_000_000);
      connection.end(bytes);
      const peer = await accepted;
      expect(String(await digested(peer))).toBe(String(new Digest().add(bytes)));
      connection.resume();
      peer.end();
      await once(connection, 'close');
    });
  });

  test('connects to a Unix socket by its path', async () => {
    await withEventLoop(async (loop) => {
      const path = `\0evloop-node-connection-${String(process.pid)}`;
      const server = await listen(async (stream) => void stream.write('hello'), { path });
      const heard: string[] = [];
      for (const connection of [nodeConnection().connect(path), nodeConnection({ path })]) {
        for await (const chunk of connection) heard.push(String(chunk));
      }
      expect(heard).toEqual(['hello', 'hello']);
      await server.close();
      await until('every socket is closed', () => loop.statistics().sockets === 0);
    });
  });

  test('the end of the peer ends it, as it does a socket', async () => {
    await withServer(async (server) => {
      const accepted = server.next();
      const connection = nodeConnection({ host: HOST, port: server.port });
      const peer = await accepted;
      connection.resume();
      peer.end('bye');
      await once(connection, 'close');
      expect([connection.readableEnded, connection.writableFinished, connection.errored]).toEqual([
        true,
        true,
        null,
      ]);
    });
  });

  test('an error of connecting is told once, and destroys it', async () => {
    await withEventLoop(async () => {
      const server = await NetServer.open();
      const { port } = server;
      await server.close();
      const connection = nodeConnection({ host: HOST, port });
      const errors: unknown[] = [];
      connection.on('error', (error) => errors.push(error));
      connection.write('lost');
      await new Promise((resolve) => connection.on('close', resolve));
      expect(errors).toEqual([expect.objectContaining({ code: 'ECONNREFUSED' })]);
      expect([connection.destroyed, connection.connecting]).toEqual([true, false]);
    });
  });

  test.each(['before', 'while', 'after'])(
    'destroyed %s it connects, it closes and leaves nothing',
    async (moment) => {
      await withServer(async (server) => {
        const connection = nodeConnection();
        if (moment !== 'before') connection.connect(server.port, HOST);
        if (moment === 'after') await once(connection, 'connect');
        const closed = once(connection, 'close');
        connection.destroy();
        await closed;
        expect(connection.errored).toBe(null);
        expect(() => connection.connect(server.port, HOST)).toThrow(InvalidStateError);
      });
    },
  );

  test('closing the loop closes one that connects', async () => {
    const loop = new EventLoop();
    const server = await NetServer.open();
    let connection!: NodeConnection;
    loop.callSoon(() => {
      connection = nodeConnection({ host: HOST, port: server.port });
      loop.stop();
    });
    await loop.runForever();
    expect(connection.connecting).toBe(true);
    const closed = once(connection, 'close');
    loop.close();
    await closed;
    expect([connection.connecting, connection.destroyed]).toEqual([false, true]);
    await server.close();
  });

  test('connects once only', async () => {
    await withServer(async (server) => {
      const connection = nodeConnection({ host: HOST, port: server.port });
      expect(() => connection.connect(server.port)).toThrow(InvalidStateError);
      await once(connection, 'connect');
      expect(() => connection.connect(server.port)).toThrow(InvalidStateError);
      connection.destroy();
      await once(connection, 'close');
    });
  });

  test('refuses bad arguments', async () => {
    await withEventLoop(() => {
      const connection = nodeConnection();
      const anything = connection.connect.bind(connection) as (...args: unknown[]) => unknown;
      for (const args of [[null], [true], [{}], [80, 5], [80, HOST, 5], [80, HOST, {}]]) {
        expect(() => anything(...args)).toThrow(expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' }));
      }
      expect(() => connection.connect(70_000)).toThrow(expect.objectContaining({ code: 'ERR_OUT_OF_RANGE' }));
      expect(() => connection.setTimeout(-1)).toThrow(expect.objectContaining({ code: 'ERR_OUT_OF_RANGE' }));
      expect([connection.connecting, connection.listenerCount('connect')]).toEqual([false, 0]);
    });
  });

  test('setTimeout: tells of a silence, again after the next byte, and not any more when it is taken back', async () => {
    await withServer(async (server) => {
      const accepted = server.next();
      const connection = nodeConnection({ host: HOST, port: server.port });
      const peer = await accepted;
      connection.resume();
      let timeouts = 0;
      const count = (): void => void timeouts++;
      connection.setTimeout(20, count);
      expect(connection.timeout).toBe(20);
      await once(connection, 'timeout');
      expect(timeouts).toBe(1);
      const silence = once(connection, 'timeout');
      peer.write('x');
      await silence;
      connection.on('timeout', count);
      connection.setTimeout(0, count);
      peer.write('x');
      await new Promise((resolve) => setTimeout(resolve, 60));
      expect([timeouts, connection.timeout]).toEqual([1, 0]);
      connection.destroy();
      await once(connection, 'close');
    });
  });

  test('carries requests of node:http', async () => {
    await withEventLoop(async (loop) => {
      const server = http.createServer((request, response) => request.pipe(response));
      await once(server.listen(0, HOST), 'listening');
      const { port } = server.address() as AddressInfo;
      const request = http.request({
        method: 'POST',
        createConnection: () => nodeConnection({ host: HOST, port }),
      });
      request.end('echo');
      const [response] = (await once(request, 'response')) as [http.IncomingMessage];
      const chunks: Buffer[] = [];
      for await (const chunk of response) chunks.push(chunk as Buffer);
      expect(String(Buffer.concat(chunks))).toBe('echo');
      server.close();
      server.closeAllConnections();
      await until('every socket is closed', () => loop.statistics().sockets === 0);
      await turns(loop);
    });
  });
});
