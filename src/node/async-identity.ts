// Who a handle is for async hooks, and in which context its events run.
import { AsyncResource } from 'node:async_hooks';
import { isContextTracked, type ContextSnapshot } from '../core/context.js';

/** What Node's handles know of async hooks. @internal */
export class AsyncIdentity {
  readonly #type: string;
  #resource: AsyncResource;

  /** @param type - As Node names this kind of handle. */
  constructor(type: string) {
    this.#type = type;
    this.#resource = new AsyncResource(type);
  }

  /** The context for an event; null while nobody could tell the difference. */
  get context(): ContextSnapshot | null {
    return isContextTracked() ? this.#resource : null;
  }

  getAsyncId(): number {
    return this.#resource.asyncId();
  }

  /** The handle serves something new, which is begun right now. */
  asyncReset(): void {
    this.#resource.emitDestroy();
    this.#resource = new AsyncResource(this.#type);
  }

  getProviderType(): number {
    return 0;
  }
}
