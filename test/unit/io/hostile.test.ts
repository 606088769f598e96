import { once } from 'node:events';
import net from 'node:net';
import { describe, expect, test } from 'vitest';
import type { EventLoop } from '../../../src/event-loop.js';
import { connect, listen } from '../../../src/io/open.js';
import type { Stream } from '../../../src/io/stream.js';
import { abi } from '../../../src/native/abi.js';
import { collect, heldBytes } from '../../support/garbage.js';
import { leftovers, nodeTurn, NOTHING_LEFT } from '../../support/loop.js';
import {
  NetServer,
  descriptorCount,
  netConnect,
  pattern,
  serverPair,
  settled,
  unreadBytes,
  until,
  withEventLoop,
} from '../../support/net.js';
import { seededRandom } from '../../support/random.js';

const HOST = '127.0.0.1';
const MEGABYTE = 1_000_000;

function* echo(stream: Stream): Generator<unknown, void> {
  for (;;) {
    const chunk = yield* stream.read();
    if (chunk.length === 0) return;
    stream.write(chunk);
    yield* stream.drain();
  }
}

/** A client that neither waits for its connection nor minds losing it. */
function careless(port: number): net.Socket {
  const socket = net.connect({ port, host: HOST, noDelay: true });
  socket.on('error', () => undefined);
  return socket;
}

async function gone(sockets: net.Socket[]): Promise<void> {
  await until('all clients are gone', () => sockets.every((socket) => socket.destroyed));
}

test('clients that send one byte at a time are served, all of them', () =>
  withEventLoop(async () => {
    const server = await listen(echo, { host: HOST });
    const sent = pattern(100);
    const clients = await Promise.all(Array.from({ length: 50 }, () => netConnect(server.port)));
    const answers = clients.map((client) => {
      const chunks: Buffer[] = [];
      client.on('data', (chunk) => chunks.push(chunk));
      return chunks;
    });
    for (const byte of sent) {
      for (const client of clients) client.write(Buffer.of(byte));
      await nodeTurn();
    }
    await until('every byte came back', () =>
      answers.every((chunks) => chunks.reduce((size, chunk) => size + chunk.length, 0) === sent.length),
    );
    expect(answers.every((chunks) => sent.equals(Buffer.concat(chunks)))).toBe(true);
    for (const client of clients) client.destroy();
    await until('all are gone', () => server.connectionCount === 0);
    await server.close();
  }));

test('single bytes that nobody reads cost little more than they are', () =>
  withEventLoop(async () => {
    const pairs = await Promise.all(Array.from({ length: 10 }, () => serverPair()));
    const before = await heldBytes();
    const perStream = 3000;
    for (let i = 0; i < perStream; i++) {
      for (const { stream } of pairs) stream.onData(Buffer.from(new ArrayBuffer(64), 0, 1));
    }
    const after = await heldBytes();
    expect(pairs.map(({ stream }) => unreadBytes(stream))).toEqual(pairs.map(() => perStream));
    // A chunk of its own for each takes more than 150.
    expect((after - before) / (pairs.length * perStream)).toBeLessThan(40);
    await Promise.all(pairs.map(async (pair) => await pair.close()));
  }));

test('a peer that never reads takes the high water mark and no more', () =>
  withEventLoop(async (loop) => {
    const streams: Stream[] = [];
    const written: number[] = [];
    const server = await listen(
      async (stream) => {
        const place = streams.push(stream) - 1;
        written[place] = 0;
        const chunk = pattern(20_000);
        for (;;) {
          stream.write(chunk);
          written[place] += chunk.length;
          await stream.drain();
        }
      },
      { host: HOST, highWaterMark: 100_000 },
    );
    const clients = Array.from({ length: 10 }, () => careless(server.port).pause());
    await until('all are served', () => streams.length === 10);
    await settled(() => written.reduce((sum, size) => sum + size, 0));
    for (const stream of streams) {
      expect(stream.writeBufferSize).toBeGreaterThan(100_000);
      expect(stream.writeBufferSize).toBeLessThanOrEqual(120_000);
    }
    const errors: unknown[] = [];
    loop.setExceptionHandler((_, { exception }) => errors.push(exception));
    for (const client of clients) client.resetAndDestroy();
    await until('all are gone', () => server.connectionCount === 0 && errors.length === 10);
    for (const error of errors) {
      expect(error).toMatchObject({ code: expect.stringMatching(/ECONNRESET|EPIPE/) });
    }
    await server.close();
  }));

