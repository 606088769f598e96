// Random schedules: whatever is put, taken, cancelled and shut down when, no item is lost, doubled or
// overtaken, and nobody waits for what is there.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { LoopCore } from '../../../src/core/loop.js';
import { channel } from '../../../src/sync/channel.js';
import { Queue } from '../../../src/sync/queue.js';
import type { Awaitable } from '../../../src/task/awaitable.js';
import { createTask } from '../../../src/task/current.js';
import type { Task } from '../../../src/task/task.js';
import { soon, withLoop } from '../../support/loop.js';

type Step = { op: 'put' | 'get' | 'putNowait' | 'getNowait' | 'turn' } | { op: 'cancel'; whom: number };

const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    { weight: 5, arbitrary: fc.constant({ op: 'put' as const }) },
    { weight: 5, arbitrary: fc.constant({ op: 'get' as const }) },
    { weight: 1, arbitrary: fc.constant({ op: 'putNowait' as const }) },
    { weight: 1, arbitrary: fc.constant({ op: 'getNowait' as const }) },
    { weight: 4, arbitrary: fc.constant({ op: 'turn' as const }) },
    { weight: 3, arbitrary: fc.record({ op: fc.constant('cancel' as const), whom: fc.nat({ max: 30 }) }) },
  ),
  { maxLength: 60 },
);

// What a schedule is run on.
interface Subject {
  put(item: number): Awaitable<void>;
  get(): Awaitable<number>;
  putNowait(item: number): void;
  getNowait(): number;
  /** Nobody waits without need. */
  check(): void;
  /** Lets all waits end. */
  end(): void;
  drain(): number[];
}

function queueOf(capacity: number): Subject {
  const queue = new Queue<number>(capacity);
  return {
    put: (item) => queue.put(item),
    get: () => queue.get(),
    putNowait: (item) => queue.putNowait(item),
    getNowait: () => queue.getNowait(),
    check() {
      const { size, maxSize, tasksWaitingGet, tasksWaitingPut } = queue.statistics();
      expect(size).toBeLessThanOrEqual(maxSize);
      if (size > 0) expect(tasksWaitingGet).toBe(0);
      if (size < maxSize) expect(tasksWaitingPut).toBe(0);
    },
    end: () => queue.shutdown(),
    drain: () => Array.from({ length: queue.size }, () => queue.getNowait()),
  };
}

function channelOf(capacity: number): Subject {
  const { send, receive } = channel<number>(capacity);
  return {
    put: (item) => send.send(item),
    get: () => receive.receive(),
    putNowait: (item) => send.sendNowait(item),
    getNowait: () => receive.receiveNowait(),
    check() {
      const { size, tasksWaitingReceive, tasksWaitingSend } = send.statistics();
      if (size + tasksWaitingSend > 0) expect(tasksWaitingReceive).toBe(0);
      if (size < capacity) expect(tasksWaitingSend).toBe(0);
    },
    end: () => send.close(),
    drain: () => Array.from({ length: receive.statistics().size }, () => receive.receiveNowait()),
  };
}

// What happened, in order.
interface Log {
  put: number[];
  taken: number[];
}

type Spawn = (subject: Subject, log: Log, item: number | null) => Task<void>;

const spawns: Record<string, Spawn> = {
  'generator tasks': (subject, log, item) =>
    createTask(function* () {
      if (item === null) {
        log.taken.push(yield* subject.get());
      } else {
        yield* subject.put(item);
        log.put.push(item);
      }
    }),
  'async tasks': (subject, log, item) =>
    createTask(async () => {
      if (item === null) {
        log.taken.push(await subject.get());
      } else {
        await subject.put(item);
        log.put.push(item);
      }
    }),
};

function attempt(call: () => void): void {
  try {
    call();
  } catch (error) {
    expect((error as Error).name).toMatch(/^(Queue(Full|Empty)|WouldBlock)$/);
  }
}

interface Result extends Log {
  /** Puts that were cancelled, whatever became of the item. */
  cancelled: number[];
}

async function play(loop: LoopCore, subject: Subject, schedule: Step[], spawn: Spawn): Promise<Result> {
  const log: Log = { put: [], taken: [] };
  const tasks: { task: Task<void>; item: number | null }[] = [];
  const start = (item: number | null): unknown => tasks.push({ task: spawn(subject, log, item), item });
  const rest = async (): Promise<void> => {
    for (let turn = 0; turn < 2 * tasks.length + 4; turn++) await soon(loop);
  };
  let next = 0;
  for (const step of schedule) {
    if (step.op === 'put') start(next++);
    else if (step.op === 'get') start(null);
    else if (step.op === 'cancel') tasks[step.whom]?.task.cancel();
    else if (step.op === 'turn') await soon(loop);
    else if (step.op === 'getNowait') attempt(() => log.taken.push(subject.getNowait()));
    else attempt(() => (subject.putNowait(next), log.put.push(next++)));
  }
  await rest();
  subject.check();
  subject.end();
  await rest();
  log.taken.push(...subject.drain());
  const cancelled: number[] = [];
  for (const { task, item } of tasks) {
    expect(task.done(), 'a task that waits for ever').toBe(true);
    if (task.cancelled()) {
      if (item !== null) cancelled.push(item);
    } else if (task.exception() !== null) {
      expect(task.exception()!.name).toMatch(/^(QueueShutDown|EndOfChannel|ClosedResourceError)$/);
    }
  }
  return { ...log, cancelled };
}

const sorted = (items: readonly number[]): number[] => [...items].sort((a, b) => a - b);

describe.each(Object.entries(spawns))('%s', (form, spawn) => {
  test('Queue: no item is lost, doubled or overtaken, and no waiter is forgotten', async () => {
    await withLoop(async (loop) => {
      await fc.assert(
        fc.asyncProperty(fc.integer({ min: 1, max: 3 }), steps, async (capacity, schedule) => {
          const { put, taken } = await play(loop, queueOf(capacity), schedule, spawn);
          expect(sorted(taken)).toEqual(sorted(put));
          if (form === 'generator tasks') expect(taken).toEqual(put);
        }),
        { numRuns: 200 },
      );
    });
  });

  test('memory channel: no item is lost, doubled or overtaken, and no waiter is forgotten', async () => {
    await withLoop(async (loop) => {
      await fc.assert(
        fc.asyncProperty(fc.integer({ min: 0, max: 3 }), steps, async (capacity, schedule) => {
          const { put, taken, cancelled } = await play(loop, channelOf(capacity), schedule, spawn);
          expect(new Set(taken).size, 'an item came twice').toBe(taken.length);
          // A send that is cancelled as its item is taken throws, and the item has arrived.
          const arrived = taken.filter((item) => !cancelled.includes(item));
          expect(sorted(arrived)).toEqual(sorted(put));
          // Sending begins in the order of the numbers, and `taken` tells of each when its task ran.
          if (form === 'generator tasks' && schedule.every(({ op }) => !op.endsWith('Nowait'))) {
            expect(taken).toEqual(sorted(taken));
          }
        }),
        { numRuns: 200 },
      );
    });
  });
});
