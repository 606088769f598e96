// C-70 to C-78: reading from streams. The expectations were observed on CPython 3.13.
import { describe, expect, test } from 'vitest';
import type { IncompleteReadError } from '../../src/base/errors.js';
import { InvalidStateError, LimitOverrunError } from '../../src/base/errors.js';
import type { ExceptionContext } from '../../src/core/exception.js';
import { EventLoop } from '../../src/event-loop.js';
import { connect, listen } from '../../src/io/open.js';
import type { StreamOptions } from '../../src/io/limits.js';
import type { Stream } from '../../src/io/stream.js';
import type { Awaitable } from '../../src/task/awaitable.js';
import { moveOnAfter } from '../../src/task/cancel-scope.js';
import { forms, outcome } from '../support/forms.js';
import { isCollected } from '../support/garbage.js';
import {
  clientPair,
  netConnect,
  NetServer,
  received,
  unreadBytes,
  until,
  withEventLoop,
  withPair,
  type Pair,
} from '../support/net.js';

type Read = (use: (stream: Stream) => Awaitable<Buffer>) => Promise<unknown>;

describe.each(forms)('$name', (form) => {
  // `read` gives the text that a task of this form reads, or its error.
  const withStream = (
    options: StreamOptions,
    body: (pair: Pair, read: Read, loop: EventLoop) => Promise<void>,
  ): Promise<void> =>
    withPair(clientPair, options, async (pair, loop) => {
      const read: Read = async (use) => {
        const result: unknown = await outcome(form.call(() => use(pair.stream)));
        return Buffer.isBuffer(result) ? String(result) : result;
      };
      await body(pair, read, loop);
    });

  const arrival = (stream: Stream, sizeBytes: number): Promise<void> =>
    until(`${String(sizeBytes)} bytes are here`, () => unreadBytes(stream) === sizeBytes);

  test('C-70 a line that is too long is dropped whole when its end is there', () =>
    withStream({ limit: 4 }, async ({ stream, peer }, read) => {
      peer.write('123456\nabc\n');
      await arrival(stream, 11);
      const error = await read(() => stream.readLine());
      expect(error).toBeInstanceOf(LimitOverrunError);
      expect((error as LimitOverrunError).consumed).toBe(6);
      expect(await read(() => stream.readLine())).toBe('abc\n');
    }));

  test('C-70 of a line that is too long what has come is dropped when its end is not there', () =>
    withStream({ limit: 4 }, async ({ stream, peer }, read) => {
      peer.write('1234567');
      await arrival(stream, 7);
      expect(await read(() => stream.readLine())).toBeInstanceOf(LimitOverrunError);
      expect(unreadBytes(stream)).toBe(0);
      peer.write('8\nabc\n');
      expect(await read(() => stream.readLine())).toBe('8\n');
      expect(await read(() => stream.readLine())).toBe('abc\n');
    }));

  test('C-70 readUntil() leaves what is too long where it is', () =>
    withStream({ limit: 8 }, async ({ stream, peer }, read) => {
      peer.write('x'.repeat(10) + ';');
      await arrival(stream, 11);
      const found = (await read(() => stream.readUntil(';'))) as LimitOverrunError;
      expect([found.name, found.code, found.consumed]).toEqual([
        'LimitOverrunError',
        'ERR_LIMIT_OVERRUN',
        10,
      ]);
      const missed = (await read(() => stream.readUntil('--'))) as LimitOverrunError;
      expect([missed.name, missed.consumed]).toEqual(['LimitOverrunError', 10]);
      expect(unreadBytes(stream)).toBe(11);
      expect(await read(() => stream.readExactly(11))).toBe('xxxxxxxxxx;');
    }));

  test('C-71 the limit is that of what is in front of the separator', () =>
    withStream({ limit: 4 }, async ({ stream, peer }, read) => {
      peer.write('1234----rest');
      await arrival(stream, 12);
      expect(await read(() => stream.readUntil('----'))).toBe('1234----');
    }));

  test('C-71 of several separators the one that ends first counts', () =>
    withStream({}, async ({ stream, peer }, read) => {
      peer.write('a\r\nb\nc');
      expect(await read(() => stream.readUntil(['\r\n', '\n']))).toBe('a\r\n');
      expect(await read(() => stream.readUntil(['\r\n', Buffer.from('\n')]))).toBe('b\n');
      peer.write('abcd|');
      expect(await read(() => stream.readUntil(['cabcd', 'b']))).toBe('cab');
      expect(await read(() => stream.readUntil('|'))).toBe('cd|');
    }));

  test('C-71 a separator that comes in pieces is found', () =>
    withStream({}, async ({ stream, peer }, read, loop) => {
      const line = read(() => stream.readUntil('<end>'));
      for (const piece of ['text<', 'en', 'd', '>', 'more']) {
        peer.write(piece);
        await new Promise<void>((resolve) => loop.callLater(2, resolve));
      }
      expect(await line).toBe('text<end>');
      expect(await read(() => stream.readExactly(4))).toBe('more');
    }));

  test('C-72 readExactly() at the end has what came, and leaves nothing', () =>
    withStream({}, async ({ stream, peer }, read) => {
      peer.end('some');
      const error = (await read(() => stream.readExactly(1000))) as IncompleteReadError;
      expect([error.name, error.code, String(error.partial), error.expected]).toEqual([
        'IncompleteReadError',
        'ERR_INCOMPLETE_READ',
        'some',
        1000,
      ]);
      expect(stream.atEof()).toBe(true);
      expect(await read(() => stream.read())).toBe('');
    }));

  test('C-72 readUntil() at the end expected no size; readLine() gives the partial line, then nothing', () =>
    withStream({}, async ({ stream, peer }, read) => {
      peer.end('line\nrest');
      expect(await read(() => stream.readLine())).toBe('line\n');
      const error = (await read(() => stream.readUntil('!'))) as IncompleteReadError;
      expect([String(error.partial), error.expected]).toEqual(['rest', null]);
      expect(await read(() => stream.readLine())).toBe('');
    }));

  test('C-72 the last line needs no newline', () =>
    withStream({}, async ({ stream, peer }, read) => {
      peer.end('first\nlast');
      expect(await read(() => stream.readLine())).toBe('first\n');
      expect(await read(() => stream.readLine())).toBe('last');
      expect(await read(() => stream.readLine())).toBe('');
    }));

  test('C-73 read(-1) waits for the end, read(0) for nothing, read(n) for one byte', () =>
    withStream({ limit: 8 }, async ({ stream, peer }, read) => {
      expect(await read(() => stream.read(0))).toBe('');
      peer.write('abc');
      expect(await read(() => stream.read(100))).toBe('abc');
      const all = read(() => stream.read(-1));
      peer.end('x'.repeat(1000));
      expect(await all).toBe('x'.repeat(1000));
    }));

  test('C-74 whoever waits for more than twice the limit gets it', () =>
    withStream({ limit: 1000 }, async ({ stream, peer }, read) => {
      const bytes = 'y'.repeat(300_000);
      peer.write(bytes);
      await until('the stream is full', () => unreadBytes(stream) > 2000);
      expect(await read(() => stream.readExactly(300_000))).toBe(bytes);
    }));

  test('C-75 a second reader that would have to wait is refused by name, and the first one served', () =>
    withStream({}, async ({ stream, peer }, read) => {
      const first = read(() => stream.readLine());
      for (const method of ['readExactly', 'readUntil', 'readLine', 'read'] as const) {
        const error = await read(() =>
          method === 'readExactly'
            ? stream.readExactly(1)
            : method === 'readUntil'
              ? stream.readUntil(';')
              : stream[method](),
        );
        expect(error).toBeInstanceOf(InvalidStateError);
        expect((error as Error).message).toContain(`${method}() was called while another task waits`);
      }
      peer.write('line\n');
      expect(await first).toBe('line\n');
    }));

  test('C-76 an error of the connection comes with every later read, and with drain()', () =>
    withStream({}, async ({ stream, peer }, read) => {
      const waiting = read(() => stream.readExactly(10));
      peer.resetAndDestroy();
      const codes = [
        await waiting,
        await read(() => stream.read()),
        await read(() => stream.readLine()),
        await read(() => stream.readExactly(1)),
        await outcome(form.call(() => stream.drain())),
      ].map((error) => (error as NodeJS.ErrnoException).code);
      expect(codes).toEqual(Array(5).fill('ECONNRESET'));
    }));

  test('C-77 the end of the peer leaves the write side open', () =>
    withStream({}, async ({ stream, peer }, read) => {
      peer.end();
      expect(await read(() => stream.readLine())).toBe('');
      expect([stream.atEof(), stream.isClosing()]).toEqual([true, false]);
      await form.call(() => stream.send('answer\n'));
      peer.setEncoding('utf8');
      expect(await new Promise((resolve) => peer.once('data', resolve))).toBe('answer\n');
    }));

  test('C-78 what is unread comes before the end', () =>
    withStream({}, async ({ stream, peer }, read) => {
      peer.end('a\nb');
      await until('the end is here', () => unreadBytes(stream) === 3);
      expect(stream.atEof()).toBe(false);
      expect(await read(() => stream.readExactly(3))).toBe('a\nb');
      expect(await read(() => stream.read())).toBe('');
      expect(await read(() => stream.read(-1))).toBe('');
    }));

  test('a cancelled read loses no byte, be it of an unfinished line or behind its last one', () =>
    withStream({}, async ({ stream, peer }, read, loop) => {
      for (const use of [
        () => stream.readLine(),
        () => stream.readExactly(9),
        () => stream.readUntil(['!', '?']),
      ]) {
        const task = form.call(use);
        peer.write('half');
        await arrival(stream, 4);
        task.cancel();
        expect(await outcome(task)).toMatchObject({ code: 'ABORT_ERR' });
        expect(await read(() => stream.readExactly(4))).toBe('half');
      }
      // Cancelled in the turn in which the bytes are there already.
      const task = form.call(() => stream.readLine());
      await new Promise<void>((resolve) => loop.callLater(1, resolve));
      stream.onData(Buffer.from('whole\n'));
      task.cancel();
      expect(await outcome(task)).toMatchObject({ code: 'ABORT_ERR' });
      expect(await read(() => stream.readLine())).toBe('whole\n');
    }));

  test('what had come when the end was is not lost with a cancelled read', () =>
    withStream({}, async ({ stream, peer }, read, loop) => {
      peer.write('half');
      await arrival(stream, 4);
      const task = form.call(() => stream.readExactly(9));
      await new Promise<void>((resolve) => loop.callLater(1, resolve));
      stream.onEnd();
      task.cancel();
      expect(await outcome(task)).toMatchObject({ code: 'ABORT_ERR' });
      expect(await read(() => stream.read())).toBe('half');
    }));
});

