// How somebody who waits for several futures hears that one of them is done.
import type { ContextSnapshot } from '../core/context.js';
import { Handle, KIND_CALLBACK, KIND_STEP } from '../core/handle.js';
import type { LoopCore } from '../core/loop.js';
import { reportException } from '../core/exception.js';
import { State } from './future-state.js';
import type { Future } from './future.js';

/** Who waits for several futures. @internal */
export interface Parent {
  _childDone(handle: ChildHandle): void;
}

/** Runs in the turn after `child` was done. @internal */
export class ChildHandle extends Handle {
  readonly child: Future<unknown>;
  readonly #parent: Parent;

  /** @param reads - Whether the parent looks at the child's error, so that it counts as read. */
  constructor(
    parent: Parent,
    child: Future<unknown>,
    reads: boolean,
    context: ContextSnapshot | null = null,
  ) {
    super(reads ? KIND_STEP : KIND_CALLBACK, context);
    this.child = child;
    this.#parent = parent;
  }

  _run(): void {
    // The parent sees by this that the handle has run.
    this.cancel();
    this.#parent._childDone(this);
  }

  _describe(): string {
    return `wait for ${this.child._describe()}`;
  }
}

/** Nobody will see the outcome of `child`; in debug mode its error is written to standard error. @internal */
export function swallow(loop: LoopCore, child: Future<unknown>, where: string): void {
  child._markRead();
  if (!loop.debug || child._state !== State.FAILED) return;
  const message = `An error is lost: ${where}() was over before`;
  reportException({ message, exception: child._value, future: child, sourceTraceback: child.createdAt });
}
