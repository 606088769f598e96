// How a cancellation gets to where a task waits.
//
// It cancels what the task waits for. Where that is nothing of ours, or refuses, the cancellation is
// kept, and thrown in at the task's next step or at the wake-up of its next await.
import { CancelledError } from '../base/errors.js';
import type { ContextSnapshot } from '../core/context.js';
import type { Handle } from '../core/handle.js';
import { cancellingFrame, isCancelDeferred, isReachedFrom, isWithin, type Frame } from './frame.js';
import type { Suspension, Waiter } from './suspension.js';
import { runUntracked, undelivered } from './tracking.js';

/** What is known here of a task. @internal */
export interface CancelledTask extends Waiter {
  readonly _handle: Handle;
  readonly _context: ContextSnapshot | null;
  readonly _waiting: Suspension | null;
  readonly _firstAwait: CancelledAwait | null;
  readonly _isTracked: boolean;
  readonly _frame: Frame | null;
  _cancellation: Cancellation | null;
}

/** What is kept of a task that somebody cancels or can cancel by a signal; most tasks have none. @internal */
export class Cancellation {
  /** Requests that were not taken back. */
  requests = 0;
  /** One is on its way to what the task waits for. */
  isPassingOn = false;
  /** It is to be thrown in at the next step. */
  isDue = false;
  reason: unknown = undefined;
  /** What it is meant for, if that is not the whole task. */
  origin: Frame | null = null;
  /** What it went to, or that it was thrown in. */
  delivery: Suspension | true | null = null;
  /** Of the task's own signal. */
  controller: AbortController | null = null;
  /** By which others cancel the task. */
  signal: AbortSignal | null = null;
}

/** The one of `task`; made on first use. @internal */
export function cancellationOf(task: CancelledTask): Cancellation {
  return (task._cancellation ??= new Cancellation());
}

/** Whether a cancellation of `task` was kept, because nothing took it on. @internal */
export function isCancelKept(task: CancelledTask): boolean {
  return task._cancellation !== null && task._cancellation.isDue;
}

/** Requests to cancel `task` that were not taken back. @internal */
export function cancelRequests(task: CancelledTask): number {
  return task._cancellation === null ? 0 : task._cancellation.requests;
}

/**
 * Whether there are more than `known` requests to cancel `task`, and these reach code in `frame`: what is
 * held up by a shield around it is no business of what happens inside.
 *
 * @internal
 */
export function isCancelledByOthers(task: CancelledTask, frame: Frame | null, known: number): boolean {
  return cancelRequests(task) > known && !isCancelDeferred(frame, task, null);
}

interface CancelledAwait extends Handle {
  readonly future: Suspension;
  readonly frame: Frame | null;
  readonly next: CancelledAwait | null;
}

/**
 * Cancels all that `task` waits for, or what it waits for within a frame; returns whether any of it could be.
 *
 * @internal
 */
export function cancelAwaited(task: CancelledTask, within: Frame | null, reason: unknown): boolean {
  const waiting = task._waiting;
  if (waiting !== null && waiting._keepsResult !== true) {
    if (isCancelDeferred(task._frame, task, within)) return false;
    cancellationOf(task).delivery = waiting;
    return waiting.cancel(reason);
  }
  let isPassedOn = false;
  let wait = task._firstAwait;
  while (wait !== null) {
    const { next, future, frame } = wait;
    const isMeant = (within === null || isWithin(within, frame)) && !isCancelDeferred(frame, task, within);
    if (isMeant && future.cancel(reason)) {
      isPassedOn = true;
      cancellationOf(task).delivery = future;
    }
    wait = next;
  }
  return isPassedOn;
}

/** Cancels what `task` waits for inside of `scope`, unless the result is there already. @internal */
export function cancelWithin(task: CancelledTask, scope: Frame, reason: unknown): void {
  const waiting = task._waiting;
  if (waiting !== null && waiting._keepsResult !== true) {
    if (isReachedFrom(scope, task._frame) && !waiting.done()) waiting.cancel(reason);
    return;
  }
  let wait = task._firstAwait;
  while (wait !== null) {
    const { next, future, frame } = wait;
    if (isReachedFrom(scope, frame) && !future.done()) future.cancel(reason);
    wait = next;
  }
}

