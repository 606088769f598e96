import { execFileSync } from 'node:child_process';
import { closeSync, constants, mkdtempSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CancelledError, ClosedResourceError } from '../../../src/base/errors.js';
import type { ExceptionContext } from '../../../src/core/exception.js';
import type { EventLoop } from '../../../src/event-loop.js';
import { forms, outcome } from '../../support/forms.js';
import { soon, turns } from '../../support/loop.js';
import { clientPair, until, withEventLoop } from '../../support/net.js';

let directory: string;
let count = 0;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'evloop-watch-'));
});

afterAll(() => {
  rmSync(directory, { recursive: true });
});

interface Pipe {
  readonly reader: number;
  writer: number;
}

/** Both ends of a pipe, and their ends. */
async function withPipes(body: (loop: EventLoop, open: () => Pipe) => unknown): Promise<void> {
  await withEventLoop(async (loop) => {
    const open = (): Pipe => {
      const path = join(directory, String(count++));
      execFileSync('mkfifo', [path]);
      const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
      return { reader, writer: openSync(path, constants.O_WRONLY | constants.O_NONBLOCK) };
    };
    await body(loop, open);
  });
}

function drain(fd: number): string {
  const bytes = Buffer.alloc(1000);
  return bytes.toString('latin1', 0, readSync(fd, bytes));
}

/** Fills a pipe until it takes no more. */
function fill(fd: number): void {
  const bytes = Buffer.alloc(4096);
  try {
    for (;;) writeSync(fd, bytes);
  } catch (error) {
    expect(error).toMatchObject({ code: 'EAGAIN' });
  }
}

describe('addReader() and addWriter()', () => {
  test('readable/writable callback: comes again as long as it is ready, with its arguments', async () => {
    await withPipes(async (loop, open) => {
      const { reader, writer } = open();
      const calls: unknown[][] = [];
      loop.addReader(reader, (...args: unknown[]) => calls.push(args), 'a', 1);
      await turns(loop, 20);
      expect(calls).toEqual([]);
      writeSync(writer, 'x');
      await until('it has come three times', () => calls.length >= 3);
      expect(calls[0]).toEqual(['a', 1]);
      drain(reader);
      await turns(loop);
      const before = calls.length;
      await turns(loop, 20);
      expect(calls.length).toBe(before);
      expect(loop.removeReader(reader)).toBe(true);
      expect(loop.removeReader(reader)).toBe(false);
      closeSync(reader);
      closeSync(writer);
    });
  });

  test('readable/writable callback: a writer hears when there is room', async () => {
    await withPipes(async (loop, open) => {
      const { reader, writer } = open();
      fill(writer);
      let calls = 0;
      loop.addWriter(writer, () => calls++);
      await turns(loop, 20);
      expect(calls).toBe(0);
      while (calls === 0) {
        drain(reader);
        await soon(loop);
      }
      expect(loop.removeWriter(writer)).toBe(true);
      expect(loop.removeWriter(writer)).toBe(false);
      closeSync(reader);
      closeSync(writer);
    });
  });

  test('readable/writable callback: the second takes the place of the first', async () => {
    await withPipes(async (loop, open) => {
      const { reader, writer } = open();
      const calls: string[] = [];
      writeSync(writer, 'x');
      loop.addReader(reader, () => calls.push('first'));
      loop.addReader(reader, () => calls.push('second'));
      await until('it has come', () => calls.length > 0);
      expect(calls).not.toContain('first');
      loop.removeReader(reader);
      expect(loop.removeReader(reader)).toBe(false);
      closeSync(reader);
      closeSync(writer);
    });
  });

  test('readable/writable callback: one that is removed in the batch does not come, though it was due', async () => {
    await withPipes(async (loop, open) => {
      const pipes = [open(), open()];
      const calls: number[] = [];
      pipes.forEach(({ reader, writer }, place) => {
        writeSync(writer, 'x');
        loop.addReader(reader, () => {
          calls.push(place);
          for (const pipe of pipes) loop.removeReader(pipe.reader);
        });
      });
      await turns(loop, 20);
      expect(calls).toHaveLength(1);
      for (const { reader, writer } of pipes) {
        closeSync(reader);
        closeSync(writer);
      }
    });
  });

  test('readable/writable callback: an end or an error is told to both sides', async () => {
    await withPipes(async (loop, open) => {
      const { reader, writer } = open();
      const calls: string[] = [];
      fill(writer);
      loop.addWriter(writer, () => {
        calls.push('writer');
        loop.removeWriter(writer);
      });
      closeSync(reader);
      await until('the writer hears of it', () => calls.length > 0);
      expect(() => writeSync(writer, 'x')).toThrow(expect.objectContaining({ code: 'EPIPE' }));
      closeSync(writer);
      const other = open();
      loop.addReader(other.reader, () => {
        calls.push('reader');
        loop.removeReader(other.reader);
      });
      closeSync(other.writer);
      await until('the reader hears of it', () => calls.length > 1);
      expect(drain(other.reader)).toBe('');
      expect(calls).toEqual(['writer', 'reader']);
      closeSync(other.reader);
    });
  });

  test('readable/writable callback: one that throws is reported, and comes again', async () => {
    await withPipes(async (loop, open) => {
      const { reader, writer } = open();
      const told: ExceptionContext[] = [];
      loop.setExceptionHandler((_, context) => told.push(context));
      writeSync(writer, 'x');
      loop.addReader(reader, () => {
        throw new Error('mine');
      });
      await until('it was told twice', () => told.length >= 2);
      expect(told[0]!.exception).toMatchObject({ message: 'mine' });
      loop.removeReader(reader);
      closeSync(reader);
      closeSync(writer);
    });
  });

  test('unsupported fds: regular files and directories are refused at once', async () => {
    await withPipes((loop) => {
      for (const path of [import.meta.filename, directory]) {
        const fd = openSync(path, 'r');
        expect(() => loop.addReader(fd, () => undefined)).toThrow(
          expect.objectContaining({
            code: 'EPERM',
            message: expect.stringContaining('always ready') as string,
          }),
        );
        expect(() => loop.readable(fd)).toThrow(expect.objectContaining({ code: 'EPERM' }));
        expect(loop.removeReader(fd)).toBe(false);
        closeSync(fd);
        expect(() => loop.addReader(fd, () => undefined)).toThrow(expect.objectContaining({ code: 'EBADF' }));
      }
    });
  });

  test('readable/writable callback: the descriptor of a stream is refused', async () => {
    await withEventLoop(async (loop) => {
      const { peer, close } = await clientPair();
      const fds = Array.from({ length: 64 }, (_, fd) => fd);
      const own = fds.filter((fd) => {
        try {
          loop.addReader(fd, () => undefined);
          loop.removeReader(fd);
          return false;
        } catch (error) {
          return (error as NodeJS.ErrnoException).code === 'EEXIST';
        }
      });
      expect(own).toHaveLength(1);
      peer.destroy();
      await close();
      // The number is free again, and may belong to anybody.
      expect(() => loop.addReader(own[0]!, () => undefined)).toThrow(
        expect.objectContaining({ code: 'EBADF' }),
      );
    });
  });

  test('fd reuse safety: what was due for a descriptor that is closed does not reach its successor', async () => {
    await withPipes(async (loop, open) => {
      const [one, other, quiet] = [open(), open(), open()];
      const calls: string[] = [];
      const replace = (mine: Pipe, its: Pipe) => (): void => {
        calls.push('first');
        loop.removeReader(mine.reader);
        loop.removeReader(its.reader);
        // The descriptor of a silent pipe takes the number.
        closeSync(its.reader);
        const copy = openSync(
          `/proc/self/fd/${String(quiet.reader)}`,
          constants.O_RDONLY | constants.O_NONBLOCK,
        );
        expect(copy).toBe(its.reader);
        loop.addReader(copy, () => calls.push('successor'));
      };
      writeSync(one.writer, 'x');
      writeSync(other.writer, 'x');
      loop.addReader(one.reader, replace(one, other));
      loop.addReader(other.reader, replace(other, one));
      await turns(loop, 20);
      expect(calls).toEqual(['first']);
      writeSync(quiet.writer, 'x');
      await until('the successor has its own', () => calls.length > 1);
      expect(calls[1]).toBe('successor');
      for (const fd of [one.reader, other.reader]) {
        loop.removeReader(fd);
        closeSync(fd);
      }
      for (const fd of [one.writer, other.writer, quiet.reader, quiet.writer]) closeSync(fd);
    });
  });

  test('what is watched keeps the loop referenced, and is gone when the loop is closed', async () => {
    await withPipes(async (loop, open) => {
      const { reader, writer } = open();
      const { references, sockets } = loop.statistics();
      loop.addReader(reader, () => undefined);
      loop.addReader(reader, () => undefined);
      loop.addWriter(writer, () => undefined);
      expect(loop.statistics()).toMatchObject({ references: references + 2, sockets: sockets + 2 });
      loop.removeReader(reader);
      loop.removeWriter(writer);
      expect(loop.statistics()).toMatchObject({ references, sockets });
      closeSync(reader);
      closeSync(writer);
    });
  });
});

