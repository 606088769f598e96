// Timers: started and cancelled at once, as timeouts of requests are, and a million of them alive.
import process from 'node:process';
import { bunGuest, guests } from '../lib/guests.mjs';
import { childContender } from '../lib/table.mjs';
import { settle, timed, timedOnce } from '../lib/timed.mjs';

/** @typedef {{ operations: number }} Work */

const FAR_MS = 60_000;
/** Long enough for a million to be started before the first is due. */
const NEAR_MS = 3000;
/** Delays differ by up to this many milliseconds. */
const SPREAD_MS = 1000;
/** Timers that are alive at once in a server that gives each request a timeout. */
const REQUESTS = 1000;

const ignore = () => {};

/**
 * Stays within 32 bits: the remainder of a double takes 20 ns.
 *
 * @param {number} i
 */
const spreadMs = (i) => ((i % SPREAD_MS) * 7919) % SPREAD_MS;

/**
 * What both kinds of timers are measured through.
 *
 * @typedef {object} Timers
 * @property {(delayMs: number, callback: () => void) => unknown} start
 * @property {(timer: any) => void} cancel
 * @property {() => PromiseLike<void>} turn lets the loop see what was started and cancelled
 */

/** @returns {Timers} */
function nodeTimers() {
  return {
    start: (delayMs, callback) => setTimeout(callback, delayMs),
    cancel: clearTimeout,
    turn: () => new Promise((resolve) => setImmediate(resolve)),
  };
}

/** @returns {Promise<Timers>} */
async function evloopTimers() {
  const { EventLoop } = await import('evloop');
  const loop = new EventLoop();
  void loop.runForever();
  // Timers of the loop keep the process alive, and so does its running without any.
  return {
    start: (delayMs, callback) => loop.callLater(delayMs, callback),
    cancel: (timer) => timer.cancel(),
    turn: () => new Promise((resolve) => void loop.callSoon(resolve)),
  };
}

function memoryBytes() {
  const { rss } = process.memoryUsage();
  return rss;
}

/**
 * @param {Timers} timers
 * @param {Work} work
 */
async function million(timers, { operations }) {
  const { start, cancel, turn } = timers;
  /** @type {unknown[]} */
  let live = new Array(operations);

  const startAll = async (/** @type {number} */ firstMs, /** @type {() => void} */ callback) => {
    for (let i = 0; i < operations; i++) live[i] = start(firstMs + spreadMs(i), callback);
    await turn();
  };
  const cancelAll = async () => {
    for (const timer of live) cancel(timer);
    await turn();
  };

  // Warm, so that what the timers need once is not counted as theirs.
  await startAll(FAR_MS, ignore);
  await cancelAll();
  live.fill(undefined);
  for (let i = 0; i < 3; i++) await settle();
  const before = memoryBytes();

  const started = await timedOnce(operations, () => startAll(FAR_MS, ignore));
  await settle();
  const peak = memoryBytes();
  const cancelled = await timedOnce(operations, cancelAll);

  live.fill(undefined);
  /** @type {() => void} */
  let onLast = ignore;
  const last = new Promise((resolve) => (onLast = () => resolve(undefined)));
  let left = operations;
  await startAll(NEAR_MS, () => {
    if (--left === 0) onLast();
  });
  const expired = await timedOnce(operations, () => last);

  live = [];
  for (let i = 0; i < 3; i++) await settle();
  const after = memoryBytes();
  return {
    startNs: started.cpuNs,
    cancelNs: cancelled.cpuNs,
    expireNs: expired.cpuNs,
    memory: (peak - before) / operations,
    kept: Math.max(0, after - before) / (peak - before),
  };
}

