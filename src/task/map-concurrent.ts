// A function for each item of a source, some of them at the same time.
import { invalidArgType, invalidReturnValue, isCancelled } from '../base/errors.js';
import { validateBoolean, validateFunction, validateInteger, validateObject } from '../base/validate.js';
import type { LoopCore } from '../core/loop.js';
import type { Awaitable } from './awaitable.js';
import type { Body } from './body.js';
import { ChildHandle, type Parent } from './child.js';
import { isGeneratorFunction } from './coroutine.js';
import { createTaskOn } from './create.js';
import { requireRunningLoop } from './current.js';
import { Ending } from './ending.js';
import { State } from './future-state.js';
import type { Future } from './future.js';
import { operate, steppingTask, type Steps } from './operation.js';
import { closeIterator, Pull } from './pull.js';
import { pendingFuture } from './step-future.js';
import type { Coroutine, Task } from './task.js';

/** How {@link mapConcurrent} goes about it. */
export interface MapConcurrentOptions {
  /** So many items are worked on at the same time, 1 ... 2^53 - 1, or Infinity for all. */
  limit: number;
  /** Whether results are in the order of the items, or else in that in which they came. @defaultValue true */
  ordered?: boolean;
}

/** Items, and whether asking for one takes a wait. */
type Source<T> =
  | { readonly isAsync: false; readonly iterator: Iterator<T> }
  | { readonly isAsync: true; readonly iterator: AsyncIterator<T, unknown, never> };

class Mapping<T, R> implements Parent {
  readonly #loop: LoopCore;
  readonly #source: Source<T>;
  readonly #body: Body<[T, number], R>;
  readonly #limit: number;
  readonly #isOrdered: boolean;
  readonly #results: R[] = [];
  // With the places of their items.
  readonly #running = new Map<Future<unknown>, number>();
  // Whether the source may have more.
  #isOpen = true;
  #failure: { readonly error: unknown } | null = null;
  // What the steps wait for.
  #change: Future<void> | null = null;
  #pull: Pull<T> | null = null;

  constructor(loop: LoopCore, source: Source<T>, body: Body<[T, number], R>, options: MapConcurrentOptions) {
    this.#loop = loop;
    this.#source = source;
    this.#body = body;
    this.#limit = options.limit;
    this.#isOrdered = options.ordered ?? true;
  }

  *steps(): Steps<R[]> {
    try {
      yield* this.#startAll();
      while (this.#running.size > 0) yield* this.#waitForChange();
      return this.#results;
    } catch (error) {
      this.#failure ??= { error };
    }
    yield* this.#abort();
    throw this.#failure.error;
  }

  *#startAll(): Steps<void> {
    for (let place = 0; ; place++) {
      while (this.#running.size >= this.#limit) yield* this.#waitForChange();
      const step = yield* this.#next();
      if (step.done === true) return;
      this.#start(step.value, place);
    }
  }

  *#next(): Steps<IteratorResult<T>> {
    // One that throws is not to be closed.
    this.#isOpen = false;
    const step = this.#source.isAsync
      ? yield* this.#pullFrom(this.#source.iterator)
      : this.#source.iterator.next();
    if (typeof step !== 'object') throw invalidReturnValue('source.next', 'an object', step);
    this.#isOpen = step.done !== true;
    this.#throwFailure();
    return step;
  }

  *#pullFrom(iterator: AsyncIterator<T, unknown, never>): Steps<IteratorResult<T>> {
    const pull = new Pull(this.#loop, iterator);
    this.#pull = pull;
    try {
      return yield* pull;
    } finally {
      if (!pull._isAbandoned) this.#pull = null;
    }
  }

  #start(item: T, place: number): void {
    const body = this.#body;
    const coroutine = isGeneratorFunction(body) ? body(item, place) : () => body(item, place);
    const frame = steppingTask(this.#loop)._frame;
    const task: Task<R> = createTaskOn(
      this.#loop,
      coroutine as Coroutine<R>,
      frame === null ? undefined : { _frame: frame },
    );
    this.#running.set(task, place);
    task._addHandle(new ChildHandle(this, task, true));
  }

