// The handles that a future runs once it is done, in the order in which they came.
//
// Whoever gives up waiting cancels its handle and leaves it here. Cancelled handles are swept out once
// they are the greater part, so that giving up costs the same however many others wait.
import type { Handle } from '../core/handle.js';

const FEWEST_TO_SWEEP = 16;

/** @internal */
export class HandleList {
  #handles: Handle[] = [];
  #cancelled = 0;

  get size(): number {
    return this.#handles.length;
  }

  add(handle: Handle): void {
    this.#handles.push(handle);
  }

  /** One of the handles was cancelled. */
  noteCancelled(): void {
    this.#cancelled++;
    if (this.#cancelled < FEWEST_TO_SWEEP || this.#cancelled * 2 < this.#handles.length) return;
    this.#cancelled = 0;
    this.#handles = this.#handles.filter((handle) => !handle.cancelled());
  }

  /** Takes out what `matches`; returns how many that were. */
  remove(matches: (handle: Handle) => boolean): number {
    const before = this.#handles.length;
    this.#handles = this.#handles.filter((handle) => !matches(handle));
    return before - this.#handles.length;
  }

  some(matches: (handle: Handle) => boolean): boolean {
    return this.#handles.some(matches);
  }

  forEach(run: (handle: Handle) => void): void {
    for (const handle of this.#handles) if (!handle.cancelled()) run(handle);
  }
}
