import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, readSync, rmSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CancelledError, InvalidStateError } from '../../../src/base/errors.js';
import type { Stream } from '../../../src/io/stream.js';
import { forms, outcome } from '../../support/forms.js';
import { turns } from '../../support/loop.js';
import { Digest, clientPair, digested, pattern, received, until, withPair } from '../../support/net.js';

const SIZE = 3_000_000;
// More than any kernel buffers of a connection hold.
const LARGE = 24_000_000;
let directory: string;
let path: string;
let content: Buffer;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'evloop-file-'));
  path = join(directory, 'file');
  content = pattern(LARGE);
  writeFileSync(path, content);
});

afterAll(() => {
  rmSync(directory, { recursive: true });
});

/** Where a descriptor stands: what is read next. */
function nextBytes(fd: number, size: number): Buffer {
  const buffer = Buffer.alloc(size);
  return buffer.subarray(0, readSync(fd, buffer, 0, size, null));
}

/** Runs `body` with a connection and a descriptor of the file. */
function withFile(body: (stream: Stream, peer: Socket, fd: number) => unknown): Promise<void> {
  return withPair(clientPair, {}, async ({ stream, peer }) => {
    const fd = openSync(path, 'r');
    try {
      await body(stream, peer, fd);
    } finally {
      closeSync(fd);
    }
  });
}

describe.each(forms)('$name', (form) => {
  test('sendfile: all of a file, behind what was written and in front of what follows', async () => {
    await withFile(async (stream, peer, fd) => {
      const arrived = digested(peer);
      const head = pattern(100_000, 2);
      stream.write(head);
      expect(await form.call(() => stream.sendFile(fd))).toBe(LARGE);
      stream.write('tail');
      stream.closeWrite();
      const expected = new Digest().add(head).add(content).add(Buffer.from('tail'));
      expect(String(await arrived)).toBe(String(expected));
    });
  });

  test('sendfile: a part of it, and the position of the file is behind that', async () => {
    await withFile(async (stream, peer, fd) => {
      const arrived = received(peer);
      expect(await form.call(() => stream.sendFile(fd, { offset: 1000, count: SIZE }))).toBe(SIZE);
      expect(await form.call(() => stream.sendFile(fd, { offset: LARGE - 5, count: 10 }))).toBe(5);
      expect(await form.call(() => stream.sendFile(fd, { offset: LARGE + 5 }))).toBe(0);
      expect(await form.call(() => stream.sendFile(fd, { offset: 7, count: 0 }))).toBe(0);
      expect(nextBytes(fd, 3)).toEqual(content.subarray(7, 10));
      stream.closeWrite();
      const expected = Buffer.concat([content.subarray(1000, 1000 + SIZE), content.subarray(LARGE - 5)]);
      expect((await arrived).equals(expected)).toBe(true);
    });
  });

  test('sendfile: a pipe is sent by reading, from where it is', async () => {
    await withPair(clientPair, {}, async ({ stream, peer }) => {
      const fifo = join(directory, `fifo-${form.name}`);
      execFileSync('mkfifo', [fifo]);
      const arrived = digested(peer);
      const writer = spawn('sh', ['-c', `head -c 80000 '${path}' > '${fifo}'`]);
      const file = await open(fifo, 'r');
      expect(await form.call(() => stream.sendFile(file, { count: 60_000 }))).toBe(60_000);
      expect(await form.call(() => stream.sendFile(file))).toBe(20_000);
      await file.close();
      if (writer.exitCode === null) await once(writer, 'exit');
      stream.closeWrite();
      expect(String(await arrived)).toBe(String(new Digest().add(content.subarray(0, 80_000))));
    });
  });

  test('sendfile: cancelled, it stops, and the position tells how much was sent', async () => {
    await withPair(clientPair, {}, async ({ stream, peer }, loop) => {
      const fd = openSync(path, 'r');
      const task = form.call(() => stream.sendFile(fd));
      // The peer reads nothing yet, so it comes to a halt.
      await turns(loop, 40);
      expect(task.done()).toBe(false);
      task.cancel();
      expect(await outcome(task)).toBeInstanceOf(CancelledError);
      stream.write('and on');
      stream.closeWrite();
      const bytes = await received(peer);
      const sent = bytes.length - 'and on'.length;
      expect(sent).toBeGreaterThan(0);
      expect(bytes.subarray(0, sent).equals(content.subarray(0, sent))).toBe(true);
      expect(String(bytes.subarray(sent))).toBe('and on');
      expect(nextBytes(fd, 8)).toEqual(content.subarray(sent, sent + 8));
      closeSync(fd);
    });
  });

  test.each(['peer resets', 'stream is aborted', 'stream is closed'])(
    'sendfile: rejects when the %s',
    async (what) => {
      await withFile(async (stream, peer, fd) => {
        peer.pause();
        const task = form.call(() => stream.sendFile(fd));
        const ended = outcome(task);
        await until('it is on its way', () => stream.writeBufferSize === 0);
        if (what === 'peer resets') peer.resetAndDestroy();
        else if (what === 'stream is aborted') stream.abort();
        else void stream.close();
        peer.resume();
        expect(await ended).toMatchObject({ code: expect.stringMatching(/ECONNRESET|EPIPE/) as string });
      });
    },
  );
});

test('C-83 nothing else is written while a file is sent', async () => {
  await withFile(async (stream, peer, fd) => {
    const arrived = digested(peer);
    const sending = stream.sendFile(fd);
    await until('it has begun', () => {
      try {
        stream.write('');
        return false;
      } catch {
        return true;
      }
    });
    expect(() => stream.write('x')).toThrow(InvalidStateError);
    expect(() => stream.write('x')).toThrow('during sendFile()');
    expect(() => stream.closeWrite()).toThrow(InvalidStateError);
    expect(() => stream.sendFile(fd)).toThrow(InvalidStateError);
    expect(await sending).toBe(LARGE);
    stream.closeWrite();
    expect((await arrived).sizeBytes).toBe(LARGE);
    expect(() => stream.sendFile(fd)).toThrow('after closeWrite()');
  });
});

test('one descriptor is sent to several peers at once', async () => {
  await withFile(async (stream, peer, fd) => {
    const other = await clientPair();
    const arrived = Promise.all([digested(peer), digested(other.peer)]);
    await Promise.all([stream.sendFile(fd), other.stream.sendFile(fd)]);
    stream.closeWrite();
    other.stream.closeWrite();
    for (const digest of await arrived) expect(String(digest)).toBe(String(new Digest().add(content)));
    await other.close();
  });
});

test('a descriptor that is none is refused at once', async () => {
  await withPair(clientPair, {}, ({ stream }) => {
    const fd = openSync(path, 'r');
    closeSync(fd);
    expect(() => stream.sendFile(fd)).toThrow(expect.objectContaining({ code: 'EBADF' }));
  });
});
