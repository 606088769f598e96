// Several awaitables at once, one after the other as they are done.
import { Deque } from '../base/deque.js';
import { TimeoutError } from '../base/errors.js';
import { validateNumber, validateObject } from '../base/validate.js';
import type { LoopCore } from '../core/loop.js';
import type { TimerHandle } from '../core/timers.js';
import type { Awaitable } from './awaitable.js';
import { ChildHandle, type Parent } from './child.js';
import { requireRunningLoop } from './current.js';
import { futuresOf, validateJoinables, type Joinable, type Joined } from './ensure-future.js';
import { State } from './future-state.js';
import { Future } from './future.js';
import { awaitNatively } from './native-await.js';

/** How long {@link asCompleted} waits. */
export interface AsCompletedOptions {
  /** Milliseconds from the call, after which each step throws; null waits without end. @defaultValue null */
  timeout?: number | null;
}

/** What a {@link Joinable} is while it runs: itself if it is a future, else a future that was made for it. */
export type Running<J> = J extends Future<unknown> ? J : Future<Joined<J>>;

/** What {@link asCompleted} gives. */
export interface AsCompleted<J> extends AsyncIterable<Running<J>>, Iterable<Awaitable<Joined<J>>> {}

// Instead of a future: the time was over first.
const LATE = null;
type Completed = Future<unknown> | typeof LATE;

/** Waits for the next completed future: gives it as a step of an iterator, or its outcome. */
class Step extends Future<unknown> {
  declare readonly _completions: Completions;
  declare readonly _isResolved: boolean;
  // What it got.
  declare _completed: Completed | undefined;

  static {
    awaitNatively(this.prototype);
  }

  constructor(loop: LoopCore, completions: Completions, isResolved: boolean) {
    super(loop);
    this._completions = completions;
    this._isResolved = isResolved;
    this._completed = undefined;
  }

  _take(completed: Completed): void {
    this._completed = completed;
    if (completed === LATE) this._settle(State.FAILED, new TimeoutError());
    else if (!this._isResolved) this._settle(State.FULFILLED, { done: false, value: completed });
    else if (completed._state === State.FULFILLED) this._settle(State.FULFILLED, completed._value);
    else if (completed._state === State.FAILED) this._settle(State.FAILED, completed._readError());
    else this._settleCancelled(completed._readError());
  }

  override cancel(reason?: unknown): boolean {
    if (!super.cancel(reason)) return false;
    this._completions._stepLost(this);
    return true;
  }

  // Whoever waited was cancelled in between: the next one gets it.
  override _lose(): void {
    super._lose();
    if (this._completed === undefined) return;
    this._completions._giveBack(this._completed);
    this._completed = undefined;
    this._completions._stepLost(this);
  }
}

class Completions implements Parent, AsCompleted<Joinable<unknown>> {
  readonly #loop: LoopCore;
  // Those that are not done.
  readonly #todo: Set<Future<unknown>>;
  // One for each of them, or none while nobody listens.
  readonly #handles = new Map<Future<unknown>, ChildHandle>();
  readonly #completed = new Deque<Completed>();
  readonly #steps = new Deque<Step>();
  readonly #deadline: number | null;
  #timer: TimerHandle | null = null;
  #stepsLeft: number;

  constructor(loop: LoopCore, futures: Set<Future<unknown>>, timeout: number | null) {
    this.#loop = loop;
    this.#todo = futures;
    this.#stepsLeft = futures.size;
    this.#deadline = timeout === null ? null : loop.time() + timeout;
    this.#listen();
  }

