// One step of an async iterator, as something that a task can wait for and cancel.
import type { LoopCore } from '../core/loop.js';
import { isCancelKept } from './cancellation.js';
import { ChildHandle, swallow, type Parent } from './child.js';
import { createTaskOn } from './create.js';
import { State } from './future-state.js';
import { StepFuture } from './step-future.js';
import type { Task } from './task.js';

/**
 * The next item. The iterator's code runs in a task, so that a cancellation reaches what it awaits. Where
 * that is nothing of ours, nobody waits for the item any more.
 *
 * @internal
 */
export class Pull<T> extends StepFuture<IteratorResult<T>> implements Parent {
  declare readonly _task: Task<IteratorResult<T>>;
  /** Whether the iterator still waits, though this was cancelled. */
  declare _isAbandoned: boolean;

  constructor(loop: LoopCore, iterator: AsyncIterator<T, unknown, never>) {
    super(loop);
    this._isAbandoned = false;
    this._task = createTaskOn(loop, async () => await iterator.next(), { eagerStart: true });
    this._task._addHandle(new ChildHandle(this, this._task, true));
  }

  _childDone(): void {
    if (this.done()) return swallow(this._loop, this._task, 'next');
    if (this._task._state === State.FULFILLED) this._settle(State.FULFILLED, this._task._value);
    else if (this._task._state === State.FAILED) this._settle(State.FAILED, this._task._readError());
    else this._settleCancelled(this._task._readError());
  }

  override cancel(reason?: unknown): boolean {
    if (this.done()) return false;
    this._task.cancel(reason);
    // What the iterator has begun to await may not be known yet.
    if (this._isDeaf()) this._loop.callSoon(() => this._abandonIfDeaf(reason));
    return true;
  }

  // Whether the cancellation is neither thrown in the iterator nor on its way there.
  _isDeaf(): boolean {
    const task = this._task;
    return isCancelKept(task) && task._firstAwait === null && !task._isOperating;
  }

  _abandonIfDeaf(reason: unknown): void {
    if (this.done() || !this._isDeaf()) return;
    this._isAbandoned = true;
    this._settle(State.CANCELLED, reason);
  }

  override _kind(): string {
    return 'item of an async iterator';
  }
}

/** Ends an async iterator: what it does in `finally`, through to the end. @internal */
export function closeIterator(loop: LoopCore, iterator: AsyncIterator<unknown, unknown, never>): Task<void> {
  return createTaskOn(loop, async () => await finish(iterator), { eagerStart: true });
}

/** Ends an async iterator. One that gives items in its `finally` is asked until there are no more. @internal */
export async function finish(iterator: AsyncIterator<unknown, unknown, never>): Promise<void> {
  let step = await iterator.return?.();
  while (step?.done === false) step = await iterator.next();
}
