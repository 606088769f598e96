// Decides what runs next.
import { Deque } from '../base/deque.js';
import type { Handle } from './handle.js';

/**
 * The order of ready handles. The loop pushes a handle once and pops it once; a cancelled handle may
 * stay inside, the loop skips it.
 *
 * @example
 * ```ts
 * class Lifo implements SchedulingPolicy {
 *   readonly #handles: Handle[] = [];
 *   get size() {
 *     return this.#handles.length;
 *   }
 *   push(handle: Handle) {
 *     this.#handles.push(handle);
 *   }
 *   pop() {
 *     return this.#handles.pop();
 *   }
 * }
 * const loop = new EventLoop({ policy: new Lifo() });
 * loop.close();
 * ```
 */
export interface SchedulingPolicy {
  /** Handles inside. */
  readonly size: number;
  /** True when handles leave in the order of arrival: then runs of steps may share one drain. */
  readonly isFifo?: boolean;
  /** Takes a handle that is ready. */
  push(handle: Handle): void;
  /** The next handle, or undefined when there is none. */
  pop(): Handle | undefined;
}

/**
 * First in, first out: asyncio's order, and the default.
 *
 * @source CPython 3.13 asyncio/base_events.py `_ready`
 */
export class FifoPolicy implements SchedulingPolicy {
  readonly isFifo = true;
  readonly #handles = new Deque<Handle>();

  get size(): number {
    return this.#handles.size;
  }

  push(handle: Handle): void {
    this.#handles.push(handle);
  }

  pop(): Handle | undefined {
    return this.#handles.shift();
  }
}
