// One await of an async function, from where it begins to the wake-up.
//
// An async function awaits several futures at once where it uses `Promise.all` and the like, so its
// task has a list of these.
import { Handle, KIND_ASYNC_STEP } from '../core/handle.js';
import {
  cancelInFrame,
  cancelRequests,
  isCancelDue,
  passOnAtWait,
  takeCancellation,
} from './cancellation.js';
import type { Frame } from './frame.js';
import { State } from './future-state.js';
import { Half, rejectHalf, settleHalf, type HalfNative, type Resolve } from './native-half.js';
import type { Suspension } from './suspension.js';
import { noteWait, type SwallowingTask } from './swallowed.js';
import { trackedBranch, trackedTask } from './tracking.js';

/** What a task knows of the awaits of its async function. @internal */
export interface AwaitingTask extends SwallowingTask {
  _firstAwait: AwaitLink | null;
  done(): boolean;
}

/** What an await needs of its future. @internal */
export interface AwaitedFuture extends Suspension, HalfNative {
  /** Registers that `task` awaits this future, by the native half when there are no functions. */
  _beginAwait(task: AwaitingTask | null, resolve: Resolve | null, reject: Resolve | null): void;
}

/** The task whose async function is awaiting right now. @internal */
export function waitingTask(): AwaitingTask | null {
  const task = trackedTask() as AwaitingTask | undefined;
  return task === undefined || task.done() ? null : task;
}

/** What encloses the code of an async function of `task` that runs now. @internal */
export function waitingFrame(task: AwaitingTask): Frame | null {
  const branch = trackedBranch();
  return branch === null ? task._frame : branch.frame;
}

/** One of the places at which a task waits in async functions. @internal */
export abstract class AwaitLink extends Handle {
  /** What is waited for there. */
  abstract readonly future: Suspension;
  /** What encloses that place. */
  frame: Frame | null = null;
  /** The next of the same task. */
  next: AwaitLink | null = null;
  protected linkedTask: AwaitingTask | null = null;
  #previous: AwaitLink | null = null;

  /** Lets cancelling `task` cancel what is waited for, and the scopes around `frame` as well. */
  link(task: AwaitingTask, frame: Frame | null): void {
    const next = task._firstAwait;
    this.linkedTask = task;
    this.frame = frame;
    this.next = next;
    if (next !== null) next.#previous = this;
    task._firstAwait = this;
  }

  /** The task is done, or need not care any more. */
  unlink(): void {
    const task = this.linkedTask;
    if (task === null) return;
    this.linkedTask = null;
    if (this.#previous === null) task._firstAwait = this.next;
    else this.#previous.next = this.next;
    if (this.next !== null) this.next.#previous = this.#previous;
    this.#previous = null;
    this.next = null;
  }

  /** After the task began to wait: delivers a cancellation that is due. */
  cancelIfDue(task: AwaitingTask): void {
    if (cancelRequests(task) > 0) noteWait(task, this.future, this.frame);
    if (isCancelDue(task, this.frame) && passOnAtWait(task, this.future)) return;
    if (this.frame !== null) cancelInFrame(this.frame, this.future);
  }
}

/** The wake-up of one await of an async function. @internal */
export class Await extends AwaitLink {
  readonly future: AwaitedFuture;
  // Both null where the native half of the future is awaited.
  readonly #resolve: Resolve | null;
  readonly #reject: Resolve | null;

  constructor(future: AwaitedFuture, resolve: Resolve | null, reject: Resolve | null) {
    super(KIND_ASYNC_STEP, null);
    this.future = future;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  _run(): void {
    const future = this.future;
    const task = this.linkedTask;
    this.unlink();
    if (task !== null && isCancelDue(task, this.frame)) {
      // The outcome came, but the cancellation goes first; the outcome is lost.
      const error = takeCancellation(task, future);
      if (this.#reject !== null) return this.#reject(error);
      future._half = Half.SPENT;
      rejectHalf(future, error);
    } else if (this.#resolve === null || this.#reject === null) {
      settleHalf(future);
    } else if (future._state === State.FULFILLED) {
      this.#resolve(future._value);
    } else {
      this.#reject(future._readError());
    }
  }

  _describe(): string {
    return `await of ${this.future._describe()}`;
  }
}
