import type { Socket } from 'node:net';
import { describe, expect, test } from 'vitest';
import { CancelledError } from '../../../src/base/errors.js';
import type { Stream } from '../../../src/io/stream.js';
import { nodeTurn, soon } from '../../support/loop.js';
import {
  clientPair,
  descriptorCount,
  Digest,
  digested,
  pattern,
  received,
  serverPair,
  settled,
  unreadBytes,
  until,
  withPair,
} from '../../support/net.js';

const SIDES = [
  ['connected', clientPair],
  ['accepted', serverPair],
] as const;
const MEGABYTE = 1_000_000;

/** How a socket of node:net ended: the code of its error, or `close` without one. */
async function ending(peer: Socket): Promise<string> {
  if (peer.closed) {
    return peer.errored === null ? 'close' : ((peer.errored as NodeJS.ErrnoException).code ?? '');
  }
  let code = 'close';
  peer.on('error', (error: NodeJS.ErrnoException) => (code = error.code ?? String(error)));
  peer.on('end', () => peer.end());
  peer.resume();
  await new Promise((resolve) => {
    peer.on('close', resolve);
  });
  return code;
}

async function codeOf(work: PromiseLike<unknown>): Promise<string> {
  try {
    await work;
    return 'no error';
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? String(error);
  }
}

// Writes until bytes are stuck on our side.
async function stuff(stream: Stream, peer: Socket): Promise<number> {
  peer.pause();
  let written = 0;
  do {
    stream.write(pattern(MEGABYTE));
    written += MEGABYTE;
    await nodeTurn();
  } while (stream.writeBufferSize < MEGABYTE);
  await settled(() => stream.writeBufferSize);
  return written;
}

describe.each(SIDES)('half close of a %s stream', (_side, makePair) => {
  test('closeWrite() ends our side; the peer may go on', () =>
    withPair(makePair, {}, async ({ stream, peer }) => {
      stream.write('question');
      stream.closeWrite();
      expect(String(await received(peer))).toBe('question');
      peer.write('an');
      expect(String(await stream.read())).toBe('an');
      peer.end('swer');
      expect(String(await stream.read(-1))).toBe('swer');
      expect(stream.isClosing()).toBe(false);
    }));

  test('C-77 the end of the peer leaves our side open', () =>
    withPair(makePair, {}, async ({ stream, peer }) => {
      peer.end('question');
      expect(String(await stream.read(-1))).toBe('question');
      expect(stream.atEof()).toBe(true);
      for (let turn = 0; turn < 5; turn++) await nodeTurn();
      expect(stream.isClosing()).toBe(false);
      stream.write('answer');
      await stream.drain();
      stream.closeWrite();
      expect(String(await received(peer))).toBe('answer');
    }));

  test('closeWrite() comes behind everything that was written, however much', () =>
    withPair(makePair, {}, async ({ stream, peer }) => {
      const digest = new Digest();
      for (let i = 1; i <= 5; i++) {
        const bytes = pattern(MEGABYTE, i);
        stream.write(bytes);
        stream.write('small');
        digest.add(bytes).add(Buffer.from('small'));
      }
      stream.closeWrite();
      expect(stream.writeBufferSize).toBeGreaterThan(0);
      expect(String(await digested(peer))).toBe(String(digest));
    }));

  test('closeWrite() twice is once', () =>
    withPair(makePair, {}, async ({ stream, peer }) => {
      stream.closeWrite();
      stream.closeWrite();
      expect((await received(peer)).length).toBe(0);
      stream.closeWrite();
      peer.end('still there');
      expect(String(await stream.read(-1))).toBe('still there');
    }));

  test('after both sides ended the stream stays until it is closed', () =>
    withPair(makePair, {}, async ({ stream, peer }, loop) => {
      stream.closeWrite();
      peer.end();
      expect((await stream.read()).length).toBe(0);
      expect(stream.isClosing()).toBe(false);
      await stream.close();
      expect(loop.statistics().sockets).toBe(makePair === serverPair ? 1 : 0);
    }));
});

