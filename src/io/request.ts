// The future of something that others work on.
import type { LoopCore } from '../core/loop.js';
import { Future } from '../task/future.js';
import { awaitNatively } from '../task/native-await.js';

/** Cancelling it tells whoever works on it. @internal */
export class Request<T> extends Future<T> {
  /** Ends the work. */
  declare _stop: (() => void) | null;

  static {
    awaitNatively(this.prototype);
  }

  constructor(loop: LoopCore) {
    super(loop);
    this._stop = null;
  }

  override cancel(reason?: unknown): boolean {
    if (!super.cancel(reason)) return false;
    this._stop?.();
    return true;
  }
}
