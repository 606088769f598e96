// The promise that a future is to the engine.
//
// For a plain thenable `await` takes two promise jobs and four allocations, 2.5 times a native await;
// for a native promise one job. So every future is a promise to the engine as well. Its settled state
// and the promise's are apart: the promise ("the native half") is settled only when somebody awaits
// it, and only from the ready queue while the future was pending.
import { State } from './future-state.js';

/** What a promise is resolved or rejected with. @internal */
export type Resolve = (value: unknown) => void;

/** How far the native half has come; a const enum as `State` is. @internal */
export const enum Half {
  UNTOUCHED,
  /** To be settled by a handle. */
  AWAITED,
  /** With the future's own outcome. */
  SETTLED,
  /** Used up, because the one who awaited it was cancelled although the future has a value. */
  SPENT,
}

// eslint-disable-next-line @typescript-eslint/unbound-method -- called with `call` only
const promiseThen = Promise.prototype.then as (
  this: object,
  onFulfilled?: unknown,
  onRejected?: unknown,
) => Promise<unknown>;
const ignore = (): void => undefined;

/** What is known here of a future. @internal */
export interface HalfNative {
  readonly _state: State;
  readonly _value: unknown;
  _half: Half;
  readonly _resolve: Resolve;
  _readError(): unknown;
}

/** Gives the native half the future's own outcome. @internal */
export function settleHalf(future: HalfNative): void {
  future._half = Half.SETTLED;
  if (future._state === State.FULFILLED) future._resolve(future._value);
  else rejectHalf(future, future._readError());
}

/** Rejects the native half, which takes a job of its own: only its resolve function was kept. @internal */
export function rejectHalf(future: HalfNative, error: unknown): void {
  // Whether anybody heard of the error is known better than by the engine.
  void promiseThen.call(future, undefined, ignore);
  future._resolve({ then: (_resolve: Resolve, reject: Resolve) => reject(error) });
}
