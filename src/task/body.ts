// The bodies of scoped calls, which are generator functions or async functions, whoever calls.
import { invalidReturnValue } from '../base/errors.js';
import type { Handle } from '../core/handle.js';
import type { LoopCore } from '../core/loop.js';
import type { CancelledTask } from './cancellation.js';
import type { Awaitable } from './awaitable.js';
import { isGenerator, isGeneratorFunction, isThenable, type GeneratorCoroutine } from './coroutine.js';
import type { Frame } from './frame.js';
import { stopAt, type Suspension, type Waiter } from './suspension.js';
import { Branch, keepTracking, runInBranch, stopUnneededTracking } from './tracking.js';

/** The body of a scoped call: a generator function or an async function. */
export type Body<A extends readonly unknown[], T> = (
  ...args: A
) => Generator<unknown, T, unknown> | PromiseLike<T>;

/** What is known here of a task. */
interface BodyTask extends CancelledTask {
  readonly _loop: LoopCore;
  readonly _frame: Frame | null;
  _beTracked(): void;
}

/**
 * Runs a body as part of the task that is being stepped; for steps of operations.
 *
 * @throws TypeError `ERR_INVALID_RETURN_VALUE` - it gave neither a generator nor a promise.
 * @internal
 */
export function runBody<A extends readonly unknown[], T>(
  body: Body<A, T>,
  task: BodyTask,
  ...args: A
): Iterable<unknown, T, unknown> {
  if (isGeneratorFunction(body)) return body(...args) as Generator<unknown, T, unknown>;
  const result: unknown = callAsync(body, task, args);
  if (isGenerator(result)) return result as GeneratorCoroutine<T>;
  if (!isThenable(result)) throw invalidReturnValue('body', 'a generator or a promise', result);
  // A function that only hands on what it would wait for: the task waits for that.
  if (Symbol.iterator in result) return result as Awaitable<T>;
  return new BodyWait(task._loop, result as PromiseLike<T>);
}

// Up to its first await the function runs here: as code of the task, but not as that of a generator.
function callAsync<A extends readonly unknown[], T>(body: Body<A, T>, task: BodyTask, args: A): unknown {
  const loop = task._loop;
  const current = loop._currentTask;
  loop._currentTask = null;
  try {
    const result = runInBranch(new Branch(task, task._frame), body, args);
    if (isThenable(result)) {
      keepTracking();
      task._beTracked();
    } else {
      stopUnneededTracking();
    }
    return result;
  } finally {
    loop._currentTask = current;
  }
}

/**
 * What steps wait for while an async body goes on. A cancellation does not stop here: it goes to what the
 * body itself awaits.
 *
 * @internal
 */
export class BodyWait<T> implements Suspension, Iterable<unknown, T, unknown> {
  readonly _loop: LoopCore;
  readonly _keepsResult = true;
  #isSettled = false;
  #isFailed = false;
  #value: unknown = undefined;
  #handle: Handle | null = null;
  #callback: (() => void) | null = null;

  constructor(loop: LoopCore, promise: PromiseLike<T>) {
    this._loop = loop;
    promise.then(
      (value) => this.#settle(false, value),
      (error: unknown) => this.#settle(true, error),
    );
  }

  #settle(isFailed: boolean, value: unknown): void {
    this.#isSettled = true;
    this.#isFailed = isFailed;
    this.#value = value;
    if (this.#handle !== null) this._moveToReady(this.#handle);
    this.#callback?.();
  }

  /** Calls back in the promise job that settles. */
  onSettled(callback: () => void): void {
    this.#callback = callback;
  }

  // For `yield*`

  [Symbol.iterator](): this {
    return this;
  }

  next(): IteratorResult<unknown, T> {
    if (!this.#isSettled) return stopAt(this);
    if (this.#isFailed) throw this.#value;
    return { done: true, value: this.#value as T };
  }

  throw(error: unknown): never {
    throw error;
  }

  return(value: T): IteratorResult<unknown, T> {
    return { done: true, value };
  }

  // For the task

  _addHandle(handle: Handle): void {
    if (this.#isSettled) this._loop._push(handle);
    else this.#handle = handle;
  }

  _moveToReady(handle: Handle): void {
    this.#handle = null;
    if (!this._loop.isClosed()) this._loop._push(handle);
  }

  _waitMistake(_task: Waiter): Error | null {
    return null;
  }

  cancel(_reason?: unknown): boolean {
    return false;
  }

  done(): boolean {
    return this.#isSettled;
  }

  cancelled(): boolean {
    return false;
  }

  _readError(): unknown {
    return this.#value;
  }

  _lose(): void {
    // The value of a body is never lost: what cancels is thrown at the next wait.
  }

  _kind(): string {
    return 'body';
  }

  _describe(): string {
    return '<body of an async function>';
  }
}