test('a peer that only sends fills the limit of the stream and no more', () =>
  withEventLoop(async () => {
    const streams: Stream[] = [];
    const server = await listen(
      function* (stream) {
        streams.push(stream);
        yield* stream.closed;
      },
      { host: HOST, limit: 50_000 },
    );
    const clients = Array.from({ length: 10 }, () => careless(server.port));
    for (const client of clients) client.write(Buffer.alloc(10 * MEGABYTE));
    await until('all are served', () => streams.length === 10);
    await settled(() => streams.reduce((sum, stream) => sum + unreadBytes(stream), 0));
    for (const stream of streams) {
      expect(unreadBytes(stream)).toBeGreaterThan(100_000);
      expect(unreadBytes(stream)).toBeLessThanOrEqual(100_000 + abi.RECEIVE_LARGE_SLAB_BYTES);
    }
    for (const client of clients) client.destroy();
    server.abortClients();
    await server.close();
  }));

test('a flood of 2,000 connects is served, and timers are not held up', () =>
  withEventLoop(async (loop) => {
    let served = 0;
    let most = 0;
    const server = await listen(
      async (stream) => {
        served++;
        most = Math.max(most, server.connectionCount);
        stream.write('hello');
        await stream.read(-1);
      },
      { host: HOST, backlog: 4096 },
    );
    let ticks = 0;
    const tick = (): void => {
      ticks++;
      timer = loop.callLater(1, tick);
    };
    let timer = loop.callLater(1, tick);
    // Half of them with our own client; both ends of all are in this process.
    const clients = Array.from({ length: 1000 }, () => careless(server.port).resume());
    const streams = await Promise.all(
      Array.from({ length: 1000 }, async () => await connect({ host: HOST, port: server.port })),
    );
    const greetings = await Promise.all(streams.map(async (stream) => await stream.read()));
    expect(greetings.every((greeting) => String(greeting) === 'hello')).toBe(true);
    await until('all are served', () => served === 2000 && clients.every((client) => client.bytesRead === 5));
    expect(most).toBeGreaterThan(100);
    expect(ticks).toBeGreaterThan(0);
    timer.cancel();
    for (const client of clients) client.end();
    for (const stream of streams) void stream.close();
    await until('all are gone', () => server.connectionCount === 0 && loop.statistics().sockets === 1);
    await server.close();
  }));

test('3,000 connections leave nothing behind', async () => {
  const descriptors = descriptorCount();
  await withEventLoop(async (loop) => {
    // Handlers meet the resets.
    loop.setExceptionHandler(() => undefined);
    const server = await listen(echo, { host: HOST });
    const round = async (count: number): Promise<void> => {
      await Promise.all(
        Array.from({ length: count }, async (_, i) => {
          const stream = await connect({ host: HOST, port: server.port });
          stream.write('ping');
          await stream.read(4);
          if (i % 3 === 0) {
            stream.abort();
          } else if (i % 3 === 1) {
            stream.closeWrite();
            await stream.read(-1);
          }
          await stream.close();
        }),
      );
      await until('all are gone', () => server.connectionCount === 0 && loop.statistics().sockets === 1);
    };
    await round(300);
    collect();
    const open = descriptorCount();
    const heap = process.memoryUsage().heapUsed;
    for (let i = 0; i < 9; i++) await round(300);
    collect();
    expect(descriptorCount()).toBe(open);
    expect(process.memoryUsage().heapUsed - heap).toBeLessThan(2_000_000);
    // Slots are used again: their numbers stay below the most that were open at once.
    const slot = loop._native.listen(HOST, 0, 0, 0, 1);
    expect(slot).toBeGreaterThanOrEqual(0);
    expect(slot).toBeLessThan(700);
    loop._rings.submit(abi.OP_RESET, slot, loop._rings.control[abi.CTL_RESULT_GENERATION]!, 0, 0);
    await server.close();
  });
  await until('the descriptors are closed', () => descriptorCount() <= descriptors);
});

