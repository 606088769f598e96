// One await of an async function, from where it begins to the wake-up.
//
// An async function awaits several futures at once where it uses `Promise.all` and the like, so its
// task has a list of these.
import { Handle, KIND_WAKE_UP } from '../core/handle.js';
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
import { Branch, trackedPlace } from './tracking.js';

/** What a task knows of the awaits of its async function. @internal */
export interface AwaitingTask extends SwallowingTask {
  _firstAwait: AwaitLink | null;
  /** The wake-up of its last await, for the next one. */
  _spareWakeUp: Await | null;
  done(): boolean;
}

/** What an await needs of its future. @internal */
export interface AwaitedFuture extends Suspension, HalfNative {
  /**
   * Registers that code of `task` in `frame` awaits this future, by the native half when there are no functions.
   */
  _beginAwait(
    task: AwaitingTask | null,
    frame: Frame | null,
    resolve: Resolve | null,
    reject: Resolve | null,
  ): void;
}

/** The task whose async function is awaiting right now. @internal */
export function waitingTask(): AwaitingTask | null {
  return waitingTaskAt(trackedPlace());
}

/** What encloses the code of an async function of `task` that runs now. @internal */
export function waitingFrame(task: AwaitingTask): Frame | null {
  return waitingFrameAt(trackedPlace(), task);
}

/** {@link waitingTask}, with the place of the code that runs now. @internal */
export function waitingTaskAt(place: unknown): AwaitingTask | null {
  const task = (place instanceof Branch ? place.task : place) as AwaitingTask | undefined;
  return task === undefined || task.done() ? null : task;
}

/** {@link waitingFrame}, with the place of the code that runs now. @internal */
export function waitingFrameAt(place: unknown, task: AwaitingTask): Frame | null {
  return place instanceof Branch ? place.frame : task._frame;
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

/**
 * The wake-up of one await of an async function, by the native half of the future. Its task uses it again for the
 * next one, as making another takes 50 ns.
 *
 * @internal
 */
export class Await extends AwaitLink {
  #future: AwaitedFuture | null;
  // Whose it is, where it is used again.
  #task: AwaitingTask | null = null;

  constructor(future: AwaitedFuture) {
    super(KIND_WAKE_UP, null);
    this.#future = future;
  }

  /** For code of `task` that begins to await `future`. */
  static of(task: AwaitingTask | null, future: AwaitedFuture): Await {
    const spare = task === null ? null : task._spareWakeUp;
    const wakeUp = spare ?? new Await(future);
    wakeUp.#future = future;
    wakeUp.#task = task;
    if (task !== null) task._spareWakeUp = null;
    return wakeUp;
  }

  // Asked for only until it is released.
  get future(): AwaitedFuture {
    return this.#future!;
  }

  override _release(): void {
    const task = this.#task;
    if (task === null || task.done()) return;
    task._spareWakeUp = this;
    // The task may wait for long before it awaits again.
    this.#future = null;
  }

  _run(): void {
    const future = this.future;
    const task = this.linkedTask;
    this.unlink();
    // The outcome came, but the cancellation goes first; the outcome is lost.
    if (task !== null && isCancelDue(task, this.frame)) this._reject(takeCancellation(task, future));
    else this._settle();
  }

  protected _settle(): void {
    settleHalf(this.future);
  }

  protected _reject(error: unknown): void {
    this.future._half = Half.SPENT;
    rejectHalf(this.future, error);
  }

  _describe(): string {
    return this.#future === null ? 'await' : `await of ${this.#future._describe()}`;
  }
}

/** The same in the way of any thenable, by the functions that the engine passed. @internal */
export class ThenableAwait extends Await {
  readonly #resolve: Resolve;
  readonly #reject: Resolve;

  constructor(future: AwaitedFuture, resolve: Resolve, reject: Resolve) {
    super(future);
    this.#resolve = resolve;
    this.#reject = reject;
  }

  protected override _settle(): void {
    const future = this.future;
    if (future._state === State.FULFILLED) this.#resolve(future._value);
    else this.#reject(future._readError());
  }

  protected override _reject(error: unknown): void {
    this.#reject(error);
  }
}
