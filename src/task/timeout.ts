// A time limit for part of a task.
//
// When it is over the task is cancelled, once; the limit takes that request back when the error gets to
// it, and turns it into a TimeoutError. Others who cancel at the same time are told apart by the count.
import { InvalidStateError, isCancelled, TimeoutError } from '../base/errors.js';
import { ExceptionGroup } from '../base/exception-group.js';
import { validateBoolean, validateFunction, validateNumber, validateObject } from '../base/validate.js';
import type { Handle } from '../core/handle.js';
import type { LoopCore } from '../core/loop.js';
import type { TimerHandle } from '../core/timers.js';
import type { Awaitable } from './awaitable.js';
import { runBody, type Body } from './body.js';
import { cancelRequests, hasBodyEnded, isCancelledByOthers, isWakingUp } from './cancellation.js';
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

/** What a time is. */
const enum TimeoutStart {
  /** Milliseconds from when the body begins. */
  IN,
  /** A moment of the loop's clock. */
  AT,
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
  // The timer knows when, if there is one.
  #when: number | null = null;
  #timer: TimerHandle | null = null;
  #expiry: Handle | null = null;
  #reprieves = 0;

  /** @internal */
  constructor(loop: LoopCore, task: Task<unknown>, isStrict: boolean) {
    super(task._frame);
    this.#loop = loop;
    this.#task = task;
    this.#cancelling = cancelRequests(task);
    this.#isStrict = isStrict;
  }

  /** When time is over, in the loop's milliseconds; null for never. */
  when(): number | null {
    return this.#timer === null ? this.#when : this.#timer.when();
  }

  /** @internal */
  override get _deadline(): number {
    return this.when() ?? Infinity;
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
    this.#stop();
    this.#timer = null;
    this._startAt(when);
  }

  /** @internal */
  _startAt(when: number | null): void {
    this.#when = when;
    if (when === null || when === Infinity) return;
    if (when <= this.#loop.time()) this.#expireSoon(true);
    else this.#timer = this.#loop.callAt(when, onTime, this);
  }

  /** @internal */
  _startIn(delayMs: number | null): void {
    // Only a delay that is over, or has no end, needs to know what time it is.
    if (delayMs !== null && delayMs > 0 && delayMs < Infinity) {
      this.#timer = this.#loop.callLater(delayMs, onTime, this);
    } else {
      this._startAt(delayMs === null ? null : this.#loop.time() + delayMs);
    }
  }

  #stop(): void {
    this.#timer?.cancel();
    this.#expiry?.cancel();
    this.#expiry = null;
  }

  /** The deadline is here. @internal */
  _onTime(): void {
    if (this.#isStrict) this._expire(true);
    else this.#expireSoon(false);
  }

  // After everything else that is due at this moment.
  #expireSoon(isStrict: boolean): void {
    this.#expiry = this.#loop.callSoon(expire, this, isStrict);
  }

  /** Cancels the task, unless a result is there that may win, or the body is through. @internal */
  _expire(isStrict: boolean): void {
    const isSaved = isStrict ? hasBodyEnded(this.#task) : isWakingUp(this.#task, this);
    // A body that finds a result every time is not let off for ever.
    if (isSaved && this.#reprieves++ < MAX_REPRIEVES) return this.#expireSoon(isStrict);
    this.#expiry = null;
    this.#state = TimeoutState.EXPIRING;
    this.#task._cancelWithin(this, undefined);
  }

  /** The body is through; returns what to throw instead of its error. @internal */
  _exit(error: unknown, hasFailed: boolean): unknown {
    this.#stop();
    if (this.#state !== TimeoutState.EXPIRING) {
      this.#state = TimeoutState.FINISHED;
      return error;
    }
    this.#state = TimeoutState.EXPIRED;
    this.#task.uncancel();
    if (!hasFailed || isCancelledByOthers(this.#task, this._parent, this.#cancelling)) return error;
    if (isCancelled(error)) return new TimeoutError(undefined, { cause: error });
    blameTimeout(error);
    if (error instanceof ExceptionGroup) for (const inner of error.errors) blameTimeout(inner);
    return error;
  }
}

function expire(timeout: Timeout, isStrict: boolean): void {
  timeout._expire(isStrict);
}

function onTime(timeout: Timeout): void {
  timeout._onTime();
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
  start: TimeoutStart,
  timeMs: number | null,
  isStrict: boolean,
  body: Body<[Timeout], T>,
): Steps<T> {
  const task = steppingTask(loop);
  const timeout = new Timeout(loop, task, isStrict);
  if (start === TimeoutStart.IN) timeout._startIn(timeMs);
  else timeout._startAt(timeMs);
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

/** {@link timeout} with checked arguments. @internal */
export function timeoutIn<T>(
  delayMs: number | null,
  body: Body<[Timeout], T>,
  options?: TimeoutOptions,
): Awaitable<T> {
  const loop = requireRunningLoop();
  return operate(loop, limit(loop, TimeoutStart.IN, delayMs, options?.strict === true, body));
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
 * @param delayMs - Milliseconds from where the body begins, fractions allowed. 0 and less: the first wait of the body is one too
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
  return timeoutIn(delayMs, body, options);
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
  const loop = requireRunningLoop();
  return operate(loop, limit(loop, TimeoutStart.AT, when, options?.strict === true, body));
}
