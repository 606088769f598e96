// Structured concurrency where nothing has to wait: what a program pays for having it everywhere.
import process from 'node:process';
import { pythonGuests } from '../lib/guests.mjs';
import { childContender } from '../lib/table.mjs';
import { timed } from '../lib/timed.mjs';

/** @typedef {{ operations: number }} Work */

const DELAY_MS = 10_000;
const CHILDREN = 10;
const OPERATIONS_PER_SCOPE = 50;
// Slow enough for a figure as steady.
const EFFECTION_SHARE = 1 / 200;

// Functions are made once: making a generator function takes the engine a microsecond or two.
function* empty() {}

async function emptyAsync() {}

/** @param {import('evloop').TaskGroup} group */
function* tenChildren(group) {
  for (let i = 0; i < CHILDREN; i++) group.createTask(empty);
}

/** @param {import('evloop').TaskGroup} group */
async function tenAsyncChildren(group) {
  for (let i = 0; i < CHILDREN; i++) group.createTask(emptyAsync);
}

/**
 * Times a generator coroutine on a loop of its own.
 *
 * @param {number} operations
 * @param {(evloop: typeof import('evloop'), loop: import('evloop').EventLoop) => (count: number) => Generator<unknown, unknown, unknown>} make
 */
async function onEvloop(operations, make) {
  const evloop = await import('evloop');
  const loop = new evloop.EventLoop();
  const body = make(evloop, loop);
  return timed(operations, (count) => loop.runUntilComplete(body(count)));
}

/**
 * Times an Effect program.
 *
 * @param {number} operations
 * @param {(effect: typeof import('effect'), count: number) => import('effect').Effect.Effect<unknown, unknown>} make
 */
async function onEffect(operations, make) {
  const effect = await import('effect');
  return timed(operations, (count) => effect.Effect.runPromise(make(effect, count)));
}

/**
 * Times an Effection operation.
 *
 * @param {number} operations
 * @param {(effection: typeof import('effection'), count: number) => Generator<any, unknown, any>} make
 */
async function onEffection(operations, make) {
  const effection = await import('effection');
  // What ended stays on the books of its scope, so one scope for all would measure that.
  return timed(Math.ceil(operations * EFFECTION_SHARE), (count) =>
    effection.run(function* () {
      for (let done = 0; done < count; done += OPERATIONS_PER_SCOPE) {
        yield* effection.scoped(() => make(effection, OPERATIONS_PER_SCOPE));
      }
    }),
  );
}

