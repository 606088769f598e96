import { once } from 'node:events';
import http from 'node:http';
import { Readable } from 'node:stream';
import { finished, pipeline } from 'node:stream/promises';
import { describe, expect, test } from 'vitest';
import { EventLoop } from '../../../src/event-loop.js';
import { connect, listen } from '../../../src/io/open.js';
import { createTask } from '../../../src/task/current.js';
import { sleep } from '../../../src/task/sleep.js';
import { nodeTurn, turns } from '../../support/loop.js';
import type { StreamDuplex } from '../../../src/io/duplex.js';
import {
  clientPair,
  digested,
  Digest,
  netConnect,
  NetServer,
  pattern,
  received,
  serverPair,
  settled,
  unreadBytes,
  until,
  withEventLoop,
  withPair,
} from '../../support/net.js';

describe.each([
  ['connected', clientPair],
  ['accepted', serverPair],
] as const)('toNodeDuplex() of a %s stream', (_side, makePair) => {
  test('bytes go both ways, and each side ends by itself', () =>
    withPair(makePair, {}, async ({ stream, peer }) => {
      const duplex = stream.toNodeDuplex();
      const bytes = pattern(300_000);
      const closed = once(duplex, 'close');
      const back = received(peer);
      const there: Buffer[] = [];
      duplex.on('data', (chunk: Buffer) => there.push(chunk));
      peer.end(bytes);
      await once(duplex, 'end');
      expect(Buffer.concat(there).equals(bytes)).toBe(true);
      expect(duplex.writable).toBe(true);
      duplex.write('one ');
      duplex.end('two');
      expect(String(await back)).toBe('one two');
      await closed;
      expect(duplex.errored).toBe(null);
    }));

  test('a reader that waits slows the peer down', () =>
    withPair(makePair, { limit: 10_000 }, async ({ stream, peer }) => {
      const duplex = stream.toNodeDuplex();
      duplex.once('readable', () => undefined);
      const bytes = pattern(8_000_000);
      peer.end(bytes);
      await settled(() => unreadBytes(stream));
      expect(peer.writableLength).toBeGreaterThan(0);
      const digest = new Digest();
      for await (const chunk of duplex) digest.add(chunk as Buffer);
      expect(String(digest)).toBe(String(new Digest().add(bytes)));
      duplex.end();
    }));

  test('a peer that does not read slows the writer down', () =>
    withPair(makePair, {}, async ({ stream, peer }) => {
      const duplex = stream.toNodeDuplex();
      const bytes = pattern(8_000_000);
      let isRead = 0;
      const source = Readable.from(
        (function* () {
          for (let i = 0; i < bytes.length; i += 50_000) {
            isRead = i;
            yield bytes.subarray(i, i + 50_000);
          }
        })(),
      );
      const piped = pipeline(source, duplex, { end: true });
      await settled(() => isRead);
      expect(isRead).toBeLessThan(bytes.length - 100_000);
      const digest = digested(peer);
      peer.end();
      await piped;
      expect(String(await digest)).toBe(String(new Digest().add(bytes)));
    }));

  test.each(['reads', 'does not read'])('a reset is one error and one close, when it %s', (how) =>
    withPair(makePair, {}, async ({ stream, peer }) => {
      const events = record(stream.toNodeDuplex(), how === 'reads');
      peer.resetAndDestroy();
      await until('it is closed', () => events.at(-1) === 'close');
      expect(events).toEqual(['error ECONNRESET', 'close']);
    }),
  );

  test('destroy() closes the stream, without an error or with that one', () =>
    withPair(makePair, {}, async ({ stream, peer }) => {
      const duplex = stream.toNodeDuplex();
      const events = record(duplex, true);
      const ended = received(peer);
      duplex.destroy();
      expect(String(await ended)).toBe('');
      await until('it is closed', () => events.includes('close'));
      expect(events).toEqual(['close']);
      expect(stream.isClosing()).toBe(true);
    }));

  test('destroy(error) resets', () =>
    withPair(makePair, {}, async ({ stream, peer }) => {
      const duplex = stream.toNodeDuplex();
      const events = record(duplex, true);
      const failed = once(peer, 'error').catch((error: unknown) => [error]);
      duplex.destroy(Object.assign(new Error('mine'), { code: 'MINE' }));
      const [error] = (await failed) as [NodeJS.ErrnoException];
      expect(error.code).toBe('ECONNRESET');
      await until('it is closed', () => events.includes('close'));
      expect(events).toEqual(['error MINE', 'close']);
    }));

  test('without allowHalfOpen the end of the peer ends this side', () =>
    withPair(makePair, {}, async ({ stream, peer }) => {
      const duplex = stream.toNodeDuplex({ allowHalfOpen: false });
      duplex.resume();
      const rest = received(peer);
      const ended = finished(duplex);
      peer.end();
      expect(String(await rest)).toBe('');
      await ended;
    }));

  test('the last bytes reach a slow peer that has ended already', () =>
    withPair(makePair, { highWaterMark: 10_000_000 }, async ({ stream, peer }) => {
      const duplex = stream.toNodeDuplex();
      duplex.resume();
      const back = digested(peer);
      peer.pause();
      peer.end();
      await once(duplex, 'end');
      const bytes = pattern(8_000_000);
      duplex.end(bytes);
      expect(await settled(() => stream.writeBufferSize)).toBeGreaterThan(0);
      expect([duplex.writableFinished, duplex.destroyed]).toEqual([false, false]);
      peer.resume();
      expect(String(await back)).toBe(String(new Digest().add(bytes)));
      await until('it is closed', () => duplex.closed);
    }));

  test('destroy() of one that has ended does not wait for a peer that takes nothing', () =>
    withPair(makePair, {}, async ({ stream, peer }) => {
      const duplex = stream.toNodeDuplex();
      peer.pause();
      duplex.end(pattern(8_000_000));
      await settled(() => stream.writeBufferSize);
      const closed = once(duplex, 'close');
      duplex.destroy();
      await closed;
      expect(duplex.writableFinished).toBe(false);
    }));

  test('what was written in the same turn goes out before destroy()', () =>
    withPair(makePair, {}, async ({ stream, peer }) => {
      const duplex = stream.toNodeDuplex();
      const back = received(peer);
      duplex.write('bye');
      duplex.destroy();
      expect(String(await back)).toBe('bye');
      await until('it is closed', () => duplex.closed);
    }));

  test('it outlives the task that made it, and the one that destroys it', () =>
    withPair(makePair, {}, async ({ stream, peer }, loop) => {
      let duplex: StreamDuplex | undefined;
      const cancelledAfter = async (work: () => void): Promise<void> => {
        const task = createTask(async () => {
          work();
          await sleep(60_000);
        });
        await turns(loop);
        task.cancel();
        await task.catch(() => undefined);
        await turns(loop);
      };
      await cancelledAfter(() => {
        duplex = stream.toNodeDuplex();
        duplex.resume();
      });
      expect(duplex!.destroyed).toBe(false);
      peer.pause();
      await cancelledAfter(() => void duplex!.write(pattern(8_000_000)));
      expect(duplex!.destroyed).toBe(false);
      await cancelledAfter(() => duplex!.destroy());
      await until('it is closed', () => duplex!.closed);
    }));

  test('it hears of a reset behind the end of the task that made it, though nobody reads', () =>
    withPair(makePair, {}, async ({ stream, peer }, loop) => {
      let events: string[] = [];
      const task = createTask(async () => {
        events = record(stream.toNodeDuplex(), false);
        await sleep(60_000);
      });
      await turns(loop);
      task.cancel();
      await task.catch(() => undefined);
      peer.resetAndDestroy();
      await until('it is closed', () => events.at(-1) === 'close');
      expect(events).toEqual(['error ECONNRESET', 'close']);
    }));

  test('settings after the end are harmless', () =>
    withPair(makePair, {}, async ({ stream }) => {
      const duplex = stream.toNodeDuplex();
      const closed = once(duplex, 'close');
      duplex.destroy();
      await closed;
      expect(duplex.setNoDelay().setKeepAlive(true, 1000).ref().unref()).toBe(duplex);
    }));

  test('knows what packages ask a socket for', () =>
    withPair(makePair, {}, async ({ stream, peer }) => {
      const duplex = stream.toNodeDuplex();
      expect([duplex.remoteAddress, duplex.remotePort, duplex.remoteFamily]).toEqual([
        '127.0.0.1',
        peer.localPort,
        'IPv4',
      ]);
      expect([duplex.localAddress, duplex.localPort]).toEqual(['127.0.0.1', peer.remotePort]);
      expect(duplex.setNoDelay().setKeepAlive(true, 1000).unref()).toBe(duplex);
      expect(stream.hasRef()).toBe(false);
      duplex.ref();
      expect(stream.hasRef()).toBe(true);
      const closed = once(duplex, 'close');
      duplex.destroy();
      await closed;
      expect(duplex.remotePort).toBe(peer.localPort);
    }));
});

