// What a task can run: something that stops where it waits and can be told to go on.
import { invalidArgType } from '../base/errors.js';

/** A coroutine that has begun, or is about to: what a generator function gives. */
export type GeneratorCoroutine<T> = Generator<unknown, T, unknown>;

const EXPECTED = 'a coroutine (a generator, a generator function or an async function)';
type FunctionClass = abstract new () => object;
const AsyncGeneratorFunction = async function* () {}.constructor as unknown as FunctionClass;
const GeneratorFunction = function* () {}.constructor as unknown as FunctionClass;

/**
 * `next` of the engine's generators. Each generator function gives a shape of its own, so finding the
 * method takes longer than calling it.
 *
 * @internal
 */
export const generatorNext =
  // eslint-disable-next-line @typescript-eslint/unbound-method -- called with `call` only
  (GeneratorFunction.prototype as { prototype: GeneratorCoroutine<unknown> }).prototype.next;

/** Whether `value` can be driven step by step. Awaitables iterate too, but are none. @internal */
export function isGenerator(value: unknown): value is GeneratorCoroutine<unknown> {
  if (typeof value !== 'object' || value === null || 'then' in value) return false;
  const generator = value as Partial<GeneratorCoroutine<unknown>>;
  return (
    typeof generator.next === 'function' &&
    typeof generator.throw === 'function' &&
    typeof generator.return === 'function' &&
    typeof generator[Symbol.iterator] === 'function'
  );
}

/** `generator`, or if the engine does not know that kind, one that passes everything on to it. @internal */
export function toBuiltInGenerator<T>(generator: GeneratorCoroutine<T>): GeneratorCoroutine<T> {
  return generator.next === generatorNext ? generator : delegate(generator);
}

function* delegate<T>(generator: GeneratorCoroutine<T>): GeneratorCoroutine<T> {
  return yield* generator;
}

/** Whether calling `value` is known to give a generator. @internal */
export function isGeneratorFunction(value: object): boolean {
  return value instanceof GeneratorFunction;
}

/** Whether `value` can be waited for in a promise's way. @internal */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (
    ((typeof value === 'object' && value !== null) || typeof value === 'function') &&
    typeof (value as { then?: unknown }).then === 'function'
  );
}

/** @throws TypeError `ERR_INVALID_ARG_TYPE` - a task cannot run `value`. @internal */
export function validateCoroutine(value: unknown): void {
  if (typeof value === 'function') {
    if (!(value instanceof AsyncGeneratorFunction)) return;
  } else if (isGenerator(value)) {
    return;
  }
  const error = invalidArgType('coroutine', EXPECTED, value);
  error.message = `a coroutine was expected: ${error.message}`;
  if (isThenable(value)) error.message += '; wait for it with loop.wrap() or await';
  throw error;
}

/** Ends a generator that no task will run. @internal */
export function closeCoroutine(coroutine: unknown): void {
  if (isGenerator(coroutine)) coroutine.return(undefined);
}
