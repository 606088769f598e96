// An AbortSignal as something that tasks wait for.
import { validateAbortSignal } from '../base/validate.js';
import type { LoopCore } from '../core/loop.js';
import { cancelOnAbort, ignoreAbort } from './abort.js';
import { requireRunningLoop } from './current.js';
import { Future } from './future.js';
import { awaitNatively } from './native-await.js';

class Aborted extends Future<never> {
  declare readonly _signal: AbortSignal;

  static {
    awaitNatively(this.prototype);
  }

  constructor(loop: LoopCore, signal: AbortSignal) {
    super(loop);
    this._signal = signal;
    cancelOnAbort(signal, this);
  }

  override cancel(reason?: unknown): boolean {
    if (!super.cancel(reason)) return false;
    ignoreAbort(this._signal, this);
    return true;
  }
}

/**
 * A future that is cancelled when `signal` aborts, with its reason, and never has a result: one more for
 * `race()` and `wait()`. Cancelling it leaves no listener behind.
 *
 * To cancel a task or a part of it by a signal see the option `signal` of `createTask()` and {@link cancelScope};
 * the other way round, {@link Task.signal}.
 *
 * Suspends: never; what it returns does.
 *
 * @throws TypeError `ERR_INVALID_ARG_TYPE` - `signal` is no AbortSignal.
 * @throws {@link InvalidStateError} `ERR_INVALID_STATE` - no loop is running.
 * @example
 * ```ts
 * const controller = new AbortController();
 * const aborted = fromSignal(controller.signal);
 * controller.abort('enough');
 * console.log(aborted.cancelled()); // true
 * ```
 * @source ours
 */
export function fromSignal(signal: AbortSignal): Future<never> {
  validateAbortSignal('signal', signal);
  return new Aborted(requireRunningLoop(), signal);
}
