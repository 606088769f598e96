// How an await begins that the engine takes for one of a promise of its own.
//
// The engine reads `constructor` of a promise it is about to await, synchronously: that is where a
// wait begins. Getting anything else than Promise there makes it call `then` in a job of its own, as
// for any thenable; that is the way for everything unusual.
import { waitingFrameAt, waitingTaskAt, type AwaitedFuture } from './await.js';
import { recordAwait } from './debug-sites.js';
import { State } from './future-state.js';
import { Half, settleHalf } from './native-half.js';
import { trackedPlace, undelivered } from './tracking.js';

// What stands for `constructor` where the engine must not take a future for a promise of its own:
// promise methods then make ordinary promises. A species on the class itself would make every
// future eight times as dear (380 ns instead of 46).
const asThenable = Object.freeze({ [Symbol.species]: Promise });

// console.log() looks at `constructor` too, right after it looked for the custom inspection; once, if
// there is none.
let isInspected = false;

/** The next look at a `constructor` is no await. @internal */
export function expectInspection(): void {
  isInspected = true;
}

/**
 * Lets `await` use the native half of a class's instances. A class without this works as well; it is
 * awaited as any thenable.
 *
 * @internal
 */
export function awaitNatively(prototype: object): void {
  Object.defineProperty(prototype, 'constructor', { get: readConstructor, configurable: true });
}

/**
 * Moves the methods of a class to a prototype of their own behind this one. The engine has no cache when it looks for
 * `constructor`: among 40 methods it takes 10 ns longer to find it than where it is alone. None of them may use
 * `super`, which would find the method itself.
 *
 * @internal
 */
export function moveMethodsBehind(prototype: object): void {
  const { constructor: _, ...methods } = Object.getOwnPropertyDescriptors(prototype);
  const parent = Object.getPrototypeOf(prototype) as object;
  Object.setPrototypeOf(prototype, Object.create(parent, methods) as object);
  for (const name of Reflect.ownKeys(methods)) Reflect.deleteProperty(prototype, name);
}

// The engine is about to await a future, or somebody looks at it without need; then nothing is done
// here that would be wrong.
function readConstructor(this: AwaitedFuture): unknown {
  if (isInspected) {
    isInspected = false;
    return undefined;
  }
  if (this._state === State.FULFILLED && undelivered.count === 0) {
    if (this._half === Half.UNTOUCHED) settleHalf(this);
    return this._half === Half.SETTLED ? Promise : asThenable;
  }
  if (this._state !== State.PENDING || this._half !== Half.UNTOUCHED) return asThenable;
  const place = trackedPlace();
  const task = waitingTaskAt(place);
  if (task !== null && this._waitMistake(task) !== null) return asThenable;
  this._half = Half.AWAITED;
  if (this._loop.debug) recordAwait(this);
  this._beginAwait(task, task === null ? null : waitingFrameAt(place, task), null, null);
  return Promise;
}

// The functions by which the engine resolves a promise: native, and without a name, unlike bound ones.
let nativeText = '';
void new Promise((resolve) => {
  nativeText = Function.prototype.toString.call(resolve);
});

/** Whether the engine calls `then` with it, for an await. @internal */
export function isResolvingFunction(value: unknown): boolean {
  if (typeof value !== 'function' || value.name !== '') return false;
  return Function.prototype.toString.call(value) === nativeText;
}