test('lines() gives every line, the last one without its newline', () =>
  withPair(clientPair, {}, async ({ stream, peer }) => {
    peer.end('one\ntwo\n\nthree');
    const lines: string[] = [];
    for await (const line of stream.lines()) lines.push(String(line));
    expect(lines).toEqual(['one\n', 'two\n', '\n', 'three']);
  }));

test('writev() writes all pieces in their order, or none', () =>
  withPair(clientPair, {}, async ({ stream, peer }) => {
    expect(() => stream.writev(['a', 5 as never])).toThrow(TypeError);
    expect(stream.writev(['b', Buffer.from('c'), new Uint8Array([100]), 'x'.repeat(40_000)])).toBe(true);
    stream.closeWrite();
    const chunks: Buffer[] = [];
    for await (const chunk of peer) chunks.push(chunk as Buffer);
    expect(String(Buffer.concat(chunks))).toBe(`bcd${'x'.repeat(40_000)}`);
  }));

describe('C-88 no collection closes a connection', () => {
  test('C-88 one that a handler keeps nothing of is closed when the handler is through', () =>
    withEventLoop(async () => {
      const server = await listen((stream) => Promise.resolve(void stream.write('bye')), {
        host: '127.0.0.1',
      });
      const peer = await netConnect(server.port);
      expect(String(await received(peer))).toBe('bye');
      await server.close();
    }));

  test('C-88 one whose stream was dropped goes on, and a read with a limit ends it', () =>
    withEventLoop(async () => {
      const server = await NetServer.open();
      const accepted = server.next();
      const served: Stream[] = [];
      const dropped = await connect({ host: '127.0.0.1', port: server.port }).then((stream) => {
        stream.write('hello');
        return new WeakRef(stream);
      });
      const peer = await accepted;
      let isClosed = false;
      peer.on('close', () => (isClosed = true)).on('data', () => undefined);
      expect(await isCollected(dropped)).toBe(false);
      expect(isClosed).toBe(false);
      dropped.deref()!.abort();
      await until('it is closed', () => isClosed);
      const idle = await listen(
        async (stream) => {
          served.push(stream);
          await moveOnAfter(5, () => stream.read());
        },
        { host: '127.0.0.1' },
      );
      const silent = await netConnect(idle.port);
      expect(await received(silent)).toHaveLength(0);
      expect(served).toHaveLength(1);
      await idle.close();
      await server.close();
    }));

  test.each([true, false])(
    'C-88 one that is open when its loop is closed is told of, in debug mode: %s',
    async (debug) => {
      const reports: ExceptionContext[] = [];
      const loop = new EventLoop({ debug });
      loop.setExceptionHandler((_, context) => reports.push(context));
      const server = await NetServer.open();
      const [stream] = await loop.runUntilComplete(async () => {
        const open = () => connect({ host: '127.0.0.1', port: server.port });
        const closed = await open();
        await closed.close();
        return [await open()];
      });
      loop.close();
      expect(reports.map(({ message, transport }) => [message, transport])).toEqual(
        debug ? [['A connection was open when its loop was closed', stream]] : [],
      );
      if (debug) expect(reports[0]!.sourceTraceback).toMatch(/connect/);
      await server.close();
    },
  );
});
