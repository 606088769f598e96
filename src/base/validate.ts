// Checks of arguments that users pass; each throws what Node throws for the same mistake.
import { invalidArgType, outOfRange } from './errors.js';

type AnyFunction = (...args: never[]) => unknown;

/** What timers of Node take at most. */
export const LONGEST_TIMEOUT_MS = 2 ** 31 - 1;

/** @throws TypeError `ERR_INVALID_ARG_TYPE` - `value` cannot be called. */
export function validateFunction(name: string, value: unknown): asserts value is AnyFunction {
  if (typeof value !== 'function') throw invalidArgType(name, 'a function', value);
}

/** @throws TypeError `ERR_INVALID_ARG_TYPE` - `value` is no array. */
export function validateArray(name: string, value: unknown): asserts value is readonly unknown[] {
  if (!Array.isArray(value)) throw invalidArgType(name, 'an array', value);
}

/**
 * Accepts numbers from `min` to `max`, both included; never NaN.
 *
 * @param min - The least value, in the argument's unit.
 * @param max - The greatest value, in the argument's unit.
 * @throws TypeError `ERR_INVALID_ARG_TYPE`, RangeError `ERR_OUT_OF_RANGE`
 */
export function validateNumber(
  name: string,
  value: unknown,
  min = -Infinity,
  max = Infinity,
): asserts value is number {
  if (typeof value !== 'number') throw invalidArgType(name, 'a number', value);
  // NaN fails every comparison.
  if (!(value >= min && value <= max)) {
    throw outOfRange(name, `a number${describeRange(min, max) || ' other than NaN'}`, value);
  }
}

/**
 * Accepts integers from `min` to `max`, both included.
 *
 * @param min - The least value, in the argument's unit.
 * @param max - The greatest value, in the argument's unit.
 * @throws TypeError `ERR_INVALID_ARG_TYPE`, RangeError `ERR_OUT_OF_RANGE`
 */
export function validateInteger(
  name: string,
  value: unknown,
  min = Number.MIN_SAFE_INTEGER,
  max = Number.MAX_SAFE_INTEGER,
): asserts value is number {
  if (typeof value !== 'number') throw invalidArgType(name, 'a number', value);
  if (Number.isInteger(value) && value >= min && value <= max) return;
  throw outOfRange(name, `an integer${describeRange(min, max)}`, value);
}

const MAX_DESCRIPTOR = 2 ** 31 - 1;

/**
 * Accepts what can be the number of a descriptor.
 *
 * @throws TypeError `ERR_INVALID_ARG_TYPE`, RangeError `ERR_OUT_OF_RANGE`
 */
export function validateDescriptor(name: string, value: unknown): asserts value is number {
  validateInteger(name, value, 0, MAX_DESCRIPTOR);
}

function describeRange(min: number, max: number): string {
  const hasMin = min > Number.MIN_SAFE_INTEGER;
  const hasMax = max < Number.MAX_SAFE_INTEGER;
  if (hasMin && hasMax) return ` from ${String(min)} to ${String(max)}`;
  if (hasMin) return ` of ${String(min)} or more`;
  return hasMax ? ` of ${String(max)} or less` : '';
}

/** @throws TypeError `ERR_INVALID_ARG_TYPE` */
export function validateString(name: string, value: unknown): asserts value is string {
  if (typeof value !== 'string') throw invalidArgType(name, 'a string', value);
}

/** @throws TypeError `ERR_INVALID_ARG_TYPE` */
export function validateBoolean(name: string, value: unknown): asserts value is boolean {
  if (typeof value !== 'boolean') throw invalidArgType(name, 'a boolean', value);
}

/**
 * Accepts what can carry named options: no array, no function.
 *
 * @throws TypeError `ERR_INVALID_ARG_TYPE`
 */
export function validateObject(name: string, value: unknown): asserts value is object {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw invalidArgType(name, 'an object', value);
  }
}

/**
 * Refuses options that mean nothing where option `given` is given.
 *
 * @throws TypeError `ERR_INVALID_ARG_TYPE`
 */
export function refuseNextTo(given: string, options: object, names: readonly string[]): void {
  for (const name of names) {
    const value = (options as Record<string, unknown>)[name];
    if (value !== undefined) throw invalidArgType(`options.${name}`, `none next to options.${given}`, value);
  }
}

/**
 * Accepts objects, of any class, that have the methods named.
 *
 * @throws TypeError `ERR_INVALID_ARG_TYPE`
 */
export function validateMethods(name: string, value: unknown, methods: readonly string[]): void {
  validateObject(name, value);
  for (const method of methods) {
    validateFunction(`${name}.${method}`, (value as Record<string, unknown>)[method]);
  }
}

/**
 * Accepts one of `allowed`. A value of another type is a wrong type, any other is out of range.
 *
 * @throws TypeError `ERR_INVALID_ARG_TYPE`, RangeError `ERR_OUT_OF_RANGE`
 */
export function validateOneOf<T extends string | number | boolean>(
  name: string,
  value: unknown,
  allowed: readonly T[],
): asserts value is T {
  if ((allowed as readonly unknown[]).includes(value)) return;
  const list = `one of ${allowed.map((item) => (typeof item === 'string' ? `'${item}'` : String(item))).join(', ')}`;
  const isTypeKnown = allowed.some((item) => typeof item === typeof value);
  throw isTypeKnown ? outOfRange(name, list, value) : invalidArgType(name, list, value);
}

/** @throws TypeError `ERR_INVALID_ARG_TYPE` */
export function validateInstance<T>(
  name: string,
  value: unknown,
  type: abstract new (...args: never[]) => T,
): asserts value is T {
  if (!(value instanceof type)) throw invalidArgType(name, `an instance of ${type.name}`, value);
}

/**
 * Accepts what has the parts of an AbortSignal that are used here: also one of another realm.
 *
 * @throws TypeError `ERR_INVALID_ARG_TYPE`
 */
export function validateAbortSignal(name: string, value: unknown): asserts value is AbortSignal {
  const { aborted, addEventListener, removeEventListener } = (value ?? {}) as Partial<AbortSignal>;
  const canBeHeard = typeof addEventListener === 'function' && typeof removeEventListener === 'function';
  if (typeof aborted !== 'boolean' || !canBeHeard) {
    throw invalidArgType(name, 'an instance of AbortSignal', value);
  }
}

/**
 * Refuses a coroutine where a callback is wanted: it would never run to its end.
 *
 * @throws TypeError `ERR_INVALID_ARG_TYPE`
 */
export function refuseCoroutine(callback: unknown): void {
  const name = (callback as { constructor?: { name?: unknown } }).constructor?.name;
  if (name === 'AsyncFunction' || name === 'GeneratorFunction' || name === 'AsyncGeneratorFunction') {
    const error = new TypeError(
      'The "callback" argument: expected a plain function, got a coroutine function',
    );
    throw Object.assign(error, { code: 'ERR_INVALID_ARG_TYPE' });
  }
}
