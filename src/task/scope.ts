// A part of a task that can be cancelled by itself.
//
// A task's own cancellation is an event: delivered once, and whoever catches it goes on. A scope is a
// state: everything that waits inside of it once it is cancelled, the tasks of groups included, gets the
// error, at every wait anew. It never takes a result away that is there already.
import { isCancelled, TimeoutError } from '../base/errors.js';
import { validateBoolean, validateNumber } from '../base/validate.js';
import type { LoopCore } from '../core/loop.js';
import type { TimerHandle } from '../core/timers.js';
import { cancelOnAbort, ignoreAbort } from './abort.js';
import {
  type CancelledTask,
  cancelRequests,
  isCancelledByOthers,
  cancelWithin,
  deliverCancellation,
  requestCancellation,
} from './cancellation.js';
import { cancellingFrame, PlainFrame } from './frame.js';

/** How a scope begins. */
export interface CancelScopeOptions {
  /** When it is cancelled by itself, loop time in milliseconds. @defaultValue Infinity, for never */
  deadline?: number;
  /** Keeps cancellations from outside away until the body is through. @defaultValue false */
  shield?: boolean;
  /** Cancels the scope when it aborts, with its reason. */
  signal?: AbortSignal;
}

/**
 * A part of a task that can be cancelled by itself; its body gets it.
 *
 * @source trio 0.30 `CancelScope`
 */
export class CancelScope extends PlainFrame {
  readonly #loop: LoopCore;
  readonly #task: CancelledTask;
  readonly #cancelling: number;
  readonly #signal: AbortSignal | null;
  #members: Set<CancelledTask> | null = null;
  #isShield: boolean;
  #deadline: number;
  #timer: TimerHandle | null = null;
  #isCancelled = false;
  #hasCaught = false;
  #isOver = false;
  #reason: unknown;

  /** @internal */
  constructor(loop: LoopCore, task: CancelledTask, options: CancelScopeOptions) {
    super(task._frame);
    this.#loop = loop;
    this.#task = task;
    this.#cancelling = cancelRequests(task);
    this.#isShield = options.shield === true;
    this.#deadline = options.deadline ?? Infinity;
    this.#signal = options.signal ?? null;
    if (this.#signal !== null) cancelOnAbort(this.#signal, this);
    this.#schedule();
  }

  /** When the scope is cancelled by itself, loop time in milliseconds; may be set until then. */
  get deadline(): number {
    return this.#deadline;
  }

  set deadline(when: number) {
    validateNumber('deadline', when);
    this.#deadline = when;
    this.#schedule();
  }

  /** Whether cancellations from outside wait until the body is through; may be set. */
  get shield(): boolean {
    return this.#isShield;
  }

  set shield(isShield: boolean) {
    validateBoolean('shield', isShield);
    this.#isShield = isShield;
    if (isShield || this.#isOver) return;
    // What was kept away comes in.
    deliverCancellation(this.#task);
    const scope = cancellingFrame(this._parent);
    if (scope !== null) this.#cancelInside(scope._reason);
  }

  /** Whether the scope was cancelled: by {@link CancelScope.cancel}, its deadline or its signal. */
  get cancelCalled(): boolean {
    return this.#isCancelled;
  }

  /** Whether the body was ended by that. */
  get cancelledCaught(): boolean {
    return this.#hasCaught;
  }

  /**
   * Cancels everything that waits inside, now and later, until the body is through. Idempotent.
   *
   * Suspends: never.
   *
   * @param reason - Becomes the errors' `reason`.
   * @returns Whether the scope was neither cancelled nor over.
   */
  cancel(reason?: unknown): boolean {
    if (this.#isCancelled || this.#isOver) return false;
    this.#isCancelled = true;
    this.#reason = reason;
    this.#timer?.cancel();
    this.#cancelInside(reason);
    return true;
  }

  #cancelInside(reason: unknown): void {
    cancelWithin(this.#task, this, reason);
    for (const member of [...(this.#members ?? [])]) cancelWithin(member, this, reason);
  }

  // As a frame

  /** @internal */
  override get _deadline(): number {
    return this.#deadline;
  }

  /** @internal */
  override get _isShield(): boolean {
    return this.#isShield;
  }

  /** @internal */
  override _defersCancelOf(task: unknown): boolean {
    return this.#isShield && task === this.#task;
  }

  /** @internal */
  override get _isCancelled(): boolean {
    return this.#isCancelled;
  }

  /** @internal */
  override get _reason(): unknown {
    return this.#reason;
  }

  /** @internal */
  override _addMember(task: unknown): void {
    (this.#members ??= new Set()).add(task as CancelledTask);
  }

  /** @internal */
  override _removeMember(task: unknown): void {
    // The scope around a whole task ends with it.
    if (task === this.#task) this._exit(undefined, false);
    else this.#members?.delete(task as CancelledTask);
  }

  /** Whether `error` ends the task that this scope is around, and was its doing. @internal */
  _endsTask(task: unknown, error: unknown): boolean {
    return task === this.#task && this._exit(error, true);
  }

  #schedule(): void {
    this.#timer?.cancel();
    this.#timer = null;
    if (this.#isCancelled || this.#isOver || this.#deadline === Infinity) return;
    // One that has passed cancels at once: the body goes on to its first wait.
    if (this.#deadline <= this.#loop.time()) this.cancel(new TimeoutError());
    else this.#timer = this.#loop.callAt(this.#deadline, expire, this);
  }

  /** The body is through; returns whether its error was this scope's doing and ends here. @internal */
  _exit(error: unknown, hasFailed: boolean): boolean {
    if (this.#isOver) return this.#hasCaught;
    this.#isOver = true;
    this.#timer?.cancel();
    this.#timer = null;
    if (this.#signal !== null) ignoreAbort(this.#signal, this);
    const isCancellation = hasFailed && isCancelled(error);
    this.#hasCaught = isCancellation && this.#isOwnDoing();
    // Whoever cancelled from outside meanwhile is heard behind the shield.
    if (this.#isHoldingUp() && isCancellation === this.#hasCaught) requestCancellation(this.#task, null);
    return this.#hasCaught;
  }

  // Not when somebody cancelled the task, or a scope around this one.
  #isOwnDoing(): boolean {
    if (!this.#isCancelled) return false;
    if (this.#isShield) return true;
    if (isCancelledByOthers(this.#task, this._parent, this.#cancelling)) return false;
    return cancellingFrame(this._parent) === null;
  }

  #isHoldingUp(): boolean {
    return this.#isShield && cancelRequests(this.#task) > this.#cancelling;
  }
}

function expire(scope: CancelScope): void {
  scope.cancel(new TimeoutError());
}
