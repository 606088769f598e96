// The loop on which everybody waits for one object.
import { InvalidStateError } from '../base/errors.js';
import type { LoopCore } from '../core/loop.js';

/**
 * Known from the first wait on, so that objects can be made before there is a loop.
 *
 * @internal
 */
export class HomeLoop {
  #loop: LoopCore | null = null;

  /** @throws {@link InvalidStateError} `ERR_INVALID_STATE` - others wait on another loop. */
  claim(loop: LoopCore, what: string): LoopCore {
    this.#loop ??= loop;
    if (this.#loop === loop) return loop;
    throw new InvalidStateError(`The ${what} is used on a different event loop`);
  }
}
