// A worker thread that calls functions of a loop, as its orders say.
//
//   { count, size }   posts `record` with 0 ... count - 1 and `size` bytes each
//   { forever: true } posts `record` until the thread is terminated
//
// Answers { posted, error } to each order.
import { strict as assert } from 'node:assert';
import { parentPort, workerData } from 'node:worker_threads';

assert(parentPort);
const port = parentPort;
const { LoopRemote } = await import(workerData.module);
const remote = new LoopRemote(workerData.remote);

/** @param {{ count?: number, size?: number, forever?: boolean }} order */
function obey({ count = 0, size = 0, forever = false }) {
  const filler = size === 0 ? [] : [Buffer.alloc(size, 'x')];
  let posted = 0;
  try {
    while (forever || posted < count) remote.post('record', workerData.id, posted++, ...filler);
    port.postMessage({ posted });
  } catch (cause) {
    const error = /** @type {Error & { code?: string }} */ (cause);
    port.postMessage({ posted, error: { name: error.name, code: error.code, message: error.message } });
  }
}

port.on('message', obey);
port.postMessage({ ready: true });
