import { AsyncLocalStorage } from 'node:async_hooks';
import { createSocket } from 'node:dgram';
import { describe, expect, test } from 'vitest';
import { CancelledError, ClosedResourceError, InvalidStateError } from '../../../src/base/errors.js';
import { EventLoop } from '../../../src/event-loop.js';
import type { DatagramTransport } from '../../../src/io/datagram-protocol.js';
import { udp, type UdpSocket } from '../../../src/io/udp.js';
import { nodeTurn, turns, withLoop } from '../../support/loop.js';

const HERE = '127.0.0.1';

async function withEventLoop(body: (loop: EventLoop) => unknown, options = {}): Promise<void> {
  await withLoop<EventLoop>(body, { make: (given) => new EventLoop(given), ...options });
}

async function withPair(
  body: (server: UdpSocket, client: UdpSocket, loop: EventLoop) => unknown,
  serverOptions = {},
): Promise<void> {
  await withEventLoop(async (loop) => {
    const task = loop.createTask(async () => {
      await using server = await udp({ local: { host: HERE }, ...serverOptions });
      await using client = await udp({ remote: { host: HERE, port: portOf(server) } });
      await body(server, client, loop);
    });
    await task;
  });
}

function portOf(socket: UdpSocket | DatagramTransport): number {
  return socket.info.local!.port!;
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await nodeTurn();
}

/** A port where nobody listens. */
function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const socket = createSocket('udp4').bind(0, HERE, () => {
      const { port } = socket.address();
      socket.close(() => resolve(port));
    });
  });
}

describe.each(['generator', 'async'] as const)('in %s tasks', (form) => {
  test('receive: a datagram comes with the address to answer to', async () => {
    await withPair(async (server, client, loop) => {
      const serve =
        form === 'async'
          ? async () => {
              const { data, address } = await server.receive();
              server.send(`${String(data)}!`, address);
              await server.drain();
              return address;
            }
          : function* () {
              const { data, address } = yield* server.receive();
              server.send(`${String(data)}!`, address);
              yield* server.drain();
              return address;
            };
      const task = loop.createTask(serve);
      client.send('ping');
      const answer = await client.receive();
      expect(String(answer.data)).toBe('ping!');
      expect(answer.address).toMatchObject({ family: 'IPv4', address: HERE, port: portOf(server) });
      expect(await task).toMatchObject({ address: HERE, port: client.info.local!.port });
    });
  });

  test('batch: recvMany() gives all that came together, at most as many as asked for', async () => {
    await withPair(async (server, client, loop) => {
      for (let i = 0; i < 10; i++) client.send(String(i));
      const take =
        form === 'async'
          ? async () => [await server.recvMany(4), await server.recvMany(100)]
          : function* () {
              return [yield* server.recvMany(4), yield* server.recvMany(100)];
            };
      const [first, rest] = await loop.createTask(take);
      expect(first!.map(({ data }) => String(data))).toEqual(['0', '1', '2', '3']);
      expect(rest!.map(({ data }) => String(data))).toEqual(['4', '5', '6', '7', '8', '9']);
    });
  });
});

