// Waiting without passing a cancellation on.
import type { LoopCore } from '../core/loop.js';
import { requireRunningLoop } from './current.js';
import { ensureJoinable, type Joinable } from './ensure-future.js';
import { Future } from './future.js';
import { awaitNatively } from './native-await.js';

/** What is waited for in place of the shielded future. */
class Shielded<T> extends Future<T> {
  declare readonly _inner: Future<T>;
  declare readonly _onInnerDone: () => void;

  static {
    awaitNatively(this.prototype);
  }

  constructor(loop: LoopCore, inner: Future<T>) {
    super(loop);
    this._inner = inner;
    this._onInnerDone = () => this._follow();
    inner.addDoneCallback(this._onInnerDone);
  }

  _follow(): void {
    const inner = this._inner;
    if (this.done()) return;
    if (inner.cancelled()) this._settleCancelled(inner._readError());
    else if (inner.exception() === null) this._settleResult(inner.result());
    else this._settleFailed(inner._readError());
  }

  // One report will do, however often the future was shielded; and what is cancelled is let go of.
  override cancel(reason?: unknown): boolean {
    if (!super.cancel(reason)) return false;
    const inner = this._inner;
    inner.removeDoneCallback(this._onInnerDone);
    inner.removeDoneCallback(reportLate);
    inner.addDoneCallback(reportLate);
    return true;
  }
}

// Nobody waits any more, so nobody else would hear of it.
function reportLate(inner: Future<unknown>): void {
  const exception = inner.cancelled() ? null : inner.exception();
  if (exception === null) return;
  inner._loop.callExceptionHandler({
    message: `${inner._kind()} exception in shielded future`,
    exception,
    future: inner,
  });
}

/**
 * Waits for `awaitable`, which goes on when whoever waits is cancelled. Its error is reported then.
 *
 * Suspends: until it is done. A cancel point.
 *
 * @param awaitable - A future, a promise or another awaitable; a coroutine becomes a task.
 * @returns What `awaitable` gives; cancelled when that is.
 * @throws TypeError `ERR_INVALID_ARG_TYPE` - it cannot be waited for.
 * @throws {@link InvalidStateError} `ERR_INVALID_STATE` - no loop is running.
 * @example
 * ```ts
 * const saved = createTask(async () => await sleep(1, 'saved'));
 * console.log(await shield(saved));
 * ```
 * @source CPython 3.14 `asyncio.shield`. To protect part of a task see {@link cleanup} and the option `shield` of
 *   {@link cancelScope}.
 */
export function shield<T>(awaitable: Joinable<T>): Future<T> {
  const loop = requireRunningLoop();
  const inner = ensureJoinable(loop, awaitable);
  return inner.done() ? inner : new Shielded(loop, inner);
}
