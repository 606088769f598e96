// Several errors at once, which can be taken apart again.
import { validateArray, validateFunction, validateObject, validateString } from './validate.js';
import { outOfRange } from './errors.js';

/** Which errors of a group are meant: a class, or a function that says so. */
export type ErrorCondition = (abstract new (...args: never[]) => unknown) | ((error: unknown) => boolean);

/**
 * Errors of things that went on at the same time, in the order in which they failed. An element may be a
 * group itself; nesting is kept.
 *
 * @example
 * ```ts
 * try {
 *   await taskGroup(async (group) => {
 *     group.createTask(async () => await Promise.reject(new RangeError('too far')));
 *   });
 * } catch (error) {
 *   const [ranges, others] = (error as ExceptionGroup).split(RangeError);
 *   console.log(ranges?.errors.length, others);
 * }
 * ```
 * @source CPython 3.13 `BaseExceptionGroup`, PEP 654
 */
export class ExceptionGroup extends AggregateError {
  static {
    Object.defineProperty(this.prototype, 'name', {
      value: 'ExceptionGroup',
      writable: true,
      configurable: true,
    });
  }
  declare readonly errors: unknown[];

  /**
   * @param message - What failed.
   * @param errors - One or more.
   * @throws TypeError `ERR_INVALID_ARG_TYPE`, RangeError `ERR_OUT_OF_RANGE` - an argument is wrong; no errors are none.
   */
  constructor(message: string, errors: readonly unknown[]) {
    validateString('message', message);
    validateArray('errors', errors);
    if (errors.length === 0) throw outOfRange('errors', 'an array of one or more errors', errors);
    super(errors, message);
  }

  /**
   * The group of the errors that match, nested as they were here; null when none does.
   *
   * Suspends: never.
   *
   * @throws TypeError `ERR_INVALID_ARG_TYPE` - `condition` is neither a class nor a function.
   */
  subgroup(condition: ErrorCondition): ExceptionGroup | null {
    return this.split(condition)[0];
  }

  /**
   * The group of the errors that match and that of the rest; null for one without errors.
   *
   * Suspends: never.
   *
   * @throws TypeError `ERR_INVALID_ARG_TYPE` - `condition` is neither a class nor a function.
   */
  split(condition: ErrorCondition): [matching: ExceptionGroup | null, rest: ExceptionGroup | null] {
    validateFunction('condition', condition);
    return splitBy(this, toPredicate(condition));
  }

  /**
   * A group like this one of other errors: what {@link ExceptionGroup.split} makes. May be overridden.
   *
   * Suspends: never.
   *
   * @throws As the constructor.
   */
  derive(errors: readonly unknown[]): ExceptionGroup {
    return new ExceptionGroup(this.message, errors);
  }
}

function splitBy(
  group: ExceptionGroup,
  matches: (error: unknown) => boolean,
): [ExceptionGroup | null, ExceptionGroup | null] {
  if (matches(group)) return [group, null];
  const matching: unknown[] = [];
  const rest: unknown[] = [];
  for (const error of group.errors) {
    if (error instanceof ExceptionGroup) {
      const [inner, others] = splitBy(error, matches);
      if (inner !== null) matching.push(inner);
      if (others !== null) rest.push(others);
    } else {
      (matches(error) ? matching : rest).push(error);
    }
  }
  return [derived(group, matching), derived(group, rest)];
}

function derived(group: ExceptionGroup, errors: unknown[]): ExceptionGroup | null {
  if (errors.length === 0) return null;
  const copy = group.derive(errors);
  if (group.stack !== undefined) copy.stack = group.stack;
  if (group.cause !== undefined) copy.cause = group.cause;
  return copy;
}

function isErrorClass(condition: ErrorCondition): condition is abstract new (...args: never[]) => unknown {
  const prototype: unknown = condition.prototype;
  return prototype === Error.prototype || prototype instanceof Error;
}

function toPredicate(condition: ErrorCondition): (error: unknown) => boolean {
  return isErrorClass(condition) ? (error) => error instanceof condition : condition;
}

/** What {@link catchStar} calls: by the name of an error or of one of its classes. */
export type StarHandlers = Readonly<Record<string, (group: ExceptionGroup) => void>>;

/**
 * Handles the errors of a group by kind, as Python's `except*` does: each handler gets the group of the
 * errors that no handler before it took. What is left is thrown, together with what handlers throw.
 *
 * Suspends: never.
 *
 * @param error - A group; anything else counts as a group of one.
 * @param handlers - By error name: `'TypeError'`, a class that the error extends, or its `name`.
 * @throws TypeError `ERR_INVALID_ARG_TYPE` - `handlers` is no object of functions.
 * @throws The errors that nobody took.
 * @example
 * ```ts
 * catchStar(new ExceptionGroup('two', [new TypeError('a'), new RangeError('b')]), {
 *   TypeError: (group) => console.log(group.errors.length),
 *   RangeError: (group) => console.log(group.errors.length),
 * });
 * ```
 * @source PEP 654, `except*`
 */
export function catchStar(error: unknown, handlers: StarHandlers): void {
  validateObject('handlers', handlers);
  for (const [name, handler] of Object.entries(handlers)) validateFunction(`handlers.${name}`, handler);
  let rest: ExceptionGroup | null = error instanceof ExceptionGroup ? error : new ExceptionGroup('', [error]);
  const thrown: unknown[] = [];
  for (const [name, handler] of Object.entries(handlers)) {
    if (rest === null) break;
    const [taken, others]: [ExceptionGroup | null, ExceptionGroup | null] = rest.split((one) =>
      isNamed(one, name),
    );
    if (taken === null) continue;
    rest = others;
    try {
      handler(taken);
    } catch (raised) {
      thrown.push(raised);
    }
  }
  if (thrown.length === 0 && rest === null) return;
  if (thrown.length === 0) throw error instanceof ExceptionGroup ? rest! : error;
  throw new ExceptionGroup('', rest === null ? thrown : [...thrown, rest]);
}

function isNamed(error: unknown, name: string): boolean {
  if (!(error instanceof Error) || error instanceof ExceptionGroup) return false;
  if (error.name === name) return true;
  for (
    let type: unknown = error.constructor;
    typeof type === 'function';
    type = Object.getPrototypeOf(type)
  ) {
    if (type.name === name) return true;
  }
  return false;
}
