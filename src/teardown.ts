// How a run leaves nothing behind: what is left is cancelled and awaited, and the loop is closed.
//
// Source: CPython 3.13 asyncio/runners.py `Runner.close`, `_cancel_all_tasks`.
import { watchForDeadlock } from './deadlock.js';
import type { EventLoop } from './event-loop.js';
import { hasGenerators } from './task/async-generators.js';
import { taskRoom } from './task/create.js';
import { currentTask } from './task/current.js';
import type { Future } from './task/future.js';
import type { Task } from './task/task.js';
import { wait } from './task/wait.js';

/**
 * Cancels the tasks that are left, again for those they make meanwhile, reports their errors, closes the
 * generators of `loop.track()` and then the loop; each has `graceMs` to end.
 *
 * @internal
 */
export async function tearDown(loop: EventLoop, graceMs: number): Promise<void> {
  const endWatch = watchForDeadlock(loop);
  try {
    if (loop.allTasks().size > 0) await loop.runUntilComplete(cancelAllTasks(loop, graceMs));
    if (hasGenerators(loop)) await loop.runUntilComplete(closeGenerators(loop, graceMs));
  } finally {
    endWatch();
    loop.close();
  }
}

// Tasks may start others while they clean up: goes on until none is left or time is over.
function* cancelAllTasks(loop: EventLoop, graceMs: number): Generator<unknown, void, unknown> {
  const self = currentTask();
  const tasksLeft = (): Task<unknown>[] => [...loop.allTasks()].filter((task) => task !== self);
  let isInTime = true;
  let round = loop.createFuture();
  const timer = loop.callLater(graceMs, () => {
    isInTime = false;
    round.setResultUnlessDone();
  });
  // It would keep a process that waits for nothing else.
  if (graceMs === Infinity) timer.unref();
  while (isInTime) {
    const tasks = tasksLeft();
    if (tasks.length === 0) break;
    round = loop.createFuture();
    cancelAll(tasks, round);
    yield* round;
    for (const task of tasks) reportFailure(loop, task);
  }
  timer.cancel();
  for (const task of tasksLeft()) giveUp(loop, task);
}

function* closeGenerators(loop: EventLoop, graceMs: number): Generator<unknown, void, unknown> {
  yield* wait([loop.createTask(() => loop.shutdownAsyncgens())], { timeout: graceMs });
}

function cancelAll(tasks: readonly Task<unknown>[], allDone: Future<void>): void {
  let left = tasks.length;
  for (const task of tasks) {
    task.cancel();
    task.addDoneCallback(() => {
      if (--left === 0) allDone.setResultUnlessDone();
    });
  }
}

function reportFailure(loop: EventLoop, task: Task<unknown>): void {
  if (!task.done() || task.cancelled()) return;
  const exception = task.exception();
  if (exception === null) return;
  loop.callExceptionHandler({ message: 'unhandled exception during run() shutdown', exception, task });
}

// Closing the loop reports those it finds: this one is told of here, with what it waits for.
function giveUp(loop: EventLoop, task: Task<unknown>): void {
  const waits = task.stack().replaceAll('\n', '\n    ');
  taskRoom(loop).tasks.remove(task);
  loop.callExceptionHandler({
    message: `Task did not end within the grace period of run()\n    ${waits}`,
    task,
    sourceTraceback: task.createdAt,
  });
}