describe('a peer that resets at every moment', () => {
  const moments: [string, (client: net.Socket, serverPort: number) => Promise<void>][] = [
    ['before it is accepted', async () => await Promise.resolve()],
    [
      'right after it connected',
      async (client) => {
        if (client.connecting) await once(client, 'connect').catch(() => undefined);
      },
    ],
    [
      'with bytes on their way to us',
      async (client) => {
        client.write(pattern(200_000));
        await nodeTurn();
      },
    ],
    [
      'with bytes on their way from us',
      async (client) => {
        client.write(pattern(1000));
        await once(client, 'data').catch(() => undefined);
        client.pause();
        client.write(pattern(5 * MEGABYTE));
        for (let turn = 0; turn < 5; turn++) await nodeTurn();
      },
    ],
    [
      'after its own end',
      async (client) => {
        client.end('bye');
        for (let turn = 0; turn < 3; turn++) await nodeTurn();
      },
    ],
  ];

  test.each(moments)('%s harms nobody else', (_name, lead) =>
    withEventLoop(async (loop) => {
      const errors: unknown[] = [];
      loop.setExceptionHandler((_, { exception }) => errors.push(exception));
      const server = await listen(echo, { host: HOST });
      const bystander = await netConnect(server.port);
      for (let round = 0; round < 5; round++) {
        const clients = Array.from({ length: 4 }, () => careless(server.port));
        await Promise.all(
          clients.map(async (client) => {
            await lead(client, server.port);
            client.resetAndDestroy();
          }),
        );
        await gone(clients);
      }
      bystander.write('still there?');
      expect(String((await once(bystander, 'data'))[0])).toBe('still there?');
      bystander.end();
      await until('all are gone', () => server.connectionCount === 0);
      await server.close();
      // The handlers met resets and nothing else.
      for (const error of errors) {
        expect(error).toMatchObject({ code: expect.stringMatching(/ECONNRESET|EPIPE/) });
      }
    }),
  );
});

test('random abuse from both sides ends with nothing left', () =>
  withEventLoop(async (loop) => {
    loop.setExceptionHandler(() => undefined);
    const random = seededRandom(11);
    const abuse = async (stream: Stream): Promise<void> => {
      for (let left = 1 + Math.floor(random() * 12); left > 0; left--) {
        switch (Math.floor(random() * 9)) {
          case 0:
            stream.write(pattern(1 + Math.floor(random() * 300_000)));
            break;
          case 1:
            stream.write('x'.repeat(Math.floor(random() * 2000)));
            break;
          case 2:
            await stream.drain();
            break;
          case 3:
            await Promise.race([stream.read(1 + Math.floor(random() * 1000)), nodeTurn()]);
            break;
          case 4:
            stream.closeWrite();
            break;
          case 5:
            if (random() < 0.3) stream.abort();
            break;
          case 6:
            if (random() < 0.3) void stream.close();
            break;
          case 7:
            await nodeTurn();
            break;
          default:
            stream.unref().ref();
        }
      }
    };
    const server = await listen(abuse, { host: HOST, limit: 1000, highWaterMark: 10_000 });
    for (let round = 0; round < 15; round++) {
      await Promise.all(
        Array.from({ length: 20 }, async () => {
          const stream = await connect({ host: HOST, port: server.port, limit: 1000 }).then(
            (made) => made,
            () => null,
          );
          if (stream === null) return;
          await abuse(stream).catch(() => undefined);
          if (random() < 0.5) stream.abort();
          // Nobody reads any more, so only a reset ends what is unsent.
          else await Promise.race([stream.close(), nodeTurn()]);
          stream.abort();
        }),
      );
    }
    server.abortClients();
    await until('all are gone', () => server.connectionCount === 0);
    await server.close();
    await until('nothing is left', () => loop.statistics().sockets === 0 && loop.allTasks().size === 0);
  }));

test('a server of node:net that behaves the same way harms none of our clients', () =>
  withEventLoop(async (loop) => {
    const server = await NetServer.open();
    const random = seededRandom(3);
    const streams = await Promise.all(
      Array.from({ length: 60 }, async () => await connect({ host: HOST, port: server.port })),
    );
    await until('all are accepted', () => server.sockets.length === 60);
    server.sockets.forEach((socket) => {
      socket.write(pattern(Math.floor(random() * 100_000)));
      if (random() < 0.3) socket.end();
      else if (random() < 0.5) socket.resetAndDestroy();
      else socket.destroy();
    });
    const endings = await Promise.all(
      streams.map(async (stream) => {
        stream.write('anybody?');
        try {
          while ((await stream.read()).length > 0);
          return 'end';
        } catch (error) {
          return (error as NodeJS.ErrnoException).code;
        } finally {
          await stream.close();
        }
      }),
    );
    expect(new Set(endings)).toEqual(new Set(['end', 'ECONNRESET']));
    expect(loop.statistics().sockets).toBe(0);
    await server.close();
  }));

test('a loop that served all this has nothing left', () =>
  withEventLoop(async (loop: EventLoop) => {
    const server = await listen(echo, { host: HOST });
    for (let i = 0; i < 100; i++) careless(server.port).end('bye');
    await until('all were served', () => server.connectionCount > 0);
    await until('all are gone', () => server.connectionCount === 0);
    await server.close();
    for (let turn = 0; turn < 5; turn++) await nodeTurn();
    expect({ ...leftovers(loop), ready: 0 }).toEqual(NOTHING_LEFT);
  }));
