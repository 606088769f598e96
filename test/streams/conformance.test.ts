// What a stream must do over whatever carries its bytes.
import { mkdtempSync, openSync, closeSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  CancelledError,
  IncompleteReadError,
  InvalidStateError,
  LimitOverrunError,
} from '../../src/base/errors.js';
import type { EventLoop } from '../../src/event-loop.js';
import type { StreamOptions } from '../../src/io/limits.js';
import type { Stream } from '../../src/io/stream.js';
import type { Awaitable } from '../../src/task/awaitable.js';
import { forms, outcome, type Form } from '../support/forms.js';
import { turns } from '../support/loop.js';
import { Digest, pattern, settled, unreadBytes, until, withEventLoop } from '../support/net.js';
import { seededRandom } from '../support/random.js';
import { wires, type Wire } from './wires.js';

const LARGE = 3_000_000;
const FILE_SIZE = 1_500_000;
let directory: string;
let file: string;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'evloop-streams-'));
  file = join(directory, 'file');
  writeFileSync(file, pattern(FILE_SIZE, 9));
});

afterAll(() => {
  rmSync(directory, { recursive: true });
});

function withEnds(
  wire: Wire,
  options: StreamOptions,
  body: (one: Stream, other: Stream, loop: EventLoop) => unknown,
): Promise<void> {
  return withEventLoop(async (loop) => {
    const { one, other, close } = await wire.open(options);
    try {
      await body(one, other, loop);
    } finally {
      one.abort();
      other.abort();
      await one.closed;
      await other.closed;
      await close();
    }
  });
}

/** Writes pieces of many sizes, and what they are together. */
function* writeAll(stream: Stream, bytes: Buffer, seed: number): Generator<Awaitable<unknown>, void> {
  const random = seededRandom(seed);
  for (let at = 0; at < bytes.length;) {
    const size = random() < 0.5 ? 1 + Math.floor(random() * 100) : 1 + Math.floor(random() * 100_000);
    stream.write(bytes.subarray(at, at + size));
    yield stream.drain();
    at += size;
  }
}

function* readAll(stream: Stream): Generator<Awaitable<any>, string> {
  const digest = new Digest();
  for (;;) {
    const chunk: Buffer = yield stream.read();
    if (chunk.length === 0) return String(digest);
    digest.add(chunk);
  }
}

const digestOf = (...parts: Uint8Array[]): string => {
  const digest = new Digest();
  for (const part of parts) digest.add(part);
  return String(digest);
};

const cases = wires.flatMap((wire) =>
  forms.map((form) => [`${wire.name}, ${form.name}`, wire, form] as const),
);

