// The loop on which everybody waits for one object.
import { InvalidStateError } from '../base/errors.js';
import type { LoopCore } from '../core/loop.js';
import { requireRunningLoop } from '../task/current.js';

/**
 * Known from the first wait on, so that objects can be made before there is a loop.
 *
 * @internal
 */
export class HomeLoop {
  #loop: LoopCore | null = null;
  readonly #what: string;

  constructor(what: string) {
    this.#what = what;
  }

  /**
   * The loop for one more wait.
   *
   * @throws {@link InvalidStateError} `ERR_INVALID_STATE` - no loop is running, or others wait on another one.
   */
  claim(): LoopCore {
    const loop = requireRunningLoop();
    this.#loop ??= loop;
    if (this.#loop === loop) return loop;
    throw new InvalidStateError(`The ${this.#what} is bound to a different event loop`);
  }
}
