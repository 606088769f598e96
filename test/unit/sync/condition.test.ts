import { describe, expect, test } from 'vitest';
import { Condition } from '../../../src/sync/condition.js';
import { Lock } from '../../../src/sync/lock.js';
import { PlainFrame } from '../../../src/task/frame.js';
import { sleep } from '../../../src/task/sleep.js';
import { forms, type Form } from '../../support/forms.js';
import { soon, withLoop } from '../../support/loop.js';

class SwitchedFrame extends PlainFrame {
  isOn = false;

  override get _isCancelled(): boolean {
    return this.isOn;
  }

  override get _reason(): unknown {
    return 'scope';
  }
}

async function turns(loop: Parameters<typeof soon>[0], count = 6): Promise<void> {
  for (let turn = 0; turn < count; turn++) await soon(loop);
}

const waiting = ({ start, coroutine }: Form, condition: Condition, log: unknown[], name: unknown) =>
  start(function* () {
    yield condition.withLock(
      coroutine(function* () {
        yield condition.wait();
        log.push(name);
      }),
    );
  });

describe.each(forms)('$name', (form) => {
  test('Condition: notify(n) wakes those who have waited longest, notifyAll() everybody', async () => {
    await withLoop(async (loop) => {
      const condition = new Condition();
      const log: unknown[] = [];
      const tasks = [1, 2, 3, 4].map((name) => waiting(form, condition, log, name));
      await turns(loop, 12);
      expect(condition.statistics()).toEqual({
        waiters: 4,
        lock: { locked: false, owner: null, waiters: 0 },
      });
      await condition.acquire();
      condition.notify(0);
      condition.notify(2);
      await turns(loop);
      expect(log).toEqual([]);
      condition.release();
      await turns(loop, 12);
      expect(log).toEqual([1, 2]);
      await condition.acquire();
      condition.notifyAll();
      condition.release();
      for (const task of tasks) await task;
      expect(log).toEqual([1, 2, 3, 4]);
      expect(condition.locked).toBe(false);
    });
  });

  test('Condition: waitFor() asks again after each notification, and gives what it was told', async () => {
    await withLoop(async (loop) => {
      const lock = new Lock();
      const condition = new Condition(lock);
      const items: string[] = [];
      let asked = 0;
      const task = form.start(function* () {
        yield condition.acquire();
        const item = yield condition.waitFor(() => {
          asked++;
          return items[0];
        });
        condition.release();
        return item;
      });
      for (const item of [null, 'apple']) {
        await turns(loop);
        expect(lock.locked).toBe(false);
        await lock.acquire();
        if (item !== null) items.push(item);
        condition.notify();
        lock.release();
      }
      expect(await task).toBe('apple');
      expect(asked).toBe(3);
    });
  });

  test('Condition: a predicate that gives a promise is refused', async () => {
    await withLoop(async () => {
      const condition = new Condition();
      const task = form.start(function* () {
        yield condition.withLock(
          form.coroutine(function* () {
            yield condition.waitFor((async () => false) as never);
          }),
        );
      });
      await expect(task.toPromise()).rejects.toMatchObject({ code: 'ERR_INVALID_RETURN_VALUE' });
      expect(condition.locked).toBe(false);
    });
  });

  test('Condition: wait and notify without the lock throw', async () => {
    await withLoop(async () => {
      const condition = new Condition();
      expect(() => condition.notify()).toThrow('Cannot notify while the lock is not acquired');
      expect(() => condition.notifyAll()).toThrow('Cannot notify');
      const task = form.start(function* () {
        yield condition.wait();
      });
      await expect(task.toPromise()).rejects.toThrow('Cannot wait while the lock is not acquired');
    });
  });

  test('Condition: a scope that was cancelled does not keep a waiter from getting the lock back', async () => {
    await withLoop(async (loop) => {
      const condition = new Condition();
      const scope = new SwitchedFrame(null);
      const log: unknown[] = [];
      const task = form.start(function* () {
        yield condition.acquire();
        try {
          yield condition.wait();
        } catch (error) {
          log.push((error as { reason?: unknown }).reason, condition.locked);
          try {
            yield sleep(1);
          } catch {
            log.push('again');
          }
        } finally {
          condition.release();
        }
      });
      task._frame = scope;
      await turns(loop);
      await condition.acquire();
      scope.isOn = true;
      task.cancel('scope');
      await turns(loop);
      expect(condition.statistics().lock).toEqual({ locked: true, owner: null, waiters: 1 });
      condition.release();
      await task;
      expect(log).toEqual(['scope', true, 'again']);
      expect(condition.locked).toBe(false);
    });
  });

  test('Condition: with a lock that has owners, only the owner waits', async () => {
    await withLoop(async (loop) => {
      const condition = new Condition(new Lock({ owner: true }));
      const log: unknown[] = [];
      const owner = waiting(form, condition, log, 'woke');
      await turns(loop);
      const other = form.start(function* () {
        yield condition.acquire();
        condition.notify();
        condition.release();
      });
      await other;
      await owner;
      expect(log).toEqual(['woke']);
    });
  });
});
