// What is kept for each loop by the room of the tasks: those that are not done, and what makes them.
//
// The core knows nothing of tasks, so a loop has no field for it.
import type { LoopCore } from '../core/loop.js';
import { TaskRegistry, type Linked } from './registry.js';

/** What is known here of a task. @internal */
export interface Resident<N> extends Linked<N> {
  readonly createdAt: string | undefined;
}

/** What the task room keeps for each loop. @internal */
export class TaskRoom<N extends Resident<N>, F> {
  readonly tasks = new TaskRegistry<N>();
  factory: F | null = null;
  onSwallowedCancel: ((info: never) => void) | null = null;

  constructor(loop: LoopCore) {
    loop._taskCount = () => this.tasks.size;
    loop._onClose.push(() => this.#reportPending(loop));
  }

  #reportPending(loop: LoopCore): void {
    for (const task of this.tasks.snapshot()) {
      this.tasks.remove(task);
      loop.callExceptionHandler({
        message: 'Task was destroyed but it is pending!',
        task,
        sourceTraceback: task.createdAt,
      });
    }
  }
}

type AnyRoom = TaskRoom<never, never>;
const rooms = new WeakMap<LoopCore, AnyRoom>();
// Nearly always it is the same loop as last time.
let lastLoop: LoopCore | null = null;
let lastRoom: AnyRoom | null = null;

/** The room of a loop; made on first use. Only its users know what its tasks are. @internal */
export function roomOf<N extends Resident<N>, F>(loop: LoopCore): TaskRoom<N, F> {
  if (loop === lastLoop) return lastRoom!;
  let room = rooms.get(loop);
  if (room === undefined) {
    room = new TaskRoom(loop);
    rooms.set(loop, room);
    loop._onClose.push(() => {
      if (lastLoop !== loop) return;
      lastLoop = null;
      lastRoom = null;
    });
  }
  lastLoop = loop;
  lastRoom = room;
  return room;
}
