// A callback that a future calls once it is done, as the loop runs it.
import type { ContextSnapshot } from '../core/context.js';
import { describeFunction, Handle, KIND_CALLBACK } from '../core/handle.js';

/** @internal */
export class DoneCallback extends Handle {
  readonly callback: (future: unknown) => unknown;
  readonly #future: unknown;

  constructor(callback: (future: unknown) => unknown, future: unknown, context: ContextSnapshot | null) {
    super(KIND_CALLBACK, context);
    this.callback = callback;
    this.#future = future;
  }

  _run(): void {
    this.callback(this.#future);
  }

  _describe(): string {
    return `done callback ${describeFunction(this.callback)}`;
  }
}
