// Making a task that does nothing and waiting for its end, one after the other.
import { guests } from '../lib/guests.mjs';
import { childContender } from '../lib/table.mjs';
import { timed } from '../lib/timed.mjs';

/** @typedef {{ operations: number }} Work */

function* empty() {}

async function emptyAsync() {}

export const measures = {
  /** @param {Work} work */
  async generatorTasks({ operations }) {
    const { EventLoop } = await import('evloop');
    const loop = new EventLoop();
    return timed(operations, (count) =>
      loop.runUntilComplete(function* () {
        for (let i = 0; i < count; i++) yield* loop.createTask(empty);
      }),
    );
  },

  /** @param {Work} work */
  async asyncTasks({ operations }) {
    const { EventLoop } = await import('evloop');
    const loop = new EventLoop();
    return timed(operations, (count) =>
      loop.runUntilComplete(async () => {
        for (let i = 0; i < count; i++) await loop.createTask(emptyAsync);
      }),
    );
  },

  // No task: nothing is scheduled, cancelled or found again. Shown as the least a wait can cost.
  /** @param {Work} work */
  asyncFunctions({ operations }) {
    return timed(operations, async (count) => {
      for (let i = 0; i < count; i++) await emptyAsync();
    });
  },
};

/** @type {import('../lib/table.mjs').Table[]} */
export const tables = [
  {
    id: 'spawn-join/empty',
    title: 'Spawn and join an empty task',
    metrics: {
      cpuNs: { title: 'CPU per task', unit: 'ns', digits: 0 },
      ns: { title: 'elapsed', unit: 'ns', digits: 0 },
    },
    settings: { rounds: 7, operations: 1_000_000 },
    quick: { rounds: 3, operations: 400_000 },
    contenders: () => [
      childContender('evloop generator tasks', import.meta.url, 'generatorTasks'),
      childContender('evloop async tasks', import.meta.url, 'asyncTasks'),
      childContender('calls of an async function', import.meta.url, 'asyncFunctions'),
      ...guests('spawn'),
    ],
  },
];
