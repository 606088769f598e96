// Who waits for whom: for those who look at a program that hangs.
import { awaitSiteOf } from './debug-sites.js';
import type { Suspension } from './suspension.js';

/** What is known here of a task. @internal */
export interface WaitingTask {
  readonly _awaited: Suspension | undefined;
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
  asTask: (awaited: Suspension) => WaitingTask | null,
): string {
  const lines = [first._describe()];
  const seen = new Set<unknown>();
  let task: WaitingTask | null = null;
  for (let awaited = first._awaited; awaited !== undefined && !seen.has(awaited); awaited = task?._awaited) {
    seen.add(awaited);
    const site = awaitSiteOf(awaited);
    if (site !== undefined) lines.push(site);
    lines.push(`awaiting ${awaited._describe()}`);
    task = asTask(awaited);
  }
  return lines.join('\n');
}
