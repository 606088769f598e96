import { once } from 'node:events';
import type { Socket } from 'node:net';
import { describe, expect, test } from 'vitest';
import { CancelledError, InvalidStateError } from '../../../src/base/errors.js';
import { EventLoop } from '../../../src/event-loop.js';
import type { Writable } from '../../../src/io/bytes.js';
import type { Stream } from '../../../src/io/stream.js';
import { abi } from '../../../src/native/abi.js';
import { nodeTurn, soon } from '../../support/loop.js';
import {
  clientPair,
  Digest,
  digested,
  pattern,
  received,
  serverPair,
  settled,
  until,
  withEventLoop,
  withPair,
} from '../../support/net.js';

const MEGABYTE = 1_000_000;
// From this size on bytes are sent by reference.
const BY_REFERENCE = 16_385;

// Writes until the peer's unwillingness to read stops us; answers how many bytes that were.
async function fill(stream: Stream, chunk: Writable, sizeBytes: number): Promise<number> {
  let written = 0;
  while (stream.write(chunk)) {
    written += sizeBytes;
    await nodeTurn();
  }
  return written + sizeBytes;
}

// A peer that does not read.
function stall(peer: Socket): void {
  peer.pause();
}

describe('what is written arrives', () => {
  const texts = {
    ASCII: 'plain text',
    'Latin 1': 'Grüße, naïveté, ÿ',
    'three bytes a unit': '日本語テキスト',
    'surrogate pairs': 'a😀b👩‍👩‍👧c',
    'lone surrogates': '\ud800 \udc00 a\ud83d',
    'a NUL': 'a\0b',
  };
  test.each(Object.entries(texts))('as UTF-8: %s', (_name, text) =>
    withPair(clientPair, {}, async ({ stream, peer }) => {
      // From within the slab, on both sides of the limit, and far beyond it.
      const written = [1, 3, 250, 400, 3000, 40_000].map((times) => text.repeat(times));
      for (const part of written) stream.write(part);
      stream.closeWrite();
      expect(Buffer.from(written.join('')).equals(await received(peer))).toBe(true);
    }),
  );

  test('as UTF-8 with a surrogate pair cut in two: two replacements, as in two Buffers', () =>
    withPair(clientPair, {}, async ({ stream, peer }) => {
      const [high, low] = ['😀'[0]!, '😀'[1]!];
      stream.write(high);
      stream.write(low);
      stream.closeWrite();
      expect(await received(peer)).toEqual(Buffer.concat([Buffer.from(high), Buffer.from(low)]));
    }));

  test('as UTF-8 when it has to be queued', () =>
    withPair(clientPair, {}, async ({ stream, peer }) => {
      stall(peer);
      const written = await fill(stream, Buffer.alloc(MEGABYTE), MEGABYTE);
      const texts = ['Grüße', '\ud800', '日本', '😀'];
      for (const text of texts) stream.write(text);
      stream.closeWrite();
      const bytes = await received(peer);
      expect(bytes.length).toBe(written + Buffer.byteLength(texts.join('|')) - 3);
      expect(String(bytes.subarray(written))).toBe(Buffer.from(texts.join('')).toString());
    }));

  test('in every kind of container', () =>
    withPair(clientPair, {}, async ({ stream, peer }) => {
      const bytes = pattern(64);
      const copy = new Uint8Array(bytes);
      const parts: Writable[] = [
        bytes,
        copy,
        copy.buffer,
        new DataView(copy.buffer, 3, 7),
        copy.subarray(10, 20),
        new Uint8Array(0),
        '',
        new Uint16Array(copy.buffer, 2, 5) as unknown as Writable,
        new Uint8Array(new SharedArrayBuffer(5)),
      ];
      for (const part of parts) stream.write(part);
      stream.closeWrite();
      const expected = [
        bytes,
        bytes,
        bytes,
        bytes.subarray(3, 10),
        bytes.subarray(10, 20),
        bytes.subarray(2, 12),
        Buffer.alloc(5),
      ];
      expect(Buffer.concat(expected).equals(await received(peer))).toBe(true);
    }));

  test('large ones in every kind of container', () =>
    withPair(clientPair, {}, async ({ stream, peer }) => {
      const bytes = pattern(100_000);
      const copy = new Uint8Array(bytes);
      const shared = new Uint8Array(new SharedArrayBuffer(50_000));
      shared.set(bytes.subarray(0, 50_000));
      for (const part of [bytes, copy.buffer, new DataView(copy.buffer, 5, 30_000), shared]) {
        stream.write(part);
      }
      stream.closeWrite();
      const expected = [bytes, bytes, bytes.subarray(5, 30_005), shared];
      expect(Buffer.concat(expected).equals(await received(peer))).toBe(true);
    }));

  test('but not what is neither text nor bytes', () =>
    withPair(clientPair, {}, async ({ stream, peer }) => {
      for (const data of [1, null, undefined, {}, [1, 2], true, 5n, () => 1]) {
        expect(() => stream.write(data as Writable)).toThrow(
          expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' }),
        );
      }
      stream.closeWrite();
      expect((await received(peer)).length).toBe(0);
    }));
});

