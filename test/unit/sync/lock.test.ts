import { describe, expect, test } from 'vitest';
import { InvalidStateError } from '../../../src/base/errors.js';
import { Lock } from '../../../src/sync/lock.js';
import { createTask, currentTask } from '../../../src/task/current.js';
import { PlainFrame } from '../../../src/task/frame.js';
import { sleep } from '../../../src/task/sleep.js';
import { forms } from '../../support/forms.js';
import { soon, withLoop } from '../../support/loop.js';

class CancelledFrame extends PlainFrame {
  override get _isCancelled(): boolean {
    return true;
  }

  override get _reason(): unknown {
    return 'scope';
  }
}

describe.each(forms)('$name', ({ start, coroutine }) => {
  test('Lock: FIFO, one at a time', async () => {
    await withLoop(async () => {
      const lock = new Lock();
      const log: string[] = [];
      const tasks = ['a', 'b', 'c'].map((name) =>
        start(function* () {
          yield lock.acquire();
          log.push(`+${name}`);
          yield sleep(0);
          log.push(`-${name}`);
          lock.release();
        }),
      );
      for (const task of tasks) await task;
      expect(log).toEqual(['+a', '-a', '+b', '-b', '+c', '-c']);
      expect(lock.statistics()).toEqual({ locked: false, owner: null, waiters: 0 });
    });
  });

  test('Lock: not re-entrant, a second acquire waits', async () => {
    await withLoop(async (loop) => {
      const lock = new Lock();
      const task = start(function* () {
        yield lock.acquire();
        yield lock.acquire();
      });
      for (let turn = 0; turn < 4; turn++) await soon(loop);
      expect(lock.statistics()).toEqual({ locked: true, owner: null, waiters: 1 });
      task.cancel();
      await expect(task.toPromise()).rejects.toMatchObject({ code: 'ABORT_ERR' });
      expect(lock.statistics()).toEqual({ locked: true, owner: null, waiters: 0 });
    });
  });

  test('Lock: what acquire() gives releases, once per acquisition', async () => {
    await withLoop(async () => {
      const lock = new Lock();
      const task = start(function* () {
        const first = yield lock.acquire();
        first[Symbol.dispose]();
        const second = yield lock.acquire();
        second.release();
        return [first === second, lock.locked];
      });
      expect(await task).toEqual([true, false]);
    });
  });

  test('Lock: withLock passes results and errors on, and releases after either', async () => {
    await withLoop(async () => {
      const lock = new Lock();
      const task = start(function* () {
        const value = yield lock.withLock(
          coroutine(function* () {
            return [lock.locked, currentTask()?.name, yield sleep(0, 'value')];
          }),
        );
        try {
          yield lock.withLock(
            coroutine(function* () {
              yield sleep(0);
              throw new Error('broken');
            }),
          );
        } catch (error) {
          return [...value, (error as Error).message, lock.locked];
        }
        return null;
      });
      task.name = 'host';
      expect(await task).toEqual([true, 'host', 'value', 'broken', false]);
    });
  });

  test('Lock: withLock releases when its body is cancelled, and has nothing to release while it waits', async () => {
    await withLoop(async (loop) => {
      const lock = new Lock();
      const user = () =>
        start(function* () {
          yield lock.withLock(
            coroutine(function* () {
              yield sleep(1e6);
            }),
          );
        });
      const inside = user();
      const waiting = user();
      for (let turn = 0; turn < 4; turn++) await soon(loop);
      waiting.cancel();
      for (let turn = 0; turn < 4; turn++) await soon(loop);
      expect([waiting.cancelled(), lock.locked]).toEqual([true, true]);
      inside.cancel();
      await expect(inside.toPromise()).rejects.toMatchObject({ code: 'ABORT_ERR' });
      expect(lock.locked).toBe(false);
    });
  });

  test('Lock: a body that throws at once, or gives nothing to wait for, leaves it released', async () => {
    await withLoop(async () => {
      const lock = new Lock();
      const task = start(function* () {
        const messages: string[] = [];
        for (const body of [
          () => {
            throw new Error('at once');
          },
          () => 5 as never,
        ]) {
          try {
            yield lock.withLock(body);
          } catch (error) {
            messages.push((error as Error).message);
          }
        }
        return messages;
      });
      expect(await task).toEqual([
        'at once',
        'The result of "body": expected a generator or a promise, got 5',
      ]);
      expect(lock.locked).toBe(false);
    });
  });

  test('Lock: with owners, only the owner releases and it cannot wait for itself', async () => {
    await withLoop(async () => {
      const lock = new Lock({ owner: true });
      const owner = start(function* () {
        yield lock.acquire();
        expect(lock.statistics().owner).toBe(currentTask());
        expect(() => lock.acquire()).toThrow('The task owns the lock already');
        yield sleep(1);
        lock.release();
      });
      const other = start(function* () {
        expect(() => lock.release()).toThrow(InvalidStateError);
        yield lock.acquire();
        expect(lock.statistics().owner).toBe(currentTask());
        lock.release();
      });
      await owner;
      await other;
      expect(lock.statistics().owner).toBe(null);
      expect(() => lock.acquire()).toThrow('acquired by tasks');
    });
  });

  test('Lock: whoever waits in a scope that was cancelled does not get it', async () => {
    await withLoop(async (loop) => {
      const lock = new Lock();
      await lock.acquire();
      const task = start(function* () {
        yield lock.acquire();
      });
      task._frame = new CancelledFrame(null);
      await expect(task.toPromise()).rejects.toMatchObject({ reason: 'scope' });
      expect(lock.statistics().waiters).toBe(0);
      await soon(loop);
    });
  });
});

