// A queue that begins with what came last.
import { Lifo, type Items } from './items.js';
import { Queue } from './queue.js';

/**
 * A {@link Queue} that gives the item put last first.
 *
 * @example
 * ```ts
 * const stack = new LifoQueue<string>(Infinity);
 * stack.putNowait('first');
 * stack.putNowait('last');
 * console.log(await stack.get()); // last
 * ```
 * @source CPython 3.13 asyncio/queues.py `LifoQueue`
 */
export class LifoQueue<T> extends Queue<T> {
  /** @internal */
  override _makeItems(): Items<T> {
    return new Lifo<T>();
  }
}