describe.each(cases)('%s', (_, wire: Wire, form: Form) => {
  const end = (stream: Stream): void => {
    if (wire.isHalfOpen) stream.closeWrite();
    else void stream.close();
  };

  test('its directions, both at once, carry every byte, in order', async () => {
    await withEnds(wire, {}, async (one, other) => {
      const [there, back] = [pattern(LARGE, 1), pattern(LARGE, 2)];
      const write = (stream: Stream, bytes: Buffer): PromiseLike<unknown> =>
        form.start(function* () {
          yield* writeAll(stream, bytes, bytes[0]!);
          if (wire.isHalfOpen) end(stream);
        });
      const read = (stream: Stream): PromiseLike<unknown> =>
        form.start(function* () {
          if (wire.isHalfOpen) return yield* readAll(stream);
          const bytes: Buffer = yield stream.readExactly(LARGE);
          return digestOf(bytes);
        });
      const way = async (from: Stream, to: Stream, bytes: Buffer): Promise<void> => {
        const [, got] = await Promise.all([write(from, bytes), read(to)]);
        expect(got).toBe(digestOf(bytes));
      };
      const ways = [way(one, other, there)];
      if (wire.isOneWay !== true) ways.push(way(other, one, back));
      await Promise.all(ways);
    });
  });

  test('strings, bytes, pieces and nothing are written', async () => {
    await withEnds(wire, {}, async (one, other) => {
      one.write('');
      one.write(new Uint8Array(0));
      one.write('grüße €');
      one.writev(['a', Buffer.from('b'), '']);
      await form.call(() => one.send('end\n'));
      expect(String(await form.call(() => other.readLine()))).toBe('grüße €abend\n');
    });
  });

  test('what is written may be changed afterwards, as long as it is small', async () => {
    await withEnds(wire, {}, async (one, other) => {
      const bytes = Buffer.from('before');
      one.write(bytes);
      bytes.write('after!');
      expect(String(await form.call(() => other.readExactly(6)))).toBe('before');
    });
  });

  test('read family: sizes, pieces, lines and separators', async () => {
    await withEnds(wire, {}, async (one, other) => {
      one.write('0123456789line\nrest|more;tail');
      end(one);
      expect(await form.call(() => other.read(0))).toHaveLength(0);
      expect(String(await form.call(() => other.readExactly(4)))).toBe('0123');
      const some = await form.call(() => other.read(3));
      expect(['4', '45', '456']).toContain(String(some));
      expect(String(await form.call(() => other.readExactly(6 - some.length)))).toBe(
        '456789'.slice(some.length),
      );
      expect(String(await form.call(() => other.readLine()))).toBe('line\n');
      expect(String(await form.call(() => other.readUntil([';', '|'])))).toBe('rest|');
      expect(String(await form.call(() => other.readUntil(';')))).toBe('more;');
      expect(String(await form.call(() => other.read(-1)))).toBe('tail');
      expect(await form.call(() => other.read())).toHaveLength(0);
      expect(await form.call(() => other.readLine())).toHaveLength(0);
      expect(other.atEof()).toBe(true);
    });
  });

  test('read family: an end that comes too early gives what there was', async () => {
    await withEnds(wire, {}, async (one, other) => {
      one.write('partial');
      end(one);
      const error = await outcome(form.call(() => other.readExactly(100)));
      expect(error).toBeInstanceOf(IncompleteReadError);
      expect(error).toMatchObject({ expected: 100, partial: Buffer.from('partial') });
      expect(await outcome(form.call(() => other.readUntil('x')))).toMatchObject({ expected: null });
    });
  });

  test('read family: a line that is too long is dropped, and a separator leaves what is there', async () => {
    await withEnds(wire, { limit: 32 }, async (one, other) => {
      one.write(`${'x'.repeat(50)}\nabc|`);
      await until('it has come', () => unreadBytes(other) === 55);
      expect(await outcome(form.call(() => other.readUntil('|')))).toBeInstanceOf(LimitOverrunError);
      expect(await outcome(form.call(() => other.readLine()))).toBeInstanceOf(LimitOverrunError);
      expect(String(await form.call(() => other.readUntil('|')))).toBe('abc|');
    });
  });

  test('for await: chunks up to the end, and lines', async () => {
    await withEnds(wire, {}, async (one, other) => {
      one.write('one\ntwo\nthree');
      end(one);
      const lines: string[] = [];
      for await (const line of other.lines()) lines.push(String(line));
      expect(lines).toEqual(['one\n', 'two\n', 'three']);
    });
  });

  test('a cancelled read loses no byte', async () => {
    await withEnds(wire, {}, async (one, other, loop) => {
      for (let round = 0; round < 20; round++) {
        const task = form.call(() => other.readExactly(1000));
        await turns(loop, round % 5);
        one.write(`${String(round).padStart(4, '0')}`);
        await turns(loop, round % 7);
        task.cancel();
        expect(await outcome(task)).toBeInstanceOf(CancelledError);
      }
      const all = Array.from({ length: 20 }, (__, round) => String(round).padStart(4, '0')).join('');
      expect(String(await form.call(() => other.readExactly(80)))).toBe(all);
    });
  });

  test('concurrent readers: the second is refused, the first is not disturbed', async () => {
    await withEnds(wire, {}, async (one, other, loop) => {
      const first = form.call(() => other.read());
      await turns(loop, 2);
      expect(await outcome(form.call(() => other.readLine()))).toBeInstanceOf(InvalidStateError);
      one.write('x');
      expect(String(await first)).toBe('x');
    });
  });

  test('write/drain: a peer that does not read stops the writer, and reading lets it go on', async () => {
    await withEnds(wire, { limit: 1000, highWaterMark: 5000 }, async (one, other) => {
      let written = 0;
      const bytes = pattern(20_000_000);
      const writing = form.start(function* () {
        for (; written < bytes.length; written += 50_000) {
          one.write(bytes.subarray(written, written + 50_000));
          yield one.drain();
        }
        end(one);
      });
      await until('the writer waits', () => one.writeBufferSize > 5000);
      await settled(() => written);
      expect(written).toBeLessThan(bytes.length);
      expect(one.writeBufferSize).toBeGreaterThan(5000);
      expect(one.writeBufferSize).toBeLessThan(200_000);
      const got = await form.start(() => readAll(other));
      await writing;
      expect(got).toBe(digestOf(bytes));
    });
  });

  test('read limit/pause: a stream that nobody reads holds a bounded number of bytes', async () => {
    await withEnds(wire, { limit: 10_000 }, async (one, other) => {
      const bytes = pattern(600_000);
      one.write(bytes);
      await until('something has come', () => unreadBytes(other) > 0);
      await settled(() => unreadBytes(other));
      // Twice the limit, and one piece of what it comes in.
      expect(unreadBytes(other)).toBeLessThanOrEqual(wire.pieceSizeBytes + 20_000);
      const got: Buffer = await form.call(() => other.readExactly(600_000));
      expect(got.equals(bytes)).toBe(true);
    });
  });

  test('close: everything written before arrives, then the end', async () => {
    await withEnds(wire, {}, async (one, other) => {
      const bytes = pattern(LARGE);
      one.write(bytes);
      const closed = one.close();
      const got = await form.start(() => readAll(other));
      expect(got).toBe(digestOf(bytes));
      await form.call(() => closed);
      expect(one.isClosing()).toBe(true);
    });
  });

  test('close: a read that waits gets the end, later writes are counted and dropped', async () => {
    await withEnds(wire, {}, async (one, __, loop) => {
      const reading = form.call(() => one.read());
      await turns(loop);
      void one.close();
      void one.close();
      expect(await reading).toHaveLength(0);
      expect(one.write('late')).toBe(false);
      expect(await outcome(form.call(() => one.drain()))).toMatchObject({ code: 'ECONNRESET' });
      await form.call(() => one.closed);
    });
  });

  test('abort: what was not sent is dropped, and the other end hears of it', async () => {
    await withEnds(wire, {}, async (one, other) => {
      const reading = form.call(() => other.readExactly(10));
      one.abort();
      const error = await outcome(reading);
      if (wire.hasResets) expect(error).toMatchObject({ code: 'ECONNRESET' });
      else expect(error).toBeInstanceOf(IncompleteReadError);
      await form.call(() => one.closed);
      await form.call(() => other.close());
    });
  });

  test('drain errors: a writer whose peer is gone hears of it and stops', async () => {
    await withEnds(wire, {}, async (one, other) => {
      other.abort();
      const writing = form.start(function* () {
        for (;;) {
          one.write(pattern(10_000));
          yield one.drain();
        }
      });
      expect(await outcome(writing)).toMatchObject({
        code: expect.stringMatching(/ECONNRESET|EPIPE/) as string,
      });
    });
  });

  test.runIf(wire.isHalfOpen)('half close: the other direction goes on', async () => {
    await withEnds(wire, {}, async (one, other) => {
      one.write('question');
      one.closeWrite();
      one.closeWrite();
      expect(() => one.write('more')).toThrow(InvalidStateError);
      expect(String(await form.call(() => other.read(-1)))).toBe('question');
      expect(other.atEof()).toBe(true);
      other.write('answer');
      other.closeWrite();
      expect(String(await form.call(() => one.read(-1)))).toBe('answer');
    });
  });

  test('sendfile: the same bytes as if they were written', async () => {
    await withEnds(wire, {}, async (one, other) => {
      const fd = openSync(file, 'r');
      const sending = form.start(function* () {
        one.write('head');
        const sent: number = yield one.sendFile(fd, { offset: 100 });
        one.write('tail');
        end(one);
        return sent;
      });
      const got = await form.start(() => readAll(other));
      expect(got).toBe(
        digestOf(Buffer.from('head'), pattern(FILE_SIZE, 9).subarray(100), Buffer.from('tail')),
      );
      expect(await sending).toBe(FILE_SIZE - 100);
      closeSync(fd);
    });
  });

  test('extra info: addresses are there after the end', async () => {
    await withEnds(wire, {}, async (one, other) => {
      const before = one.info;
      void other.close();
      expect(await form.call(() => one.read())).toHaveLength(0);
      await form.call(() => one.close());
      expect(one.info).toEqual(before);
    });
  });
});
