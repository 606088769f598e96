import { AsyncLocalStorage } from 'node:async_hooks';
import { once } from 'node:events';
import net, { type Socket } from 'node:net';
import { describe, expect, test } from 'vitest';
import { CancelledError, InvalidStateError } from '../../../src/base/errors.js';
import type { ExceptionContext } from '../../../src/core/exception.js';
import type { EventLoop } from '../../../src/event-loop.js';
import type { Protocol, Transport } from '../../../src/io/protocol.js';
import type { Server } from '../../../src/io/server.js';
import type { TcpListenOptions } from '../../../src/io/listening.js';
import { nodeTurn, soon } from '../../support/loop.js';
import {
  Digest,
  NetServer,
  descriptorCount,
  digested,
  netConnect,
  pattern,
  received,
  settled,
  until,
  withEventLoop,
} from '../../support/net.js';

const HOST = '127.0.0.1';
const MEGABYTE = 1_000_000;

/** Writes down everything it is told. */
class Recorder implements Protocol {
  readonly calls: string[] = [];
  readonly chunks: Buffer[] = [];
  transport!: Transport;
  lost: Error | null | undefined;
  staysOpen = false;

  connectionMade(transport: Transport): void {
    this.transport = transport;
    this.calls.push('connectionMade');
  }

  dataReceived(chunk: Buffer): void {
    this.chunks.push(chunk);
    if (this.calls.at(-1) !== 'dataReceived') this.calls.push('dataReceived');
  }

  eofReceived(): boolean {
    this.calls.push('eofReceived');
    return this.staysOpen;
  }

  pauseWriting(): void {
    this.calls.push('pauseWriting');
  }

  resumeWriting(): void {
    this.calls.push('resumeWriting');
  }

  connectionLost(error: Error | null): void {
    this.calls.push('connectionLost');
    this.lost = error;
  }

  get text(): string {
    return Buffer.concat(this.chunks).toString();
  }

  get isLost(): boolean {
    return this.lost !== undefined;
  }
}

interface Connection<P extends Protocol> {
  transport: Transport;
  protocol: P;
  peer: Socket;
  close(): Promise<void>;
}

async function connected<P extends Protocol>(
  loop: EventLoop,
  make: () => P,
  options = {},
): Promise<Connection<P>> {
  const server = await NetServer.open();
  const accepted = server.next();
  const [transport, protocol] = await loop.createConnection(make, {
    host: HOST,
    port: server.port,
    ...options,
  });
  const peer = await accepted;
  return {
    transport,
    protocol,
    peer,
    close: async () => {
      transport.abort();
      await server.close();
      await until('the socket is closed', () => loop.statistics().sockets === 0);
    },
  };
}

async function accepted<P extends Protocol>(
  loop: EventLoop,
  make: () => P,
  options: TcpListenOptions = {},
): Promise<Connection<P>> {
  let protocol: P | undefined;
  let transport: Transport | undefined;
  const factory = (): P => {
    protocol = make();
    const original = protocol.connectionMade?.bind(protocol);
    protocol.connectionMade = (made) => {
      transport = made;
      original?.(made);
    };
    return protocol;
  };
  const server: Server = await loop.createServer(factory, { host: HOST, ...options });
  const peer = net.connect({ port: server.port, host: HOST, allowHalfOpen: true, noDelay: true });
  peer.on('error', () => undefined);
  await until('it is accepted', () => transport !== undefined && !peer.connecting);
  return {
    transport: transport!,
    protocol: protocol!,
    peer,
    close: async () => {
      server.abortClients();
      await server.close();
      peer.destroy();
    },
  };
}

async function errorOf(work: PromiseLike<unknown>): Promise<unknown> {
  try {
    await work;
  } catch (error) {
    return error;
  }
  throw new Error('It did not fail');
}

/** Keeps what reaches the exception handler. */
function catchReports(loop: EventLoop): ExceptionContext[] {
  const reports: ExceptionContext[] = [];
  loop.setExceptionHandler((_, context) => reports.push(context));
  return reports;
}

