// What makes the kernel stop in the middle: a read is short, and what follows is there already.
import { closeSync, writeSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import type { EventLoop } from '../../../src/event-loop.js';
import type { Protocol, Transport } from '../../../src/io/protocol.js';
import { descriptors } from '../../support/descriptors.js';
import { descriptorCount, serverPair, until, withEventLoop } from '../../support/net.js';

/** Collects into memory of its own. */
class Collector {
  text = '';
  transport!: Transport;
  readonly #memory = Buffer.alloc(100);

  connectionMade(transport: Transport): void {
    this.transport = transport;
  }
  getBuffer(): Buffer {
    return this.#memory;
  }
  bufferUpdated(size: number): void {
    this.text += this.#memory.toString('latin1', 0, size);
  }
}

describe('a Unix socket through which descriptors come', () => {
  const fill = (other: number): void => {
    for (let i = 0; i < 3; i++) {
      expect(descriptors.sendDescriptor(other)).toBe(1);
      writeSync(other, 'bytes');
    }
  };

  test('gives all bytes, and keeps none of the descriptors', () =>
    withEventLoop(async (loop) => {
      const [one, other] = descriptors.socketPair();
      const before = descriptorCount();
      fill(other);
      const stream = loop.adoptSocket(one);
      expect(String(await stream.readExactly(18))).toBe('dbytesdbytesdbytes');
      expect(descriptorCount()).toBe(before);
      stream.abort();
      await stream.closed;
      closeSync(other);
    }));

  test('gives them to memory of the protocol as well', () =>
    withEventLoop(async (loop: EventLoop) => {
      const [one, other] = descriptors.socketPair();
      fill(other);
      const [, collector] = await loop.connectAcceptedSocket(() => new Collector() as Collector & Protocol, {
        fd: one,
      });
      await until('all have come', () => collector.text === 'dbytesdbytesdbytes');
      collector.transport.abort();
      closeSync(other);
    }));
});

test('a pipe of packets gives all of them', () =>
  withEventLoop(async (loop) => {
    const [readEnd, writeEnd] = descriptors.packetPipe();
    for (const packet of ['one', 'two', 'three']) writeSync(writeEnd, packet);
    const stream = loop.readPipe(readEnd);
    expect(String(await stream.readExactly(11))).toBe('onetwothree');
    closeSync(writeEnd);
    expect(await stream.read()).toHaveLength(0);
    await stream.close();
  }));

test('a TCP connection gives what is behind urgent data', () =>
  withEventLoop(async () => {
    const pair = await serverPair();
    const { fd } = (pair.peer as unknown as { _handle: { fd: number } })._handle;
    writeSync(fd, 'before');
    expect(descriptors.sendUrgent(fd)).toBe(1);
    writeSync(fd, 'behind');
    expect(String(await pair.stream.readExactly(12))).toBe('beforebehind');
    await pair.close();
  }));
