// A worker thread that calls functions of a loop, as its orders say.
//
//   { count, size }   posts `record` with 0 ... count - 1 and `size` bytes each
//   { forever: true } posts `record` until the thread is terminated
//
// Answers { posted, error } to each order.
import { parentPort, workerData } from 'node:worker_threads';

const { LoopRemote } = await import(workerData.module);
const remote = new LoopRemote(workerData.remote);

parentPort.on('message', ({ count = 0, size = 0, forever = false }) => {
  const filler = size === 0 ? [] : [Buffer.alloc(size, 'x')];
  let posted = 0;
  try {
    while (forever || posted < count) remote.post('record', workerData.id, posted++, ...filler);
    parentPort.postMessage({ posted });
  } catch (error) {
    parentPort.postMessage({ posted, error: { name: error.name, code: error.code, message: error.message } });
  }
});
parentPort.postMessage({ ready: true });
