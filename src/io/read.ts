// One read of a stream.
import type { LoopCore } from '../core/loop.js';
import { awaitNatively, Future } from '../task/future.js';

/** Where bytes go back to when nobody got to see them. @internal */
export interface ReadSource {
  _giveBack(bytes: Buffer): void;
}

/**
 * Bytes that will be there. When the task that waits is cancelled between their arrival and its next
 * step, they go back to the stream.
 *
 * @internal
 */
export class Read extends Future<Buffer> {
  declare readonly _source: ReadSource;

  static {
    awaitNatively(this.prototype);
  }

  constructor(loop: LoopCore, source: ReadSource) {
    super(loop);
    this._source = source;
  }

  override _lose(): void {
    super._lose();
    if (this.done() && !this.cancelled() && this.exception() === null) this._source._giveBack(this.result());
  }
}
