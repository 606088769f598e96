// A queue that begins with what is most urgent.
import { validateFunction, validateObject, validateOneOf } from '../base/validate.js';
import { Heap } from './heap.js';
import type { Items } from './items.js';
import { Queue, validateMaxSize, type OverflowPolicy, type QueueOptions } from './queue.js';

/** How a {@link PriorityQueue} sorts and behaves. */
export interface PriorityQueueOptions<T> {
  /** As for `Array.prototype.sort`: less than 0 when `a` comes first. */
  compare: (a: T, b: T) => number;
  /** How many items fit, 1 or more; Infinity for any number. */
  maxSize: number;
  /** What becomes of items for which there is no room. @defaultValue `'wait'` */
  overflow?: Exclude<OverflowPolicy, 'dropOldest'>;
}

const OVERFLOW_POLICIES = ['wait', 'dropNewest', 'throw'] as const;

/**
 * A {@link Queue} that gives the least item first, and equal ones in the order in which they were put.
 *
 * @example
 * ```ts
 * const jobs = new PriorityQueue<{ name: string; urgency: number }>({
 *   compare: (a, b) => b.urgency - a.urgency,
 *   maxSize: Infinity,
 * });
 * jobs.putNowait({ name: 'tidy up', urgency: 1 });
 * jobs.putNowait({ name: 'answer', urgency: 5 });
 * console.log((await jobs.get()).name); // answer
 * ```
 * @source CPython 3.13 asyncio/queues.py `PriorityQueue`. Differs: a function compares; equal items keep their
 *   order, where `heapq` does not.
 */
export class PriorityQueue<T> extends Queue<T> {
  /**
   * @param options - How items compare, and how many fit.
   * @throws TypeError `ERR_INVALID_ARG_TYPE`, RangeError `ERR_OUT_OF_RANGE` - an option is wrong.
   */
  constructor(options: PriorityQueueOptions<T>) {
    validateObject('options', options);
    const { compare, maxSize, overflow = 'wait' } = options;
    validateFunction('options.compare', compare);
    validateMaxSize('options.maxSize', maxSize);
    validateOneOf('options.overflow', overflow, OVERFLOW_POLICIES);
    super(maxSize, options);
  }

  /** @internal */
  override _makeItems(options: QueueOptions & Partial<PriorityQueueOptions<T>>): Items<T> {
    return new Heap<T>(options.compare!);
  }
}
