// A time limit for part of a task.
//
// When it is over the task is cancelled, once; the limit takes that request back when the error gets to
// it, and turns it into a TimeoutError. Others who cancel at the same time are told apart by the count.
import { InvalidStateError, isCancelled, TimeoutError } from '../base/errors.js';
import { ExceptionGroup } from '../base/exception-group.js';
import { validateBoolean, validateFunction, validateNumber, validateObject } from '../base/validate.js';
import type { Handle } from '../core/handle.js';
import type { LoopCore } from '../core/loop.js';
import type { Awaitable } from './awaitable.js';
import { runBody, type Body } from './body.js';
import { cancelRequests, hasBodyEnded, isWakingUp } from './cancellation.js';
import { requireRunningLoop } from './current.js';
import { PlainFrame } from './frame.js';
import { operate, steppingTask, type Steps } from './operation.js';
import type { Task } from './task.js';

/** How a time limit works. */
export interface TimeoutOptions {
  /**
   * A result that comes at the very moment of the deadline is lost, as in asyncio, instead of winning.
   * @defaultValue false
   */
  strict?: boolean;
}

const enum TimeoutState {
  ACTIVE,
  /** The task was cancelled. */
  EXPIRING,
  EXPIRED,
  /** The body was through before. */
  FINISHED,
}

// The turns that a result takes through the body to the end of it: one step, and that of whoever runs it.
const MAX_REPRIEVES = 3;

const STATE_NAMES = ['active', 'expiring', 'expired', 'finished'] as const;

/**
 * A time limit that is being kept; its body gets it.
 *
 * @source CPython 3.13 asyncio/timeouts.py `Timeout`
 */
export class Timeout extends PlainFrame {
  readonly #loop: LoopCore;
  readonly #task: Task<unknown>;
  readonly #cancelling: number;
  readonly #isStrict: boolean;
  #state: TimeoutState = TimeoutState.ACTIVE;
  #when: number | null = null;
  #reprieves = 0;
  #handle: Handle | { cancel(): void } | null = null;

  /** @internal */
  constructor(loop: LoopCore, task: Task<unknown>, when: number | null, isStrict: boolean) {
    super(task._frame);
    this.#loop = loop;
    this.#task = task;
    this.#cancelling = cancelRequests(task);
    this.#isStrict = isStrict;
    if (when !== null) this.#schedule(when);
  }

  /** When time is over, in the loop's milliseconds; null for never. */
  when(): number | null {
    return this.#when;
  }

  /** @internal */
  override get _deadline(): number {
    return this.#when ?? Infinity;
  }

  /** Whether the time was over before the body was through. */
  get expired(): boolean {
    return this.#state === TimeoutState.EXPIRING || this.#state === TimeoutState.EXPIRED;
  }

  /**
   * Moves the deadline.
   *
   * Suspends: never.
   *
   * @param when - Loop time in milliseconds; one that has passed ends the body in the next turn. Null: never.
   * @throws TypeError `ERR_INVALID_ARG_TYPE`, RangeError `ERR_OUT_OF_RANGE` - `when` is no number, or NaN.
   * @throws {@link InvalidStateError} `ERR_INVALID_STATE` - the time is over, or the body is through.
   * @source CPython 3.13 `Timeout.reschedule`
   */
  reschedule(when: number | null): void {
    if (when !== null) validateNumber('when', when);
    if (this.#state !== TimeoutState.ACTIVE) {
      throw new InvalidStateError(`Cannot change state of ${STATE_NAMES[this.#state]} Timeout`);
    }
    this.#handle?.cancel();
    this.#handle = null;
    this.#when = null;
    if (when !== null) this.#schedule(when);
  }

