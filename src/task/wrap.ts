// Makes what others promise wait-able and cancellable.
import { invalidArgType } from '../base/errors.js';
import { validateAbortSignal, validateObject } from '../base/validate.js';
import type { LoopCore } from '../core/loop.js';
import { cancelOnAbort, ignoreAbort } from './abort.js';
import { isThenable } from './coroutine.js';
import { Future } from './future.js';
import { awaitNatively } from './native-await.js';

/** How a promise is wrapped. */
export interface WrapOptions {
  /** Cancels the wrapper when it aborts, with its reason. */
  signal?: AbortSignal;
}

// All that the reactions of a promise hold: cut off when nobody wants the outcome any more.
interface Link {
  future: Wrapped<unknown> | null;
}

/** The future of a foreign promise. */
class Wrapped<T> extends Future<T> {
  declare _link: Link;
  declare _cancelSignal: AbortSignal | null;
  /** Cancels the operation that is wrapped as well. */
  declare _cancelSource: ((reason: unknown) => void) | null;

  static {
    awaitNatively(this.prototype);
  }

  constructor(loop: LoopCore) {
    super(loop);
    this._link = { future: this };
    this._cancelSignal = null;
    this._cancelSource = null;
  }

  // What an operation has taken, nobody could give back.
  get _isTaken(): boolean {
    return this._cancelSource !== null;
  }

  override cancel(reason?: unknown): boolean {
    if (!super.cancel(reason)) return false;
    this._detach();
    this._cancelSource?.(reason);
    return true;
  }

  _detach(): void {
    this._link.future = null;
    if (this._cancelSignal !== null) ignoreAbort(this._cancelSignal, this);
    this._cancelSignal = null;
  }
}

function follow(link: Link, promise: PromiseLike<unknown>): void {
  // The reactions see nothing but the link. A late rejection is heard here, and by nobody else.
  promise.then(
    (value) => take(link)?.setResultUnlessDone(value),
    (error: unknown) => {
      const future = take(link);
      if (future !== null && !future.done()) future.setException(error);
    },
  );
}

function take(link: Link): Wrapped<unknown> | null {
  const future = link.future;
  future?._detach();
  return future;
}

// Carries the outcome of another loop's future over, and a cancellation back.
function bridge<T>(loop: LoopCore, source: Future<T>): Future<T> {
  const wrapped = new Wrapped<T>(loop);
  source.addDoneCallback(() => {
    if (wrapped.done() || loop.isClosed()) return;
    if (source.cancelled()) wrapped.cancel(cancelReason(source));
    else if (source.exception() === null) wrapped.setResult(source.result());
    else wrapped.setException(source._readError());
  });
  wrapped.addDoneCallback(() => {
    if (wrapped.cancelled()) source.cancel(cancelReason(wrapped));
  });
  return wrapped;
}

function cancelReason(future: Future<unknown>): unknown {
  return (future._readError() as { reason?: unknown }).reason;
}

/** `loop.wrap()`. @internal */
export function wrapOn<T>(
  loop: LoopCore,
  promise: PromiseLike<T>,
  options?: WrapOptions,
  cancelSource?: (promise: PromiseLike<unknown>, reason: unknown) => void,
): Future<T> {
  if (options !== undefined) validateObject('options', options);
  const signal = options?.signal;
  if (signal !== undefined) validateAbortSignal('options.signal', signal);
  if (!isThenable(promise)) throw invalidArgType('promise', 'a promise or another thenable', promise);
  if (promise instanceof Future && promise._loop === loop && signal === undefined) {
    return promise as Future<T>;
  }
  let wrapped: Wrapped<T>;
  if (promise instanceof Future && promise._loop !== loop) {
    wrapped = bridge(loop, promise as Future<T>) as Wrapped<T>;
  } else {
    wrapped = new Wrapped<T>(loop);
    follow(wrapped._link, promise);
    if (cancelSource !== undefined) {
      wrapped._cancelSource = (reason) => cancelSource(promise, reason);
    }
  }
  if (signal !== undefined) {
    wrapped._cancelSignal = signal;
    cancelOnAbort(signal, wrapped);
  }
  return wrapped;
}