export const measures = {
  // A time limit around something that is done at once

  /** @param {Work} work */
  timeoutGenerator: ({ operations }) =>
    onEvloop(
      operations,
      ({ timeout }) =>
        function* (count) {
          for (let i = 0; i < count; i++) yield* timeout(DELAY_MS, empty);
        },
    ),

  /** @param {Work} work */
  async timeoutAsync({ operations }) {
    const { EventLoop, timeout } = await import('evloop');
    const loop = new EventLoop();
    return timed(operations, (count) =>
      loop.runUntilComplete(async () => {
        for (let i = 0; i < count; i++) await timeout(DELAY_MS, emptyAsync);
      }),
    );
  },

  /** @param {Work} work */
  async timeoutPackage({ operations }) {
    const { default: pTimeout } = await import('p-timeout');
    return timed(operations, async (count) => {
      for (let i = 0; i < count; i++) await pTimeout(emptyAsync(), { milliseconds: DELAY_MS });
    });
  },

  /** @param {Work} work */
  timeoutEffect: ({ operations }) =>
    onEffect(operations, ({ Effect }, count) =>
      Effect.gen(function* () {
        const limited = Effect.timeout(Effect.sync(empty), DELAY_MS);
        for (let i = 0; i < count; i++) yield* limited;
      }),
    ),

  /** @param {Work} work */
  timeoutEffection: ({ operations }) =>
    onEffection(operations, function* ({ race, sleep }, count) {
      for (let i = 0; i < count; i++) yield* race([{ [Symbol.iterator]: empty }, sleep(DELAY_MS)]);
    }),

  // A lock that nobody else wants

  /** @param {Work} work */
  lockGenerator: ({ operations }) =>
    onEvloop(operations, ({ Lock }) => {
      const lock = new Lock();
      return function* (count) {
        for (let i = 0; i < count; i++) yield* lock.withLock(empty);
      };
    }),

  /** @param {Work} work */
  async lockAsync({ operations }) {
    const { EventLoop, Lock } = await import('evloop');
    const loop = new EventLoop();
    const lock = new Lock();
    return timed(operations, (count) =>
      loop.runUntilComplete(async () => {
        for (let i = 0; i < count; i++) await lock.withLock(emptyAsync);
      }),
    );
  },

  /** @param {Work} work */
  async lockMutex({ operations }) {
    const { Mutex } = await import('async-mutex');
    const mutex = new Mutex();
    return timed(operations, async (count) => {
      for (let i = 0; i < count; i++) await mutex.runExclusive(emptyAsync);
    });
  },

  /** @param {Work} work */
  async lockLimit({ operations }) {
    const { default: pLimit } = await import('p-limit');
    const limit = pLimit(1);
    return timed(operations, async (count) => {
      for (let i = 0; i < count; i++) await limit(emptyAsync);
    });
  },

  /** @param {Work} work */
  lockEffect: ({ operations }) =>
    onEffect(operations, ({ Effect, Semaphore }, count) =>
      Effect.gen(function* () {
        const semaphore = Semaphore.makeUnsafe(1);
        const locked = semaphore.withPermits(1)(Effect.sync(empty));
        for (let i = 0; i < count; i++) yield* locked;
      }),
    ),

  // One item through a queue

  /** @param {Work} work */
  queueGenerator: ({ operations }) =>
    onEvloop(operations, ({ Queue }) => {
      /** @type {import('evloop').Queue<number>} */
      const queue = new Queue(Infinity);
      return function* (count) {
        for (let i = 0; i < count; i++) {
          yield* queue.put(i);
          yield* queue.get();
        }
      };
    }),

  /** @param {Work} work */
  async queueAsync({ operations }) {
    const { EventLoop, Queue } = await import('evloop');
    const loop = new EventLoop();
    /** @type {import('evloop').Queue<number>} */
    const queue = new Queue(Infinity);
    return timed(operations, (count) =>
      loop.runUntilComplete(async () => {
        for (let i = 0; i < count; i++) {
          await queue.put(i);
          await queue.get();
        }
      }),
    );
  },

  // It queues functions rather than items, and calls them.
  /** @param {Work} work */
  async queuePackage({ operations }) {
    const { default: PQueue } = await import('p-queue');
    const queue = new PQueue();
    return timed(operations, async (count) => {
      for (let i = 0; i < count; i++) await queue.add(emptyAsync);
    });
  },

  /** @param {Work} work */
  queueEffect: ({ operations }) =>
    onEffect(operations, ({ Effect, Queue }, count) =>
      Effect.gen(function* () {
        const queue = yield* Queue.unbounded();
        for (let i = 0; i < count; i++) {
          yield* Queue.offer(queue, i);
          yield* Queue.take(queue);
        }
      }),
    ),

  /** @param {Work} work */
  queueEffection: ({ operations }) =>
    onEffection(operations, function* ({ createQueue }, count) {
      const queue = createQueue();
      for (let i = 0; i < count; i++) {
        queue.add(i);
        yield* queue.next();
      }
    }),

  // A group of ten children that do nothing

  /** @param {Work} work */
  groupGenerator: ({ operations }) =>
    onEvloop(
      operations,
      ({ taskGroup }) =>
        function* (count) {
          for (let i = 0; i < count; i++) {
            yield* taskGroup(tenChildren);
          }
        },
    ),

  /** @param {Work} work */
  async groupAsync({ operations }) {
    const { EventLoop, taskGroup } = await import('evloop');
    const loop = new EventLoop();
    return timed(operations, (count) =>
      loop.runUntilComplete(async () => {
        for (let i = 0; i < count; i++) {
          await taskGroup(tenAsyncChildren);
        }
      }),
    );
  },

  // No cancellation, and nobody waits for the others when one fails.
  /** @param {Work} work */
  groupPromises: ({ operations }) =>
    timed(operations, async (count) => {
      for (let i = 0; i < count; i++) await Promise.all(Array.from({ length: CHILDREN }, emptyAsync));
    }),

  /** @param {Work} work */
  groupEffect: ({ operations }) =>
    onEffect(operations, ({ Effect }, count) =>
      Effect.gen(function* () {
        const children = Array.from({ length: CHILDREN }, () => Effect.sync(empty));
        for (let i = 0; i < count; i++) yield* Effect.all(children, { concurrency: 'unbounded' });
      }),
    ),

  /** @param {Work} work */
  groupEffection: ({ operations }) =>
    onEffection(operations, function* ({ all }, count) {
      const children = Array.from({ length: CHILDREN }, () => ({ [Symbol.iterator]: empty }));
      for (let i = 0; i < count; i++) yield* all(children);
    }),

  // Two pending futures, one of which is resolved in the next turn

  /** @param {Work} work */
  raceGenerator: ({ operations }) =>
    onEvloop(
      operations,
      ({ race }, loop) =>
        function* (count) {
          for (let i = 0; i < count; i++) {
            /** @type {import('evloop').Future<number>} */
            const first = loop.createFuture();
            /** @type {import('evloop').Future<number>} */
            const second = loop.createFuture();
            loop.callSoon(resolve, second);
            yield* race([first, second]);
          }
        },
    ),

  /** @param {Work} work */
  async raceAsync({ operations }) {
    const { EventLoop, race } = await import('evloop');
    const loop = new EventLoop();
    return timed(operations, (count) =>
      loop.runUntilComplete(async () => {
        for (let i = 0; i < count; i++) {
          /** @type {import('evloop').Future<number>} */
          const first = loop.createFuture();
          /** @type {import('evloop').Future<number>} */
          const second = loop.createFuture();
          loop.callSoon(resolve, second);
          await race([first, second]);
        }
      }),
    );
  },

  // The loser is neither cancelled nor waited for.
  /** @param {Work} work */
  racePromises: ({ operations }) =>
    timed(operations, async (count) => {
      for (let i = 0; i < count; i++) {
        const first = new Promise(ignore);
        /** @type {(value: number) => void} */
        let fulfil = ignore;
        const second = new Promise((resolvePromise) => {
          fulfil = resolvePromise;
        });
        process.nextTick(fulfil, 1);
        await Promise.race([first, second]);
      }
    }),

  /** @param {Work} work */
  raceEffect: ({ operations }) =>
    onEffect(operations, ({ Deferred, Effect }, count) =>
      Effect.gen(function* () {
        for (let i = 0; i < count; i++) {
          const first = Deferred.makeUnsafe();
          const second = Deferred.makeUnsafe();
          process.nextTick(() => Deferred.doneUnsafe(second, Effect.succeed(1)));
          yield* Effect.race(Deferred.await(first), Deferred.await(second));
        }
      }),
    ),

  /** @param {Work} work */
  raceEffection: ({ operations }) =>
    onEffection(operations, function* ({ race, withResolvers }, count) {
      for (let i = 0; i < count; i++) {
        const first = withResolvers();
        const second = withResolvers();
        process.nextTick(second.resolve, 1);
        yield* race([first.operation, second.operation]);
      }
    }),
};