describe('endpoint', () => {
  test('endpoint: a connected socket refuses to send to another address, and sends to its own', async () => {
    await withPair(async (server, client) => {
      const port = portOf(server);
      expect(() => client.send('x', { address: HERE, port: port === 1 ? 2 : 1 })).toThrow(InvalidStateError);
      client.send('y', { address: HERE, port });
      expect(String((await server.receive()).data)).toBe('y');
      expect(client.info.peer).toMatchObject({ address: HERE, port });
    });
  });

  test('endpoint: an unconnected socket needs an address', async () => {
    await withPair((server) => {
      expect(() => server.send('x')).toThrow(InvalidStateError);
    });
  });

  test('endpoint: ends of different families are paired where they can be, or refused', async () => {
    const known: Record<string, string[]> = { both: ['::1', HERE], four: [HERE], six: ['::1'] };
    const resolver = {
      getAddrInfo: (host: string) => Promise.resolve(known[host]!.map((address) => ({ address }))),
    };
    await withEventLoop(
      async (loop) => {
        await loop.createTask(async () => {
          const socket = await udp({ local: { host: 'four' }, remote: { host: 'both', port: 9 } });
          expect(socket.info.local!.address).toBe(HERE);
          expect(socket.info.peer).toMatchObject({ address: HERE, port: 9 });
          await socket.close();
          await expect(
            Promise.resolve(udp({ local: { host: 'four' }, remote: { host: 'six', port: 9 } })),
          ).rejects.toBeInstanceOf(InvalidStateError);
        });
      },
      { resolver },
    );
  });

  test('endpoint: an address that is taken is refused, unless all share the port', async () => {
    await withPair(async (server) => {
      const local = { host: HERE, port: portOf(server) };
      await expect(Promise.resolve(udp({ local }))).rejects.toMatchObject({ code: 'EADDRINUSE' });
      const one = await udp({ local: { host: HERE }, reusePort: true });
      const other = await udp({ local: { host: HERE, port: portOf(one) }, reusePort: true });
      await one.close();
      await other.close();
    });
  });

  test('endpoint: a protocol hears of datagrams, errors and the end, in its context', async () => {
    await withEventLoop(async (loop) => {
      const storage = new AsyncLocalStorage<string>();
      const heard: string[] = [];
      const note = (what: string): void => void heard.push(`${what} ${storage.getStore()!}`);
      const [transport] = await storage.run('ctx', () =>
        loop.createDatagramEndpoint(
          () => ({
            connectionMade: () => note('made'),
            datagramReceived: (data: Buffer) => note(String(data)),
            errorReceived: (error: Error) => note((error as NodeJS.ErrnoException).code!),
            connectionLost: (error: Error | null) => note(String(error)),
          }),
          { local: { host: HERE } },
        ),
      );
      const own = { address: HERE, port: portOf(transport) };
      transport.sendTo('one', own);
      transport.sendTo(Buffer.alloc(65530), own);
      transport.sendTo('two', own);
      await until(() => heard.length >= 4);
      transport.close();
      transport.close();
      await until(() => heard.length === 5);
      expect(heard.filter((what) => !what.startsWith('EMSGSIZE'))).toEqual([
        'made ctx',
        'one ctx',
        'two ctx',
        'null ctx',
      ]);
      expect(heard).toContain('EMSGSIZE ctx');
    });
  });

  test('endpoint: a protocol that throws loses its socket', async () => {
    await withEventLoop(async (loop) => {
      const errors: unknown[] = [];
      loop.setExceptionHandler((_, { exception }) => errors.push(exception));
      const lost: unknown[] = [];
      const mistake = new Error('mine');
      const [transport] = await loop.createDatagramEndpoint(
        () => ({
          datagramReceived: () => {
            throw mistake;
          },
          connectionLost: (error: Error | null) => void lost.push(error),
        }),
        { local: { host: HERE } },
      );
      transport.sendTo('x', { address: HERE, port: portOf(transport) });
      await until(() => lost.length === 1);
      expect(errors).toEqual([mistake]);
      expect(lost).toEqual([mistake]);
    });
  });

  test('endpoint: a factory that throws leaves no socket', async () => {
    await withEventLoop(async (loop) => {
      const factory = (): object => {
        throw new Error('mine');
      };
      await expect(
        Promise.resolve(loop.createDatagramEndpoint(factory, { local: { host: HERE } })),
      ).rejects.toThrow('mine');
      await turns(loop);
      expect(loop.statistics().sockets).toBe(0);
    });
  });

  test('endpoint: a socket that is not referenced holds nothing', async () => {
    await withPair((server, _, loop) => {
      const before = loop.statistics().references;
      expect(server.unref().hasRef()).toBe(false);
      expect(loop.statistics().references).toBe(before - 1);
      expect(server.ref().hasRef()).toBe(true);
      expect(loop.statistics().references).toBe(before);
    });
  });
});

