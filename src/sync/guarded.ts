// A body between acquiring and releasing something.
//
// It is written as an iterator, not as a generator: where nobody has to wait, that and the generator of
// the body are all that is made.
import { InvalidStateError } from '../base/errors.js';
import { validateFunction } from '../base/validate.js';
import type { LoopCore } from '../core/loop.js';
import type { Awaitable, Operation } from '../task/awaitable.js';
import { runBody, type Body } from '../task/body.js';
import type { GeneratorCoroutine } from '../task/coroutine.js';
import { createTaskOn } from '../task/create.js';
import { isSteppingGenerator, requireRunningLoop } from '../task/current.js';
import type { Future } from '../task/future.js';
import { operate, steppingTask } from '../task/operation.js';
import type { Releasable } from './releaser.js';

/** What is acquired around a body; `C` says how much of it, or for whom. @internal */
export interface Guard<C> extends Releasable<C> {
  /** Takes it, if that can be done without waiting. */
  _enter(claim: C): boolean;
  /** Waits for it. */
  _queue(claim: C): Future<unknown>;
}

/** Runs `body` while `claim` of `guard` is acquired. @internal */
export function guarded<T, C>(guard: Guard<C>, body: Body<[], T>, claim: C): Awaitable<T> {
  validateFunction('body', body);
  const loop = requireRunningLoop();
  const run = new Guarded(loop, guard, body, claim);
  return isSteppingGenerator(loop) ? run : operate(loop, stepsOf(run));
}

function* stepsOf<T>(run: Operation<T>): GeneratorCoroutine<T> {
  return yield* run;
}

const enum Phase {
  NEW,
  ENTERING,
  INSIDE,
  LEFT,
}

type Steps<T> = Iterator<unknown, T, unknown>;
type Step<T> = IteratorResult<unknown, T>;

class Guarded<T, C> implements Awaitable<T>, Steps<T> {
  readonly #loop: LoopCore;
  readonly #guard: Guard<C>;
  readonly #body: Body<[], T>;
  readonly #claim: C;
  #phase = Phase.NEW;
  // What is waited for: the guard, then the body.
  #inner: Steps<unknown> | null = null;

  constructor(loop: LoopCore, guard: Guard<C>, body: Body<[], T>, claim: C) {
    this.#loop = loop;
    this.#guard = guard;
    this.#body = body;
    this.#claim = claim;
  }

  [Symbol.iterator](): this {
    return this;
  }

  // A generator handed it on to somebody who awaits it.
  then<R = T, E = never>(
    onFulfilled?: ((value: T) => R | PromiseLike<R>) | null,
    // eslint-disable-next-line @typescript-eslint/no-explicit-any -- as in PromiseLike
    onRejected?: ((error: any) => E | PromiseLike<E>) | null,
  ): PromiseLike<R | E> {
    return createTaskOn(this.#loop, stepsOf(this)).then(onFulfilled, onRejected);
  }

  next(value?: unknown): Step<T> {
    if (this.#phase === Phase.INSIDE) return this.#goOn(nextOf, value);
    if (this.#phase === Phase.LEFT) throw new InvalidStateError('This was waited for already');
    if (this.#phase === Phase.NEW) {
      if (this.#guard._enter(this.#claim)) return this.#begin();
      this.#inner = this.#guard._queue(this.#claim);
      this.#phase = Phase.ENTERING;
    }
    const step = this.#inner!.next() as Step<T>;
    return step.done === true ? this.#begin() : step;
  }

  throw(error: unknown): Step<T> {
    if (this.#phase === Phase.INSIDE) return this.#goOn(throwOf, error);
    const inner = this.#inner;
    this.#phase = Phase.LEFT;
    inner?.throw?.(error);
    throw error;
  }

  return(value: T): Step<T> {
    if (this.#phase === Phase.INSIDE) return this.#goOn(returnOf, value);
    this.#phase = Phase.LEFT;
    this.#inner?.return?.(value);
    return { done: true, value };
  }

  #begin(): Step<T> {
    this.#phase = Phase.INSIDE;
    try {
      this.#inner = runBody(this.#body, steppingTask(this.#loop))[Symbol.iterator]();
    } catch (error) {
      this.#leave();
      throw error;
    }
    return this.#goOn(nextOf, undefined);
  }

  #goOn(how: typeof nextOf, value: unknown): Step<T> {
    let step: Step<unknown>;
    try {
      step = how(this.#inner!, value);
    } catch (error) {
      this.#leave();
      throw error;
    }
    if (step.done === true) this.#leave();
    return step as Step<T>;
  }

  #leave(): void {
    this.#phase = Phase.LEFT;
    this.#guard.release(this.#claim);
  }
}

const nextOf = (inner: Steps<unknown>, value: unknown): Step<unknown> => inner.next(value);
const throwOf = (inner: Steps<unknown>, error: unknown): Step<unknown> => inner.throw!(error);
const returnOf = (inner: Steps<unknown>, value: unknown): Step<unknown> => inner.return!(value);