describe.each([
  ['connected', connected],
  ['accepted', accepted],
])('a protocol of a %s transport', (_side, make) => {
  const open = make;

  test('is told of the connection, its bytes, their end and its own, each in order', () =>
    withEventLoop(async (loop) => {
      const { protocol, peer, transport, close } = await open(loop, () => new Recorder());
      await until('connectionMade', () => protocol.calls.length === 1);
      expect(protocol.transport).toBe(transport);
      expect(transport.protocol).toBe(protocol);
      peer.write('hello');
      await until('dataReceived', () => protocol.text === 'hello');
      peer.end(' world');
      await until('connectionLost', () => protocol.isLost);
      expect(protocol.calls).toEqual(['connectionMade', 'dataReceived', 'eofReceived', 'connectionLost']);
      expect(protocol.text).toBe('hello world');
      expect(protocol.lost).toBe(null);
      await close();
      for (let turn = 0; turn < 5; turn++) await nodeTurn();
      expect(protocol.calls.filter((call) => call === 'connectionLost').length).toBe(1);
    }));

  test('C-84 close() flushes, and connectionLost(null) comes later, once', () =>
    withEventLoop(async (loop) => {
      const { protocol, peer, transport, close } = await open(loop, () => new Recorder());
      const sent = pattern(5 * MEGABYTE);
      transport.write(sent);
      transport.close();
      transport.close();
      expect(transport.isClosing()).toBe(true);
      expect(protocol.isLost).toBe(false);
      expect(String(await digested(peer))).toBe(String(new Digest().add(sent)));
      await until('connectionLost', () => protocol.isLost);
      expect(protocol.lost).toBe(null);
      expect(protocol.calls.filter((call) => call === 'connectionLost').length).toBe(1);
      await close();
    }));

  test('C-84 nothing is delivered after close()', () =>
    withEventLoop(async (loop) => {
      class Closer extends Recorder {
        override dataReceived(chunk: Buffer): void {
          super.dataReceived(chunk);
          this.transport.close();
        }
      }
      const { protocol, peer, close } = await open(loop, () => new Closer());
      peer.write('first');
      await until('connectionLost', () => protocol.isLost);
      peer.write('second');
      for (let turn = 0; turn < 5; turn++) await nodeTurn();
      expect(protocol.calls).toEqual(['connectionMade', 'dataReceived', 'connectionLost']);
      expect(protocol.text).toBe('first');
      await close();
    }));

  test('abort() resets, and connectionLost(null) follows', () =>
    withEventLoop(async (loop) => {
      const { protocol, peer, transport, close } = await open(loop, () => new Recorder());
      const failed = once(peer, 'close').catch(() => undefined);
      transport.abort();
      transport.abort();
      await until('connectionLost', () => protocol.isLost);
      expect(protocol.lost).toBe(null);
      await failed;
      expect(peer.errored).toMatchObject({ code: 'ECONNRESET' });
      await close();
    }));

  test('a reset by the peer comes as the error of connectionLost', () =>
    withEventLoop(async (loop) => {
      const { protocol, peer, close } = await open(loop, () => new Recorder());
      await until('connectionMade', () => protocol.calls.length === 1);
      peer.resetAndDestroy();
      await until('connectionLost', () => protocol.isLost);
      expect(protocol.calls).toEqual(['connectionMade', 'connectionLost']);
      expect(protocol.lost).toMatchObject({ code: 'ECONNRESET' });
      await close();
    }));

  test('an unsent rest that is lost after close() comes as the error of connectionLost', () =>
    withEventLoop(async (loop) => {
      for (const size of [10_000, 100_000]) {
        const { protocol, peer, transport, close } = await open(loop, () => new Recorder());
        peer.pause();
        while (transport.getWriteBufferSize() < MEGABYTE) {
          for (let i = 0; i < 20; i++) transport.write(pattern(size));
          await nodeTurn();
        }
        transport.close();
        for (let turn = 0; turn < 3; turn++) await nodeTurn();
        expect(protocol.isLost).toBe(false);
        peer.resetAndDestroy();
        await until('connectionLost', () => protocol.isLost);
        expect((protocol.lost as NodeJS.ErrnoException).code).toMatch(/ECONNRESET|EPIPE/);
        await close();
      }
    }));

  test('eofReceived() that answers true keeps the connection open for writing', () =>
    withEventLoop(async (loop) => {
      const { protocol, peer, transport, close } = await open(loop, () => {
        const recorder = new Recorder();
        recorder.staysOpen = true;
        return recorder;
      });
      peer.end('question');
      await until('eofReceived', () => protocol.calls.includes('eofReceived'));
      transport.pauseReading();
      transport.resumeReading();
      for (let turn = 0; turn < 5; turn++) await nodeTurn();
      expect(transport.isClosing()).toBe(false);
      transport.write('answer');
      transport.writeEof();
      expect(String(await received(peer))).toBe('answer');
      transport.close();
      await until('connectionLost', () => protocol.isLost);
      expect(protocol.calls).toEqual(['connectionMade', 'dataReceived', 'eofReceived', 'connectionLost']);
      await close();
    }));

  test('a protocol without eofReceived() closes at the end of the peer', () =>
    withEventLoop(async (loop) => {
      let isLost = false;
      const { peer, transport, close } = await open(loop, (): Protocol => ({
        connectionLost: () => {
          isLost = true;
        },
      }));
      transport.write('bye');
      peer.end();
      expect(String(await received(peer))).toBe('bye');
      await until('connectionLost', () => isLost);
      await close();
    }));

  test('writeEof() ends our side only, and no write may follow', () =>
    withEventLoop(async (loop) => {
      const { protocol, peer, transport, close } = await open(loop, () => new Recorder());
      transport.write('question');
      transport.writeEof();
      transport.writeEof();
      expect(() => transport.write('more')).toThrow(InvalidStateError);
      expect(String(await received(peer))).toBe('question');
      peer.end('answer');
      await until('connectionLost', () => protocol.isLost);
      expect(protocol.text).toBe('answer');
      transport.write('silence');
      await close();
    }));

  test('C-80 pauseWriting() and resumeWriting() come at the marks, in turns', () =>
    withEventLoop(async (loop) => {
      const sizes: number[] = [];
      class Sizes extends Recorder {
        override pauseWriting(): void {
          super.pauseWriting();
          sizes.push(this.transport.getWriteBufferSize());
        }
        override resumeWriting(): void {
          super.resumeWriting();
          sizes.push(this.transport.getWriteBufferSize());
        }
      }
      for (const size of [5000, 50_000]) {
        const { protocol, peer, transport, close } = await open(loop, () => new Sizes());
        transport.setWriteBufferLimits({ high: 500_000, low: 200_000 });
        sizes.length = 0;
        let written = 0;
        for (let round = 0; round < 3; round++) {
          peer.pause();
          // The kernel's buffers grow under pressure: it is full when bytes stay with us.
          while (transport.getWriteBufferSize() <= 500_000) {
            transport.write(pattern(size));
            written += size;
            await nodeTurn();
            if (transport.getWriteBufferSize() > 500_000) await settled(() => transport.getWriteBufferSize());
          }
          expect(protocol.calls.at(-1)).toBe('pauseWriting');
          peer.resume();
          await until('resumeWriting', () => protocol.calls.at(-1) === 'resumeWriting');
        }
        transport.writeEof();
        await digested(peer);
        expect(peer.bytesRead).toBe(written);
        const calls = protocol.calls.slice(1);
        expect(calls.length).toBeGreaterThanOrEqual(6);
        expect(calls.every((call, i) => call === (i % 2 === 0 ? 'pauseWriting' : 'resumeWriting'))).toBe(
          true,
        );
        for (let i = 0; i < sizes.length; i += 2) {
          expect(sizes[i]).toBeGreaterThan(500_000);
          expect(sizes[i + 1]).toBeLessThanOrEqual(200_000);
        }
        await close();
      }
    }));

  test('writing that the kernel takes at once pauses nobody', () =>
    withEventLoop(async (loop) => {
      const { protocol, peer, transport, close } = await open(loop, () => new Recorder());
      for (let i = 0; i < 10; i++) transport.write(pattern(16_000));
      transport.writeEof();
      expect((await digested(peer)).sizeBytes).toBe(160_000);
      expect(protocol.calls).toEqual(['connectionMade']);
      await close();
    }));

  test('pauseReading() stops the peer, and resumeReading() gives every byte', () =>
    withEventLoop(async (loop) => {
      const { protocol, peer, transport, close } = await open(loop, () => new Recorder());
      await until('connectionMade', () => protocol.calls.length === 1);
      transport.pauseReading();
      transport.pauseReading();
      const sent = pattern(10 * MEGABYTE);
      peer.end(sent);
      await settled(() => peer.writableLength);
      expect(peer.writableLength).toBeGreaterThan(0);
      expect(protocol.chunks.length).toBe(0);
      transport.resumeReading();
      transport.resumeReading();
      await until('connectionLost', () => protocol.isLost);
      expect(sent.equals(Buffer.concat(protocol.chunks))).toBe(true);
      await close();
    }));

  test('pausing in dataReceived() holds back what is on its way, also the end', () =>
    withEventLoop(async (loop) => {
      class Pausing extends Recorder {
        readonly expected: number[] = [];
        isReading = true;
        override dataReceived(chunk: Buffer): void {
          expect(this.isReading).toBe(true);
          super.dataReceived(chunk);
          this.isReading = false;
          this.transport.pauseReading();
          loop.callSoon(() => {
            this.isReading = true;
            this.transport.resumeReading();
          });
        }
        override eofReceived(): boolean {
          expect(this.isReading).toBe(true);
          return super.eofReceived();
        }
      }
      const { protocol, peer, close } = await open(loop, () => new Pausing());
      const sent = pattern(2 * MEGABYTE);
      peer.end(sent);
      await until('connectionLost', () => protocol.isLost);
      expect(sent.equals(Buffer.concat(protocol.chunks))).toBe(true);
      await close();
    }));

  test('pausing from elsewhere in the batch holds back what is scheduled already', () =>
    withEventLoop(async (loop) => {
      const { protocol, transport, close } = await open(loop, () => new Recorder());
      await until('connectionMade', () => protocol.calls.length === 1);
      await new Promise<void>((resolve) => {
        loop.callSoon(() => {
          transport.onData(Buffer.from('one '));
          transport.onData(Buffer.from('two '));
          transport.onEnd();
          transport.pauseReading();
          resolve();
        });
      });
      for (let turn = 0; turn < 3; turn++) await soon(loop);
      expect(protocol.calls).toEqual(['connectionMade']);
      transport.resumeReading();
      transport.onData(Buffer.from('three'));
      transport.pauseReading();
      await soon(loop);
      transport.resumeReading();
      await until('connectionLost', () => protocol.isLost);
      expect(protocol.chunks.map(String)).toEqual(['one ', 'two ']);
      expect(protocol.calls).toEqual(['connectionMade', 'dataReceived', 'eofReceived', 'connectionLost']);
      await close();
    }));

  test('a protocol that pauses in connectionMade() gets nothing until it resumes', () =>
    withEventLoop(async (loop) => {
      class Paused extends Recorder {
        override connectionMade(transport: Transport): void {
          super.connectionMade(transport);
          transport.pauseReading();
        }
      }
      const { protocol, peer, transport, close } = await open(loop, () => new Paused());
      peer.write('hello');
      for (let turn = 0; turn < 10; turn++) await nodeTurn();
      expect(protocol.calls).toEqual(['connectionMade']);
      transport.resumeReading();
      await until('dataReceived', () => protocol.text === 'hello');
      await close();
    }));

  test('setProtocol() in the middle of the stream loses no byte and repeats none', () =>
    withEventLoop(async (loop) => {
      const sent = pattern(3 * MEGABYTE);
      const all: Buffer[] = [];
      const lost: string[] = [];
      class Relay implements Protocol {
        transport: Transport | null;
        constructor(transport: Transport | null) {
          this.transport = transport;
        }
        connectionMade(transport: Transport): void {
          this.transport = transport;
        }
        dataReceived(chunk: Buffer): void {
          expect(this.transport!.protocol).toBe(this);
          all.push(chunk);
          this.transport!.setProtocol(new Relay(this.transport));
        }
        connectionLost(): void {
          lost.push('lost');
        }
      }
      const { peer, close } = await open(loop, () => new Relay(null) as Protocol);
      peer.end(sent);
      await until('connectionLost', () => lost.length > 0);
      expect(sent.equals(Buffer.concat(all))).toBe(true);
      expect(all.length).toBeGreaterThan(5);
      expect(lost).toEqual(['lost']);
      await close();
    }));

  test.each(['connectionMade', 'dataReceived', 'eofReceived'] as const)(
    'what %s() throws is reported and closes the connection with that error',
    (method) =>
      withEventLoop(async (loop) => {
        const reports = catchReports(loop);
        const broken = new Error(`broken in ${method}`);
        const recorder = new Recorder();
        const original = (recorder[method] as (...args: unknown[]) => unknown).bind(recorder);
        recorder[method] = (...args: unknown[]): never => {
          original(...args);
          throw broken;
        };
        const { protocol, peer, transport, close } = await open(loop, () => recorder);
        peer.end('hello');
        await until('connectionLost', () => protocol.isLost);
        expect(protocol.lost).toBe(broken);
        expect(reports.map(({ message, exception }) => [message, exception])).toEqual([
          ['Exception in protocol', broken],
        ]);
        expect(reports[0]).toMatchObject({ protocol, transport });
        expect(protocol.calls.at(-2)).toBe(method);
        expect(protocol.calls.filter((call) => call === 'connectionLost').length).toBe(1);
        await close();
      }),
  );

  test('what connectionLost() throws is reported, once', () =>
    withEventLoop(async (loop) => {
      const reports = catchReports(loop);
      class Broken extends Recorder {
        override connectionLost(error: Error | null): void {
          super.connectionLost(error);
          throw new Error('broken');
        }
      }
      const { protocol, peer, close } = await open(loop, () => new Broken());
      peer.end();
      await until('connectionLost', () => protocol.isLost);
      await close();
      expect(protocol.calls.filter((call) => call === 'connectionLost').length).toBe(1);
      expect(reports.map(({ exception }) => (exception as Error).message)).toEqual(['broken']);
    }));

  test('no method is called from within a call of the transport', () =>
    withEventLoop(async (loop) => {
      let isInside = false;
      const wrong: string[] = [];
      class Checking extends Recorder {
        check(what: string): void {
          if (isInside) wrong.push(what);
        }
        override pauseWriting(): void {
          this.check('pauseWriting');
        }
        override connectionLost(error: Error | null): void {
          this.check('connectionLost');
          super.connectionLost(error);
        }
        override dataReceived(chunk: Buffer): void {
          this.check('dataReceived');
          super.dataReceived(chunk);
        }
      }
      const { protocol, peer, transport, close } = await open(loop, () => new Checking());
      peer.write('hello');
      await settled(() => protocol.chunks.length);
      isInside = true;
      for (let i = 0; i < 100; i++) transport.write(pattern(100_000));
      transport.pauseReading();
      transport.resumeReading();
      transport.abort();
      isInside = false;
      await until('connectionLost', () => protocol.isLost);
      expect(wrong).toEqual([]);
      await close();
    }));

  test('promise jobs drain between two calls', () =>
    withEventLoop(async (loop) => {
      const order: string[] = [];
      const protocol: Protocol = {
        dataReceived: (chunk) => {
          order.push(`data ${String(chunk)}`);
          void Promise.resolve().then(() => order.push('job'));
          process.nextTick(() => order.push('tick'));
        },
      };
      const { transport, close } = await open(loop, () => protocol);
      await soon(loop);
      transport.onData(Buffer.from('1'));
      transport.onData(Buffer.from('2'));
      await soon(loop);
      expect(order).toEqual(['data 1', 'tick', 'job', 'data 2', 'tick', 'job']);
      await close();
    }));

  test('counts as a reference until the transport is closed, unless it is unreferenced', () =>
    withEventLoop(async (loop) => {
      const { protocol, transport, close } = await open(loop, () => new Recorder());
      await until('connectionMade', () => protocol.calls.length === 1);
      const references = (): number => loop.statistics().references;
      const before = references();
      expect(transport.hasRef()).toBe(true);
      expect(transport.unref().unref().hasRef()).toBe(false);
      expect(references()).toBe(before - 1);
      expect(transport.ref().ref().hasRef()).toBe(true);
      expect(references()).toBe(before);
      transport.unref();
      transport.close();
      await until('connectionLost', () => protocol.isLost);
      expect(references()).toBe(before - 1);
      transport.ref();
      expect(references()).toBe(before - 1);
      await close();
    }));

  test('knows both addresses, also when it is lost', () =>
    withEventLoop(async (loop) => {
      const { protocol, peer, transport, close } = await open(loop, () => new Recorder());
      const info = {
        local: { family: 'IPv4', address: HOST, port: peer.remotePort },
        peer: { family: 'IPv4', address: HOST, port: peer.localPort },
      };
      peer.resetAndDestroy();
      await until('connectionLost', () => protocol.isLost);
      expect(transport.info).toEqual(info);
      await close();
    }));
});

