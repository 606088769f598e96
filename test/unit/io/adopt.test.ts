import { closeSync, constants, fstatSync, readSync, writeSync } from 'node:fs';
import { expect, test } from 'vitest';
import { InvalidStateError } from '../../../src/base/errors.js';
import { EventLoop } from '../../../src/event-loop.js';
import type { LoopCore } from '../../../src/core/loop.js';
import { descriptors } from '../../support/descriptors.js';
import { turns, withLoop } from '../../support/loop.js';

const FD_CLOEXEC = 1;

async function withEventLoop(body: (loop: EventLoop) => unknown): Promise<void> {
  await withLoop<EventLoop>((loop) => body(loop), { make: (options) => new EventLoop(options) });
}

function isOpen(fd: number): boolean {
  try {
    fstatSync(fd);
    return true;
  } catch {
    return false;
  }
}

test('FD passing / accepted fd: a stream over a socket that was opened elsewhere', async () => {
  await withEventLoop(async (loop) => {
    const [one, other] = descriptors.socketPair();
    const stream = loop.adoptSocket(one);
    expect(descriptors.descriptorFlags(one) & FD_CLOEXEC).toBe(FD_CLOEXEC);
    expect(descriptors.statusFlags(one) & constants.O_NONBLOCK).not.toBe(0);
    const reading = loop.createTask(function* read() {
      return String(yield* stream.readLine());
    });
    await turns(loop);
    writeSync(other, 'ping\n');
    expect(await reading).toBe('ping\n');
    await loop.createTask(async () => {
      await stream.send('pong');
    });
    const answer = Buffer.alloc(8);
    expect(answer.toString('latin1', 0, readSync(other, answer))).toBe('pong');
    closeSync(other);
    expect(await stream.read()).toHaveLength(0);
    await stream.close();
    expect(isOpen(one)).toBe(false);
  });
});

test('FD passing / accepted fd: what is no connected stream socket is refused and stays open', async () => {
  await withEventLoop(async (loop) => {
    const [read, write] = descriptors.pipe();
    const datagrams = descriptors.datagramSocket();
    const unconnected = descriptors.streamSocket();
    const cases: [number, string][] = [
      [read, 'ENOTSOCK'],
      [datagrams, 'EPROTOTYPE'],
      [unconnected, 'ENOTCONN'],
    ];
    for (const [fd, code] of cases) {
      expect(() => loop.adoptSocket(fd)).toThrow(expect.objectContaining({ code }));
      const connecting = loop.connectAcceptedSocket(() => ({}), { fd });
      await expect(Promise.resolve(connecting)).rejects.toMatchObject({ code });
      expect(isOpen(fd)).toBe(true);
      expect(descriptors.statusFlags(fd) & constants.O_NONBLOCK).toBe(0);
    }
    expect(() => loop.adoptSocket(900_000)).toThrow(/EBADF/);
    for (const fd of [read, write, datagrams, unconnected]) closeSync(fd);
  });
});

test('FD passing / accepted fd: one that this loop uses or watches is refused', async () => {
  await withEventLoop(async (loop) => {
    const [one, other] = descriptors.socketPair();
    loop.addReader(one, () => undefined);
    expect(() => loop.adoptSocket(one)).toThrow(InvalidStateError);
    loop.removeReader(one);
    const stream = loop.adoptSocket(one);
    expect(() => loop.adoptSocket(one)).toThrow(InvalidStateError);
    expect(() => loop.addReader(one, () => undefined)).toThrow(InvalidStateError);
    await stream.close();
    closeSync(other);
  });
});

test('FD passing / accepted fd: connectAcceptedSocket() gives a transport and the protocol', async () => {
  await withEventLoop(async (loop: EventLoop & LoopCore) => {
    const [one, other] = descriptors.socketPair();
    const events: string[] = [];
    const protocol = {
      connectionMade: () => void events.push('made'),
      dataReceived: (chunk: Buffer) => void events.push(String(chunk)),
      eofReceived: () => {
        events.push('eof');
        return undefined;
      },
      connectionLost: (error: Error | null) => void events.push(`lost ${String(error)}`),
    };
    const [transport, made] = await loop.connectAcceptedSocket(() => protocol, { fd: one });
    expect(made).toBe(protocol);
    writeSync(other, 'data');
    while (!events.includes('data')) await turns(loop);
    transport.write('answer');
    await turns(loop);
    expect(readSync(other, Buffer.alloc(16))).toBe(6);
    closeSync(other);
    while (events.length < 4) await turns(loop);
    expect(events).toEqual(['made', 'data', 'eof', 'lost null']);
  });
});

test('FD passing / accepted fd: a factory that throws leaves the descriptor with the caller', async () => {
  await withEventLoop(async (loop) => {
    const [one, other] = descriptors.socketPair();
    const error = new Error('no protocol');
    const connecting = loop.connectAcceptedSocket(
      () => {
        throw error;
      },
      { fd: one },
    );
    await expect(Promise.resolve(connecting)).rejects.toBe(error);
    closeSync(one);
    closeSync(other);
  });
});
