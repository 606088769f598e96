// Callbacks for the next turn: one at a time, each a turn of its own, and many at once.
import { bunGuest } from '../lib/guests.mjs';
import { childContender } from '../lib/table.mjs';
import { timed } from '../lib/timed.mjs';

/** @typedef {{ operations: number }} Work */

/**
 * @param {(callback: () => void) => unknown} schedule
 * @param {number} count
 */
function chain(schedule, count) {
  return new Promise((resolve) => {
    let left = count;
    const next = () => {
      if (--left === 0) resolve(undefined);
      else schedule(next);
    };
    schedule(next);
  });
}

/**
 * @param {(callback: () => void) => unknown} schedule
 * @param {number} count
 */
function burst(schedule, count) {
  return new Promise((resolve) => {
    let left = count;
    const callback = () => {
      if (--left === 0) resolve(undefined);
    };
    for (let i = 0; i < count; i++) schedule(callback);
  });
}

/** @param {(schedule: (callback: () => void) => unknown) => unknown} body */
async function withLoop(body) {
  const { EventLoop } = await import('evloop');
  const loop = new EventLoop();
  const stopped = loop.runForever();
  const result = await body((callback) => loop.callSoon(callback));
  loop.stop();
  await stopped;
  return result;
}

export const measures = {
  /** @param {Work} work */
  evloopTurns({ operations }) {
    return withLoop((schedule) => timed(operations, (count) => chain(schedule, count)));
  },

  /** @param {Work} work */
  nodeTurns({ operations }) {
    return timed(operations, (count) => chain(setImmediate, count));
  },

  /** @param {Work} work */
  evloopBurst({ operations }) {
    return withLoop((schedule) => timed(operations, (count) => burst(schedule, count)));
  },

  /** @param {Work} work */
  nodeBurst({ operations }) {
    return timed(operations, (count) => burst(setImmediate, count));
  },
};

/** @type {import('../lib/table.mjs').Table[]} */
export const tables = [
  {
    id: 'call-soon/turn',
    title: 'A turn with one callback',
    metrics: {
      cpuNs: { title: 'CPU per turn', unit: 'ns', digits: 0 },
      ns: { title: 'elapsed', unit: 'ns', digits: 0 },
    },
    settings: { rounds: 7, operations: 500_000 },
    quick: { rounds: 3, operations: 200_000 },
    contenders: () => [
      childContender('evloop callSoon', import.meta.url, 'evloopTurns'),
      childContender('setImmediate', import.meta.url, 'nodeTurns'),
      bunGuest(import.meta.url, 'nodeTurns'),
    ],
  },
  {
    id: 'call-soon/burst',
    title: 'Many callbacks at once',
    metrics: {
      cpuNs: { title: 'CPU per callback', unit: 'ns', digits: 1 },
      ns: { title: 'elapsed', unit: 'ns', digits: 1 },
    },
    settings: { rounds: 5, operations: 1_000_000 },
    quick: { rounds: 3, operations: 500_000 },
    contenders: () => [
      childContender('evloop callSoon', import.meta.url, 'evloopBurst'),
      childContender('setImmediate', import.meta.url, 'nodeBurst'),
      bunGuest(import.meta.url, 'nodeBurst'),
    ],
  },
];
