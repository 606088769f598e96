// What encloses the code that runs: scopes and timeouts, the innermost first.
//
// A generator task knows its innermost frame; it changes as `yield*` enters and leaves scoped calls. The
// frame of an async body travels with its branch (tracking.ts). The tasks of a group begin in the
// frame in which the group was opened.

/** A scope or a timeout around code of one task. @internal */
export interface Frame {
  readonly parent: Frame | null;
  /** When it ends, loop time; Infinity for never. */
  readonly deadline: number;
  /** What is inside is not cancelled by what is outside. */
  readonly isShield: boolean;
  /** Whether everything that waits inside is to be cancelled, again and again. */
  readonly isCancelled: boolean;
  readonly reason: unknown;
  /** Tasks that began inside, for scopes that cancel them. */
  readonly members: Set<unknown> | null;
}

/** The frame that cancels what waits in `frame`, or null. @internal */
export function cancellingFrame(frame: Frame | null): Frame | null {
  for (let current = frame; current !== null; current = current.parent) {
    if (current.isCancelled) return current;
    if (current.isShield) return null;
  }
  return null;
}

/** Whether cancelling `outer` reaches what waits in `frame`. @internal */
export function isReachedFrom(outer: Frame, frame: Frame | null): boolean {
  for (let current = frame; current !== null; current = current.parent) {
    if (current === outer) return true;
    if (current.isShield) return false;
  }
  return false;
}

/** When the first of the enclosing frames ends, loop time; -Infinity where one was cancelled. @internal */
export function deadlineOf(frame: Frame | null): number {
  let deadline = Infinity;
  for (let current = frame; current !== null; current = current.parent) {
    if (current.isCancelled) return -Infinity;
    if (current.deadline < deadline) deadline = current.deadline;
    if (current.isShield) break;
  }
  return deadline;
}

/** Tells the scopes around `frame` of a task that begins inside. @internal */
export function enterMembers(frame: Frame | null, task: unknown): void {
  for (let current = frame; current !== null; current = current.parent) current.members?.add(task);
}

/** Takes {@link enterMembers} back. @internal */
export function leaveMembers(frame: Frame | null, task: unknown): void {
  for (let current = frame; current !== null; current = current.parent) current.members?.delete(task);
}

/** Inside, nothing outside cancels: for waits that have to come to their end. @internal */
export function shieldIn(parent: Frame | null): Frame {
  return { parent, deadline: Infinity, isShield: true, isCancelled: false, reason: undefined, members: null };
}
