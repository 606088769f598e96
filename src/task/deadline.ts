// How much time the code that runs has left, and how to tell another process.
import { outOfRange } from '../base/errors.js';
import { validateNumber, validateString } from '../base/validate.js';
import { callingFrame, requireRunningLoop } from './current.js';
import { deadlineOf } from './frame.js';

/**
 * When the first of the timeouts and scopes around the code that runs is over: what is left is
 * `currentDeadline() - loop.time()`.
 *
 * Suspends: never.
 *
 * @returns Loop time in milliseconds; Infinity where there is no limit, -Infinity in a scope that was cancelled.
 * @throws {@link InvalidStateError} `ERR_INVALID_STATE` - no loop is running.
 * @example
 * ```ts
 * await timeout(1000, async () => {
 *   console.log(currentDeadline() - loop.time()); // 1000 or a little less
 * });
 * ```
 * @source trio 0.30 `current_effective_deadline`
 */
export function currentDeadline(): number {
  return deadlineOf(callingFrame(requireRunningLoop()));
}

// At most eight digits; the units of the header, the finest first, in milliseconds.
const MAX_DIGITS = 8;
const UNITS: readonly (readonly [unit: string, durationMs: number])[] = [
  ['n', 1e-6],
  ['u', 1e-3],
  ['m', 1],
  ['S', 1000],
  ['M', 60_000],
  ['H', 3_600_000],
];

/**
 * The time left until `deadline` as the value of a `grpc-timeout` header, rounded up, for a request to another server.
 *
 * Suspends: never.
 *
 * @param deadline - Loop time in milliseconds. @defaultValue {@link currentDeadline}
 * @returns Digits and a unit, as `'1500m'`; undefined when there is no limit.
 * @throws TypeError `ERR_INVALID_ARG_TYPE`, RangeError `ERR_OUT_OF_RANGE` - `deadline` is no number, or NaN.
 * @throws {@link InvalidStateError} `ERR_INVALID_STATE` - no loop is running.
 * @example
 * ```ts
 * await timeout(1500, async () => console.log(encodeDeadline())); // '1500m', or a little less in 'u'
 * ```
 * @source gRPC over HTTP/2, `Timeout`
 */
export function encodeDeadline(deadline: number = currentDeadline()): string | undefined {
  validateNumber('deadline', deadline);
  const leftMs = Math.max(0, deadline - requireRunningLoop().time());
  if (leftMs === Infinity) return undefined;
  if (Number.isInteger(leftMs) && leftMs < 10 ** MAX_DIGITS) return `${String(leftMs)}m`;
  for (const [unit, durationMs] of UNITS) {
    const count = Math.ceil(leftMs / durationMs);
    if (count < 10 ** MAX_DIGITS) return `${String(count)}${unit}`;
  }
  return `${'9'.repeat(MAX_DIGITS)}H`;
}

/**
 * The deadline that a `grpc-timeout` header stands for, from now on.
 *
 * Suspends: never.
 *
 * @param header - One to eight digits and one of `n u m S M H`.
 * @returns Loop time in milliseconds, for {@link timeoutAt} or a scope.
 * @throws TypeError `ERR_INVALID_ARG_TYPE`, RangeError `ERR_OUT_OF_RANGE` - no string, or not of that form.
 * @throws {@link InvalidStateError} `ERR_INVALID_STATE` - no loop is running.
 * @example
 * ```ts
 * await timeoutAt(decodeDeadline('1500m'), async () => await sleep(1));
 * ```
 * @source gRPC over HTTP/2, `Timeout`
 */
export function decodeDeadline(header: string): number {
  validateString('header', header);
  const match = /^(\d{1,8})([numSMH])$/.exec(header);
  const durationMs = UNITS.find(([unit]) => unit === match?.[2])?.[1];
  if (match === null || durationMs === undefined) {
    throw outOfRange('header', 'one to eight digits and one of n, u, m, S, M, H', header);
  }
  return requireRunningLoop().time() + Number(match[1]) * durationMs;
}
