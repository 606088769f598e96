// Asynchronous generators that come to their `finally` whatever becomes of those who iterate them.
//
// JavaScript never ends a generator that nobody iterates any more. Here the iterators in use are stand-ins:
// one that is collected tells that its generator is to be closed, and so does the end of the run.
import { invalidArgType } from '../base/errors.js';
import { validateMethods } from '../base/validate.js';
import type { LoopCore } from '../core/loop.js';
import type { Awaitable } from './awaitable.js';
import { createTaskOn } from './create.js';
import { Ending } from './ending.js';
import { operate, type Steps } from './operation.js';
import { finish } from './pull.js';

type AnyGenerator = AsyncGenerator<unknown, unknown, unknown>;

const METHODS = ['next', 'return', 'throw'] as const;
const generatorsOf = new WeakMap<LoopCore, Set<AnyGenerator>>();

interface Abandoned {
  readonly loop: LoopCore;
  readonly generator: AnyGenerator;
}
let collected: FinalizationRegistry<Abandoned> | null = null;

/** @throws TypeError `ERR_INVALID_ARG_TYPE` @internal */
export function validateAsyncGenerator(name: string, value: unknown): void {
  if (typeof value !== 'object' || value === null || !(Symbol.asyncIterator in value)) {
    throw invalidArgType(name, 'an asynchronous generator', value);
  }
  validateMethods(name, value, METHODS);
}

/** Stands for a generator where it is used. */
class TrackedGenerator<T, R, N> implements AsyncGenerator<T, R, N> {
  readonly #loop: LoopCore;
  readonly #generator: AsyncGenerator<T, R, N>;

  constructor(loop: LoopCore, generator: AsyncGenerator<T, R, N>) {
    this.#loop = loop;
    this.#generator = generator;
  }

  next(...args: [] | [N]): Promise<IteratorResult<T, R>> {
    return this.#watch(this.#generator.next(...args));
  }

  return(value: R | PromiseLike<R>): Promise<IteratorResult<T, R>> {
    return this.#watch(this.#generator.return(value));
  }

  throw(error: unknown): Promise<IteratorResult<T, R>> {
    return this.#watch(this.#generator.throw(error));
  }

  async #watch(next: Promise<IteratorResult<T, R>>): Promise<IteratorResult<T, R>> {
    try {
      const step = await next;
      if (step.done === true) this.#untrack();
      return step;
    } catch (error) {
      this.#untrack();
      throw error;
    }
  }

  #untrack(): void {
    generatorsOf.get(this.#loop)?.delete(this.#generator);
    collected?.unregister(this);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return(undefined as R);
  }
}

/** `loop.track()`. @internal */
export function trackGenerator<T, R, N>(
  loop: LoopCore,
  generator: AsyncGenerator<T, R, N>,
): AsyncGenerator<T, R, N> {
  validateAsyncGenerator('generator', generator);
  let generators = generatorsOf.get(loop);
  if (generators === undefined) {
    generators = new Set();
    generatorsOf.set(loop, generators);
  }
  generators.add(generator);
  const tracked = new TrackedGenerator(loop, generator);
  collected ??= new FinalizationRegistry(closeAbandoned);
  collected.register(tracked, { loop, generator }, tracked);
  return tracked;
}

function closeAbandoned({ loop, generator }: Abandoned): void {
  if (loop.isClosed() || generatorsOf.get(loop)?.delete(generator) !== true) return;
  createTaskOn(loop, closeReporting(loop, generator));
}

function closeReporting(loop: LoopCore, generator: AnyGenerator): () => Promise<void> {
  return async () => {
    try {
      await finish(generator);
    } catch (exception) {
      const message = 'an error occurred during closing of asynchronous generator';
      loop.callExceptionHandler({ message, exception, asyncGenerator: generator });
    }
  };
}

/** Whether generators of the loop have not ended. @internal */
export function hasGenerators(loop: LoopCore): boolean {
  return (generatorsOf.get(loop)?.size ?? 0) > 0;
}

/** `loop.shutdownAsyncgens()`. @internal */
export function shutdownGenerators(loop: LoopCore): Awaitable<void> {
  return operate(loop, shutdownSteps(loop));
}

function* shutdownSteps(loop: LoopCore): Steps<void> {
  // They may begin to use others while they end.
  while (hasGenerators(loop)) {
    const generators = [...generatorsOf.get(loop)!];
    generatorsOf.delete(loop);
    const tasks = generators.map((generator) => createTaskOn(loop, closeReporting(loop, generator)));
    yield* new Ending(loop, new Set(tasks), 'shutdownAsyncgens');
  }
}