describe.each(SIDES)('close() of a %s stream', (_side, makePair) => {
  test('sends everything that was written first', () =>
    withPair(makePair, {}, async ({ stream, peer }) => {
      const sent = pattern(10 * MEGABYTE);
      stream.write(sent);
      stream.write('the end');
      const closing = stream.close();
      expect(stream.isClosing()).toBe(true);
      const digest = await digested(peer);
      expect(String(digest)).toBe(String(new Digest().add(sent).add(Buffer.from('the end'))));
      await closing;
    }));

  test('sends small writes first that the kernel did not take yet', () =>
    withPair(makePair, {}, async ({ stream, peer }) => {
      peer.pause();
      const digest = new Digest();
      const chunk = pattern(10_000);
      while (stream.writeBufferSize < MEGABYTE) {
        for (let i = 0; i < 10; i++) {
          stream.write(chunk);
          digest.add(chunk);
        }
        await nodeTurn();
      }
      const closing = stream.close();
      expect(String(await digested(peer))).toBe(String(digest));
      await closing;
    }));

  test('is fulfilled once the descriptor is gone', () =>
    withPair(makePair, {}, async ({ stream }) => {
      const before = descriptorCount();
      await stream.close();
      expect(descriptorCount()).toBe(before - 1);
      await stream.closed;
      await stream.close();
    }));

  test('wakes a reader with the end', () =>
    withPair(makePair, {}, async ({ stream }, loop) => {
      const reading = loop.createTask(function* () {
        return yield* stream.read();
      });
      await soon(loop);
      await soon(loop);
      void stream.close();
      expect((await reading).length).toBe(0);
    }));

  test('with unread bytes closes all the same', () =>
    withPair(makePair, {}, async ({ stream, peer }, loop) => {
      peer.write(pattern(5 * MEGABYTE));
      await settled(() => unreadBytes(stream));
      await stream.close();
      // The kernel tells the peer that its bytes were not read.
      expect(await ending(peer)).toMatch(/ECONNRESET|EPIPE/);
      expect(loop.statistics().sockets).toBe(makePair === serverPair ? 1 : 0);
    }));

  test('delivers nothing any more', () =>
    withPair(makePair, {}, async ({ stream, peer }) => {
      void stream.close();
      peer.write('too late');
      await stream.closed;
      expect(unreadBytes(stream)).toBe(0);
      expect((await stream.read()).length).toBe(0);
    }));

  test('does not cancel what others wait for when one of them is cancelled', () =>
    withPair(makePair, {}, async ({ stream, peer }, loop) => {
      await stuff(stream, peer);
      const waiters = [1, 2].map(() =>
        loop.createTask(async () => {
          await stream.close();
        }),
      );
      await soon(loop);
      await soon(loop);
      waiters[0]!.cancel();
      await expect(waiters[0]!.toPromise()).rejects.toThrow(CancelledError);
      expect(waiters[1]!.done()).toBe(false);
      peer.resume();
      await waiters[1];
    }));

  test('an unsent rest that is lost later fails nobody, and the stream closes', () =>
    withPair(makePair, {}, async ({ stream, peer }) => {
      await stuff(stream, peer);
      const closing = stream.close();
      peer.resetAndDestroy();
      await closing;
    }));

  test('await using closes', () =>
    withPair(makePair, {}, async ({ stream, peer }) => {
      const end = ending(peer);
      await stream[Symbol.asyncDispose]();
      expect(stream.isClosing()).toBe(true);
      expect(await end).toBe('close');
    }));
});