describe('merging', () => {
  test('many small writes of a turn are one submission', () =>
    withPair(clientPair, {}, async ({ stream, peer }, loop) => {
      const { control } = loop._rings;
      await new Promise<void>((resolve) => {
        loop.callSoon(() => {
          const before = control[abi.CTL_SUBMISSION_TAIL]!;
          for (let i = 0; i < 1000; i++) stream.write(i % 2 === 0 ? 'text ' : Buffer.from('bytes '));
          expect(control[abi.CTL_SUBMISSION_TAIL]! - before).toBe(1);
          expect(stream.writeBufferSize).toBe(5500);
          resolve();
        });
      });
      stream.closeWrite();
      expect(String(await received(peer))).toBe('text bytes '.repeat(500));
    }));

  test('writes of one turn to several streams keep their order in each', () =>
    withEventLoop(async () => {
      const pairs = await Promise.all(Array.from({ length: 3 }, () => clientPair()));
      // More pieces for each than one sendmsg takes, and more entries than the ring has.
      const rounds = abi.SUBMISSION_CAPACITY;
      for (let i = 0; i < rounds; i++) for (const { stream } of pairs) stream.write(`${String(i)} `);
      const expected = Array.from({ length: rounds }, (_, i) => `${String(i)} `).join('');
      for (const { stream, peer } of pairs) {
        stream.closeWrite();
        expect(String(await received(peer))).toBe(expected);
      }
      await Promise.all(pairs.map(async (pair) => await pair.close()));
    }));

  test('more in one turn than the send slab holds', () =>
    withEventLoop(async () => {
      const pairs = await Promise.all(Array.from({ length: 2 }, () => clientPair()));
      const sent = pattern(5 * abi.SEND_SLAB_BYTES);
      // The slab runs out at an uneven place.
      for (let at = 0; at < sent.length; at += 1021) {
        for (const { stream } of pairs) stream.write(sent.subarray(at, at + 1021));
      }
      for (const { stream, peer } of pairs) {
        stream.closeWrite();
        expect(sent.equals(await received(peer))).toBe(true);
      }
      await Promise.all(pairs.map(async (pair) => await pair.close()));
    }));

  test('small and large writes of one turn keep their order', () =>
    withPair(serverPair, {}, async ({ stream, peer }) => {
      const sent = pattern(3 * MEGABYTE);
      const sizes = [10, 20_000, 1, 16_384, 16_385, 5, 300_000, 7];
      for (let at = 0, i = 0; at < sent.length; i++) {
        const size = sizes[i % sizes.length]!;
        stream.write(sent.subarray(at, at + size));
        at += size;
      }
      stream.closeWrite();
      expect(sent.equals(await received(peer))).toBe(true);
    }));
});

describe('changing a buffer after it was written', () => {
  test('is harmless while it is small', () =>
    withPair(clientPair, {}, async ({ stream, peer }) => {
      const sent = pattern(BY_REFERENCE - 1);
      const copy = Buffer.from(sent);
      stream.write(copy);
      copy.fill(0);
      stream.closeWrite();
      expect(sent.equals(await received(peer))).toBe(true);
    }));

  test('is harmless while it is small and has to be queued', () =>
    withPair(clientPair, {}, async ({ stream, peer }) => {
      stall(peer);
      const written = await fill(stream, Buffer.alloc(MEGABYTE), MEGABYTE);
      const sent = pattern(BY_REFERENCE - 1);
      const copy = Buffer.from(sent);
      stream.write(copy);
      copy.fill(0);
      stream.closeWrite();
      expect(sent.equals((await received(peer)).subarray(written))).toBe(true);
    }));

  test('is harmless after drain()', () =>
    withPair(clientPair, { highWaterMark: 0 }, async ({ stream, peer }) => {
      const digest = digested(peer);
      const bytes = Buffer.allocUnsafe(MEGABYTE);
      const expected = new Digest();
      for (let i = 0; i < 10; i++) {
        bytes.fill(i);
        expected.add(bytes);
        stream.write(bytes);
        await stream.drain();
      }
      stream.closeWrite();
      expect(String(await digest)).toBe(String(expected));
    }));
});

