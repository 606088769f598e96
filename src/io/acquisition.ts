// The future of something that has to be given back.
import type { Handle } from '../core/handle.js';
import type { LoopCore } from '../core/loop.js';
import { awaitNatively } from '../task/native-await.js';
import { Request } from './request.js';

/**
 * Gives its value back when the only task that waited for it was cancelled between the moment the
 * value came and its next step: nobody else could.
 *
 * @internal
 */
export class Acquisition<T> extends Request<T> {
  declare readonly _dispose: (value: T) => void;
  declare _waiters: number;

  static {
    awaitNatively(this.prototype);
  }

  constructor(loop: LoopCore, dispose: (value: T) => void) {
    super(loop);
    this._dispose = dispose;
    this._waiters = 0;
  }

  override _addHandle(handle: Handle): void {
    this._waiters++;
    super._addHandle(handle);
  }

  override _lose(): void {
    super._lose();
    if (this._waiters > 1 || !this.done() || this.cancelled() || this.exception() !== null) return;
    this._dispose(this.result());
  }
}
