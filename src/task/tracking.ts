// Which async-function task the running code belongs to.
//
// A generator task is known while it is stepped. An async function goes on in promise jobs, so its
// task travels in an AsyncLocalStorage. Up to Node 22 a storage in use slows every promise of the
// process: it is made when the first such task starts, and dropped if that turns out to be none.
import { AsyncLocalStorage } from 'node:async_hooks';
import { concealFromSnapshots } from '../core/context.js';

let storage: AsyncLocalStorage<unknown> | null = null;
let isNeeded = false;
// Coroutine functions that are being called; each may turn out to be an async one.
let calls = 0;

/** The async-function task that runs now, perhaps a finished one; undefined outside of such tasks. @internal */
export function trackedTask(): unknown {
  return storage === null ? undefined : storage.getStore();
}

/** Calls `body(first, task)` so that everything awaited in it is known to belong to `task`. @internal */
export function runTracked<A, T, R>(task: T, body: (first: A, task: T) => R, first: A): R {
  if (storage === null) {
    storage = new AsyncLocalStorage();
    concealFromSnapshots(storage);
  }
  calls++;
  try {
    return storage.run(task, body, first, task);
  } finally {
    calls--;
  }
}

/** Runs `body` as if outside of every task. @internal */
export function runUntracked<R>(body: () => R): R {
  return storage?.getStore() === undefined ? body() : storage.run(undefined, body);
}

/** The function called last was indeed an async one. @internal */
export function keepTracking(): void {
  isNeeded = true;
}

/** The function called last was a generator's; without any async one the storage only costs. @internal */
export function stopUnneededTracking(): void {
  if (isNeeded || calls > 0 || storage === null) return;
  storage.disable();
  concealFromSnapshots(null);
  storage = null;
}

/**
 * How many async-function tasks were cancelled while they waited for nothing of ours. While there
 * are none, awaiting a settled future needs not ask whose await it is.
 *
 * @internal
 */
export const undelivered = { count: 0 };
