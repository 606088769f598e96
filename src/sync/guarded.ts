// A body between acquiring and releasing something.
//
// It is written as an iterator, not as a generator: where nobody has to wait, that and the generator of
// the body are all that is made.
import { InvalidStateError } from '../base/errors.js';
import { validateFunction } from '../base/validate.js';
import type { LoopCore } from '../core/loop.js';
import type { Awaitable } from '../task/awaitable.js';
import { runBody, type Body } from '../task/body.js';
import type { GeneratorCoroutine } from '../task/coroutine.js';
import { createTaskOn } from '../task/create.js';
import { isSteppingGenerator, requireRunningLoop } from '../task/current.js';
import { operate, steppingTask } from '../task/operation.js';

/** What is acquired around a body. @internal */
export interface Guard {
  /** Takes it, if that can be done without waiting. */
  _enter(amount: number): boolean;
  /** Waits for it. */
  _queue(amount: number): Iterator<unknown, unknown, unknown>;
  release(amount: number): void;
}

/** Runs `body` while `amount` of `guard` is acquired. @internal */
export function guarded<T>(guard: Guard, body: Body<[], T>, amount: number): Awaitable<T> {
  validateFunction('body', body);
  const loop = requireRunningLoop();
  const run = new Guarded(loop, guard, body, amount);
  return isSteppingGenerator(loop) ? run : operate(loop, stepsOf(run));
}

function* stepsOf<T>(run: Guarded<T>): GeneratorCoroutine<T> {
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

class Guarded<T> implements Awaitable<T>, Steps<T> {
  readonly #loop: LoopCore;
  readonly #guard: Guard;
  readonly #body: Body<[], T>;
  readonly #amount: number;
  #phase = Phase.NEW;
  // What is waited for: the guard, then the body.
  #inner: Steps<unknown> | null = null;

  constructor(loop: LoopCore, guard: Guard, body: Body<[], T>, amount: number) {
    this.#loop = loop;
    this.#guard = guard;
    this.#body = body;
    this.#amount = amount;
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
      if (this.#guard._enter(this.#amount)) return this.#begin();
      this.#inner = this.#guard._queue(this.#amount);
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
    this.#guard.release(this.#amount);
  }
}

const nextOf = (inner: Steps<unknown>, value: unknown): Step<unknown> => inner.next(value);
const throwOf = (inner: Steps<unknown>, error: unknown): Step<unknown> => inner.throw!(error);
const returnOf = (inner: Steps<unknown>, value: unknown): Step<unknown> => inner.return!(value);
