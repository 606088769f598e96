// Who waits for whom: for those who look at a program that hangs.
import { awaitSiteOf } from './debug-sites.js';
import type { Future } from './future.js';
import type { Suspension } from './suspension.js';

/** What is known here of a task. @internal */
export interface WaitingTask {
  readonly awaiting: Future<unknown> | undefined;
  readonly _waiting: Suspension | null;
  readonly _firstAwait: WaitingAwait | null;
  _describe(): string;
}

interface WaitingAwait {
  readonly future: Suspension;
  readonly next: WaitingAwait | null;
}

/** Whether `future` is what `task` waits for, or part of it. @internal */
export function waitsFor(task: WaitingTask, future: Suspension): boolean {
  if (task._waiting === future) return true;
  for (let wait = task._firstAwait; wait !== null; wait = wait.next) {
    if (wait.future === future) return true;
  }
  return false;
}

/** What `first` waits for, and what that waits for in turn; in debug mode with the lines of code. @internal */
export function describeWaits(
  first: WaitingTask,
  asTask: (future: Future<unknown>) => WaitingTask | null,
): string {
  const lines = [first._describe()];
  const seen = new Set<unknown>();
  let task: WaitingTask | null = null;
  for (let future = first.awaiting; future !== undefined && !seen.has(future); future = task?.awaiting) {
    seen.add(future);
    const site = awaitSiteOf(future);
    if (site !== undefined) lines.push(site);
    lines.push(`awaiting ${future._describe()}`);
    task = asTask(future);
  }
  return lines.join('\n');
}
