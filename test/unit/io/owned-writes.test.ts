import { expect, test } from 'vitest';
import type { EventLoop } from '../../../src/event-loop.js';
import { NOBODY } from '../../../src/io/carrier.js';
import { Endpoint } from '../../../src/io/endpoint.js';
import { abi } from '../../../src/native/abi.js';
import { ADOPT_SOCKET } from '../../../src/native/binding.js';
import { descriptors } from '../../support/descriptors.js';
import { Digest, pattern, withEventLoop } from '../../support/net.js';

const SMALL = 8_192;
const BY_REFERENCE = 65_536;

/** A connected endpoint, and the descriptor of its peer. */
function endpointPair(loop: EventLoop): [Endpoint, number] {
  const [fd, peer] = descriptors.socketPair();
  loop._openSlabs();
  const index = loop._native.adopt(fd, ADOPT_SOCKET);
  const generation = loop._rings.control[abi.CTL_RESULT_GENERATION]!;
  const endpoint = new Endpoint(loop, { index, generation });
  endpoint.sink = NOBODY;
  return [endpoint, peer];
}

// Memory of its own.
function owned(sizeBytes: number): Buffer {
  const bytes = Buffer.allocUnsafeSlow(sizeBytes);
  bytes.set(pattern(sizeBytes));
  return bytes;
}

test('write/drain: memory that nobody else has is freed with the write, unless it has to wait', () =>
  withEventLoop(async (loop) => {
    const [endpoint, peer] = endpointPair(loop);
    const sent = new Digest();
    const write = (sizeBytes: number): Buffer => {
      const bytes = owned(sizeBytes);
      sent.add(bytes);
      endpoint.writeOwned(bytes);
      return bytes;
    };
    let total = SMALL + BY_REFERENCE;
    expect(write(SMALL).length).toBe(0);
    expect(write(BY_REFERENCE).length).toBe(0);
    while (!endpoint.isBacklogged) {
      write(BY_REFERENCE);
      total += BY_REFERENCE;
    }
    expect(write(SMALL).length).toBe(SMALL);
    total += SMALL;
    const stream = loop.adoptSocket(peer);
    const received = await stream.readExactly(total);
    expect(String(new Digest().add(received))).toBe(String(sent));
    endpoint.close();
    await stream.close();
  }));

test('write/drain: memory that others may have parts of stays', () =>
  withEventLoop(async (loop) => {
    const [endpoint, peer] = endpointPair(loop);
    const memory = owned(BY_REFERENCE);
    endpoint.writeOwned(memory.subarray(0, SMALL));
    expect(memory.length).toBe(BY_REFERENCE);
    const stream = loop.adoptSocket(peer);
    expect((await stream.readExactly(SMALL)).equals(memory.subarray(0, SMALL))).toBe(true);
    endpoint.close();
    await stream.close();
  }));