describe('send', () => {
  test('send: an empty datagram is sent and received, and ends nothing', async () => {
    await withPair(async (server, client) => {
      client.send('');
      client.send('after');
      expect((await server.receive()).data.length).toBe(0);
      expect(String((await server.receive()).data)).toBe('after');
    });
  });

  test('send: the order is kept, also of what the system did not take at once', async () => {
    await withPair(
      async (server, client) => {
        const count = 2000;
        for (let i = 0; i < count; i++) {
          client.send(String(i).padEnd(500));
          await client.drain();
          if (i % 50 === 49) while (server.statistics().received < i + 1) await nodeTurn();
        }
        for (let i = 0; i < count; i++) {
          expect(String((await server.receive()).data).trim()).toBe(String(i));
        }
      },
      { receiveQueue: 5000 },
    );
  });

  test('send: one that is too large is told as an error, and the socket survives', async () => {
    await withPair(async (server, client) => {
      const codes: unknown[] = [];
      client.onError = (error) => codes.push((error as NodeJS.ErrnoException).code);
      client.send('before');
      client.send(Buffer.alloc(65520));
      client.send(Buffer.alloc(100_000));
      client.send('after');
      expect(String((await server.receive()).data)).toBe('before');
      expect(String((await server.receive()).data)).toBe('after');
      await until(() => codes.length === 2);
      expect(codes).toEqual(['EMSGSIZE', 'EMSGSIZE']);
      expect(client.statistics().errors).toBe(2);
    });
  });

  test('send: datagrams of every size arrive as they were, and equal ones stay apart', async () => {
    await withPair(async (server, client) => {
      for (const size of [1, 7, 8, 9, 1400, 1400, 1400, 700, 9000, 65507]) {
        client.send(Buffer.alloc(size, size % 251));
        const { data } = await server.receive();
        expect(data.equals(Buffer.alloc(size, size % 251))).toBe(true);
      }
      for (let i = 0; i < 20; i++) client.send(Buffer.alloc(100, i));
      for (let i = 0; i < 20; i++) expect((await server.receive()).data).toEqual(Buffer.alloc(100, i));
    });
  });

  test('send: a closed socket refuses, and what was sent before has left', async () => {
    await withPair(async (server, client) => {
      client.send('last');
      await client.close();
      expect(() => client.send('x')).toThrow(ClosedResourceError);
      await expect(Promise.resolve(client.drain())).rejects.toMatchObject({ code: 'ECONNRESET' });
      expect(String((await server.receive()).data)).toBe('last');
    });
  });
});

