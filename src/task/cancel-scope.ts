// Scopes that cancel all that goes on inside, again and again until it has come out.
//
// A task's own cancellation is an event: delivered once, and whoever catches it goes on. A scope is a
// state: everything that waits inside of it once it is cancelled, the tasks of groups included, gets the
// error, at every wait anew. It never takes a result away that is there already.
import { isCancelled, TimeoutError } from '../base/errors.js';
import {
  validateAbortSignal,
  validateBoolean,
  validateFunction,
  validateNumber,
  validateObject,
} from '../base/validate.js';
import type { LoopCore } from '../core/loop.js';
import type { TimerHandle } from '../core/timers.js';
import { cancelOnAbort, ignoreAbort } from './abort.js';
import type { Awaitable } from './awaitable.js';
import { runBody, type Body } from './body.js';
import { cancelWithin } from './cancellation.js';
import { requireRunningLoop } from './current.js';
import { cancellingFrame, PlainFrame } from './frame.js';
import { operate, steppingTask, type Steps } from './operation.js';
import type { Task } from './task.js';

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
  readonly #task: Task<unknown>;
  readonly #cancelling: number;
  readonly #signal: AbortSignal | null;
  #members: Set<Task<unknown>> | null = null;
  #isShield: boolean;
  #deadline: number;
  #timer: TimerHandle | null = null;
  #isCancelled = false;
  #hasCaught = false;
  #isOver = false;
  #reason: unknown;

  /** @internal */
  constructor(loop: LoopCore, task: Task<unknown>, options: CancelScopeOptions) {
    super(task._frame);
    this.#loop = loop;
    this.#task = task;
    this.#cancelling = task._cancelRequests;
    this.#isShield = options.shield === true;
    this.#deadline = options.deadline ?? Infinity;
    this.#signal = options.signal ?? null;
    if (this.#signal !== null) cancelOnAbort(this.#signal, this);
    this.#schedule();
  }

  /** When the scope is cancelled by itself, loop time in milliseconds; may be set until then. */
  override get deadline(): number {
    return this.#deadline;
  }

  override set deadline(when: number) {
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
    cancelWithin(this.#task, this, reason);
    for (const member of [...(this.#members ?? [])]) cancelWithin(member, this, reason);
    return true;
  }

  // As a frame

  /** @internal */
  override get isShield(): boolean {
    return this.#isShield;
  }

  /** @internal */
  override get defersCancel(): boolean {
    return this.#isShield;
  }

  /** @internal */
  override get isCancelled(): boolean {
    return this.#isCancelled;
  }

  /** @internal */
  override get reason(): unknown {
    return this.#reason;
  }

  /** @internal */
  override _addMember(task: unknown): void {
    (this.#members ??= new Set()).add(task as Task<unknown>);
  }

  /** @internal */
  override _removeMember(task: unknown): void {
    this.#members?.delete(task as Task<unknown>);
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
    this.#isOver = true;
    this.#timer?.cancel();
    this.#timer = null;
    if (this.#signal !== null) ignoreAbort(this.#signal, this);
    this.#hasCaught = hasFailed && isCancelled(error) && this.#isOwnDoing();
    return this.#hasCaught;
  }

  // Not when somebody cancelled the task, or a scope around this one.
  #isOwnDoing(): boolean {
    if (!this.#isCancelled || this.#task._cancelRequests > this.#cancelling) return false;
    return this.#isShield || cancellingFrame(this.parent) === null;
  }
}

function expire(scope: CancelScope): void {
  scope.cancel(new TimeoutError());
}

function* enclose<T>(
  loop: LoopCore,
  options: CancelScopeOptions,
  body: Body<[CancelScope], T>,
  fails: boolean,
): Steps<T | undefined> {
  const task = steppingTask(loop);
  const scope = new CancelScope(loop, task, options);
  task._frame = scope;
  let error: unknown;
  let hasFailed = false;
  let isCaught = false;
  try {
    return yield* runBody(body, task, scope);
  } catch (raised) {
    error = raised;
    hasFailed = true;
  } finally {
    task._frame = scope.parent;
    isCaught = scope._exit(error, hasFailed);
  }
  if (!isCaught) throw error;
  if (fails) throw new TimeoutError(undefined, { cause: error });
  return undefined;
}

/**
 * Runs `body` in a scope of its own. Once that is cancelled, everything that waits inside gets a
 * `CancelledError`, at every wait anew, tasks of groups included; a result that is there is never
 * taken away. The scope swallows the error that it caused, and no other.
 *
 * Suspends: while the body does. A cancel point then, unless the scope is a shield: then a cancellation
 * from outside is delivered at the first wait behind it.
 *
 * @param options - Deadline, shield and signal.
 * @param body - A generator function or an async function; gets the {@link CancelScope}.
 * @returns What `body` returns; undefined when the scope was cancelled and that ended the body.
 * @throws TypeError `ERR_INVALID_ARG_TYPE`, RangeError `ERR_OUT_OF_RANGE` - an argument is wrong.
 * @throws {@link InvalidStateError} `ERR_INVALID_STATE` - no loop is running.
 * @example
 * ```ts
 * await cancelScope({ deadline: loop.time() + 5 }, async (scope) => {
 *   await sleep(1000);
 *   console.log('never reached', scope.deadline);
 * });
 * ```
 * @source trio 0.30 `CancelScope`. Differs: a wait that has its result already is no checkpoint.
 */
export function cancelScope<T>(
  options: CancelScopeOptions,
  body: Body<[CancelScope], T>,
): Awaitable<T | undefined> {
  validateObject('options', options);
  if (options.deadline !== undefined) validateNumber('options.deadline', options.deadline);
  if (options.shield !== undefined) validateBoolean('options.shield', options.shield);
  if (options.signal !== undefined) validateAbortSignal('options.signal', options.signal);
  validateFunction('body', body);
  const loop = requireRunningLoop();
  return operate(loop, enclose(loop, options, body, false));
}

/**
 * Runs `body` for at most so long: then everything that waits inside is cancelled.
 *
 * Suspends: as {@link cancelScope}.
 *
 * @param delayMs - Milliseconds from now, fractions allowed; Infinity for no limit.
 * @param body - A generator function or an async function; gets the {@link CancelScope}.
 * @returns What `body` returns, or undefined when it was cut off.
 * @throws As {@link cancelScope}.
 * @example
 * ```ts
 * const value = await moveOnAfter(5, async () => await sleep(1000, 'late'));
 * console.log(value); // undefined
 * ```
 * @source trio 0.30 `move_on_after`
 */
export function moveOnAfter<T>(delayMs: number, body: Body<[CancelScope], T>): Awaitable<T | undefined> {
  const loop = checkLimit(delayMs, body);
  return operate(loop, enclose(loop, { deadline: loop.time() + delayMs }, body, false));
}

/**
 * {@link moveOnAfter} that fails when the body was cut off.
 *
 * Suspends: as {@link cancelScope}.
 *
 * @throws {@link TimeoutError} (rejects) `ETIMEDOUT` - it was. Else as {@link cancelScope}.
 * @example
 * ```ts
 * const value = await failAfter(1000, async () => await sleep(1, 'in time'));
 * ```
 * @source trio 0.30 `fail_after`
 */
export function failAfter<T>(delayMs: number, body: Body<[CancelScope], T>): Awaitable<T> {
  const loop = checkLimit(delayMs, body);
  return operate(loop, enclose(loop, { deadline: loop.time() + delayMs }, body, true) as Steps<T>);
}

/**
 * Runs `body` although the task is being cancelled, for at most so long: for `finally` blocks that have
 * to wait. Whatever cancels from outside is delivered behind it.
 *
 * Suspends: while the body does. No cancel point.
 *
 * @param delayMs - Milliseconds from now, fractions allowed.
 * @param body - A generator function or an async function; gets the {@link CancelScope}.
 * @returns What `body` returns, or undefined when it was cut off.
 * @throws As {@link cancelScope}.
 * @example
 * ```ts
 * const worker = createTask(async () => {
 *   try {
 *     await sleep(1000);
 *   } finally {
 *     await cleanup(100, async () => await sleep(1));
 *   }
 * });
 * worker.cancel();
 * ```
 * @source trio 0.30: `move_on_after(seconds, shield=True)`
 */
export function cleanup<T>(delayMs: number, body: Body<[CancelScope], T>): Awaitable<T | undefined> {
  const loop = checkLimit(delayMs, body);
  return operate(loop, enclose(loop, { deadline: loop.time() + delayMs, shield: true }, body, false));
}

function checkLimit(delayMs: unknown, body: unknown): LoopCore {
  validateNumber('delayMs', delayMs);
  validateFunction('body', body);
  return requireRunningLoop();
}
