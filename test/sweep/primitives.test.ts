// Programs over primitives, with a cancellation at every place; see ../support/sweep.ts.
import { describe, expect, test } from 'vitest';
import { BrokenBarrierError, EndOfChannel, QueueShutDown } from '../../src/base/errors.js';
import { Barrier } from '../../src/sync/barrier.js';
import { CapacityLimiter } from '../../src/sync/capacity-limiter.js';
import { channel, type Receiver, type Sender } from '../../src/sync/channel.js';
import { Condition } from '../../src/sync/condition.js';
import { Event } from '../../src/sync/event.js';
import { LifoQueue } from '../../src/sync/lifo-queue.js';
import { Lock } from '../../src/sync/lock.js';
import { PriorityQueue } from '../../src/sync/priority-queue.js';
import { Queue } from '../../src/sync/queue.js';
import { BoundedSemaphore, Semaphore } from '../../src/sync/semaphore.js';
import { sleep } from '../../src/task/sleep.js';
import { waitFor } from '../../src/task/wait-for.js';
import { forms } from '../support/forms.js';
import { sweep, type Program, type Steps } from '../support/sweep.js';

/** Runs `steps` until what it waits at is over for everybody. */
function* untilOver(error: new () => Error, steps: Steps<void>): Steps<void> {
  try {
    yield* steps;
  } catch (thrown) {
    if (!(thrown instanceof error)) throw thrown;
  }
}

/** How many tasks are in a place at the same time, which is never more than `limit`. */
class Room {
  inside = 0;
  readonly #limit: number;

  constructor(limit: number) {
    this.#limit = limit;
  }