describe('receive', () => {
  test('receive: an unreachable peer is an error, and the socket goes on', async () => {
    const port = await freePort();
    await withEventLoop(async (loop) => {
      await loop.createTask(async () => {
        await using client = await udp({ remote: { host: HERE, port } });
        const codes: unknown[] = [];
        client.onError = (error) => codes.push((error as NodeJS.ErrnoException).code);
        client.send('anybody?');
        await until(() => codes.length > 0);
        expect(codes).toEqual(['ECONNREFUSED']);
        expect(client.isClosing()).toBe(false);
        await using server = await udp({ local: { host: HERE, port } });
        client.send('now?');
        expect(String((await server.receive()).data)).toBe('now?');
      });
    });
  });

  test('receive: what a slow receiver has no room for is dropped and counted', async () => {
    await withPair(
      async (server, client) => {
        for (let i = 0; i < 5; i++) client.send(String(i));
        await until(() => server.statistics().received === 5);
        expect(server.statistics()).toEqual({ received: 5, queued: 3, dropped: 2, errors: 0 });
        expect((await server.recvMany(10)).map(({ data }) => String(data))).toEqual(['0', '1', '2']);
      },
      { receiveQueue: 3 },
    );
  });

  test('receive: cancelling loses no datagram', async () => {
    await withPair(async (server, client, loop) => {
      const task = loop.createTask(function* () {
        return yield* server.receive();
      });
      await turns(loop);
      client.send('kept');
      await until(() => server.statistics().received === 1 || task.cancel());
      task.cancel();
      await task.then(
        ({ data }) => expect(String(data)).toBe('kept'),
        async (error: unknown) => {
          expect(error).toBeInstanceOf(CancelledError);
          expect(String((await server.receive()).data)).toBe('kept');
        },
      );
    });
  });

  test('receive: an iteration gives all in order, those that wait already too', async () => {
    await withPair(async (server, client) => {
      const count = 200;
      for (let i = 0; i < count / 2; i++) client.send(String(i));
      await until(() => server.statistics().queued === count / 2);
      const seen: string[] = [];
      for await (const { data } of server) {
        seen.push(String(data));
        if (seen.length === count) break;
        if (seen.length <= count / 2) client.send(String(count / 2 + seen.length - 1));
      }
      expect(seen).toEqual(Array.from({ length: count }, (_, i) => String(i)));
      expect(server.isClosing()).toBe(false);
    });
  });

  test('receive: cancelling an iteration loses no datagram, and leaves the socket to the next one', async () => {
    await withPair(async (server, client, loop) => {
      const seen: string[] = [];
      const iterate = async (): Promise<void> => {
        for await (const { data } of server) seen.push(String(data));
      };
      const first = loop.createTask(iterate);
      await turns(loop);
      client.send('one');
      // The datagram may arrive for the iteration before it is cancelled, or behind that.
      await until(() => server.statistics().received === 1);
      first.cancel();
      await expect(Promise.resolve(first)).rejects.toBeInstanceOf(CancelledError);
      const second = loop.createTask(iterate);
      client.send('two');
      await until(() => seen.length === 2);
      expect(seen).toEqual(['one', 'two']);
      await server.close();
      await second;
    });
  });

  test('receive: two may not wait at once', async () => {
    await withPair(async (server, client, loop) => {
      const task = loop.createTask(async () => await server.receive());
      await turns(loop);
      expect(() => server.receive()).toThrow(InvalidStateError);
      expect(() => server.recvMany(1)).toThrow(InvalidStateError);
      client.send('x');
      await task;
    });
  });

  test('receive: closing ends the iteration, and rejects whoever waits', async () => {
    await withPair(async (server, client, loop) => {
      const seen: string[] = [];
      const iteration = loop.createTask(async () => {
        for await (const { data } of server) seen.push(String(data));
      });
      const waiting = loop.createTask(async () => await client.receive());
      client.send('one');
      await until(() => seen.length === 1);
      server.abort();
      client.abort();
      await iteration;
      await expect(Promise.resolve(waiting)).rejects.toBeInstanceOf(ClosedResourceError);
      expect(seen).toEqual(['one']);
    });
  });
});

describe('multicast, ttl', () => {
  test('multicast, ttl: a group is joined and left on the chosen interface', async () => {
    await withEventLoop(async (loop) => {
      await loop.createTask(async () => {
        const group = '239.255.7.7';
        await using member = await udp({ local: { host: '0.0.0.0' } });
        await using sender = await udp({ local: { host: HERE } });
        sender.setMulticastInterface('lo').setMulticastTtl(1).setMulticastLoopback(true);
        member.addMembership(group, HERE);
        const to = { address: group, port: portOf(member) };
        sender.send('joined', to);
        expect(String((await member.receive()).data)).toBe('joined');
        member.dropMembership(group, 'lo');
        sender.send('left', to);
        sender.send('direct', { address: HERE, port: portOf(member) });
        expect(String((await member.receive()).data)).toBe('direct');
        expect(() => member.dropMembership(group, 'lo')).toThrow(
          expect.objectContaining({ code: 'EADDRNOTAVAIL' }) as Error,
        );
      });
    });
  });

  test('multicast, ttl: options are the system’s, and a closed socket has none', async () => {
    await withPair(async (server) => {
      server.setTtl(5).setBroadcast(true);
      await server.close();
      expect(() => server.setTtl(5)).toThrow(expect.objectContaining({ code: 'EBADF' }) as Error);
      expect(() => server.addMembership('239.255.7.7')).toThrow(
        expect.objectContaining({ code: 'EBADF' }) as Error,
      );
    });
  });
});
