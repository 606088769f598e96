// A worker thread that calls functions of a loop and tells what comes back.
//
//   { call: [name, ...args] }             answers { result } or { error }
//   { call, cancel: reason, afterMs }     and cancels the call after that time
//   { call, blockMs }                     and keeps the thread busy for that long
import { strict as assert } from 'node:assert';
import { setTimeout as wait } from 'node:timers/promises';
import { types } from 'node:util';
import { parentPort, workerData } from 'node:worker_threads';

assert(parentPort);
const port = parentPort;
const { LoopRemote } = await import(workerData.module);
const remote = new LoopRemote(workerData.remote);

/** @param {unknown} error */
function describe(error) {
  if (!types.isNativeError(error)) return { thrown: error };
  const { name, message, code, stack, reason, constructor } = /** @type {any} */ (error);
  return { name, message, code, stack, reason, type: constructor.name };
}

/** @param {{ key: number, call: [string, ...unknown[]], cancel?: unknown, afterMs?: number, blockMs?: number }} order */
async function obey({ key, call, cancel, afterMs, blockMs = 0 }) {
  try {
    const result = remote.call(...call);
    const end = performance.now() + blockMs;
    while (performance.now() < end);
    if (afterMs !== undefined) {
      result.catch(() => undefined);
      await wait(afterMs);
      result.cancel(cancel);
    }
    port.postMessage({ key, result: await result });
  } catch (error) {
    port.postMessage({ key, error: describe(error) });
  }
}

port.on('message', obey);
port.postMessage({ ready: true });