describe.each(SIDES)('abort() of a %s stream', (_side, makePair) => {
  test('resets the connection', () =>
    withPair(makePair, {}, async ({ stream, peer }) => {
      const end = ending(peer);
      stream.abort();
      stream.abort();
      expect(await end).toBe('ECONNRESET');
      await stream.closed;
    }));

  test('drops what is unsent', () =>
    withPair(makePair, {}, async ({ stream, peer }) => {
      const written = await stuff(stream, peer);
      stream.abort();
      expect(stream.writeBufferSize).toBe(0);
      await stream.closed;
      // libuv takes a reset behind a short read for an end.
      await ending(peer);
      expect(peer.bytesRead).toBeLessThan(written);
    }));

  test('takes over from a close() that cannot end', () =>
    withPair(makePair, {}, async ({ stream, peer }) => {
      const written = await stuff(stream, peer);
      const closing = stream.close();
      for (let turn = 0; turn < 5; turn++) await nodeTurn();
      stream.abort();
      await closing;
      await ending(peer);
      expect(peer.bytesRead).toBeLessThan(written);
    }));

  test('ends a reader and a drain that wait', () =>
    withPair(makePair, {}, async ({ stream, peer }, loop) => {
      await stuff(stream, peer);
      const reading = loop.createTask(async () => await stream.read());
      const draining = loop.createTask(async () => await stream.drain());
      await soon(loop);
      await soon(loop);
      stream.abort();
      expect((await reading).length).toBe(0);
      expect(await codeOf(draining)).toBe('ECONNRESET');
    }));
});

describe.each(SIDES)('a reset by the peer of a %s stream', (_side, makePair) => {
  test('while nobody does anything closes it and fails the next read and drain', () =>
    withPair(makePair, {}, async ({ stream, peer }) => {
      peer.resetAndDestroy();
      await stream.closed;
      expect(await codeOf(stream.read())).toBe('ECONNRESET');
      expect(await codeOf(stream.read(-1))).toBe('ECONNRESET');
      expect(await codeOf(stream.drain())).toBe('ECONNRESET');
      expect(stream.isClosing()).toBe(true);
    }));

  test.each([undefined, 10, -1])('fails a read(%s) that waits', (size) =>
    withPair(makePair, {}, async ({ stream, peer }, loop) => {
      const reading = loop.createTask(async () => await stream.read(size));
      await soon(loop);
      await soon(loop);
      peer.resetAndDestroy();
      expect(await codeOf(reading)).toBe('ECONNRESET');
    }),
  );

  test('fails a drain() that waits, and drops what is unsent', () =>
    withPair(makePair, {}, async ({ stream, peer }, loop) => {
      await stuff(stream, peer);
      const drains = [1, 2].map(() => loop.createTask(async () => await stream.drain()));
      await soon(loop);
      await soon(loop);
      peer.resetAndDestroy();
      for (const drain of drains) expect(await codeOf(drain)).toMatch(/ECONNRESET|EPIPE/);
      expect(stream.writeBufferSize).toBe(0);
      await stream.closed;
    }));

  test('fails a drain() that waits also when nothing is received', () =>
    withPair(makePair, { limit: 1 }, async ({ stream, peer }, loop) => {
      peer.write(pattern(200_000));
      await settled(() => unreadBytes(stream));
      await stuff(stream, peer);
      const draining = loop.createTask(async () => await stream.drain());
      await soon(loop);
      await soon(loop);
      peer.resetAndDestroy();
      expect(await codeOf(draining)).toMatch(/ECONNRESET|EPIPE/);
    }));

  test('ends a writer that does not look', () =>
    withPair(makePair, {}, async ({ stream, peer }) => {
      peer.resetAndDestroy();
      let isLost = false;
      void (async () => {
        await stream.closed;
        isLost = true;
      })();
      let rounds = 0;
      while (!isLost && rounds++ < 10_000) {
        if (!stream.isClosing()) stream.write('into the void');
        await nodeTurn();
      }
      expect(isLost).toBe(true);
      expect(await codeOf(stream.drain())).toMatch(/ECONNRESET|EPIPE/);
    }));

  test('leaves what had arrived before it to be read', () =>
    withPair(makePair, {}, async ({ stream, peer }) => {
      peer.write('famous last words');
      await until('they arrived', () => unreadBytes(stream) > 0);
      peer.resetAndDestroy();
      await stream.closed;
      expect(String(await stream.read())).toBe('famous last words');
      expect(await codeOf(stream.read())).toBe('ECONNRESET');
    }));

  test('fails for await', () =>
    withPair(makePair, {}, async ({ stream, peer }) => {
      peer.write('one');
      const seen: string[] = [];
      const code = await codeOf(
        (async () => {
          for await (const chunk of stream) {
            seen.push(String(chunk));
            peer.resetAndDestroy();
          }
        })(),
      );
      expect([...seen, code]).toEqual(['one', 'ECONNRESET']);
    }));

  test('names the call that met it', () =>
    withPair(makePair, {}, async ({ stream, peer }) => {
      peer.resetAndDestroy();
      await stream.closed;
      const error: unknown = await stream.read().then(
        () => null,
        (reason: unknown) => reason,
      );
      expect(error).toMatchObject({ name: 'SystemError', code: 'ECONNRESET', syscall: 'recv' });
    }));
});