// What happens to a duplex, in order.
function record(duplex: StreamDuplex, reads: boolean): string[] {
  const events: string[] = [];
  duplex.on('error', (error: NodeJS.ErrnoException) => events.push(`error ${String(error.code)}`));
  duplex.on('close', () => events.push('close'));
  if (reads) duplex.resume();
  return events;
}

test.each(['is open', 'is being destroyed'])('closing the loop closes one that %s', async (state) => {
  const loop = new EventLoop();
  const server = await NetServer.open();
  const accepted = server.next();
  const events = await loop.runUntilComplete(async () => {
    const duplex = (await connect({ host: '127.0.0.1', port: server.port })).toNodeDuplex();
    await accepted;
    const recorded = record(duplex, true);
    if (state === 'is being destroyed') duplex.destroy();
    return recorded;
  });
  loop.close();
  await nodeTurn();
  expect(events).toEqual(['close']);
  await server.close();
});

test('an http.Server ends a connection that was asked for without keep-alive', () =>
  withEventLoop(async () => {
    const app = http.createServer((_, response) => void response.end('bye'));
    const server = await listen(
      async (stream) => {
        const duplex = stream.toNodeDuplex();
        app.emit('connection', duplex);
        await once(duplex, 'close');
      },
      { host: '127.0.0.1' },
    );
    // It never ends its side by itself.
    const client = await netConnect(server.port);
    client.write('GET / HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n');
    expect(String(await received(client))).toContain('bye');
    await until('the server has closed it', () => server.connectionCount === 0);
    client.destroy();
    await server.close();
  }));

test('an http.Server serves requests over it', () =>
  withEventLoop(async () => {
    const app = http.createServer((request, response) => {
      void Promise.resolve(request.toArray()).then((body) => {
        response.end(`${String(request.url)} ${String(Buffer.concat(body as Buffer[]))}`);
      });
    });
    const server = await listen(
      async (stream) => {
        const duplex = stream.toNodeDuplex();
        app.emit('connection', duplex);
        await once(duplex, 'close');
      },
      { host: '127.0.0.1' },
    );
    const agent = new http.Agent({ keepAlive: true });
    for (const path of ['/one', '/two']) {
      const request = http.request({ port: server.port, path, method: 'POST', agent });
      request.end('body');
      const [response] = (await once(request, 'response')) as [http.IncomingMessage];
      expect(String(Buffer.concat((await response.toArray()) as Buffer[]))).toBe(`${path} body`);
    }
    agent.destroy();
    await server.close();
  }));
