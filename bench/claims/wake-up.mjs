// From a worker thread to the main thread, which sleeps in its loop: the time until a callback runs.
import process from 'node:process';
import { Worker } from 'node:worker_threads';
import { childContender } from '../lib/table.mjs';
import { percentile } from '../lib/statistics.mjs';

/** @typedef {{ count: number }} Work */

// Without pauses. Fewer would be measured while the engine compiles what runs, at a moment of its choice.
const WARM_UP = 20_000;
const PAUSE_MS = 0.3;

/**
 * @param {Work} work
 * @param {import('evloop').RemoteHandle | null} remote
 * @param {(worker: Worker, onWake: () => void) => void} subscribe
 */
function measure({ count }, remote, subscribe) {
  const words = new Int32Array(new SharedArrayBuffer(8));
  const sentAt = new BigInt64Array(new SharedArrayBuffer(8));
  const worker = new Worker(new URL('../programs/waker.mjs', import.meta.url), {
    workerData: { words, sentAt, warmUp: WARM_UP, count, pauseMs: PAUSE_MS, remote },
  });
  /** @type {number[]} */
  const latencies = [];
  return new Promise((resolve, reject) => {
    let seen = 0;
    worker.on('error', reject);
    subscribe(worker, () => {
      latencies.push(Number(process.hrtime.bigint() - (sentAt[0] ?? 0n)) / 1000);
      seen++;
      Atomics.store(words, 0, seen);
      Atomics.notify(words, 0);
      if (seen < WARM_UP + count) return;
      const measured = latencies.slice(WARM_UP);
      resolve({ p50: percentile(measured, 0.5), p99: percentile(measured, 0.99) });
    });
  });
}

export const measures = {
  /** @param {Work} work */
  async remote(work) {
    const { EventLoop } = await import('evloop');
    const loop = new EventLoop();
    let onWake = () => {};
    const handle = loop.createRemote({ wake: () => onWake() });
    const stopped = loop.runForever();
    const result = await measure(work, handle, (_worker, callback) => (onWake = callback));
    loop.stop();
    await stopped;
    return result;
  },

  /** @param {Work} work */
  messagePort(work) {
    return measure(work, null, (worker, onWake) => void worker.on('message', onWake));
  },
};

/** @type {import('../lib/table.mjs').Table[]} */
export const tables = [
  {
    id: 'wake-up/worker',
    title: 'Wake-up from a worker thread',
    metrics: {
      p50: { title: 'p50', unit: 'µs', digits: 1 },
      p99: { title: 'p99', unit: 'µs', digits: 1 },
    },
    settings: { rounds: 9, count: 3000 },
    quick: { rounds: 5, count: 1500 },
    contenders: () => [
      // Both threads need a processor, so none is chosen for them.
      childContender('evloop LoopRemote', import.meta.url, 'remote', { cpu: null }),
      childContender('MessagePort', import.meta.url, 'messagePort', { cpu: null }),
    ],
  },
];