function ignore() {}

/** @param {import('evloop').Future<number>} future */
function resolve(future) {
  future.setResult(1);
}

const metrics = {
  cpuNs: { title: 'CPU per operation', unit: 'ns', digits: 0 },
  ns: { title: 'elapsed', unit: 'ns', digits: 0 },
};

/**
 * @param {string} id
 * @param {string} title
 * @param {number} operations
 * @param {string} guest the measure of other runtimes
 * @param {Record<string, string>} contenders measures by name
 * @returns {import('../lib/table.mjs').Table}
 */
function table(id, title, operations, guest, contenders) {
  return {
    id: `structure/${id}`,
    title,
    metrics,
    settings: { rounds: 7, operations },
    quick: { rounds: 3, operations: Math.ceil(operations / 3) },
    contenders: () => [
      ...Object.entries(contenders).map(([name, measure]) => childContender(name, import.meta.url, measure)),
      ...pythonGuests(guest),
    ],
  };
}

/** @type {import('../lib/table.mjs').Table[]} */
export const tables = [
  table('timeout', 'A time limit around a body that is done at once', 600_000, 'timeout', {
    'evloop generator': 'timeoutGenerator',
    'evloop async': 'timeoutAsync',
    'p-timeout': 'timeoutPackage',
    Effect: 'timeoutEffect',
    Effection: 'timeoutEffection',
  }),
  table('lock', 'A lock that nobody else wants, around an empty body', 1_000_000, 'lock', {
    'evloop generator': 'lockGenerator',
    'evloop async': 'lockAsync',
    'async-mutex': 'lockMutex',
    'p-limit': 'lockLimit',
    Effect: 'lockEffect',
  }),
  table('queue', 'Put one item and get it', 1_000_000, 'queue', {
    'evloop generator': 'queueGenerator',
    'evloop async': 'queueAsync',
    'p-queue': 'queuePackage',
    Effect: 'queueEffect',
    Effection: 'queueEffection',
  }),
  table('group', 'A group of ten children that do nothing', 100_000, 'group', {
    'evloop generator': 'groupGenerator',
    'evloop async': 'groupAsync',
    'Promise.all': 'groupPromises',
    Effect: 'groupEffect',
    Effection: 'groupEffection',
  }),
  table('race', 'Two pending, one is resolved in the next turn', 400_000, 'race', {
    'evloop generator': 'raceGenerator',
    'evloop async': 'raceAsync',
    'Promise.race': 'racePromises',
    Effect: 'raceEffect',
    Effection: 'raceEffection',
  }),
];