describe('50 MB arrive as they were', () => {
  const TOTAL = 50 * MEGABYTE;
  const source = pattern(MEGABYTE, 7);
  const paths: [string, number][] = [
    ['the slab, 1000 bytes at a time', 1000],
    ['the slab, 12,500 bytes at a time', 12_500],
    ['writes by reference, 100,000 bytes at a time', 100_000],
    ['writes by reference, a megabyte at a time', MEGABYTE],
  ];

  function expected(): string {
    const digest = new Digest();
    for (let at = 0; at < TOTAL; at += MEGABYTE) digest.add(source);
    return String(digest);
  }

  function* send(stream: Stream, size: number): Generator<unknown, void> {
    for (let at = 0; at < TOTAL; at += size) {
      const from = at % MEGABYTE;
      stream.write(source.subarray(from, from + size));
      yield* stream.drain();
    }
    stream.closeWrite();
  }

  test.each(paths)('through %s', (_path, size) =>
    withPair(clientPair, {}, async ({ stream, peer }, loop) => {
      const digest = digested(peer);
      await loop.createTask(send(stream, size));
      expect(String(await digest)).toBe(expected());
    }),
  );

  test('through text', () =>
    withPair(clientPair, {}, async ({ stream, peer }) => {
      const digest = digested(peer);
      const text = 'Grüße aus dem Äther '.repeat(500);
      const times = Math.ceil(TOTAL / Buffer.byteLength(text));
      for (let i = 0; i < times; i++) {
        stream.write(text);
        await stream.drain();
      }
      stream.closeWrite();
      const bytes = Buffer.from(text);
      const digestOfText = new Digest();
      for (let i = 0; i < times; i++) digestOfText.add(bytes);
      expect(String(await digest)).toBe(String(digestOfText));
    }));

  test('through the queue, written without waiting', () =>
    withPair(clientPair, {}, async ({ stream, peer }) => {
      stall(peer);
      for (let at = 0, i = 0; at < TOTAL; i++) {
        const size = Math.min(
          [100, 50_000, 16_384, 1, 300_000][i % 5]!,
          TOTAL - at,
          MEGABYTE - (at % MEGABYTE),
        );
        stream.write(source.subarray(at % MEGABYTE, (at % MEGABYTE) + size));
        at += size;
      }
      stream.closeWrite();
      expect(String(await digested(peer))).toBe(expected());
      expect(stream.writeBufferSize).toBe(0);
    }));

  test('through receiving', () =>
    withPair(serverPair, {}, async ({ stream, peer }) => {
      const digest = new Digest();
      const reading = (async () => {
        for await (const chunk of stream) digest.add(chunk);
      })();
      for (let at = 0; at < TOTAL; at += MEGABYTE) {
        if (!peer.write(source)) await once(peer, 'drain');
      }
      peer.end();
      await reading;
      expect(String(digest)).toBe(expected());
    }));

  test('there and back again, both ways at once', () =>
    withEventLoop(async (loop) => {
      const { connect, listen } = await import('../../../src/io/open.js');
      const server = await listen(
        function* echo(stream) {
          for (;;) {
            const chunk = yield* stream.read();
            if (chunk.length === 0) return;
            stream.write(chunk);
            yield* stream.drain();
          }
        },
        { host: '127.0.0.1' },
      );
      const stream = await connect({ host: '127.0.0.1', port: server.port });
      const sending = loop.createTask(send(stream, 40_000));
      const digest = new Digest();
      for await (const chunk of stream) digest.add(chunk);
      await sending;
      expect(String(digest)).toBe(expected());
      await stream.close();
      await server.close();
    }));
});

