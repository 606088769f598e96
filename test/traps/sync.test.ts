// C-60 to C-65: locks, events, conditions, semaphores and barriers, in both forms of coroutine.
// Each expectation was observed on CPython 3.13.
import { describe, expect, test } from 'vitest';
import { BrokenBarrierError, isCancelled } from '../../src/base/errors.js';
import { Barrier } from '../../src/sync/barrier.js';
import { Condition } from '../../src/sync/condition.js';
import { Event } from '../../src/sync/event.js';
import { Lock } from '../../src/sync/lock.js';
import { Semaphore } from '../../src/sync/semaphore.js';
import { sleep } from '../../src/task/sleep.js';
import type { Task } from '../../src/task/task.js';
import { forms } from '../support/forms.js';
import { turns, withLoop } from '../support/loop.js';

const reasonOf = (task: Task<unknown>): unknown => {
  try {
    return task.result();
  } catch (error) {
    return isCancelled(error) ? error.reason : error;
  }
};

describe.each(forms)('$name', ({ start }) => {
  test('C-60 a released lock is free but goes to the head of the line, however late the others ask', async () => {
    await withLoop(async (loop) => {
      const lock = new Lock();
      const log: unknown[] = [];
      const use = (name: number) => () =>
        (function* () {
          yield lock.acquire();
          log.push(name);
          yield sleep(0);
          lock.release();
        })();
      await lock.acquire();
      const first = start(use(1));
      await turns(loop);
      lock.release();
      expect(lock.locked).toBe(false);
      // It asks before the first one, that was woken, goes on.
      const second = lock.acquire();
      expect(lock.locked).toBe(false);
      await first;
      expect(log).toEqual([1]);
      await second;
      expect(lock.locked).toBe(true);
      lock.release();
    });
  });

  test('C-60 a head that was woken and cancelled wakes the next', async () => {
    await withLoop(async (loop) => {
      const lock = new Lock();
      const log: number[] = [];
      const use = (name: number) => () =>
        (function* () {
          yield lock.acquire();
          log.push(name);
          lock.release();
        })();
      await lock.acquire();
      const [head, ...others] = [1, 2, 3].map((name) => start(use(name)));
      await turns(loop);
      lock.release();
      head!.cancel();
      for (const task of others) await task;
      expect(log).toEqual([2, 3]);
      expect([head!.cancelled(), lock.locked]).toEqual([true, false]);
    });
  });

  test('C-61 a free lock is taken at once when everybody in line was cancelled', async () => {
    await withLoop(async (loop) => {
      const lock = new Lock();
      await lock.acquire();
      const waiters = [1, 2].map(() =>
        start(() =>
          (function* () {
            yield lock.acquire();
          })(),
        ),
      );
      await turns(loop);
      for (const task of waiters) task.cancel();
      lock.release();
      expect(lock.statistics().waiters).toBe(0);
      void lock.acquire();
      expect(lock.locked).toBe(true);
      await turns(loop);
      lock.release();
      await turns(loop);
      expect(waiters.map((task) => task.cancelled())).toEqual([true, true]);
      expect(lock.locked).toBe(false);
    });
  });

  test('C-62 permits go from hand to hand, and nobody overtakes who was woken', async () => {
    await withLoop(async (loop) => {
      const semaphore = new Semaphore(1);
      await semaphore.acquire();
      const waiter = start(() =>
        (function* () {
          yield semaphore.acquire();
        })(),
      );
      await turns(loop);
      semaphore.release();
      expect(semaphore.value).toBe(0);
      semaphore.release();
      // A permit is free, but somebody is on the way.
      expect([semaphore.value, semaphore.locked, semaphore.tryAcquire()]).toEqual([1, true, false]);
      await waiter;
      expect(semaphore.locked).toBe(false);
    });
  });

  test('C-62 who was given a permit and cancelled gives it back, and the next has it', async () => {
    await withLoop(async (loop) => {
      const semaphore = new Semaphore(0);
      const [first, second] = [1, 2].map((name) =>
        start(() =>
          (function* () {
            yield semaphore.acquire();
            return name;
          })(),
        ),
      );
      await turns(loop);
      semaphore.release();
      first!.cancel();
      expect(await second).toBe(2);
      expect([first!.cancelled(), semaphore.value]).toEqual([true, 0]);
    });
  });

  test('C-63 a flag raised and taken down wakes everybody, and the wait gives true', async () => {
    await withLoop(async (loop) => {
      const event = new Event();
      const waiters = [1, 2].map(() =>
        start(() =>
          (function* (): any {
            return [yield event.wait(), event.isSet];
          })(),
        ),
      );
      await turns(loop);
      event.set();
      event.clear();
      for (const task of waiters) expect(await task).toEqual([true, false]);
    });
  });

  test('C-64 a cancelled wait has the lock again before the error comes, the latest of several', async () => {
    await withLoop(async (loop) => {
      const condition = new Condition();
      const log: unknown[] = [];
      const task = start(() =>
        (function* () {
          yield condition.acquire();
          try {
            yield condition.wait();
          } catch (error) {
            log.push(isCancelled(error) && error.reason, condition.locked);
            throw error;
          } finally {
            condition.release();
          }
        })(),
      );
      await turns(loop);
      await condition.acquire();
      for (const reason of ['first', 'second', 'third']) {
        task.cancel(reason);
        await turns(loop);
      }
      expect(log).toEqual([]);
      condition.release();
      await turns(loop);
      expect(log).toEqual(['third', true]);
      expect([reasonOf(task), condition.locked]).toEqual(['third', false]);
    });
  });

  test('C-64 who was notified and cancelled hands the notification on', async () => {
    await withLoop(async (loop) => {
      const condition = new Condition();
      const log: unknown[] = [];
      const waiters = [1, 2].map((name) =>
        start(() =>
          (function* () {
            yield condition.acquire();
            try {
              yield condition.wait();
              log.push(`woke ${String(name)}`);
            } catch (error) {
              log.push(`cancelled ${String(name)}`);
              throw error;
            } finally {
              condition.release();
            }
          })(),
        ),
      );
      await turns(loop);
      await condition.acquire();
      condition.notify(1);
      condition.release();
      waiters[0]!.cancel();
      await waiters[1];
      expect(log).toEqual(['cancelled 1', 'woke 2']);
    });
  });

  test('C-65 a cancelled waiter leaves, and the barrier is as it was', async () => {
    await withLoop(async (loop) => {
      const barrier = new Barrier(2);
      const wait = (): Task<number> =>
        start(() =>
          (function* (): any {
            return yield barrier.wait();
          })(),
        );
      const cancelled = wait();
      await turns(loop);
      expect(barrier.waiting).toBe(1);
      cancelled.cancel();
      await turns(loop);
      expect([cancelled.cancelled(), barrier.waiting, barrier.broken]).toEqual([true, 0, false]);
      const both = [wait(), wait()];
      expect([await both[0], await both[1]].sort()).toEqual([0, 1]);
    });
  });

  test('C-65 a reset sends those away who wait, and changes nothing when nobody does', async () => {
    await withLoop(async (loop) => {
      const barrier = new Barrier(2);
      await barrier.reset();
      expect(barrier.statistics()).toEqual({ parties: 2, waiting: 0, state: 'filling' });
      const waiter = start(() =>
        (function* () {
          yield barrier.wait();
        })(),
      );
      await turns(loop);
      await barrier.reset();
      await expect(waiter.toPromise()).rejects.toBeInstanceOf(BrokenBarrierError);
      expect(barrier.statistics().state).toBe('filling');
    });
  });
});
