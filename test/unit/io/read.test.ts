import assert from 'node:assert/strict';
import { describe, expect, test } from 'vitest';
import { CancelledError, InvalidStateError } from '../../../src/base/errors.js';
import type { EventLoop } from '../../../src/event-loop.js';
import type { Stream } from '../../../src/io/stream.js';
import { abi } from '../../../src/native/abi.js';
import type { Task } from '../../../src/task/task.js';
import { nodeTurn, soon } from '../../support/loop.js';
import { seededRandom } from '../../support/random.js';
import {
  clientPair,
  Digest,
  pattern,
  serverPair,
  settled,
  unreadBytes,
  until,
  withEventLoop,
  withPair,
} from '../../support/net.js';

const SIDES = [
  ['connected', clientPair],
  ['accepted', serverPair],
] as const;

type ReadTask = (loop: EventLoop, stream: Stream, size?: number) => Task<Buffer>;

const FORMS: [string, ReadTask][] = [
  [
    'generator',
    (loop, stream, size) =>
      loop.createTask(function* () {
        return yield* stream.read(size);
      }),
  ],
  ['async', (loop, stream, size) => loop.createTask(async () => await stream.read(size))],
];

describe.each(SIDES)('a %s stream', (_side, makePair) => {
  describe.each(FORMS)('read by a task in %s form', (_form, readTask) => {
    test('read() waits for bytes and gives what is there', () =>
      withPair(makePair, {}, async ({ stream, peer }, loop) => {
        const task = readTask(loop, stream);
        await soon(loop);
        expect(task.done()).toBe(false);
        peer.write('hello');
        expect(String(await task)).toBe('hello');
      }));

    test('read(n) gives 1 to n bytes and leaves the rest', () =>
      withPair(makePair, {}, async ({ stream, peer }, loop) => {
        peer.write('abcdef');
        await until('all bytes are here', () => unreadBytes(stream) === 6);
        expect(String(await readTask(loop, stream, 2))).toBe('ab');
        expect(String(await readTask(loop, stream, 1))).toBe('c');
        expect(unreadBytes(stream)).toBe(3);
        expect(String(await readTask(loop, stream, 100))).toBe('def');
      }));

    test('read(0) gives nothing, at once', () =>
      withPair(makePair, {}, async ({ stream, peer }, loop) => {
        expect((await readTask(loop, stream, 0)).length).toBe(0);
        peer.write('x');
        await until('the byte is here', () => unreadBytes(stream) === 1);
        expect((await readTask(loop, stream, 0)).length).toBe(0);
        expect(unreadBytes(stream)).toBe(1);
      }));

    test('C-73 read(-1) gives everything up to the end, however much', () =>
      withPair(makePair, { limit: 1000 }, async ({ stream, peer }, loop) => {
        const sent = pattern(3_000_000);
        const task = readTask(loop, stream, -1);
        peer.end(sent);
        expect(sent.equals(await task)).toBe(true);
        expect(stream.atEof()).toBe(true);
        expect((await readTask(loop, stream, -1)).length).toBe(0);
      }));

    test('C-78 what came before the end is read first, then the end, again and again', () =>
      withPair(makePair, {}, async ({ stream, peer }, loop) => {
        peer.end('last words');
        await until('the bytes are here', () => unreadBytes(stream) === 10);
        for (let turn = 0; turn < 3; turn++) await nodeTurn();
        expect(stream.atEof()).toBe(false);
        expect(String(await readTask(loop, stream, 4))).toBe('last');
        expect(String(await readTask(loop, stream))).toBe(' words');
        expect((await readTask(loop, stream)).length).toBe(0);
        expect((await readTask(loop, stream, 7)).length).toBe(0);
        expect(stream.atEof()).toBe(true);
      }));

    test('the end wakes a reader that waits', () =>
      withPair(makePair, {}, async ({ stream, peer }, loop) => {
        const task = readTask(loop, stream);
        await soon(loop);
        peer.end();
        expect((await task).length).toBe(0);
      }));

    test('a reader that is cancelled while it waits loses no byte', () =>
      withPair(makePair, {}, async ({ stream, peer }, loop) => {
        const task = readTask(loop, stream);
        await soon(loop);
        task.cancel();
        await expect(task.toPromise()).rejects.toThrow(CancelledError);
        peer.write('kept');
        expect(String(await readTask(loop, stream))).toBe('kept');
      }));

    test('a reader that is cancelled after its bytes came loses none', () =>
      withPair(makePair, {}, async ({ stream }, loop) => {
        for (const size of [undefined, 2]) {
          const task = readTask(loop, stream, size);
          await soon(loop);
          stream.onData(Buffer.from('kept'));
          task.cancel();
          await expect(task.toPromise()).rejects.toThrow(CancelledError);
          expect(unreadBytes(stream)).toBe(4);
          let kept = '';
          while (kept.length < 4) kept += String(await readTask(loop, stream));
          expect(kept).toBe('kept');
        }
      }));

    test('a read(-1) that is cancelled leaves what it had waited for, and back-pressure works again', () =>
      withPair(makePair, { limit: 50_000 }, async ({ stream, peer }, loop) => {
        const task = readTask(loop, stream, -1);
        peer.write(pattern(400_000));
        await until('more than the limit is here', () => unreadBytes(stream) > 100_000);
        task.cancel();
        await expect(task.toPromise()).rejects.toThrow(CancelledError);
        peer.end(pattern(8_000_000, 2));
        const unread = await settled(() => unreadBytes(stream));
        expect(unread).toBeLessThanOrEqual(400_000 + abi.RECEIVE_LARGE_SLAB_BYTES);
        const digest = new Digest();
        for await (const chunk of stream) digest.add(chunk);
        expect(String(digest)).toBe(String(new Digest().add(pattern(400_000)).add(pattern(8_000_000, 2))));
      }));

    test('C-75 a second reader that would have to wait is refused and the first unharmed', () =>
      withPair(makePair, {}, async ({ stream, peer }, loop) => {
        const first = readTask(loop, stream);
        await soon(loop);
        const second = readTask(loop, stream);
        const error: unknown = await second.toPromise().catch((reason: unknown) => reason);
        expect(error).toBeInstanceOf(InvalidStateError);
        expect((error as InvalidStateError).message).toContain('read()');
        peer.write('mine');
        expect(String(await first)).toBe('mine');
      }));

    test('C-75 a second reader finds what is buffered already', () =>
      withPair(makePair, {}, async ({ stream, peer }, loop) => {
        peer.write('ab');
        await until('the bytes are here', () => unreadBytes(stream) === 2);
        const both = [readTask(loop, stream, 1), readTask(loop, stream, 1)];
        expect(String(await both[0])).toBe('a');
        expect(String(await both[1])).toBe('b');
      }));
  });

  test('for await gives chunks until the end', () =>
    withPair(makePair, {}, async ({ stream, peer }) => {
      const sent = pattern(700_000);
      peer.end(sent);
      const chunks: Buffer[] = [];
      for await (const chunk of stream) chunks.push(chunk);
      expect(chunks.every((chunk) => chunk.length > 0)).toBe(true);
      expect(sent.equals(Buffer.concat(chunks))).toBe(true);
    }));

  test('leaving for await early leaves the stream open and the bytes in it', () =>
    withPair(makePair, {}, async ({ stream, peer }) => {
      peer.write('one');
      for await (const chunk of stream) {
        expect(String(chunk)).toBe('one');
        break;
      }
      expect(stream.isClosing()).toBe(false);
      peer.write('two');
      expect(String(await stream.read())).toBe('two');
    }));

  test('a task that is cancelled in for await before it could take what has arrived loses no byte', () =>
    withPair(makePair, {}, async ({ stream }, loop) => {
      const chunks: string[] = [];
      const task = loop.createTask(async () => {
        for await (const chunk of stream) chunks.push(String(chunk));
      });
      await soon(loop);
      stream.onData(Buffer.from('kept'));
      task.cancel();
      await expect(task.toPromise()).rejects.toThrow(CancelledError);
      expect(chunks).toEqual([]);
      expect(String(await stream.read())).toBe('kept');
    }));

  test('an iterator of a stream rejects what read() refuses, and is over once it was left', () =>
    withPair(makePair, {}, async ({ stream, peer }, loop) => {
      const first = loop.createTask(async () => await stream.read());
      await soon(loop);
      const iterator = stream.lines();
      await expect(iterator.next()).rejects.toThrow(InvalidStateError);
      peer.write('one\ntwo\n');
      expect(String(await first)).toBe('one\ntwo\n');
      peer.write('three\nfour\n');
      expect(await iterator.next()).toEqual({ done: false, value: Buffer.from('three\n') });
      expect(await iterator.return()).toEqual({ done: true, value: undefined });
      expect(await iterator.next()).toEqual({ done: true, value: undefined });
      expect(String(await stream.readLine())).toBe('four\n');
      await expect(stream.lines().throw(new Error('given'))).rejects.toThrow('given');
    }));

  test('C-74 a stream that nobody reads holds twice its limit and one receive more at most', () =>
    withPair(makePair, { limit: 100_000 }, async ({ stream, peer }) => {
      const sent = pattern(16_000_000);
      peer.end(sent);
      const held = await settled(() => unreadBytes(stream));
      expect(held).toBeGreaterThan(200_000);
      expect(held).toBeLessThanOrEqual(200_000 + abi.RECEIVE_LARGE_SLAB_BYTES);
      expect(peer.writableLength).toBeGreaterThan(0);

      // Above the limit it stays paused ...
      let taken = 0;
      const digest = new Digest();
      while (held - taken > 100_001) {
        const chunk = await stream.read(held - taken - 100_001);
        taken += chunk.length;
        digest.add(chunk);
      }
      expect(unreadBytes(stream)).toBe(100_001);
      expect(await settled(() => unreadBytes(stream))).toBe(100_001);
      // ... and at the limit it goes on.
      digest.add(await stream.read(1));
      await until('bytes flow again', () => unreadBytes(stream) > 100_000);
      for await (const chunk of stream) digest.add(chunk);
      expect(String(digest)).toBe(String(new Digest().add(sent)));
    }));

  test('C-74 waiting for more than the paused stream holds makes it go on', () =>
    withPair(makePair, { limit: 1000 }, async ({ stream, peer }) => {
      const sent = pattern(5_000_000);
      peer.end(sent);
      await settled(() => unreadBytes(stream));
      expect(sent.equals(await stream.read(-1))).toBe(true);
    }));

  test('chunks stay as they were, whatever arrives later', () =>
    withPair(makePair, {}, async ({ stream, peer }) => {
      const sent = pattern(4_000_000);
      peer.end(sent);
      const chunks: Buffer[] = [];
      for (let size = 1; ; size = (size * 7) % 5003) {
        const chunk = await stream.read(size);
        if (chunk.length === 0) break;
        chunks.push(chunk);
      }
      expect(sent.equals(Buffer.concat(chunks))).toBe(true);
    }));

  test('a chunk may be changed by its owner', () =>
    withPair(makePair, {}, async ({ stream, peer }) => {
      peer.write('abcdef');
      await until('the bytes are here', () => unreadBytes(stream) === 6);
      (await stream.read(3)).fill(0);
      expect(String(await stream.read())).toBe('def');
    }));

  test('chunks are Buffers like any other', () =>
    withPair(makePair, {}, async ({ stream, peer }) => {
      peer.write('abc');
      const chunk = await stream.read();
      expect(Buffer.isBuffer(chunk)).toBe(true);
      assert.deepStrictEqual(chunk, Buffer.from('abc'));
      expect(structuredClone(chunk)).toEqual(new Uint8Array(Buffer.from('abc')));
    }));
});