describe('back-pressure', () => {
  const sizes: [string, number][] = [
    ['small', 4096],
    ['large', 40_000],
  ];

  test.each(sizes)(
    'a peer that does not read stops the writer of %s chunks at the high water mark',
    (_name, size) =>
      withPair(
        clientPair,
        { highWaterMark: 300_000, lowWaterMark: 100_000 },
        async ({ stream, peer }, loop) => {
          stall(peer);
          let written = 0;
          let isDone = false;
          const unsentAfterDrain: number[] = [];
          const writer = loop.createTask(async () => {
            const chunk = pattern(size);
            while (!isDone) {
              stream.write(chunk);
              written += size;
              const before = stream.writeBufferSize;
              await stream.drain();
              if (before > 300_000) unsentAfterDrain.push(stream.writeBufferSize);
            }
          });
          await settled(() => written);
          expect(stream.writeBufferSize).toBeGreaterThan(300_000);
          expect(stream.writeBufferSize).toBeLessThanOrEqual(300_000 + size);
          expect(unsentAfterDrain.every((unsent) => unsent <= 100_000)).toBe(true);

          const stalledAt = written;
          let got = 0;
          peer.on('data', (chunk) => (got += chunk.length));
          peer.resume();
          await until('the writer goes on', () => written > stalledAt + 5 * MEGABYTE);
          isDone = true;
          await writer;
          await until('everything arrived', () => got === written);
          expect(unsentAfterDrain.length).toBeGreaterThan(0);
          expect(Math.max(...unsentAfterDrain)).toBeLessThanOrEqual(100_000);
        },
      ),
  );

  test('C-80 the default marks are 65536 and 16384', () =>
    withPair(clientPair, {}, async ({ stream, peer }) => {
      stall(peer);
      await fill(stream, 'x'.repeat(1000), 1000);
      expect(stream.writeBufferSize).toBeGreaterThan(65_536);
      expect(stream.writeBufferSize).toBeLessThanOrEqual(66_536);
      await settled(() => stream.writeBufferSize);
      await fill(stream, 'x'.repeat(1000), 1000);
      let isDrained = false;
      const drained = (async () => {
        await stream.drain();
        isDrained = true;
        return stream.writeBufferSize;
      })();
      await settled(() => stream.writeBufferSize);
      expect(isDrained).toBe(false);
      peer.resume();
      expect(await drained).toBeLessThanOrEqual(16_384);
    }));

  test('C-80 with a high mark of 0 every unsent byte makes drain() wait until none is left', () =>
    withPair(clientPair, { highWaterMark: 0 }, async ({ stream, peer }) => {
      stall(peer);
      await fill(stream, Buffer.alloc(MEGABYTE), MEGABYTE);
      expect(stream.writeBufferSize).toBeGreaterThan(0);
      const drained = stream.drain();
      peer.resume();
      await drained;
      expect(stream.writeBufferSize).toBe(0);
    }));

  test('C-80 the low mark alone makes a high one of four times as much', () =>
    withPair(clientPair, { lowWaterMark: 50_000 }, async ({ stream, peer }) => {
      stall(peer);
      await fill(stream, pattern(1000), 1000);
      expect(stream.writeBufferSize).toBeGreaterThan(200_000);
      expect(stream.writeBufferSize).toBeLessThanOrEqual(201_000);
    }));

  test('write() says whether to go on', () =>
    withPair(clientPair, { highWaterMark: 10 }, ({ stream }) => {
      expect(stream.write('0123456789')).toBe(true);
      expect(stream.write('!')).toBe(false);
    }));

  test('drain() does not wait for what the kernel takes at once', () =>
    withPair(clientPair, {}, async ({ stream, peer }) => {
      for (let i = 0; i < 5; i++) stream.write(pattern(16_384));
      expect(stream.writeBufferSize).toBe(81_920);
      await stream.drain();
      expect(stream.writeBufferSize).toBe(0);
      stream.closeWrite();
      expect((await received(peer)).length).toBe(81_920);
    }));

  test('several drains wake together, and cancelling one leaves the others', () =>
    withPair(clientPair, {}, async ({ stream, peer }, loop) => {
      stall(peer);
      await fill(stream, pattern(MEGABYTE), MEGABYTE);
      const drains = Array.from({ length: 3 }, () =>
        loop.createTask(function* () {
          yield* stream.drain();
        }),
      );
      await soon(loop);
      await soon(loop);
      drains[1]!.cancel();
      await expect(drains[1]!.toPromise()).rejects.toThrow(CancelledError);
      expect([drains[0]!.done(), drains[2]!.done()]).toEqual([false, false]);
      peer.resume();
      await Promise.all([drains[0], drains[2]]);
    }));

  test('C-81 a writer that never has to wait lets others run now and then', () =>
    withPair(clientPair, {}, async ({ stream, peer }, loop) => {
      peer.resume();
      let turns = 0;
      let isDone = false;
      const tick = (): void => {
        turns++;
        if (!isDone) loop.callSoon(tick);
      };
      loop.callSoon(tick);
      await loop.createTask(function* () {
        for (let i = 0; i < 1280; i++) {
          stream.write('x');
          yield* stream.drain();
        }
      });
      isDone = true;
      expect(turns).toBeGreaterThanOrEqual(10);
      expect(turns).toBeLessThan(100);
      await soon(loop);
    }));

  test('a marked buffer is counted exactly, with queue, backlog and slab in use', () =>
    withPair(clientPair, { highWaterMark: 10 * MEGABYTE }, async ({ stream, peer }) => {
      stall(peer);
      // Small ones until native has a backlog, then large ones behind it, then small ones behind those.
      let written = 0;
      const write = (size: number): void => {
        stream.write(pattern(size));
        written += size;
      };
      while (stream.writeBufferSize < MEGABYTE) {
        for (let i = 0; i < 20; i++) write(10_000);
        await nodeTurn();
      }
      for (let i = 0; i < 10; i++) write(50_000);
      for (let i = 0; i < 10; i++) write(100);
      await settled(() => stream.writeBufferSize);
      const unsent = stream.writeBufferSize;
      let got = 0;
      peer.on('data', (chunk) => (got += chunk.length));
      peer.resume();
      await until('everything arrived', () => got === written);
      expect(unsent).toBeGreaterThan(MEGABYTE + 500_000);
      expect(unsent).toBeLessThan(written);
      expect(stream.writeBufferSize).toBe(0);
    }));
});

