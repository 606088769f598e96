// How a generator stops where it waits: what it waits for goes to its task on the side, not through
// the `yield`.
import type { Handle } from '../core/handle.js';
import type { LoopCore } from '../core/loop.js';

/** What is said of a task where it cannot wait. @internal */
export interface Waiter {
  readonly _loop: LoopCore;
  _describe(): string;
}

/** What the task of a generator needs of what it waits for. @internal */
export interface Suspension {
  readonly _loop: LoopCore;
  /** Runs `handle` once the wait is over. */
  _addHandle(handle: Handle): void;
  /** Runs `handle` although the wait is not over. */
  _moveToReady(handle: Handle): void;
  /** Why `task` cannot wait here, or null. */
  _waitMistake(task: Waiter): Error | null;
  /** Whether the wait is over, although the handle may not have run. */
  done(): boolean;
  /** A cancellation does not replace the outcome, but is thrown at the next wait. */
  readonly _keepsResult?: boolean;
  /** Steps of an operation get the outcome although a cancellation came after it. */
  readonly _isTaken?: boolean;
  /** What has to end first, whatever happens: waiting here swallows no cancellation. */
  readonly _isCleanup?: boolean;
  /** The outcome went to a task that was cancelled meanwhile. */
  _lose(): void;
  _readError(): unknown;
  _kind(): string;
  _describe(): string;
  cancel(reason?: unknown): boolean;
  cancelled(): boolean;
}

/**
 * What `yield*` of something pending gives to the task. It also tells that from `yield future`, which
 * leaves nothing here.
 *
 * @internal
 */
export const waiting: { done: false; value: Suspension | undefined } = { done: false, value: undefined };

/** Stops the generator whose `yield*` asks; for the iterators of suspensions. @internal */
export function stopAt(suspension: Suspension): IteratorYieldResult<unknown> {
  waiting.value = suspension;
  return waiting;
}

/** What a generator waits for that stopped with `value`; null when it only yielded that. @internal */
export function takeAwaited(value: unknown): Suspension | null {
  const suspension = waiting.value;
  if (suspension === undefined || suspension !== value) return null;
  waiting.value = undefined;
  return suspension;
}

/**
 * What a task that must begin even when it is cancelled waits for until then.
 *
 * @internal
 */
export function beforeStart(loop: LoopCore): Suspension {
  return { ...notBegun, _loop: loop };
}

const notBegun = {
  _keepsResult: true,
  _addHandle: () => undefined,
  _moveToReady: () => undefined,
  _waitMistake: () => null,
  done: () => true,
  _lose: () => undefined,
  _readError: () => undefined,
  _kind: () => 'start',
  _describe: () => '<start>',
  cancel: () => false,
  cancelled: () => false,
};