describe.each(SIDES)('the addresses of a %s stream', (_side, makePair) => {
  function expectAddresses(stream: Stream, peer: Socket, ports: { local: number; peer: number }): void {
    void peer;
    expect(stream.info).toEqual({
      local: { family: 'IPv4', address: '127.0.0.1', port: ports.peer },
      peer: { family: 'IPv4', address: '127.0.0.1', port: ports.local },
    });
  }

  test.each([
    ['open', () => undefined],
    ['closed', (stream: Stream) => void stream.close()],
    ['aborted', (stream: Stream) => stream.abort()],
    ['reset by the peer', (_stream: Stream, peer: Socket) => peer.resetAndDestroy()],
    ['ended by the peer', (_stream: Stream, peer: Socket) => void peer.end()],
  ])('are known when it is %s', (_name, act: (stream: Stream, peer: Socket) => void) =>
    withPair(makePair, {}, async ({ stream, peer }) => {
      const ports = { local: peer.localPort!, peer: peer.remotePort! };
      act(stream, peer);
      for (let turn = 0; turn < 20; turn++) await nodeTurn();
      expectAddresses(stream, peer, ports);
    }),
  );

  test('are known when its loop is closed', async () => {
    let stream: Stream | undefined;
    let peer: Socket | undefined;
    await withPair(makePair, {}, (pair) => ({ stream, peer } = pair));
    expect(stream!.info.peer).toMatchObject({ address: '127.0.0.1' });
    expect(stream!.info.local).toMatchObject({ address: '127.0.0.1' });
    peer!.destroy();
  });
});

describe('options of the socket', () => {
  test('can be changed while it is open', () =>
    withPair(clientPair, {}, ({ stream }) => {
      expect(stream.setNoDelay(false).setNoDelay().setKeepAlive(true, 1500).setKeepAlive(false)).toBe(stream);
    }));

  test('are checked', () =>
    withPair(clientPair, {}, ({ stream }) => {
      const anything = stream as unknown as Record<
        'setNoDelay' | 'setKeepAlive',
        (...args: unknown[]) => void
      >;
      for (const call of [
        () => anything.setNoDelay(1),
        () => anything.setKeepAlive('yes'),
        () => anything.setKeepAlive(true, '1'),
      ]) {
        expect(call).toThrow(expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' }));
      }
      expect(() => stream.setKeepAlive(true, -1)).toThrow(
        expect.objectContaining({ code: 'ERR_OUT_OF_RANGE' }),
      );
    }));

  test('cannot be changed once it is closed', () =>
    withPair(clientPair, {}, async ({ stream }) => {
      await stream.close();
      expect(() => stream.setNoDelay()).toThrow(expect.objectContaining({ code: 'EBADF' }));
    }));
});
