import { once } from 'node:events';
import type net from 'node:net';
import { Duplex, PassThrough } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { InvalidStateError } from '../../../src/base/errors.js';
import { EventLoop } from '../../../src/event-loop.js';
import { fromNodeSocket, streamPair } from '../../../src/io/open.js';
import type { Stream } from '../../../src/io/stream.js';
import { forms, outcome } from '../../support/forms.js';
import { nodeTurn, stopped, withIdleLoop } from '../../support/loop.js';
import {
  Digest,
  digested,
  netConnect,
  NetServer,
  pattern,
  received,
  settled,
  unreadBytes,
  withEventLoop,
} from '../../support/net.js';

/** A stream over a socket of node:net, and the socket at the other end. */
async function withSockets(
  body: (stream: Stream, peer: net.Socket, socket: net.Socket, loop: EventLoop) => unknown,
  options: net.SocketConstructorOpts = {},
): Promise<void> {
  await withEventLoop(async (loop) => {
    const server = await NetServer.open();
    try {
      const accepted = server.next();
      const socket = await netConnect(server.port, '127.0.0.1', options);
      const peer = await accepted;
      const stream = fromNodeSocket(socket);
      try {
        await body(stream, peer, socket, loop);
      } finally {
        stream.abort();
        await stream.closed;
      }
    } finally {
      await server.close();
    }
  });
}

describe.each(forms)('fromNodeSocket() in a $name', (form) => {
  test('Node stream bridge: bytes go both ways, and each side ends by itself', () =>
    withSockets(async (stream, peer) => {
      const back = received(peer);
      peer.write('one\ntwo\n');
      await form.start(function* () {
        expect(String(yield stream.readLine())).toBe('one\n');
        peer.end('three');
        expect(String(yield stream.read(-1))).toBe('two\nthree');
        stream.write('there');
        stream.closeWrite();
        expect(() => stream.write('x')).toThrow(InvalidStateError);
      });
      expect(String(await back)).toBe('there');
    }));

  test('Node stream bridge: a reader that waits slows the peer down', () =>
    withSockets(async (stream, peer) => {
      const bytes = pattern(16_000_000);
      peer.end(bytes);
      await settled(() => unreadBytes(stream));
      expect(peer.writableLength).toBeGreaterThan(0);
      const digest = new Digest();
      await form.start(function* () {
        for (;;) {
          const chunk: Buffer = yield stream.read();
          if (chunk.length === 0) return;
          digest.add(chunk);
        }
      });
      expect(String(digest)).toBe(String(new Digest().add(bytes)));
    }));

  test('Node stream bridge: a peer that does not read slows the writer down', () =>
    withSockets(async (stream, peer) => {
      const bytes = pattern(16_000_000);
      let written = 0;
      const writer = form.start(function* () {
        for (let i = 0; i < bytes.length; i += 50_000) {
          stream.write(bytes.subarray(i, i + 50_000));
          written = i;
          yield stream.drain();
        }
        yield stream.close();
      });
      await settled(() => written);
      expect(written).toBeLessThan(bytes.length - 100_000);
      const digest = await digested(peer);
      peer.end();
      await writer;
      expect(String(digest)).toBe(String(new Digest().add(bytes)));
    }));

  test('Node stream bridge: drain() goes on although the duplex never asked to wait', () =>
    withEventLoop(async () => {
      const wide = new PassThrough({ highWaterMark: 10_000_000 });
      const stream = fromNodeSocket(wide, { highWaterMark: 1000 });
      await form.start(function* () {
        stream.write(Buffer.alloc(500_000));
        yield stream.drain();
        expect(((yield stream.readExactly(500_000)) as Buffer).length).toBe(500_000);
        stream.abort();
        yield stream.closed;
      });
    }));

  test('Node stream bridge: a reset is an error of the read, and closes the stream once', () =>
    withSockets(async (stream, peer) => {
      peer.resetAndDestroy();
      expect(await outcome(form.call(() => stream.read()))).toMatchObject({ code: 'ECONNRESET' });
      await form.call(() => stream.closed);
      expect(await outcome(form.call(() => stream.drain()))).toMatchObject({ code: 'ECONNRESET' });
    }));

  test('Node stream bridge: destroy() of the duplex by somebody else is a lost connection', () =>
    withSockets(async (stream, _peer, socket) => {
      const read = form.call(() => stream.read());
      await nodeTurn();
      socket.destroy();
      expect(await outcome(read)).toMatchObject({ code: 'ECONNRESET' });
      await form.call(() => stream.closed);
    }));

  test('Node stream bridge: destroy(error) is that error', () =>
    withSockets(async (stream, _peer, socket) => {
      const read = form.call(() => stream.read());
      await nodeTurn();
      socket.destroy(new Error('mine'));
      expect(await outcome(read)).toMatchObject({ message: 'mine' });
      await form.call(() => stream.closed);
    }));

  test('Node stream bridge: close() sends what was written, abort() drops it', () =>
    withSockets(async (stream, peer) => {
      const bytes = pattern(3_000_000);
      const digest = digested(peer);
      stream.write(bytes);
      await form.call(() => stream.close());
      expect(String(await digest)).toBe(String(new Digest().add(bytes)));
      expect(await outcome(form.call(() => stream.drain()))).toMatchObject({ code: 'ECONNRESET' });
    }));

  test('Node stream bridge: without allowHalfOpen the end of the peer closes, its bytes first', () =>
    withSockets(
      async (stream, peer) => {
        peer.end('last');
        expect(String(await form.call(() => stream.read(-1)))).toBe('last');
        await form.call(() => stream.closed);
      },
      { allowHalfOpen: false },
    ));

  test('Node stream bridge: nothing is called from within the callbacks of Node', () =>
    withEventLoop(async () => {
      const order: string[] = [];
      const duplex = new Duplex({ read: () => undefined, write: (_chunk, _encoding, done) => done() });
      const stream = fromNodeSocket(duplex);
      const reader = form.start(function* () {
        yield stream.read();
        order.push('read');
      });
      await nodeTurn();
      duplex.push('x');
      await Promise.resolve();
      order.push('pushed');
      await reader;
      expect(order).toEqual(['pushed', 'read']);
      stream.abort();
      await form.call(() => stream.closed);
    }));
});