export const measures = {
  /** @param {Work} work */
  async evloopAtOnce({ operations }) {
    const { EventLoop } = await import('evloop');
    const loop = new EventLoop();
    // In a plain function, as Node's are: engines optimize a generator that is under way differently.
    const startAll = (/** @type {number} */ count) => {
      for (let i = 0; i < count; i++) loop.callLater(FAR_MS + spreadMs(i), ignore).cancel();
    };
    return timed(operations, (count) =>
      loop.runUntilComplete(function* () {
        startAll(count);
      }),
    );
  },

  /** @param {Work} work */
  nodeAtOnce({ operations }) {
    return timed(operations, (count) => {
      for (let i = 0; i < count; i++) clearTimeout(setTimeout(ignore, FAR_MS + spreadMs(i)));
    });
  },

  /** @param {Work} work */
  async evloopRequests({ operations }) {
    const { EventLoop } = await import('evloop');
    const loop = new EventLoop();
    /** @type {import('evloop').TimerHandle[]} */
    const live = [];
    return timed(operations, (count) =>
      loop.runUntilComplete(function* () {
        for (let done = 0; done < count; done += REQUESTS) {
          for (let i = 0; i < REQUESTS; i++) {
            live[i]?.cancel();
            live[i] = loop.callLater(FAR_MS + spreadMs(done + i), ignore);
          }
          yield;
        }
      }),
    );
  },

  /** @param {Work} work */
  nodeRequests({ operations }) {
    /** @type {NodeJS.Timeout[]} */
    const live = [];
    return timed(operations, async (count) => {
      for (let done = 0; done < count; done += REQUESTS) {
        for (let i = 0; i < REQUESTS; i++) {
          clearTimeout(live[i]);
          live[i] = setTimeout(ignore, FAR_MS + spreadMs(done + i));
        }
        await new Promise((resolve) => setImmediate(resolve));
      }
    });
  },

  /** @param {Work} work */
  async evloopMillion(work) {
    return million(await evloopTimers(), work);
  },

  /** @param {Work} work */
  nodeMillion(work) {
    return million(nodeTimers(), work);
  },
};

const startAndCancel = {
  cpuNs: { title: 'CPU per timer', unit: 'ns', digits: 1 },
  ns: { title: 'elapsed', unit: 'ns', digits: 1 },
};

/** @type {import('../lib/table.mjs').Table[]} */
export const tables = [
  {
    id: 'timers/at-once',
    title: 'Timers started and cancelled at once',
    metrics: startAndCancel,
    settings: { rounds: 7, operations: 2_000_000 },
    quick: { rounds: 3, operations: 1_000_000 },
    contenders: () => [
      childContender('evloop', import.meta.url, 'evloopAtOnce'),
      childContender('Node', import.meta.url, 'nodeAtOnce'),
      bunGuest(import.meta.url, 'nodeAtOnce'),
      ...guests('startCancel'),
    ],
  },
  {
    id: 'timers/requests',
    title: 'Timers started, and cancelled a turn later, 1,000 alive',
    metrics: startAndCancel,
    settings: { rounds: 5, operations: 2_000_000 },
    quick: { rounds: 3, operations: 1_000_000 },
    contenders: () => [
      childContender('evloop', import.meta.url, 'evloopRequests'),
      childContender('Node', import.meta.url, 'nodeRequests'),
      bunGuest(import.meta.url, 'nodeRequests'),
    ],
  },
  {
    id: 'timers/million',
    title: 'A million live timers, delays spread over 1,000 ms',
    metrics: {
      startNs: { title: 'CPU per start', unit: 'ns', digits: 0 },
      cancelNs: { title: 'per cancel', unit: 'ns', digits: 0 },
      expireNs: { title: 'per expiry', unit: 'ns', digits: 0 },
      memory: { title: 'resident memory per timer', unit: 'B', digits: 0 },
      kept: { title: 'share of it kept afterwards', unit: '', digits: 3 },
    },
    settings: { rounds: 5, operations: 1_000_000 },
    quick: { rounds: 2 },
    contenders: () => [
      childContender('evloop', import.meta.url, 'evloopMillion'),
      childContender('Node', import.meta.url, 'nodeMillion'),
    ],
  },
];