  enter(): void {
    expect(++this.inside).toBeLessThanOrEqual(this.#limit);
  }

  leave(): void {
    this.inside--;
  }
}

// What was handed over before its sender was cancelled is received as well, though its `send()` threw.
function expectHandedOver(sent: number[], received: number[], isSenderCancelled: boolean): void {
  expect(received).toEqual(expect.arrayContaining(sent));
  expect(received.length - sent.length).toBeLessThanOrEqual(isSenderCancelled ? 1 : 0);
}

const programs: Record<string, Program> = {
  'workers take jobs from a queue until it is joined and shut down': (stage) => {
    const queue = stage.watch(new Queue<number>(Infinity));
    const taken: number[] = [];
    for (const name of ['a', 'b', 'c']) {
      stage.start(`worker ${name}`, () =>
        untilOver(
          QueueShutDown,
          (function* () {
            for (;;) {
              taken.push(yield queue.get());
              try {
                yield sleep(1);
              } finally {
                queue.taskDone();
              }
            }
          })(),
        ),
      );
    }
    stage.start('main', function* () {
      for (let job = 0; job < 5; job++) yield queue.put(job);
      yield queue.join();
      queue.shutdown();
    });
    let left = 0;
    stage.onRest(() => {
      left = queue.size;
      queue.shutdown({ immediate: true });
    });
    stage.onEnd(() => {
      const isWhole = stage.victim?.name !== 'main';
      if (isWhole) expect(taken.length + left).toBe(5);
      expect(taken).toEqual([...taken].sort((a, b) => a - b));
      expect(queue.statistics()).toMatchObject({ size: 0, unfinished: 0 });
    });
  },

  'producers wait for room in a queue, and consumers for items': (stage) => {
    const queue = stage.watch(new Queue<number>(1));
    const put: number[] = [];
    const taken: number[] = [];
    for (const first of [0, 10]) {
      stage.start(`producer ${String(first)}`, function* () {
        for (let item = first; item < first + 3; item++) {
          yield queue.put(item);
          put.push(item);
          if (item % 2 === 0) yield sleep(1);
        }
      });
    }
    for (const count of [2, 4]) {
      stage.start(`consumer of ${String(count)}`, () =>
        untilOver(
          QueueShutDown,
          (function* () {
            for (let i = 0; i < count; i++) {
              taken.push(yield queue.get());
              queue.taskDone();
            }
          })(),
        ),
      );
    }
    // Whoever was cancelled takes no more.
    for (let round = 0; round < 6; round++) {
      stage.onRest(() => {
        if (!queue.empty()) taken.push(queue.getNowait());
      });
    }
    stage.onRest(() => queue.shutdown());
    stage.onEnd(() => expect([...taken].sort()).toEqual([...put].sort()));
  },

  'gets with a limit lose no item': (stage) => {
    const queue = stage.watch(new Queue<number>(Infinity));
    const taken: number[] = [];
    for (const name of ['a', 'b']) {
      stage.start(`getter ${name}`, function* () {
        for (let i = 0; i < 4; i++) {
          try {
            taken.push(yield waitFor(queue.get(), 1));
          } catch (error) {
            if ((error as Error).name !== 'TimeoutError') throw error;
          }
        }
      });
    }
    stage.start('putter', function* () {
      for (let item = 0; item < 3; item++) {
        yield sleep(1);
        queue.putNowait(item);
      }
    });
    stage.onEnd(() => {
      while (!queue.empty()) taken.push(queue.getNowait());
      const isGetterCut = stage.victim?.name.startsWith('getter') === true;
      if (isGetterCut && stage.form.name !== 'generator') {
        // The promise of the get had its item already when the one who waited for it was cancelled.
        expect(new Set(taken).size).toBe(taken.length);
        expect(taken.length).toBeGreaterThanOrEqual(2);
        return;
      }
      expect(taken.sort()).toEqual([0, 1, 2].slice(0, taken.length));
      if (stage.victim?.name !== 'putter') expect(taken.length).toBe(3);
    });
  },

  'a lock lets one in at a time': (stage) => {
    const lock = stage.watch(new Lock({ owner: true }));
    const room = new Room(1);
    for (const name of ['a', 'b', 'c', 'd']) {
      stage.start(name, function* () {
        yield lock.acquire();
        try {
          room.enter();
          yield sleep(0);
          room.leave();
        } catch (error) {
          room.leave();
          throw error;
        } finally {
          lock.release();
        }
        yield lock.withLock(
          stage.body(function* () {
            room.enter();
            try {
              yield sleep(1);
            } finally {
              room.leave();
            }
          }),
        );
      });
    }
    stage.onEnd(() => expect(room.inside).toBe(0));
  },

  'something is made once, by whoever comes first': (stage) => {
    const lock = stage.watch(new Lock());
    const made = stage.watch(new Event());
    let count = 0;
    for (const name of ['a', 'b', 'c']) {
      stage.start(name, function* () {
        yield lock.withLock(
          stage.body(function* () {
            if (made.isSet) return;
            yield sleep(1);
            count++;
            made.set();
          }),
        );
        yield made.wait();
      });
    }
    stage.start('somebody who waits', function* () {
      yield made.wait();
    });
    stage.onEnd(() => expect(count).toBe(1));
  },

  'readers share, and a writer is alone': (stage) => {
    const condition = stage.watch(new Condition());
    let readers = 0;
    let isWriting = false;
    const inLock = (act: () => void, isFree: () => boolean = () => true) =>
      condition.withLock(
        stage.body(function* () {
          yield condition.waitFor(isFree);
          act();
          condition.notifyAll();
        }),
      );
    for (const name of ['a', 'b', 'c']) {
      stage.start(`reader ${name}`, function* () {
        yield inLock(
          () => readers++,
          () => !isWriting,
        );
        try {
          yield sleep(1);
          expect(isWriting).toBe(false);
        } finally {
          yield inLock(() => readers--);
        }
      });
    }
    for (const name of ['a', 'b']) {
      stage.start(`writer ${name}`, function* () {
        yield inLock(
          () => (isWriting = true),
          () => !isWriting && readers === 0,
        );
        try {
          yield sleep(1);
          expect(readers).toBe(0);
        } finally {
          yield inLock(() => (isWriting = false));
        }
      });
    }
    stage.onEnd(() => expect([readers, isWriting]).toEqual([0, false]));
  },

  'each notification of a condition wakes one who can use it': (stage) => {
    const condition = stage.watch(new Condition());
    let things = 0;
    let used = 0;
    for (const name of ['a', 'b', 'c']) {
      stage.start(`user ${name}`, function* () {
        yield condition.acquire();
        try {
          while (things === 0) yield condition.wait();
          things--;
          used++;
        } finally {
          condition.release();
        }
      });
    }
    for (const name of ['a', 'b']) {
      stage.start(`maker ${name}`, function* () {
        yield sleep(1);
        yield condition.acquire();
        things++;
        condition.notify();
        condition.release();
      });
    }
    // Nobody waits while there is something to be used.
    stage.onRest(() => {
      if (things > 0) expect(condition.statistics().waiters).toBe(0);
      things += 3;
    });
    stage.onRest(() => {
      stage.start('last maker', function* () {
        yield condition.withLock(
          stage.body(function* () {
            condition.notifyAll();
            yield sleep(0);
          }),
        );
      });
    });
    stage.onEnd(() => expect(used).toBeGreaterThanOrEqual(2));
  },

  'a semaphore limits how many fetch': (stage) => {
    const semaphore = stage.watch(new BoundedSemaphore(2));
    const room = new Room(2);
    function* fetch(): Steps<void> {
      room.enter();
      try {
        yield sleep(1);
      } finally {
        room.leave();
      }
    }
    for (const name of ['a', 'b', 'c']) {
      stage.start(`fetch ${name}`, function* () {
        yield semaphore.withPermit(stage.body(fetch));
      });
      stage.start(`fetch of one's own ${name}`, function* () {
        yield semaphore.acquire();
        try {
          yield* fetch();
        } finally {
          semaphore.release();
        }
      });
    }
    stage.onEnd(() => expect([semaphore.value, room.inside]).toEqual([2, 0]));
  },

  'a semaphore gives several permits at once': (stage) => {
    const semaphore = stage.watch(new Semaphore(3));
    for (const permits of [2, 3, 1, 2]) {
      stage.start(`user of ${String(permits)}`, function* () {
        yield semaphore.withPermit(
          stage.body(function* () {
            yield sleep(1);
          }),
          permits,
        );
      });
    }
    stage.onEnd(() => expect(semaphore.value).toBe(3));
  },

  'a limiter lends tokens, and is changed meanwhile': (stage) => {
    const limiter = stage.watch(new CapacityLimiter(1));
    for (const name of ['a', 'b', 'c', 'd']) {
      stage.start(`borrower ${name}`, function* () {
        yield limiter.withToken(
          stage.body(function* () {
            yield sleep(2);
          }),
        );
      });
    }
    stage.start('changer', function* () {
      yield sleep(1);
      limiter.totalTokens = 2;
      yield sleep(2);
      limiter.totalTokens = 1;
    });
    stage.onEnd(() => expect(limiter.borrowedTokens).toBe(0));
  },

  'three work in phases, with a barrier between them': (stage) => {
    const barrier = stage.watch(new Barrier(3));
    const phases = [0, 0, 0];
    phases.forEach((_, i) => {
      stage.start(`worker ${String(i)}`, () =>
        untilOver(
          BrokenBarrierError,
          (function* () {
            for (let phase = 1; phase <= 2; phase++) {
              yield sleep(i);
              phases[i] = phase;
              yield barrier.wait();
              expect(Math.min(...phases)).toBeGreaterThanOrEqual(phase);
            }
          })(),
        ),
      );
    });
    // Two wait for the one that was cancelled.
    stage.onRest(() => {
      expect(barrier.waiting).toBeLessThan(3);
      stage.start('end', function* () {
        yield barrier.abort();
      });
    });
  },

  'a pipeline hands over from one to the next': (stage) => {
    const { send, receive } = channel<number>(0);
    const next = channel<number>(0);
    stage.watch(send);
    stage.watch(next.send);
    const sent: number[] = [];
    const passing: number[] = [];
    const received: number[] = [];
    const source = stage.start('source', function* () {
      try {
        for (let item = 0; item < 3; item++) {
          yield send.send(item);
          sent.push(item);
        }
      } catch (error) {
        if ((error as Error).name !== 'BrokenResourceError') throw error;
      } finally {
        send.close();
      }
    });
    const middle = stage.start('middle', function* () {
      try {
        for (;;) {
          const item: number = yield receive.receive();
          passing.push(item);
          yield next.send.send(item);
          passing.pop();
        }
      } catch (error) {
        if (!/EndOfChannel|BrokenResource/.test((error as Error).name)) throw error;
      } finally {
        receive.close();
        next.send.close();
      }
    });
    const sink = stage.start('sink', function* () {
      try {
        for (;;) received.push(yield next.receive.receive());
      } catch (error) {
        if (!(error instanceof EndOfChannel)) throw error;
      } finally {
        next.receive.close();
      }
    });
    // One that was cancelled before it began never came to its `finally`.
    stage.onRest(() => {
      if (stage.victim === source) send.close();
      if (stage.victim === middle) {
        receive.close();
        next.send.close();
      }
      if (stage.victim === sink) next.receive.close();
    });
    stage.onEnd(() =>
      expectHandedOver(sent, [...received, ...passing], stage.victim === source || stage.victim === middle),
    );
  },

  'clones of a channel share what is sent, and the last one closes it': (stage) => {
    const { send, receive } = channel<number>(2);
    stage.watch(send);
    const sent: number[] = [];
    const received: number[] = [];
    function* sending(end: Sender<number>, first: number): Steps<void> {
      try {
        for (let item = first; item < first + 3; item++) {
          yield end.send(item);
          sent.push(item);
        }
      } catch (error) {
        if ((error as Error).name !== 'BrokenResourceError') throw error;
      } finally {
        end.close();
      }
    }
    function* receiving(end: Receiver<number>): Steps<void> {
      try {
        for (;;) {
          received.push(yield end.receive());
          yield sleep(1);
        }
      } catch (error) {
        if (!(error instanceof EndOfChannel)) throw error;
      } finally {
        end.close();
      }
    }
    const ends = [send.clone(), send.clone(), receive.clone(), receive.clone()] as const;
    send.close();
    // Keeps what nobody took.
    const rest = receive.clone();
    receive.close();
    const tasks = [
      stage.start('sender a', () => sending(ends[0], 0)),
      stage.start('sender b', () => sending(ends[1], 10)),
      stage.start('receiver a', () => receiving(ends[2])),
      stage.start('receiver b', () => receiving(ends[3])),
    ];
    stage.onEnd(() => {
      for (let left = rest.statistics().size; left > 0; left--) received.push(rest.receiveNowait());
      rest.close();
      expectHandedOver(sent, received, stage.victim === tasks[0] || stage.victim === tasks[1]);
    });
    // One that was cancelled before it began never came to its `finally`.
    stage.onRest(() => {
      tasks.forEach((task, i) => {
        if (task === stage.victim) ends[i]!.close();
      });
    });
    // Nobody is left to make room, where a receiver is gone.
    for (let round = 0; round < 6; round++) {
      stage.onRest(() => {
        if (rest.statistics().size > 0) received.push(rest.receiveNowait());
      });
    }
  },

  'a scheduler runs the most urgent job first': (stage) => {
    interface Job {
      due: number;
      name: string;
    }
    const jobs = stage.watch(new PriorityQueue<Job>({ maxSize: 2, compare: (a, b) => a.due - b.due }));
    const ran: string[] = [];
    let put = 0;
    stage.start('client', function* () {
      for (const [due, name] of [
        [3, 'c'],
        [1, 'a'],
        [2, 'b'],
        [0, 'd'],
      ] as const) {
        yield jobs.put({ due, name });
        put++;
      }
      jobs.shutdown();
    });
    for (const name of ['a', 'b']) {
      stage.start(`runner ${name}`, () =>
        untilOver(
          QueueShutDown,
          (function* () {
            for (;;) {
              const job: Job = yield jobs.get();
              ran.push(job.name);
              yield sleep(job.due);
              jobs.taskDone();
            }
          })(),
        ),
      );
    }
    stage.onRest(() => jobs.shutdown());
    stage.onEnd(() => expect(ran.length + jobs.size).toBe(put));
  },

  'a pool gives its connections back': (stage) => {
    const free = stage.watch(new LifoQueue<string>(2));
    const permits = stage.watch(new Semaphore(2));
    let opened = 0;
    const room = new Room(2);
    for (const name of ['a', 'b', 'c', 'd']) {
      stage.start(`client ${name}`, function* () {
        yield permits.acquire();
        let connection: string | null = null;
        try {
          connection = free.empty() ? `connection ${String(++opened)}` : free.getNowait();
          room.enter();
          yield sleep(1);
        } finally {
          if (connection !== null) {
            room.leave();
            free.putNowait(connection);
          }
          permits.release();
        }
      });
    }
    stage.onEnd(() => {
      expect([permits.value, room.inside, free.size]).toEqual([2, 0, opened]);
      expect(opened).toBeLessThanOrEqual(2);
    });
  },
};

describe.each(forms)('with tasks of a $name', (form) => {
  test.each(Object.entries(programs))(
    'nothing is lost or left wherever a task is cancelled: %s',
    async (_, program) => {
      expect(await sweep(form, program)).toBeGreaterThan(20);
    },
    60_000,
  );
});