describe('createConnection()', () => {
  test('in both forms', () =>
    withEventLoop(async (loop) => {
      const server = await NetServer.open();
      const options = { host: HOST, port: server.port };
      const pairs = [
        await loop.createTask(async () => await loop.createConnection(() => new Recorder(), options)),
        await loop.createTask(function* () {
          return yield* loop.createConnection(() => new Recorder(), options);
        }),
      ];
      for (const [transport, protocol] of pairs) {
        expect(transport.protocol).toBe(protocol);
        transport.close();
        await until('connectionLost', () => protocol.isLost);
      }
      await server.close();
    }));

  test.each([
    [
      'throws',
      () => {
        throw new Error('no protocol');
      },
      /no protocol/,
    ],
    ['returns no object', () => undefined as unknown as Protocol, /protocolFactory/],
  ])('with a factory that %s rejects, and closes the socket', (_name, factory: () => Protocol, message) =>
    withEventLoop(async (loop) => {
      const server = await NetServer.open();
      const before = descriptorCount();
      const error = (await errorOf(
        loop.createConnection(factory, { host: HOST, port: server.port }),
      )) as Error;
      expect(error.message).toMatch(message);
      await until('the socket is closed', () => loop.statistics().sockets === 0);
      await until('the peer sees it', () => server.sockets.every((socket) => socket.destroyed));
      await until('the descriptors are closed', () => descriptorCount() === before);
      await server.close();
    }),
  );

  test('cancelled after the protocol was made resets the connection', () =>
    withEventLoop(async (loop) => {
      const server = await NetServer.open();
      const recorder = new Recorder();
      const task = loop.createTask(
        async () =>
          await loop.createConnection(
            () => {
              task.cancel();
              return recorder;
            },
            { host: HOST, port: server.port },
          ),
      );
      expect(await errorOf(task)).toBeInstanceOf(CancelledError);
      await until('the socket is closed', () => loop.statistics().sockets === 0);
      await server.close();
    }));

  test('runs the factory and the protocol in the async context of the call', () =>
    withEventLoop(async (loop) => {
      const storage = new AsyncLocalStorage<string>();
      const seen: unknown[] = [];
      const look = (): void => void seen.push(storage.getStore());
      const protocol: Protocol = { connectionMade: look, dataReceived: look, connectionLost: look };
      const factory = (): Protocol => {
        look();
        return protocol;
      };
      const server = await storage.run(
        'server',
        async () => await loop.createServer(factory, { host: HOST }),
      );
      const peer = await netConnect(server.port);
      peer.end('hello');
      await until('connectionLost', () => seen.length === 4);
      expect(seen).toEqual(Array(4).fill('server'));
      await server.close();

      seen.length = 0;
      const other = await NetServer.open();
      const accepting = other.next();
      await storage.run(
        'client',
        async () => await loop.createConnection(factory, { host: HOST, port: other.port }),
      );
      (await accepting).end('hello');
      await until('connectionLost', () => seen.length === 4);
      expect(seen).toEqual(Array(4).fill('client'));
      await other.close();
    }));

  test('refuses bad arguments', () =>
    withEventLoop((loop) => {
      const create = loop.createConnection.bind(loop) as (...args: unknown[]) => unknown;
      expect(() => create({}, { port: 1 })).toThrow(
        expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' }),
      );
      expect(() => create(() => ({}))).toThrow(expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' }));
      expect(() => create(() => ({}), { port: 0 })).toThrow(
        expect.objectContaining({ code: 'ERR_OUT_OF_RANGE' }),
      );
    }));
});

describe('createServer()', () => {
  test('with a factory that throws reports it, resets that connection and serves the next', () =>
    withEventLoop(async (loop) => {
      const reports = catchReports(loop);
      let calls = 0;
      const server = await loop.createServer(
        () => {
          if (++calls === 1) throw new Error('no protocol');
          return new Recorder();
        },
        { host: HOST },
      );
      const first = await netConnect(server.port).catch(() => null);
      if (first !== null) await until('it is reset', () => first.resume().destroyed);
      const second = await netConnect(server.port);
      await until('it is served', () => server.connectionCount === 1);
      second.destroy();
      await until('it is gone', () => server.connectionCount === 0);
      await server.close();
      expect(reports.map(({ exception }) => (exception as Error).message)).toEqual(['no protocol']);
    }));

  test('counts its connections until they are lost', () =>
    withEventLoop(async (loop) => {
      const recorders: Recorder[] = [];
      const server = await loop.createServer(
        () => {
          const recorder = new Recorder();
          recorders.push(recorder);
          return recorder;
        },
        { host: HOST },
      );
      const peers = await Promise.all([1, 2, 3].map(() => netConnect(server.port)));
      await until('all are there', () => server.connectionCount === 3);
      const closed = server.close();
      server.closeClients();
      await closed;
      expect(server.connectionCount).toBe(0);
      await until('all know', () => recorders.every(({ isLost }) => isLost));
      for (const peer of peers) peer.destroy();
    }));
});

describe('limits of the write buffer', () => {
  test('are checked', () =>
    withEventLoop(async (loop) => {
      const { transport, close } = await connected(loop, () => new Recorder());
      const set = transport.setWriteBufferLimits.bind(transport) as (limits: unknown) => void;
      for (const limits of [null, 1, 'x', { high: '1' }, { low: '1' }]) {
        expect(() => set(limits)).toThrow(expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' }));
      }
      for (const limits of [{ high: -1 }, { low: -1 }, { high: 1, low: 2 }, { high: 1.5 }]) {
        expect(() => set(limits)).toThrow(expect.objectContaining({ code: 'ERR_OUT_OF_RANGE' }));
      }
      transport.setWriteBufferLimits();
      transport.setWriteBufferLimits({ high: 0 });
      transport.setWriteBufferLimits({ low: 100_000 });
      await close();
    }));
});
