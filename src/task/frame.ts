// What encloses the code that runs: scopes and timeouts, the innermost first.
//
// A generator task knows its innermost frame; it changes as `yield*` enters and leaves scoped calls. The
// frame of an async body travels with its branch (tracking.ts). The tasks of a group begin in the
// frame in which the group was opened.

/** A scope or a timeout around code of one task. @internal */
export interface Frame {
  readonly _parent: Frame | null;
  /** When it ends, loop time; Infinity for never. */
  readonly _deadline: number;
  /** Scopes outside do not cancel what waits inside. */
  readonly _isShield: boolean;
  /** Whether the cancellation of `task` waits until the code inside is through. */
  _defersCancelOf(task: unknown): boolean;
  /** Whether everything that waits inside is to be cancelled, again and again. */
  readonly _isCancelled: boolean;
  readonly _reason: unknown;
  /** A task began inside, or one of those is done; for scopes that cancel them. */
  _addMember(task: unknown): void;
  _removeMember(task: unknown): void;
}

/** The frame that cancels what waits in `frame`, or null. @internal */
export function cancellingFrame(frame: Frame | null): Frame | null {
  for (let current = frame; current !== null; current = current._parent) {
    if (current._isCancelled) return current;
    if (current._isShield) return null;
  }
  return null;
}

/**
 * Whether the cancellation of a task has to wait while it is in `frame`. One that comes from `origin`, a
 * timeout or a group inside of a shield, has not.
 *
 * @internal
 */
export function isCancelDeferred(frame: Frame | null, task: unknown, origin: Frame | null): boolean {
  for (let current = frame; current !== null && current !== origin; current = current._parent) {
    if (current._defersCancelOf(task)) return true;
  }
  return false;
}

/** Whether `frame` is `outer` or inside of it. @internal */
export function isWithin(outer: Frame, frame: Frame | null): boolean {
  for (let current = frame; current !== null; current = current._parent) if (current === outer) return true;
  return false;
}

/** Whether cancelling `outer` reaches what waits in `frame`. @internal */
export function isReachedFrom(outer: Frame, frame: Frame | null): boolean {
  for (let current = frame; current !== null; current = current._parent) {
    if (current === outer) return true;
    if (current._isShield) return false;
  }
  return false;
}

/** When the first of the enclosing frames ends, loop time; -Infinity where one was cancelled. @internal */
export function deadlineOf(frame: Frame | null): number {
  let deadline = Infinity;
  for (let current = frame; current !== null; current = current._parent) {
    if (current._isCancelled) return -Infinity;
    if (current._deadline < deadline) deadline = current._deadline;
    if (current._isShield) break;
  }
  return deadline;
}

/** Tells the scopes around `frame` of a task that begins inside. @internal */
export function enterMembers(frame: Frame | null, task: unknown): void {
  for (let current = frame; current !== null; current = current._parent) current._addMember(task);
}

/** Takes {@link enterMembers} back. @internal */
export function leaveMembers(frame: Frame | null, task: unknown): void {
  for (let current = frame; current !== null; current = current._parent) current._removeMember(task);
}

/** A frame that does nothing of itself. @internal */
export abstract class PlainFrame implements Frame {
  readonly _parent: Frame | null;

  constructor(parent: Frame | null) {
    this._parent = parent;
  }

  get _deadline(): number {
    return Infinity;
  }

  get _isShield(): boolean {
    return false;
  }

  _defersCancelOf(_task: unknown): boolean {
    return false;
  }

  get _isCancelled(): boolean {
    return false;
  }

  get _reason(): unknown {
    return undefined;
  }

  _addMember(_task: unknown): void {
    // Nobody cancels them from here.
  }

  _removeMember(_task: unknown): void {
    // As above.
  }
}

class Shield extends PlainFrame {
  override get _isShield(): boolean {
    return true;
  }
}

/** For waits that have to come to their end, whatever scope outside was cancelled. @internal */
export function shieldIn(parent: Frame | null): Frame {
  return new Shield(parent);
}
