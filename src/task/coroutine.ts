// What a task can run: something that stops where it waits and can be told to go on.
import { invalidArgType } from '../base/errors.js';

/** A coroutine that has begun, or is about to: what a generator function gives. */
export type GeneratorCoroutine<T> = Generator<unknown, T, unknown>;

const EXPECTED = 'a coroutine (a generator, a generator function or an async function)';
const AsyncGeneratorFunction = Object.getPrototypeOf(async function* () {}) as object;
const GeneratorFunction = Object.getPrototypeOf(function* () {}) as object;

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

/** Whether calling `value` is known to give a generator. @internal */
export function isGeneratorFunction(value: object): boolean {
  return Object.getPrototypeOf(value) === GeneratorFunction;
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
    if (Object.getPrototypeOf(value) !== AsyncGeneratorFunction) return;
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