test('bytes that come one by one arrive in order', () =>
  withPair(clientPair, {}, async ({ stream, peer }) => {
    const sent = pattern(300);
    const reading = stream.read(-1);
    for (const byte of sent) {
      peer.write(Buffer.of(byte));
      if (byte % 16 === 0) await nodeTurn();
    }
    peer.end();
    expect(sent.equals(await reading)).toBe(true);
  }));

test('a read awaited twice gives the same bytes twice', () =>
  withPair(clientPair, {}, async ({ stream, peer }) => {
    peer.write('once');
    const reading = stream.read();
    expect(await reading).toBe(await reading);
  }));

test.each(FORMS)('a task in %s form that reads says so, in debug mode with the line', (_form, readTask) =>
  withPair(serverPair, {}, async ({ stream, peer }, loop) => {
    loop.debug = true;
    const task = readTask(loop, stream);
    await soon(loop);
    expect(task._describe()).toMatch(/^<Task 'Task-\d+' pending awaiting <(Read|Future)>>$/);
    expect(task.stack()).toContain('read.test.ts');
    loop.debug = false;
    peer.write('x');
    await task;
  }),
);

test('read() refuses what is no size', () =>
  withPair(clientPair, {}, ({ stream }) => {
    const read = stream.read.bind(stream) as (size: unknown) => unknown;
    for (const size of ['1', null, {}, 1n]) {
      expect(() => read(size)).toThrow(expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' }));
    }
    for (const size of [-2, 1.5, NaN, Infinity]) {
      expect(() => read(size)).toThrow(expect.objectContaining({ code: 'ERR_OUT_OF_RANGE' }));
    }
  }));

test('many streams at once each get their own bytes', () =>
  withEventLoop(async () => {
    const pairs = await Promise.all(Array.from({ length: 40 }, () => serverPair()));
    pairs.forEach(({ peer }, i) => peer.end(pattern(150_000 + i, i + 1)));
    const all = await Promise.all(pairs.map(async ({ stream }) => await stream.read(-1)));
    all.forEach((bytes, i) => expect(bytes.equals(pattern(150_000 + i, i + 1))).toBe(true));
    await Promise.all(pairs.map(async (pair) => await pair.close()));
  }));

test('whatever the chunks and whatever the reads, the bytes are the same', () =>
  withPair(clientPair, {}, async ({ stream }) => {
    const random = seededRandom(7);
    const sent = pattern(400_000);
    let at = 0;
    let read = 0;
    const kept: [Buffer, Buffer][] = [];
    while (read < sent.length) {
      for (let left = random() * 20; left > 1 && at < sent.length; left--) {
        const size = random() < 0.8 ? 1 + Math.floor(random() * 40) : Math.floor(random() * 5000);
        const chunk = sent.subarray(at, at + size);
        if (chunk.length > 0) stream.onData(chunk);
        at += chunk.length;
      }
      for (let left = random() * 10; left > 1 && read < at; left--) {
        const bytes = await stream.read(random() < 0.3 ? undefined : 1 + Math.floor(random() * 300));
        if (!sent.subarray(read, read + bytes.length).equals(bytes)) {
          throw new Error(`different at ${String(read)}`);
        }
        kept.push([bytes, sent.subarray(read, read + bytes.length)]);
        read += bytes.length;
      }
      expect(unreadBytes(stream)).toBe(at - read);
    }
    expect(kept.every(([bytes, original]) => bytes.equals(original))).toBe(true);
  }));
