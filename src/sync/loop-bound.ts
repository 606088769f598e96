// Primitives can be made before there is a loop: they belong to the first one on which somebody waits.
import { InvalidStateError } from '../base/errors.js';
import type { LoopCore } from '../core/loop.js';
import { requireRunningLoop } from '../task/current.js';

/** @internal */
export abstract class LoopBound {
  #loop: LoopCore | null = null;

  /** @throws {@link InvalidStateError} `ERR_INVALID_STATE` - no loop runs, or another one than before. */
  protected _boundLoop(): LoopCore {
    const loop = requireRunningLoop();
    this.#loop ??= loop;
    if (this.#loop !== loop) {
      throw new InvalidStateError(`The ${this.constructor.name} is bound to a different event loop`);
    }
    return loop;
  }
}
