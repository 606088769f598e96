// Going from one task to the next: 100 tasks that do nothing but give way to each other.
import { guests } from '../lib/guests.mjs';
import { childContender } from '../lib/table.mjs';
import { timed } from '../lib/timed.mjs';

/** @typedef {{ operations: number }} Work */

const TASKS = 100;

/** @param {number} times */
function* giveWay(times) {
  for (let i = 0; i < times; i++) yield;
}

/** @param {number} times */
async function giveWayNatively(times) {
  for (let i = 0; i < times; i++) await undefined;
}

export const measures = {
  /** @param {Work} work */
  async generatorTasks({ operations }) {
    const { EventLoop } = await import('evloop');
    const loop = new EventLoop();
    return timed(operations, (count) =>
      loop.runUntilComplete(function* () {
        const tasks = Array.from({ length: TASKS }, () => loop.createTask(giveWay(count / TASKS)));
        for (const task of tasks) yield* task;
      }),
    );
  },

  /** @param {Work} work */
  async asyncTasks({ operations }) {
    const { EventLoop, sleep } = await import('evloop');
    const loop = new EventLoop();
    const body = async (/** @type {number} */ times) => {
      for (let i = 0; i < times; i++) await sleep(0);
    };
    return timed(operations, (count) =>
      loop.runUntilComplete(async () => {
        const tasks = Array.from({ length: TASKS }, () => loop.createTask(() => body(count / TASKS)));
        for (const task of tasks) await task;
      }),
    );
  },

  /** @param {Work} work */
  asyncFunctions({ operations }) {
    return timed(operations, (count) =>
      Promise.all(Array.from({ length: TASKS }, () => giveWayNatively(count / TASKS))),
    );
  },

  // What V8 needs to resume a generator: nobody who steps generators can be faster.
  /** @param {Work} work */
  bareGenerators({ operations }) {
    return timed(operations, (count) => {
      const generators = Array.from({ length: TASKS }, () => giveWay(count / TASKS));
      for (let i = 0; i < count / TASKS; i++) for (const generator of generators) generator.next();
    });
  },
};

/** @type {import('../lib/table.mjs').Table[]} */
export const tables = [
  {
    id: 'task-switch/100',
    title: 'Task switch, 100 tasks giving way to each other',
    metrics: {
      cpuNs: { title: 'CPU per switch', unit: 'ns', digits: 1 },
      ns: { title: 'elapsed', unit: 'ns', digits: 1 },
    },
    settings: { rounds: 7, operations: 5_000_000 },
    quick: { rounds: 3, operations: 2_000_000 },
    contenders: () => [
      childContender('evloop generator tasks', import.meta.url, 'generatorTasks'),
      childContender('evloop async tasks', import.meta.url, 'asyncTasks'),
      childContender('async functions, await undefined', import.meta.url, 'asyncFunctions'),
      childContender('bare generators', import.meta.url, 'bareGenerators'),
      ...guests('switch'),
    ],
  },
];