  #listen(): void {
    if (this.#todo.size === 0) return;
    for (const future of this.#todo) {
      const handle = new ChildHandle(this, future, false);
      this.#handles.set(future, handle);
      future._addHandle(handle);
    }
    if (this.#deadline !== null) this.#timer = this.#loop.callAt(this.#deadline, () => this.#beLate());
  }

  #rest(): void {
    this.#timer?.cancel();
    for (const [future, handle] of this.#handles) future._dropHandle(handle);
    this.#handles.clear();
  }

  // A `for await` whose step was cancelled does not say that it is over, as `for` does. Whoever asks again listens again:
  // what was done in between then comes in the order of the arguments.
  _stepLost({ _isResolved: isOfFor }: Step): void {
    if (isOfFor) return;
    this.#stepsLeft++;
    if (this.#nextStep() === undefined) this.#rest();
  }

  _childDone({ child }: ChildHandle): void {
    this.#todo.delete(child);
    this.#handles.delete(child);
    if (this.#todo.size === 0) this.#timer?.cancel();
    this.#give(child);
  }

  #beLate(): void {
    const count = this.#todo.size;
    this.#rest();
    this.#todo.clear();
    for (let i = 0; i < count; i++) this.#give(LATE);
  }

  #give(completed: Completed): void {
    const step = this.#nextStep();
    if (step === undefined) return this.#completed.push(completed);
    this.#steps.shift();
    step._take(completed);
  }

  // The first one that nobody cancelled.
  #nextStep(): Step | undefined {
    while (this.#steps.at(0)?.done() === true) this.#steps.shift();
    return this.#steps.at(0);
  }

  _giveBack(completed: Completed): void {
    const step = this.#nextStep();
    if (step === undefined) return this.#completed.unshift(completed);
    this.#steps.shift();
    step._take(completed);
  }

  #step(isResolved: boolean): Step {
    this.#stepsLeft--;
    const step = new Step(this.#loop, this, isResolved);
    const completed = this.#completed.shift();
    if (completed !== undefined) {
      step._take(completed);
      return step;
    }
    this.#steps.push(step);
    if (this.#handles.size === 0) this.#listen();
    return step;
  }

  [Symbol.iterator](): Iterator<Awaitable<unknown>, undefined> {
    return {
      next: () =>
        this.#stepsLeft === 0 ? { done: true, value: undefined } : { done: false, value: this.#step(true) },
      return: () => this.#end(),
    };
  }

  [Symbol.asyncIterator](): AsyncIterator<Future<unknown>, undefined> {
    type Next = Promise<IteratorResult<Future<unknown>, undefined>>;
    return {
      next: () =>
        this.#stepsLeft === 0
          ? Promise.resolve({ done: true, value: undefined })
          : (this.#step(false) as unknown as Next),
      return: () => Promise.resolve(this.#end()),
    };
  }

  // Nobody goes on with it.
  #end(): IteratorReturnResult<undefined> {
    this.#rest();
    this.#todo.clear();
    this.#stepsLeft = 0;
    return { done: true, value: undefined };
  }
}

/**
 * Runs several awaitables at once and gives them one after the other, in the order in which they are done.
 *
 * `for await` gives the futures and tasks themselves, so that one knows which it is; for everything else
 * the future that was made for it. Wait for it: the compiler takes what `for await` gives for awaited
 * already, which holds for no async iterator. `for` gives one awaitable per step instead, which gives the next
 * outcome: that is the form for generator tasks. Leaving the loop early cancels nothing.
 *
 * Suspends: never; the steps do, unless something is done already. Each is a cancel point that leaves
 * the awaitables alone.
 *
 * @param awaitables - Futures, tasks, coroutines and promises; one that is there twice is given once.
 * @param options - `timeout`: milliseconds, after which every step that is left throws.
 * @throws TypeError `ERR_INVALID_ARG_TYPE`, RangeError `ERR_OUT_OF_RANGE` - an argument is wrong.
 * @throws {@link InvalidStateError} `ERR_INVALID_STATE` - no loop is running, or a future is of another.
 * @throws {@link TimeoutError} `ETIMEDOUT` - in a step: the time is over. What is not done goes on.
 * @example
 * ```ts
 * const tasks = [createTask(async () => await sleep(5, 'b')), createTask(async () => await sleep(1, 'a'))];
 * for await (const task of asCompleted(tasks)) console.log(task.name, await task);
 * ```
 * @example
 * ```ts
 * await createTask(function* () {
 *   for (const next of asCompleted([sleep(5, 'b'), sleep(1, 'a')])) console.log(yield* next);
 * });
 * ```
 * @source CPython 3.13 `asyncio.as_completed`. Differs: leaving the loop takes the timer back.
 */
export function asCompleted<J extends Joinable<unknown>>(
  awaitables: Iterable<J>,
  options: AsCompletedOptions = {},
): AsCompleted<J> {
  const joinables = validateJoinables('awaitables', awaitables);
  validateObject('options', options);
  const { timeout = null } = options;
  if (timeout !== null) validateNumber('options.timeout', timeout);
  const loop = requireRunningLoop();
  const futures = new Set(futuresOf(loop, joinables, null));
  return new Completions(loop, futures, timeout) as unknown as AsCompleted<J>;
}
