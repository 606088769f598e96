import { describe, expect, test } from 'vitest';
import { CapacityLimiter } from '../../../src/sync/capacity-limiter.js';
import { currentTask } from '../../../src/task/current.js';
import { sleep } from '../../../src/task/sleep.js';
import { forms } from '../../support/forms.js';
import { soon, withLoop } from '../../support/loop.js';

async function turns(loop: Parameters<typeof soon>[0], count = 6): Promise<void> {
  for (let turn = 0; turn < count; turn++) await soon(loop);
}

describe.each(forms)('$name', ({ start, coroutine }) => {
  test('CapacityLimiter: knows who has a token, and gives nobody two', async () => {
    await withLoop(async () => {
      const limiter = new CapacityLimiter(2);
      const task = start(function* () {
        const token = yield limiter.acquire();
        const { borrowers, ...numbers } = limiter.statistics();
        expect([borrowers.length, borrowers[0] === currentTask()]).toEqual([1, true]);
        expect(numbers).toEqual({ borrowedTokens: 1, totalTokens: 2, waiters: 0 });
        expect(() => limiter.acquire()).toThrow('The borrower has a token already');
        expect(() => limiter.release('somebody else')).toThrow('The borrower has no token');
        token.release();
        expect(() => limiter.release()).toThrow('The borrower has no token');
      });
      await task;
      expect(limiter.availableTokens).toBe(2);
    });
  });

  test('CapacityLimiter: changing the total lets others go on, or holds them up', async () => {
    await withLoop(async (loop) => {
      const limiter = new CapacityLimiter(1);
      const log: string[] = [];
      const tasks = ['a', 'b', 'c', 'd'].map((name) =>
        start(function* () {
          yield limiter.acquire(name);
          log.push(name);
        }),
      );
      await turns(loop);
      expect(log).toEqual(['a']);
      expect(() => limiter.tryAcquire('b')).toThrow('The borrower waits for a token already');
      limiter.totalTokens = 3;
      await turns(loop);
      expect(log).toEqual(['a', 'b', 'c']);
      limiter.totalTokens = 1;
      expect([limiter.availableTokens, limiter.statistics().waiters]).toEqual([-2, 1]);
      limiter.release('a');
      limiter.release('b');
      await turns(loop);
      expect(log).toHaveLength(3);
      limiter.release('c');
      for (const task of tasks) await task;
      expect(limiter.statistics()).toEqual({
        borrowedTokens: 1,
        totalTokens: 1,
        borrowers: ['d'],
        waiters: 0,
      });
    });
  });

  test('CapacityLimiter: who was given a token and cancelled hands it on', async () => {
    await withLoop(async (loop) => {
      const limiter = new CapacityLimiter(1);
      limiter.tryAcquire('first');
      const log: string[] = [];
      const [pending, given, next] = ['pending', 'given', 'next'].map((name) =>
        start(function* () {
          yield limiter.acquire(name);
          log.push(name);
        }),
      );
      await turns(loop);
      pending!.cancel();
      limiter.release('first');
      given!.cancel();
      await next;
      expect(log).toEqual(['next']);
      expect(limiter.statistics().borrowers).toEqual(['next']);
    });
  });

  test('CapacityLimiter: withToken gives the token back after the body', async () => {
    await withLoop(async () => {
      const limiter = new CapacityLimiter(1);
      const tasks = [1, 2].map((name) =>
        start(function* () {
          return yield limiter.withToken(
            coroutine(function* () {
              yield sleep(0);
              return [name, limiter.borrowedTokens];
            }),
          );
        }),
      );
      for (const [index, task] of tasks.entries()) expect(await task).toEqual([index + 1, 1]);
      expect(limiter.borrowedTokens).toBe(0);
    });
  });
});

test('CapacityLimiter: outside of tasks a borrower is named', () => {
  const limiter = new CapacityLimiter(Infinity);
  expect(() => limiter.tryAcquire()).toThrow('Outside of tasks the borrower has to be named');
  expect(limiter.tryAcquire('me')).toBe(true);
  limiter.release('me');
});
