// A run that can never end: its main coroutine waits, and nothing is left that could wake it. Node
// then just exits, with code 0 unless somebody awaits the run at the top level of a module.
import type { EventLoop } from './event-loop.js';

/** What Node answers for a module whose top level never settles. */
export const EXIT_CODE_DEADLOCK = 13;
const MOST_TASKS_TOLD = 10;

/**
 * Until the answered function is called, tells on standard error who waits when the process exits for
 * want of work, and makes its exit code 13 unless another was set.
 *
 * @internal
 */
export function watchForDeadlock(loop: EventLoop): () => void {
  let isOutOfWork = false;
  const onBeforeExit = (): void => {
    isOutOfWork = true;
    // Other listeners may have found work, which may end with process.exit().
    setImmediate(() => {
      isOutOfWork = false;
    }).unref();
  };
  const onExit = (): void => {
    if (!isOutOfWork) return;
    process.exitCode ??= EXIT_CODE_DEADLOCK;
    console.error(describeDeadlock(loop));
  };
  process.on('beforeExit', onBeforeExit);
  process.on('exit', onExit);
  return () => {
    process.off('beforeExit', onBeforeExit);
    process.off('exit', onExit);
  };
}

function describeDeadlock(loop: EventLoop): string {
  const tasks = [...loop.allTasks()];
  const lines = ['evloop: run() never ended: nothing is left that could wake its tasks'];
  for (const task of tasks.slice(0, MOST_TASKS_TOLD)) lines.push(`  ${task.stack().replace(/\n/g, '\n  ')}`);
  const left = tasks.length - MOST_TASKS_TOLD;
  if (left > 0) lines.push(`  and ${String(left)} more`);
  return lines.join('\n');
}