describe.each(forms)('readable() and writable(), $name', (form) => {
  test('await readiness: tells once, and watches no longer', async () => {
    await withPipes(async (loop, open) => {
      const { reader, writer } = open();
      const waits = [form.call(() => loop.readable(reader)), form.call(() => loop.readable(reader))];
      await turns(loop, 20);
      expect(waits.map((wait) => wait.done())).toEqual([false, false]);
      writeSync(writer, 'x');
      await Promise.all(waits);
      expect(loop.statistics().sockets).toBe(0);
      await form.call(() => loop.readable(reader));
      expect(drain(reader)).toBe('x');
      fill(writer);
      const room = form.call(() => loop.writable(writer));
      await turns(loop, 20);
      expect(room.done()).toBe(false);
      while (!room.done()) {
        drain(reader);
        await soon(loop);
      }
      await room;
      closeSync(reader);
      closeSync(writer);
    });
  });

  test('await readiness: a wait that is cancelled watches no longer, others go on', async () => {
    await withPipes(async (loop, open) => {
      const { reader, writer } = open();
      const [one, other] = [form.call(() => loop.readable(reader)), form.call(() => loop.readable(reader))];
      await turns(loop);
      one.cancel();
      expect(await outcome(one)).toBeInstanceOf(CancelledError);
      expect(loop.statistics().sockets).toBe(1);
      writeSync(writer, 'x');
      await other;
      const third = form.call(() => loop.writable(writer));
      const last = form.call(() => loop.readable(writer));
      await third;
      last.cancel();
      await outcome(last);
      expect(loop.statistics().sockets).toBe(0);
      closeSync(reader);
      closeSync(writer);
    });
  });

  test('await readiness: notifyClosing() fails the waits and drops the callbacks', async () => {
    await withPipes(async (loop, open) => {
      const { reader, writer } = open();
      const wait = form.call(() => loop.readable(reader));
      loop.addReader(reader, () => expect.unreachable());
      await turns(loop);
      writeSync(writer, 'x');
      loop.notifyClosing(reader);
      loop.notifyClosing(reader);
      closeSync(reader);
      expect(await outcome(wait)).toBeInstanceOf(ClosedResourceError);
      expect(loop.removeReader(reader)).toBe(false);
      closeSync(writer);
    });
  });
});
