// Waiting for the end of what was started, however often whoever waits is cancelled.
import type { LoopCore } from '../core/loop.js';
import { ChildHandle, swallow, type Parent } from './child.js';
import { State } from './future-state.js';
import type { Future } from './future.js';
import { StepFuture } from './step-future.js';

/** Done when all children are; cancelling it only passes that on to them. @internal */
export class Ending extends StepFuture<void> implements Parent {
  declare readonly _children: ReadonlySet<Future<unknown>>;
  declare readonly _where: string;
  declare _left: number;
  declare _isCancelRequested: boolean;
  declare _cancelReason: unknown;

  constructor(loop: LoopCore, children: ReadonlySet<Future<unknown>>, where: string) {
    super(loop);
    this._children = children;
    this._where = where;
    this._left = children.size;
    this._isCancelRequested = false;
    this._cancelReason = undefined;
    for (const child of children) child._addHandle(new ChildHandle(this, child, true));
    if (children.size === 0) this._settle(State.FULFILLED, undefined);
  }

  _childDone({ child }: ChildHandle): void {
    swallow(this._loop, child, this._where);
    if (--this._left > 0) return;
    if (this._isCancelRequested) this._settle(State.CANCELLED, this._cancelReason);
    else this._settle(State.FULFILLED, undefined);
  }

  override cancel(reason?: unknown): boolean {
    if (this.done()) return false;
    this._isCancelRequested = true;
    this._cancelReason = reason;
    for (const child of this._children) child.cancel(reason);
    return true;
  }
}