test('fromNodeSocket() knows the addresses, also afterwards', () =>
  withSockets(async (stream, peer, socket) => {
    const info = {
      local: { family: 'IPv4', address: '127.0.0.1', port: socket.localPort },
      peer: { family: 'IPv4', address: '127.0.0.1', port: peer.localPort },
    };
    expect(stream.info).toEqual(info);
    expect(stream.setNoDelay().setKeepAlive(true, 1000).unref().hasRef()).toBe(false);
    expect(stream.ref().hasRef()).toBe(true);
    await stream.close();
    expect(stream.info).toEqual(info);
  }));

test('fromNodeSocket() hears of an end that came before', () =>
  withEventLoop(async () => {
    const [one, other] = streamPair();
    const duplex = one.toNodeDuplex();
    other.closeWrite();
    duplex.resume();
    await once(duplex, 'end');
    const stream = fromNodeSocket(duplex);
    expect(String(await stream.read())).toBe('');
    await stream.close();
    await other.close();
  }));

test('fromNodeSocket() refuses a stream that is destroyed', () =>
  withEventLoop(() => {
    const duplex = new PassThrough();
    duplex.destroy();
    expect(() => fromNodeSocket(duplex)).toThrow(InvalidStateError);
  }));

test('closing the loop closes what it was given', () =>
  withIdleLoop<EventLoop>(
    async (loop) => {
      const duplex = new PassThrough();
      void loop._start();
      fromNodeSocket(duplex);
      await stopped(loop);
      loop.close();
      expect(duplex.destroyed).toBe(true);
    },
    { make: (options) => new EventLoop(options) },
  ));