  #schedule(when: number): void {
    this.#when = when;
    if (when === Infinity) return;
    this.#handle =
      when <= this.#loop.time()
        ? this.#loop.callSoon(expire, this, true)
        : this.#loop.callAt(when, this.#isStrict ? expire : expireSoon, this, this.#isStrict);
  }

  /** After everything else that is due at this moment. @internal */
  _expireSoon(isStrict: boolean): void {
    this.#handle = this.#loop.callSoon(expire, this, isStrict);
  }

  /** Cancels the task, unless a result is there that may win, or the body is through. @internal */
  _expire(isStrict: boolean): void {
    const isSaved = isStrict ? hasBodyEnded(this.#task) : isWakingUp(this.#task, this);
    // A body that finds a result every time is not let off for ever.
    if (isSaved && this.#reprieves++ < MAX_REPRIEVES) return this._expireSoon(isStrict);
    this.#handle = null;
    this.#state = TimeoutState.EXPIRING;
    this.#task._cancelWithin(this, undefined);
  }

  /** The body is through; returns what to throw instead of its error. @internal */
  _exit(error: unknown, hasFailed: boolean): unknown {
    this.#handle?.cancel();
    this.#handle = null;
    if (this.#state !== TimeoutState.EXPIRING) {
      this.#state = TimeoutState.FINISHED;
      return error;
    }
    this.#state = TimeoutState.EXPIRED;
    if (this.#task.uncancel() > this.#cancelling || !hasFailed) return error;
    if (isCancelled(error)) return new TimeoutError(undefined, { cause: error });
    blameTimeout(error);
    if (error instanceof ExceptionGroup) for (const inner of error.errors) blameTimeout(inner);
    return error;
  }
}

function expire(timeout: Timeout, isStrict: boolean): void {
  timeout._expire(isStrict);
}

function expireSoon(timeout: Timeout): void {
  timeout._expireSoon(false);
}

// The cancellation behind an error was the time's doing.
function blameTimeout(error: unknown): void {
  for (let effect = error; effect instanceof Error; effect = effect.cause) {
    if (!isCancelled(effect.cause)) continue;
    effect.cause = new TimeoutError(undefined, { cause: effect.cause });
    return;
  }
}

function* limit<T>(
  loop: LoopCore,
  when: number | null,
  isStrict: boolean,
  body: Body<[Timeout], T>,
): Steps<T> {
  const task = steppingTask(loop);
  const timeout = new Timeout(loop, task, when, isStrict);
  task._frame = timeout;
  let error: unknown;
  let hasFailed = false;
  try {
    return yield* runBody(body, task, timeout);
  } catch (raised) {
    error = raised;
    hasFailed = true;
  } finally {
    task._frame = timeout._parent;
    error = timeout._exit(error, hasFailed);
  }
  throw error;
}

/** {@link timeoutAt} on a certain loop, with checked arguments. @internal */
export function timeoutOn<T>(
  loop: LoopCore,
  when: number | null,
  body: Body<[Timeout], T>,
  options?: TimeoutOptions,
): Awaitable<T> {
  return operate(loop, limit(loop, when, options?.strict === true, body));
}

/** @throws TypeError `ERR_INVALID_ARG_TYPE` - an option is wrong. @internal */
export function validateTimeoutOptions(options: TimeoutOptions | undefined): void {
  if (options === undefined) return;
  validateObject('options', options);
  if (options.strict !== undefined) validateBoolean('options.strict', options.strict);
}

/**
 * Runs `body` and cancels it when it takes too long. Whatever it waits for then is cancelled; when that
 * error leaves the body it becomes a {@link TimeoutError}. A result that is there in the last moment wins.
 *
 * Suspends: while the body does. A cancel point then; others who cancel the task are not mistaken for
 * the time.
 *
 * @param delayMs - Milliseconds from now, fractions allowed. 0 and less: the first wait of the body is one too
 *   many. Null or Infinity: no limit.
 * @param body - A generator function or an async function; gets the {@link Timeout}.
 * @returns What `body` returns.
 * @throws TypeError `ERR_INVALID_ARG_TYPE`, RangeError `ERR_OUT_OF_RANGE` - an argument is wrong.
 * @throws {@link InvalidStateError} `ERR_INVALID_STATE` - no loop is running.
 * @throws {@link TimeoutError} (rejects) `ETIMEDOUT` - the time was over. Else what `body` throws.
 * @example
 * ```ts
 * const value = await timeout(1000, async () => await sleep(1, 'in time'));
 * ```
 * @example
 * ```ts
 * await createTask(function* () {
 *   return yield* timeout(1000, function* (limit) {
 *     limit.reschedule(loop.time() + 50);
 *     return yield* sleep(1, 'in time');
 *   });
 * });
 * ```
 * @source CPython 3.13 `asyncio.timeout`. Differs: a body instead of a `with` block; a result in the very
 *   moment of the deadline is not lost, unless `strict`.
 */
export function timeout<T>(
  delayMs: number | null,
  body: Body<[Timeout], T>,
  options?: TimeoutOptions,
): Awaitable<T> {
  if (delayMs !== null) validateNumber('delayMs', delayMs);
  validateFunction('body', body);
  validateTimeoutOptions(options);
  const loop = requireRunningLoop();
  return timeoutOn(loop, delayMs === null ? null : loop.time() + delayMs, body, options);
}

/**
 * {@link timeout} with a moment instead of a duration.
 *
 * Suspends: as {@link timeout}.
 *
 * @param when - Loop time in milliseconds, as of `loop.time()`; null or Infinity for no limit.
 * @throws As {@link timeout}.
 * @example
 * ```ts
 * await timeoutAt(loop.time() + 1000, async () => await sleep(1));
 * ```
 * @source CPython 3.13 `asyncio.timeout_at`
 */
export function timeoutAt<T>(
  when: number | null,
  body: Body<[Timeout], T>,
  options?: TimeoutOptions,
): Awaitable<T> {
  if (when !== null) validateNumber('when', when);
  validateFunction('body', body);
  validateTimeoutOptions(options);
  return timeoutOn(requireRunningLoop(), when, body, options);
}
