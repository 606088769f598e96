// Which async-function task the running code belongs to.
//
// A generator task is known while it is stepped. An async function goes on in promise jobs, so its
// task travels in an AsyncLocalStorage. Up to Node 22 a storage in use slows every promise of the
// process: it is made when the first such task starts, and dropped if that turns out to be none.
import { AsyncLocalStorage } from 'node:async_hooks';
import { concealFromSnapshots } from '../core/context.js';
import type { Frame } from './frame.js';

/**
 * An async function that runs as part of a task, though it is not the task's own: the body of a scoped
 * call.
 *
 * @internal
 */
export class Branch {
  readonly task: unknown;
  readonly frame: Frame | null;
  /** An operation is under way in it (operation.ts). */
  isOperating = false;

  constructor(task: unknown, frame: Frame | null) {
    this.task = task;
    this.frame = frame;
  }
}

let storage: AsyncLocalStorage<unknown> | null = null;
let isNeeded = false;
// Coroutine functions that are being called; each may turn out to be an async one.
let calls = 0;

/**
 * Where the running code of an async function belongs: to a task, perhaps a finished one, or to a branch of it;
 * undefined outside of such tasks. Asking takes 10 ns from Node 24 on.
 *
 * @internal
 */
export function trackedPlace(): unknown {
  return storage === null ? undefined : storage.getStore();
}

/** The async-function task that runs now, perhaps a finished one; undefined outside of such tasks. @internal */
export function trackedTask(): unknown {
  const place = trackedPlace();
  return place instanceof Branch ? place.task : place;
}

/** The body that runs now, if it is a part of its task. @internal */
export function trackedBranch(): Branch | null {
  const place = trackedPlace();
  return place instanceof Branch ? place : null;
}

/** Calls `body(first, task)` so that everything awaited in it is known to belong to `task`. @internal */
export function runTracked<A, T, R>(task: T, body: (first: A, task: T) => R, first: A): R {
  return runIn(task, body, first, task);
}

/** Calls the body of a scoped call, so that everything awaited in it is known to belong to `branch`. @internal */
export function runInBranch<A extends readonly unknown[], R>(
  branch: Branch,
  body: (...args: A) => R,
  args: A,
): R {
  return runIn(branch, body, ...args);
}

function runIn<A extends readonly unknown[], R>(store: unknown, body: (...args: A) => R, ...args: A): R {
  if (storage === null) {
    storage = new AsyncLocalStorage();
    concealFromSnapshots(storage);
  }
  calls++;
  try {
    return storage.run(store, body, ...args);
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