  _childDone({ child }: ChildHandle): void {
    const place = this.#running.get(child)!;
    this.#running.delete(child);
    if (child._state !== State.FULFILLED) this.#fail(child._readError());
    else if (this.#isOrdered) this.#results[place] = child._value as R;
    else this.#results.push(child._value as R);
    this.#change?.setResultUnlessDone();
  }

  #fail(error: unknown): void {
    if (this.#failure !== null) return;
    this.#failure = { error };
    this.#pull?.cancel();
  }

  *#waitForChange(): Steps<void> {
    this.#throwFailure();
    this.#change = pendingFuture(this.#loop);
    yield* this.#change;
    this.#throwFailure();
  }

  #throwFailure(): void {
    if (this.#failure !== null) throw this.#failure.error;
  }

  // Ends everything that was started, and then the source.
  *#abort(): Steps<void> {
    const running = new Set(this.#running.keys());
    for (const task of running) task.cancel();
    try {
      yield* new Ending(this.#loop, running, 'mapConcurrent');
      if (this.#isOpen || this.#pull !== null) yield* this.#close();
    } catch (error) {
      // Cancelled while it did; an error of the source's end gives way to the one before it.
      if (isCancelled(error)) this.#failure = { error };
    }
  }

  *#close(): Steps<void> {
    const source = this.#source;
    if (!source.isAsync) {
      source.iterator.return?.();
      return;
    }
    const closing = closeIterator(this.#loop, source.iterator);
    // It comes to its end when what it waits for does, which is nothing of ours. Nobody waits for that:
    // what it throws is reported as the error of a task.
    if (this.#pull === null) yield* closing;
  }
}

function open<T>(source: unknown): Source<T> {
  if (typeof source === 'object' && source !== null) {
    if (Symbol.asyncIterator in source) {
      return {
        isAsync: true,
        iterator: (source as AsyncIterable<T, unknown, never>)[Symbol.asyncIterator](),
      };
    }
    if (Symbol.iterator in source) {
      return { isAsync: false, iterator: (source as Iterable<T>)[Symbol.iterator]() };
    }
  }
  throw invalidArgType('source', 'an iterable or an async iterable', source);
}

/**
 * Calls a function for each item of a source, as tasks, never more than `limit` at a time, and gives all
 * results. The source is asked for an item only when there is a place for it.
 *
 * The first error ends everything: the other tasks are cancelled and have ended, and the source is
 * closed, before it is thrown. Other errors are lost (in debug mode they are written to standard error).
 *
 * Suspends: unless the source is empty and no async iterable. A cancel point, which ends everything in
 * the same way.
 *
 * @param source - Items; an async iterable is closed as soon as what it waits for allows it.
 * @param body - A generator function or async function; gets the item and its number, from 0.
 * @param options - `limit`: how many at a time; `ordered`: in which order the results are.
 * @throws TypeError `ERR_INVALID_ARG_TYPE`, RangeError `ERR_OUT_OF_RANGE` - an argument is wrong.
 * @throws {@link InvalidStateError} `ERR_INVALID_STATE` - no loop is running.
 * @throws The first error of the body or of the source.
 * @example
 * ```ts
 * const doubled = await mapConcurrent([1, 2, 3], async (n) => await sleep(1, n * 2), { limit: 2 });
 * console.log(doubled);
 * ```
 * @source ours; Effect `forEach({ concurrency })`
 */
export function mapConcurrent<T, R>(
  source: Iterable<T> | AsyncIterable<T>,
  body: Body<[item: T, index: number], R>,
  options: MapConcurrentOptions,
): Awaitable<R[]> {
  validateFunction('body', body);
  validateObject('options', options);
  if (options.limit !== Infinity) validateInteger('options.limit', options.limit, 1);
  if (options.ordered !== undefined) validateBoolean('options.ordered', options.ordered);
  const loop = requireRunningLoop();
  return operate(loop, new Mapping(loop, open<T>(source), body, options).steps());
}
