// The options of a task.
import {
  validateAbortSignal,
  validateBoolean,
  validateNumber,
  validateObject,
  validateString,
} from '../base/validate.js';
import type { Frame } from './frame.js';
import { validateContext, type ContextSnapshot } from '../core/context.js';

/** How a task is made. */
export interface TaskOptions {
  /** Tells tasks apart in messages. @defaultValue `Task-` and a number */
  name?: string;
  /** The async context it runs in. @defaultValue a snapshot of this moment */
  context?: ContextSnapshot;
  /**
   * Runs the coroutine at once, up to where it first waits, instead of from the ready queue. Only
   * while the loop runs.
   * @defaultValue false
   */
  eagerStart?: boolean;
  /** Cancels the task when it aborts, with its reason. */
  signal?: AbortSignal;
  /**
   * A task that is cancelled before its first step begins all the same, and gets the error at its first
   * wait: so what it was given to clean up is cleaned up.
   * @defaultValue false
   */
  startOnCancel?: boolean;
  /**
   * When everything in it that waits is cancelled, loop time in milliseconds, as by a {@link CancelScope} around
   * it; the task fails with a {@link TimeoutError} then.
   * @defaultValue Infinity, for never
   */
  deadline?: number;
  /** What encloses the task. @internal */
  _frame?: Frame | null;
}

/** @throws TypeError `ERR_INVALID_ARG_TYPE` - an option is wrong. @internal */
export function validateTaskOptions(options: TaskOptions): void {
  validateObject('options', options);
  if (options.name !== undefined) validateString('options.name', options.name);
  if (options.eagerStart !== undefined) validateBoolean('options.eagerStart', options.eagerStart);
  if (options.startOnCancel !== undefined) validateBoolean('options.startOnCancel', options.startOnCancel);
  if (options.deadline !== undefined) validateNumber('options.deadline', options.deadline);
  if (options.signal !== undefined) validateAbortSignal('options.signal', options.signal);
  if (options.context !== undefined) validateContext('options.context', options.context);
}
