// Random schedules of tasks that acquire, hold, release and are cancelled meanwhile.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Lock } from '../../../src/sync/lock.js';
import { Semaphore } from '../../../src/sync/semaphore.js';
import { sleep } from '../../../src/task/sleep.js';
import type { Task } from '../../../src/task/task.js';
import { forms, type Form } from '../../support/forms.js';
import { soon, withLoop } from '../../support/loop.js';

interface User {
  /** Turns before it asks. */
  startsAt: number;
  /** Turns for which it holds what it got. */
  holds: number;
  /** In which turn it is cancelled. */
  cancelledAt: number | null;
  /** How many permits it wants. */
  wants: number;
}

const user: fc.Arbitrary<User> = fc.record({
  startsAt: fc.nat(4),
  holds: fc.nat(3),
  cancelledAt: fc.option(fc.nat(12), { freq: 2 }),
  wants: fc.integer({ min: 1, max: 3 }),
});
const users = fc.array(user, { minLength: 1, maxLength: 8 });

interface Resource {
  acquire(amount: number): any;
  release(amount: number): void;
  capacity: number;
  amountOf(user: User): number;
}

async function runSchedule(form: Form, resource: Resource, schedule: readonly User[]): Promise<void> {
  await withLoop(async (loop) => {
    const asked: number[] = [];
    const got: number[] = [];
    let held = 0;
    const start = (it: User, index: number): Task<void> => {
      const amount = resource.amountOf(it);
      return form.start(function* () {
        for (let turn = 0; turn < it.startsAt; turn++) yield sleep(0);
        asked.push(index);
        yield resource.acquire(amount);
        try {
          got.push(index);
          held += amount;
          expect(held).toBeLessThanOrEqual(resource.capacity);
          for (let turn = 0; turn < it.holds; turn++) yield sleep(0);
        } finally {
          held -= amount;
          resource.release(amount);
        }
      });
    };
    const tasks = schedule.map(start);
    for (let turn = 0; turn < 13; turn++) {
      for (const [index, it] of schedule.entries()) if (it.cancelledAt === turn) tasks[index]!.cancel();
      await soon(loop);
    }
    const ends = await Promise.all(
      tasks.map((task) =>
        task.then(
          () => true,
          (error: unknown) => error,
        ),
      ),
    );
    // Nobody is lost: who was not cancelled had it.
    for (const [index, end] of ends.entries()) {
      if (end === true) expect(got).toContain(index);
      else {
        expect([schedule[index]!.cancelledAt, end]).toEqual([
          expect.any(Number),
          expect.objectContaining({ code: 'ABORT_ERR' }),
        ]);
      }
    }
    // In the order in which they asked.
    expect(got).toEqual(asked.filter((index) => got.includes(index)));
    expect(held).toBe(0);
  });
}

describe.each(forms)('$name', (form) => {
  test('Lock: FIFO, never two holders and nobody lost, whoever is cancelled when', async () => {
    await fc.assert(
      fc.asyncProperty(users, async (schedule) => {
        const lock = new Lock();
        await runSchedule(
          form,
          { capacity: 1, amountOf: () => 1, acquire: () => lock.acquire(), release: () => lock.release() },
          schedule,
        );
        expect(lock.statistics()).toEqual({ locked: false, owner: null, waiters: 0 });
      }),
      { numRuns: 60 },
    );
  });

  test('Semaphore: FIFO, never too many holders and nobody lost, whoever is cancelled when', async () => {
    await fc.assert(
      fc.asyncProperty(users, async (schedule) => {
        const semaphore = new Semaphore(3);
        await runSchedule(
          form,
          {
            capacity: 3,
            amountOf: (it) => it.wants,
            acquire: (amount) => semaphore.acquire(amount),
            release: (amount) => semaphore.release(amount),
          },
          schedule,
        );
        expect(semaphore.statistics()).toEqual({ value: 3, size: 3, waiters: 0 });
      }),
      { numRuns: 60 },
    );
  });
});