test('Lock: release of an unlocked lock throws', () => {
  const lock = new Lock();
  expect(() => lock.release()).toThrow('The lock is not acquired');
});

test('loop binding: a lock made and taken where no loop is, belongs to the loop on which somebody waits first', async () => {
  const lock = new Lock();
  await lock.acquire();
  expect(lock.locked).toBe(true);
  expect(() => lock.acquire()).toThrow('No event loop is running');
  const waitOnce = async (): Promise<void> =>
    withLoop(async (loop) => {
      const waiter = createTask(async () => await lock.acquire());
      await soon(loop);
      lock.release();
      await waiter;
    });
  await waitOnce();
  await expect(waitOnce()).rejects.toThrow('The lock is bound to a different event loop');
});

test('Lock: a wait in a generator can be handed on to others, who count as its holder', async () => {
  await withLoop(async (loop) => {
    const lock = new Lock();
    await lock.acquire();
    const task = createTask(function* () {
      const turn = lock.acquire();
      const inner = createTask(async () => {
        await turn;
        return lock.locked;
      });
      lock.release();
      return yield* inner;
    });
    expect(await task).toBe(true);
    lock.release();
    const whole = createTask(function* () {
      const operation = lock.withLock(async () => lock.locked);
      const inner = createTask(async () => await operation);
      return yield* inner;
    });
    expect(await whole).toBe(true);
    await soon(loop);
    expect(lock.locked).toBe(false);
  });
});

test('Lock: closing a generator that waits or is inside gives everything back', async () => {
  await withLoop(async (loop) => {
    const lock = new Lock();
    const steps = (function* () {
      yield* lock.withLock(function* () {
        yield;
      });
    })();
    const task = createTask(function* () {
      steps.next();
      const wasLocked = lock.locked;
      steps.return();
      const turn = lock.acquire()[Symbol.iterator]();
      turn.next();
      yield* sleep(0);
      const waiting = lock.acquire()[Symbol.iterator]();
      waiting.next();
      const { waiters } = lock.statistics();
      waiting.return!();
      return [wasLocked, waiters, lock.statistics().waiters];
    });
    expect(await task).toEqual([true, 1, 0]);
    await soon(loop);
  });
});