describe('a stream that takes no more writes', () => {
  test('throws after closeWrite()', () =>
    withPair(clientPair, {}, ({ stream }) => {
      stream.closeWrite();
      expect(() => stream.write('x')).toThrow(InvalidStateError);
    }));

  test('C-83 is silent after close() four times, and reports the fifth, once', () =>
    withPair(clientPair, {}, async ({ stream }, loop) => {
      const reports: string[] = [];
      const handler = loop.getExceptionHandler();
      loop.setExceptionHandler((_, context) => reports.push(context.message));
      void stream.close();
      const results = [1, 2, 3, 4].map(() => stream.write('x'));
      expect(results).toEqual([false, false, false, false]);
      expect(reports).toEqual([]);
      for (let i = 0; i < 10; i++) stream.write('x');
      expect(reports).toEqual(['A closed stream is still being written to']);
      await stream.closed;
      loop.setExceptionHandler(handler);
    }));

  test('throws after close() in debug mode', () =>
    withEventLoop(
      async () => {
        const pair = await clientPair();
        void pair.stream.close();
        expect(() => pair.stream.write('x')).toThrow(InvalidStateError);
        await pair.close();
      },
      { debug: true },
    ));

  test('C-82 drain() on a closed stream takes a turn and fails with ECONNRESET', () =>
    withPair(clientPair, {}, async ({ stream }, loop) => {
      void stream.close();
      const order: string[] = [];
      const drained = loop.createTask(function* () {
        try {
          yield* stream.drain();
        } catch (error) {
          order.push((error as NodeJS.ErrnoException).code ?? '', (error as Error).message);
        }
      });
      loop.callSoon(() => order.push('others run'));
      await drained;
      expect(order).toEqual(['others run', 'ECONNRESET', expect.stringMatching(/connection lost/i)]);
    }));

  test('is silent when its loop was closed', async () => {
    const loop = new EventLoop();
    let pair: Awaited<ReturnType<typeof clientPair>> | undefined;
    await loop.runUntilComplete(async () => {
      pair = await clientPair();
    });
    const { stream, peer } = pair!;
    loop.close();
    for (let i = 0; i < 3; i++) {
      for (let n = 0; n < 100; n++) stream.write(Buffer.alloc(10_000));
      stream.write(pattern(MEGABYTE));
    }
    stream.closeWrite();
    void stream.close();
    stream.abort();
    expect(stream.isClosing()).toBe(true);
    await received(peer);
    peer.destroy();
  });
});
