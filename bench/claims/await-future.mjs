// `await` in an async-function task: of a loop's Future against a native promise, both already resolved.
import { findNode } from '../lib/machine.mjs';
import { childContender } from '../lib/table.mjs';
import { timed } from '../lib/timed.mjs';

/** @typedef {{ operations: number }} Work */

/** Long-term releases; the bars hold from 24 on, where tracking async context costs nothing. */
const MAJORS = [20, 22, 24, 26];

export const measures = {
  /** @param {Work} work */
  async future({ operations }) {
    const { EventLoop } = await import('evloop');
    const loop = new EventLoop();
    /** @type {import('evloop').Future<number>} */
    const future = loop.createFuture();
    future.setResult(1);
    return timed(operations, (count) =>
      loop.runUntilComplete(async () => {
        for (let i = 0; i < count; i++) await future;
      }),
    );
  },

  /** @param {Work} work */
  async freshFuture({ operations }) {
    const { EventLoop } = await import('evloop');
    const loop = new EventLoop();
    return timed(operations, (count) =>
      loop.runUntilComplete(async () => {
        for (let i = 0; i < count; i++) {
          /** @type {import('evloop').Future<number>} */
          const future = loop.createFuture();
          future.setResult(i);
          await future;
        }
      }),
    );
  },

  /** @param {Work} work */
  promise({ operations }) {
    const promise = Promise.resolve(1);
    return timed(operations, async (count) => {
      for (let i = 0; i < count; i++) await promise;
    });
  },

  /** @param {Work} work */
  freshPromise({ operations }) {
    return timed(operations, async (count) => {
      for (let i = 0; i < count; i++) {
        await new Promise((resolve) => {
          resolve(i);
        });
      }
    });
  },
};

/**
 * One row for each Node that is installed.
 *
 * @param {string} title
 * @param {string} measure
 */
function onEveryNode(title, measure) {
  return MAJORS.map((major) => {
    const node = findNode(major);
    if (node === null) return null;
    return childContender(`${title}, Node ${major}`, import.meta.url, measure, {
      runtime: [node, '--expose-gc'],
    });
  });
}

const metrics = {
  cpuNs: { title: 'CPU per await', unit: 'ns', digits: 1 },
  ns: { title: 'elapsed', unit: 'ns', digits: 1 },
};

/** @type {import('../lib/table.mjs').Table[]} */
export const tables = [
  {
    id: 'await-future/resolved',
    title: 'Await something resolved long ago',
    metrics,
    settings: { rounds: 7, operations: 3_000_000 },
    quick: { rounds: 3, operations: 1_000_000 },
    contenders: () => [
      ...onEveryNode('evloop Future', 'future'),
      ...onEveryNode('native promise', 'promise'),
    ],
  },
  {
    id: 'await-future/fresh',
    title: 'Make, resolve and await',
    metrics,
    settings: { rounds: 5, operations: 2_000_000 },
    quick: { rounds: 3, operations: 1_000_000 },
    contenders: () => [
      ...onEveryNode('evloop Future', 'freshFuture'),
      ...onEveryNode('native promise', 'freshPromise'),
    ],
  },
];
