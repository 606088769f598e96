// The worker of the wake-up claim: waits until the main thread sleeps, notes the time, and wakes it.
import process from 'node:process';
import { parentPort, workerData } from 'node:worker_threads';

/**
 * @typedef {object} WakerData
 * @property {Int32Array} words word 0: wake-ups the main thread has seen; word 1: never changes
 * @property {BigInt64Array} sentAt word 0: nanoseconds of process.hrtime
 * @property {number} warmUp wake-ups without a pause, which come first
 * @property {number} count
 * @property {number} pauseMs for the main thread to fall asleep
 * @property {import('evloop').RemoteHandle | null} remote null: through the message port
 */
const { words, sentAt, warmUp, count, pauseMs, remote: handle } = /** @type {WakerData} */ (workerData);

/** @type {() => void} */
let wake = () => parentPort?.postMessage(0);
if (handle !== null) {
  const { LoopRemote } = await import('evloop');
  const remote = new LoopRemote(handle);
  wake = () => remote.post('wake');
}

for (let seen = 0; seen < warmUp + count; seen++) {
  Atomics.wait(words, 0, seen - 1);
  if (seen >= warmUp) Atomics.wait(words, 1, 0, pauseMs);
  sentAt[0] = process.hrtime.bigint();
  wake();
}
