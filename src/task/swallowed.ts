// Cancellations that got lost: the coroutine caught the error, did not take the request back with
// uncancel(), and waits again. JavaScript has no way to catch everything but that, so this happens
// by accident.
//
// Nobody can see in a coroutine whether it waits in a `catch` or in a `finally`. Time tells: after a
// `finally` the error goes on. So a task that waits again is only remembered, and told of if it then
// ends with a value, or goes on for another second.
import type { CancelledTask } from './cancellation.js';
import { awaitSiteOf } from './debug-sites.js';
import type { Frame } from './frame.js';
import type { Suspension } from './suspension.js';
import { runUntracked } from './tracking.js';

// What is told of a task.
interface Swallowed {
  task: unknown;
  reason: unknown;
  site?: string;
}

/** What is known here of a task. @internal */
export interface SwallowingTask extends CancelledTask {
  readonly _room: { readonly onSwallowedCancel: ((info: never) => void) | null };
}

interface Remembered {
  readonly sinceMs: number;
  readonly wait: Suspension | null;
}

const PATIENCE_MS = 1000;
const WARNING_CODE = 'EVLOOP_SWALLOWED_CANCEL';

// Tasks that wait although they were cancelled; none for long.
const remembered = new Map<SwallowingTask, Remembered>();
const told = new WeakSet<SwallowingTask>();
// One for all, and Node's own, as the clock of a loop may be virtual.
let timer: NodeJS.Timeout | null = null;

/** `task`, which is being cancelled, is about to wait in `frame`. @internal */
export function noteWait(task: SwallowingTask, wait: Suspension | null, frame: Frame | null): void {
  if (!isDelivered(task) || remembered.has(task) || told.has(task)) return;
  if (wait?._isCleanup === true || isShielded(frame)) return;
  remembered.set(task, { sinceMs: performance.now(), wait });
  if (timer === null) runUntracked(startTimer);
}

function isDelivered(task: SwallowingTask): boolean {
  const delivery = task._cancellation?.delivery;
  return delivery === true || delivery?.cancelled() === true;
}

function isShielded(frame: Frame | null): boolean {
  for (let current = frame; current !== null; current = current._parent) if (current._isShield) return true;
  return false;
}

/** `task`, which is being cancelled, returned a value. @internal */
export function noteValue(task: SwallowingTask): void {
  const waited = remembered.get(task);
  if (waited !== undefined) tell(task, waited, 'ended with a value');
}

/** `task` is done, or every request was taken back. @internal */
export function forgetDelivery(task: SwallowingTask): void {
  if (task._cancellation !== null) task._cancellation.delivery = null;
  remembered.delete(task);
}

function startTimer(): void {
  timer = setTimeout(lookAgain, PATIENCE_MS).unref();
}

function lookAgain(): void {
  timer = null;
  const due = performance.now() - PATIENCE_MS;
  for (const [task, waited] of remembered) {
    if (task._loop.isClosed()) remembered.delete(task);
    else if (waited.sinceMs <= due) tell(task, waited, 'is still going on a second later');
  }
  if (remembered.size > 0) startTimer();
}

function tell(task: SwallowingTask, { wait }: Remembered, end: string): void {
  remembered.delete(task);
  told.add(task);
  const site = wait === null ? undefined : awaitSiteOf(wait);
  const message = `${task._describe()} was cancelled, waited again without uncancel(), and ${end}`;
  if (task._context === null) report(task, message, site);
  else task._context.runInAsyncScope(() => report(task, message, site));
}

function report(task: SwallowingTask, message: string, site: string | undefined): void {
  const loop = task._loop;
  const hook = task._room.onSwallowedCancel as ((info: Swallowed) => void) | null;
  if (hook !== null) {
    const info: Swallowed = { task, reason: task._cancellation?.reason };
    try {
      hook(site === undefined ? info : { ...info, site });
    } catch (exception) {
      loop.callExceptionHandler({ message: 'Exception in onSwallowedCancel', exception, task });
    }
  } else if (loop.debug) {
    loop.callExceptionHandler({ message, task, sourceTraceback: site });
  } else {
    process.emitWarning(message, { code: WARNING_CODE });
  }
}
