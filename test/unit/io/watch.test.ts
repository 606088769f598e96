import { closeSync, mkdtempSync, openSync, readSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { CancelledError, ClosedResourceError, InvalidStateError } from '../../../src/base/errors.js';
import { EventLoop } from '../../../src/event-loop.js';
import { connect, listen } from '../../../src/io/open.js';
import type { Stream } from '../../../src/io/stream.js';
import { descriptors } from '../../support/descriptors.js';
import { leftovers, nodeTurn, turns, withLoop } from '../../support/loop.js';

async function withPair(
  body: (loop: EventLoop, one: number, other: number) => unknown,
  make = descriptors.socketPair,
): Promise<void> {
  const [one, other] = make();
  const open = new Set([one, other]);
  try {
    await withLoop<EventLoop>((loop) => body(loop, one, other), {
      make: (options) => new EventLoop(options),
    });
  } finally {
    for (const fd of open) {
      try {
        closeSync(fd);
      } catch {
        // The test has closed it.
      }
    }
  }
}

function drain(fd: number): number {
  return readSync(fd, Buffer.alloc(64));
}

/** Until `condition` holds, or the test times out. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await nodeTurn();
}

describe('callbacks', () => {
  test('readable/writable callback: a reader is called with its arguments while there is something to read', async () => {
    await withPair(async (loop, one, other) => {
      const calls: unknown[] = [];
      loop.addReader(one, (...args: unknown[]) => calls.push(args), 'a', 1);
      await turns(loop);
      expect(calls).toEqual([]);
      writeSync(other, 'x');
      await until(() => calls.length >= 3);
      expect(calls[0]).toEqual(['a', 1]);
      drain(one);
      await turns(loop);
      const count = calls.length;
      await turns(loop);
      expect(calls.length).toBe(count);
      expect(loop.removeReader(one)).toBe(true);
      expect(loop.removeReader(one)).toBe(false);
    });
  });

  test('readable/writable callback: is queued once for each poll', async () => {
    await withPair(async (loop, one, other) => {
      let calls = 0;
      writeSync(other, 'x');
      const before = loop.statistics().polls;
      loop.addReader(one, () => calls++);
      await until(() => calls >= 10);
      loop.removeReader(one);
      expect(calls).toBeLessThanOrEqual(loop.statistics().polls - before + 1);
    });
  });

  test('readable/writable callback: a second add replaces and cancels the first', async () => {
    await withPair(async (loop, one, other) => {
      const calls: string[] = [];
      loop.addReader(one, () => calls.push('first'));
      loop.addReader(one, () => calls.push('second'));
      writeSync(other, 'x');
      await until(() => calls.length > 0);
      loop.removeReader(one);
      expect(new Set(calls)).toEqual(new Set(['second']));
      expect(leftovers(loop).references).toBe(0);
    });
  });

  test('readable/writable callback: removing inside of a batch prevents the other callback that is queued already', async () => {
    await withPair(async (loop, one, other) => {
      const calls: string[] = [];
      writeSync(other, 'x');
      writeSync(one, 'x');
      const removeBoth = (name: string) => () => {
        calls.push(name);
        loop.removeReader(one);
        loop.removeReader(other);
      };
      loop.addReader(one, removeBoth('one'));
      loop.addReader(other, removeBoth('other'));
      await until(() => calls.length > 0);
      await turns(loop);
      expect(calls).toHaveLength(1);
    });
  });

  test('readable/writable callback: reader and writer of one descriptor are told in this order and removed separately', async () => {
    await withPair(async (loop, one, other) => {
      const calls: string[] = [];
      writeSync(other, 'x');
      loop.addWriter(one, () => calls.push('writer'));
      loop.addReader(one, () => calls.push('reader'));
      await until(() => calls.includes('reader'));
      const first = calls.indexOf('reader');
      await until(() => calls.length > first + 1);
      expect(calls[first + 1]).toBe('writer');
      expect(loop.removeWriter(one)).toBe(true);
      expect(loop.removeWriter(one)).toBe(false);
      calls.length = 0;
      await until(() => calls.length > 1);
      expect(calls).not.toContain('writer');
      expect(loop.removeReader(one)).toBe(true);
    });
  });

  test('readable/writable callback: a hang-up is told to both reader and writer', async () => {
    await withPair(async (loop, one, other) => {
      const told = new Set<string>();
      closeSync(other);
      loop.addReader(one, () => told.add('reader'));
      loop.addWriter(one, () => told.add('writer'));
      await until(() => told.size === 2);
      loop.removeReader(one);
      loop.removeWriter(one);
    });
  });

  test('readable/writable callback: the writer of a pipe hears that its reader has gone', async () => {
    await withPair(async (loop, read, write) => {
      while (writeNonBlocking(write) > 0);
      let calls = 0;
      loop.addWriter(write, () => calls++);
      await turns(loop);
      expect(calls).toBe(0);
      closeSync(read);
      await until(() => calls > 0);
      loop.removeWriter(write);
    }, nonBlockingPipe);
  });

  test('readable/writable callback: what a callback throws goes to the exception handler, and the watch goes on', async () => {
    await withPair(async (loop, one, other) => {
      const errors: unknown[] = [];
      loop.setExceptionHandler((_, { exception }) => errors.push(exception));
      const error = new Error('thrown');
      loop.addReader(one, () => {
        throw error;
      });
      writeSync(other, 'x');
      await until(() => errors.length >= 2);
      loop.removeReader(one);
      expect(errors[0]).toBe(error);
    });
  });

  test('readable/writable callback: a descriptor that a stream of this loop uses is refused', async () => {
    await withLoop<EventLoop>(
      async (loop) => {
        let fd = -1;
        const server = await listen(async (stream: Stream) => await stream.close(), { host: '127.0.0.1' });
        const stream = await connect({ host: '127.0.0.1', port: server.port });
        for (let n = 3; n < 1000; n++) {
          try {
            loop.addReader(n, () => undefined);
            loop.removeReader(n);
          } catch (error) {
            if (error instanceof InvalidStateError) fd = n;
          }
        }
        expect(fd).toBeGreaterThan(2);
        expect(() => loop.addWriter(fd, () => undefined)).toThrow(
          `The descriptor ${String(fd)} is used by this loop`,
        );
        expect(loop.removeReader(fd)).toBe(false);
        await stream.close();
        await server.close();
      },
      { make: (options) => new EventLoop(options) },
    );
  });

  test('readable/writable callback: a watch counts as a reference of the loop', async () => {
    await withPair((loop, one) => {
      loop.addReader(one, () => undefined);
      loop.addWriter(one, () => undefined);
      expect(leftovers(loop).references).toBe(2);
      loop.removeReader(one);
      loop.removeWriter(one);
      expect(leftovers(loop).references).toBe(0);
    });
  });
});

describe('unsupported descriptors', () => {
  test('unsupported fds: a regular file is refused when it is added', async () => {
    const directory = mkdtempSync(path.join(tmpdir(), 'evloop-watch-'));
    const file = path.join(directory, 'file');
    writeFileSync(file, 'x');
    const fd = openSync(file, 'r');
    try {
      await withPair((loop) => {
        expect(() => loop.addReader(fd, () => undefined)).toThrow(/EPERM.*regular files are always ready/);
        expect(() => loop.addWriter(fd, () => undefined)).toThrow(/regular files are always ready/);
        expect(() => loop.readable(fd)).toThrow(/regular files are always ready/);
      });
    } finally {
      closeSync(fd);
      rmSync(directory, { recursive: true });
    }
  });

  test('unsupported fds: one that is not open is refused', async () => {
    await withPair((loop) => {
      expect(() => loop.addReader(900_000, () => undefined)).toThrow(/EBADF/);
    });
  });
});

describe('fd reuse', () => {
  test('fd reuse safety: a stale event does not reach the new owner of a number', async () => {
    await withPair(async (loop, one, other) => {
      const [third, fourth] = descriptors.socketPair();
      const calls: string[] = [];
      let renewed: [number, number] | null = null;
      const replace = (mine: number, its: number) => () => {
        if (renewed !== null) return;
        calls.push('old');
        loop.removeReader(mine);
        loop.removeReader(its);
        closeSync(its);
        renewed = descriptors.socketPair();
        expect(renewed).toContain(its);
        loop.addReader(its, () => calls.push('new'));
      };
      loop.addReader(one, replace(one, third));
      loop.addReader(third, replace(third, one));
      writeSync(other, 'x');
      writeSync(fourth, 'x');
      await until(() => renewed !== null);
      await turns(loop);
      expect(calls).toEqual(['old']);
      for (const fd of renewed!) {
        loop.notifyClosing(fd);
        closeSync(fd);
      }
      for (const fd of [third, fourth]) if (!renewed!.includes(fd)) closeSync(fd);
    });
  });

  test('fd reuse safety: a number that was closed while watched can be watched again, or be used by a stream', async () => {
    await withPair(async (loop, one, other) => {
      let calls = 0;
      loop.addReader(one, () => calls++);
      closeSync(one);
      closeSync(other);
      const server = await listen(async (stream: Stream) => await stream.close(), { host: '127.0.0.1' });
      const stream = await connect({ host: '127.0.0.1', port: server.port });
      expect(String(await stream.read())).toBe('');
      await stream.close();
      await server.close();
      expect(calls).toBe(0);
      loop.removeReader(one);
    });
  });
});

describe('waits', () => {
  test('await readiness: readable() in a generator task and in an async function', async () => {
    await withPair(async (loop, one, other) => {
      const generator = loop.createTask(function* wait() {
        yield* loop.readable(one);
        return drain(one);
      });
      await turns(loop);
      writeSync(other, 'ab');
      expect(await generator).toBe(2);
      writeSync(other, 'abc');
      expect(
        await loop.createTask(async () => {
          await loop.readable(one);
          return drain(one);
        }),
      ).toBe(3);
      await loop.writable(one);
    });
  });

  test('await readiness: cancelling ends the watch', async () => {
    await withPair(async (loop, one, other) => {
      const task = loop.createTask(async () => await loop.readable(one));
      await turns(loop);
      expect(leftovers(loop).references).toBe(1);
      task.cancel();
      await expect(Promise.resolve(task)).rejects.toBeInstanceOf(CancelledError);
      expect(leftovers(loop).references).toBe(0);
      writeSync(other, 'x');
      await loop.readable(one);
    });
  });

  test('await readiness: notifyClosing() wakes who waits and drops the callbacks', async () => {
    await withPair(async (loop, one, other) => {
      const reader = loop.readable(one);
      let calls = 0;
      loop.addWriter(one, () => calls++);
      loop.notifyClosing(one);
      await expect(Promise.resolve(reader)).rejects.toBeInstanceOf(ClosedResourceError);
      await turns(loop);
      expect(calls).toBe(0);
      expect(leftovers(loop).references).toBe(0);
      loop.notifyClosing(one);
      loop.notifyClosing(other);
    });
  });

  test('await readiness: a second one for the same direction is refused, and the first is unharmed', async () => {
    await withPair(async (loop, one, other) => {
      const first = loop.readable(one);
      expect(() => loop.readable(one)).toThrow(InvalidStateError);
      expect(() => loop.addReader(one, () => undefined)).toThrow(InvalidStateError);
      expect(loop.removeReader(one)).toBe(false);
      await loop.writable(one);
      writeSync(other, 'x');
      await first;
      loop.addReader(one, () => undefined);
      expect(() => loop.readable(one)).toThrow(InvalidStateError);
      loop.removeReader(one);
    });
  });

  test('await readiness: a loop that is closed refuses', () => {
    const loop = new EventLoop();
    loop.close();
    expect(() => loop.addReader(0, () => undefined)).toThrow(/closed/);
    expect(() => loop.readable(0)).toThrow(/closed/);
    expect(loop.removeReader(0)).toBe(false);
  });
});

function nonBlockingPipe(): [number, number] {
  const [read, write] = descriptors.pipe();
  // Opening it anew makes a description with flags of its own.
  const fresh = openSync(`/proc/self/fd/${String(write)}`, 0o4001);
  closeSync(write);
  return [read, fresh];
}

function writeNonBlocking(fd: number): number {
  try {
    return writeSync(fd, Buffer.alloc(4096));
  } catch {
    return 0;
  }
}
