import type { Socket } from 'node:net';
import { describe, expect, test } from 'vitest';
import type { ExceptionContext } from '../../../src/core/exception.js';
import type { EventLoop } from '../../../src/event-loop.js';
import type { AnyProtocol, BufferedProtocol, Protocol, Transport } from '../../../src/io/protocol.js';
import { turns } from '../../support/loop.js';
import { Digest, NetServer, pattern, until, withEventLoop } from '../../support/net.js';

const HOST = '127.0.0.1';

/** Receives into one piece of memory, again and again. */
class IntoMemory implements BufferedProtocol {
  readonly memory: Uint8Array;
  readonly digest = new Digest();
  readonly calls: string[] = [];
  readonly hints = new Set<number>();
  onUpdate: (byteCount: number) => void = () => undefined;
  transport!: Transport;
  lost: Error | null | undefined;

  constructor(sizeBytes: number) {
    this.memory = new Uint8Array(sizeBytes);
  }

  connectionMade(transport: Transport): void {
    this.transport = transport;
    this.calls.push('connectionMade');
  }

  getBuffer(sizeHint: number): Uint8Array {
    this.hints.add(sizeHint);
    return this.memory;
  }

  bufferUpdated(byteCount: number): void {
    if (this.calls.at(-1) !== 'bufferUpdated') this.calls.push('bufferUpdated');
    this.digest.add(this.memory.subarray(0, byteCount));
    this.onUpdate(byteCount);
  }

  eofReceived(): boolean {
    this.calls.push('eofReceived');
    return false;
  }

  connectionLost(error: Error | null): void {
    this.calls.push('connectionLost');
    this.lost = error;
  }
}

async function withProtocol<P extends AnyProtocol>(
  make: () => P,
  body: (protocol: P, peer: Socket, transport: Transport, loop: EventLoop) => unknown,
): Promise<void> {
  await withEventLoop(async (loop) => {
    const server = await NetServer.open();
    const accepted = server.next();
    const [transport, protocol] = await loop.createConnection(make, { host: HOST, port: server.port });
    const peer = await accepted;
    try {
      await body(protocol, peer, transport, loop);
    } finally {
      transport.abort();
      await server.close();
      await until('the socket is closed', () => loop.statistics().sockets === 0);
    }
  });
}

describe('BufferedProtocol', () => {
  test.each([1000, 65_536, 1_000_000])(
    'protocol API: every byte lands in the memory of the protocol, %i bytes of it',
    async (sizeBytes) => {
      await withProtocol(
        () => new IntoMemory(sizeBytes),
        async (protocol, peer) => {
          const bytes = pattern(2_000_000);
          peer.write(bytes.subarray(0, 7));
          await until('the first bytes are there', () => protocol.digest.sizeBytes === 7);
          expect([...protocol.memory.subarray(0, 7)]).toEqual([...bytes.subarray(0, 7)]);
          peer.end(bytes.subarray(7));
          await until('it is closed', () => protocol.lost !== undefined);
          expect(String(protocol.digest)).toBe(String(new Digest().add(bytes)));
          expect(protocol.calls).toEqual([
            'connectionMade',
            'bufferUpdated',
            'eofReceived',
            'connectionLost',
          ]);
          expect(protocol.lost).toBeNull();
          // Nothing was copied on the way.
          expect([...protocol.hints]).toEqual([-1]);
        },
      );
    },
  );

  test('protocol API: a pause lets nothing through, and nothing is lost by it', async () => {
    await withProtocol(
      () => new IntoMemory(10),
      async (protocol, peer, transport, loop) => {
        const bytes = pattern(200);
        protocol.onUpdate = () => {
          transport.pauseReading();
        };
        peer.write(bytes);
        for (let count = 10; count <= 200; count += 10) {
          await until('some have come', () => protocol.digest.sizeBytes >= count);
          await turns(loop);
          expect(protocol.digest.sizeBytes).toBe(count);
          transport.resumeReading();
          transport.pauseReading();
          await turns(loop);
          expect(protocol.digest.sizeBytes).toBe(count);
          transport.resumeReading();
        }
        expect(String(protocol.digest)).toBe(String(new Digest().add(bytes)));
      },
    );
  });

  test('protocol API: a switch in the middle loses no byte, from chunks to memory and back', async () => {
    const received: Buffer[] = [];
    let size = 0;
    const take = (bytes: Uint8Array): void => {
      received.push(Buffer.from(bytes));
      size += bytes.length;
    };
    await withProtocol<Protocol>(
      () => ({}),
      async (_, peer, transport) => {
        const memory = new Uint8Array(13);
        const intoMemory: BufferedProtocol = {
          getBuffer: () => memory,
          bufferUpdated: (byteCount) => {
            take(memory.subarray(0, byteCount));
            if (size % 3 === 0) transport.setProtocol(inChunks);
          },
        };
        const inChunks: Protocol = {
          dataReceived: (chunk) => {
            take(chunk);
            transport.setProtocol(intoMemory);
            if (size % 2 === 0) transport.pauseReading();
          },
        };
        transport.setProtocol(inChunks);
        const bytes = pattern(100_000);
        for (let at = 0; at < bytes.length; at += 1000) peer.write(bytes.subarray(at, at + 1000));
        await until('all have come', () => {
          transport.resumeReading();
          return size === bytes.length;
        });
        expect(Buffer.concat(received).equals(bytes)).toBe(true);
      },
    );
  });

  test.each([
    ['nothing', (): Uint8Array => new Uint8Array(0), 'ERR_OUT_OF_RANGE'],
    ['no bytes', () => 'memory' as unknown as Uint8Array, 'ERR_INVALID_ARG_TYPE'],
    [
      'an error',
      (): Uint8Array => {
        throw Object.assign(new Error('no memory'), { code: 'MINE' });
      },
      'MINE',
    ],
  ])(
    'protocol API: getBuffer that gives %s ends the connection, and is told once',
    async (_, getBuffer, code) => {
      const told: ExceptionContext[] = [];
      let lost: Error | null | undefined;
      await withProtocol(
        () => ({
          getBuffer,
          bufferUpdated: () => undefined,
          connectionLost: (error: Error | null) => void (lost = error),
        }),
        async (_protocol, peer, __, loop) => {
          loop.setExceptionHandler((___, context) => told.push(context));
          peer.write('x');
          await until('it is closed', () => lost !== undefined);
          expect(told.map(({ exception }) => (exception as NodeJS.ErrnoException).code)).toEqual([code]);
          expect(lost).toMatchObject({ code });
        },
      );
    },
  );

  test('protocol API: a reset reaches connectionLost', async () => {
    await withProtocol(
      () => new IntoMemory(100),
      async (protocol, peer) => {
        peer.resetAndDestroy();
        await until('it is closed', () => protocol.lost !== undefined);
        expect(protocol.lost).toMatchObject({ code: 'ECONNRESET' });
        expect(protocol.calls).toEqual(['connectionMade', 'connectionLost']);
      },
    );
  });
});
