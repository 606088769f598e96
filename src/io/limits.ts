// How much a connection buffers, and for how long.
import { validateInteger, validateNumber } from '../base/validate.js';

/** How a stream buffers. */
export interface StreamOptions {
  /** Bytes to hold unread before the peer is slowed down (at twice as many), 1 or more. @defaultValue 65536 */
  limit?: number;
  /** Unsent bytes above which `drain()` waits. @defaultValue 65536 */
  highWaterMark?: number;
  /** Unsent bytes at which `drain()` goes on. @defaultValue a quarter of the high mark */
  lowWaterMark?: number;
  /**
   * Milliseconds that `close()` waits, 0 or more, while the peer takes none of what is unsent; then the connection is
   * reset. Infinity waits as long as the system does. @defaultValue 30000
   */
  closeTimeout?: number;
}

/** Stream options with everything filled in, bytes; connections of one server share theirs. @internal */
export interface BufferLimits {
  readonly limit: number;
  readonly high: number;
  readonly low: number;
  readonly closeTimeoutMs: number;
}

const DEFAULT_LIMIT = 65536;
const DEFAULT_HIGH_WATER_MARK = 65536;
const DEFAULT_CLOSE_TIMEOUT_MS = 30_000;

/** Fills in what is missing or follows from the rest. @internal */
export function bufferLimits(options: StreamOptions = {}): BufferLimits {
  const { limit = DEFAULT_LIMIT, highWaterMark, lowWaterMark } = options;
  const { closeTimeout: closeTimeoutMs = DEFAULT_CLOSE_TIMEOUT_MS } = options;
  const high = highWaterMark ?? (lowWaterMark === undefined ? DEFAULT_HIGH_WATER_MARK : lowWaterMark * 4);
  return { limit, high, low: lowWaterMark ?? Math.floor(high / 4), closeTimeoutMs };
}

/** @throws TypeError `ERR_INVALID_ARG_TYPE`, RangeError `ERR_OUT_OF_RANGE` @internal */
export function validateStreamOptions(options: StreamOptions): void {
  const { limit, highWaterMark: high, lowWaterMark: low, closeTimeout: timeoutMs } = options;
  if (limit !== undefined) validateInteger('options.limit', limit, 1);
  if (high !== undefined) validateInteger('options.highWaterMark', high, 0);
  if (low !== undefined) validateInteger('options.lowWaterMark', low, 0, high);
  if (timeoutMs !== undefined) validateNumber('options.closeTimeout', timeoutMs, 0);
}