/** Whether a cancellation that was kept is to be thrown into code of `task` in `frame`. @internal */
export function isCancelDue(task: CancelledTask, frame: Frame | null): boolean {
  const cancellation = task._cancellation;
  return cancellation !== null && cancellation.isDue && !isCancelDeferred(frame, task, cancellation.origin);
}

/** What begins to wait in a scope that was cancelled waits no more. @internal */
export function cancelInFrame(frame: Frame, wait: Suspension): void {
  const scope = cancellingFrame(frame);
  if (scope !== null && !wait.done()) wait.cancel(scope._reason);
}

/** Whether an async body of `task` is through, and the task only has to be resumed. @internal */
export function hasBodyEnded(task: CancelledTask): boolean {
  const waiting = task._waiting;
  return waiting?._keepsResult === true && waiting.done();
}

/** Whether what `task` waits for within a frame is there, and the task only has to be resumed. @internal */
export function isWakingUp(task: CancelledTask, within: Frame): boolean {
  const waiting = task._waiting;
  if (waiting !== null && waiting._keepsResult !== true) return isThere(waiting);
  for (let wait = task._firstAwait; wait !== null; wait = wait.next) {
    if (isWithin(within, wait.frame) && isThere(wait.future)) return true;
  }
  return hasBodyEnded(task);
}

function isThere(wait: Suspension): boolean {
  return wait.done() && !wait.cancelled();
}

/** Tasks wait for each other in a circle, and none can go first: `task` stops waiting. @internal */
export function breakCircle(task: CancelledTask): void {
  const wait = task._firstAwait;
  if (task._waiting !== null) task._waiting._moveToReady(task._handle);
  else wait?.future._moveToReady(wait);
  requestCancellation(task, null);
}

/** Delivers a cancellation that was held up, if the task waits for something now. @internal */
export function deliverCancellation(task: CancelledTask): void {
  const cancellation = task._cancellation;
  if (cancellation === null || !cancellation.isDue) return;
  if (cancelAwaited(task, cancellation.origin, cancellation.reason)) clearCancellation(task);
}

/** Keeps the cancellation, which is meant for a frame or the whole task, until it can be delivered. @internal */
export function requestCancellation(task: CancelledTask, within: Frame | null): void {
  const cancellation = cancellationOf(task);
  // What comes from inside of a shield is not held up by a request from outside that was before it.
  if (within !== null || !cancellation.isDue) cancellation.origin = within;
  if (cancellation.isDue) return;
  cancellation.isDue = true;
  if (task._isTracked) undelivered.count++;
}

/** The cancellation is delivered, or withdrawn. @internal */
export function clearCancellation(task: CancelledTask): void {
  const cancellation = task._cancellation;
  if (cancellation === null || !cancellation.isDue) return;
  cancellation.isDue = false;
  cancellation.origin = null;
  if (task._isTracked) undelivered.count--;
}

/** What `task` begins to wait for takes the cancellation on, if one is due. @internal */
export function passOnAtWait(task: CancelledTask, wait: Suspension): boolean {
  const cancellation = cancellationOf(task);
  if (!wait.cancel(cancellation.reason)) return false;
  cancellation.delivery = wait;
  clearCancellation(task);
  return true;
}

/** The error to throw into a task that was waiting for `awaited`. @internal */
export function takeCancellation(task: CancelledTask, awaited: Suspension | null): unknown {
  clearCancellation(task);
  const cancellation = cancellationOf(task);
  cancellation.delivery = true;
  // The error of what was waited for is lost, and read.
  if (awaited?.cancelled() === true) return awaited._readError();
  awaited?._lose();
  return new CancelledError(cancellation.reason);
}

/**
 * Aborts the signal of `task`; returns the reason. Listeners run here and now, but outside of the
 * canceller's context and task.
 *
 * @internal
 */
export function abortSignal(task: CancelledTask, controller: AbortController, reason: unknown): unknown {
  const loop = task._loop;
  const current = loop._currentTask;
  loop._currentTask = null;
  try {
    if (task._context === null) runUntracked(() => controller.abort(reason));
    else task._context.runInAsyncScope(() => controller.abort(reason));
  } finally {
    loop._currentTask = current;
  }
  // Without a reason the signal makes one.
  return reason ?? controller.signal.reason;
}
