// What a task says to a coroutine that it cannot run any further.
import { describe, invalidReturnValue } from '../base/errors.js';
import { isGenerator, isThenable } from './coroutine.js';
import { Future } from './future.js';
import type { Waiter } from './suspension.js';

/** The generator of `task` yielded something that it should have waited for otherwise, or not at all. @internal */
export function badYield(task: Waiter, value: unknown): Error {
  if (value instanceof Future || isGenerator(value) || isThenable(value)) {
    const how = value instanceof Future || isGenerator(value) ? 'yield*' : 'yield* loop.wrap()';
    const what = value instanceof Future ? value._describe() : describe(value);
    return new TypeError(`yield was used instead of ${how} in ${task._describe()} with ${what}`);
  }
  return new TypeError(`Task got bad yield: ${describe(value)} in ${task._describe()}`);
}

/** The function of `task` returned neither a generator nor a promise. @internal */
export function badResult(task: Waiter, result: unknown): Error {
  return invalidReturnValue(`function of ${task._describe()}`, 'a generator or a promise', result);
}
