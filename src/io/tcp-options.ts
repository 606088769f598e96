// Options of TCP sockets, which are set before the first byte.
import { validateBoolean, validateInteger } from '../base/validate.js';
import { SOCKET_KEEP_ALIVE, SOCKET_NO_DELAY } from '../native/binding.js';

/** What can be set on every TCP connection. */
export interface TcpOptions {
  /** Sends small writes at once (TCP_NODELAY). @defaultValue true */
  noDelay?: boolean;
  /** Probes a peer that has been silent, and resets the connection when it does not answer. @defaultValue false */
  keepAlive?: boolean;
  /**
   * Silence before the first probe, in ms; rounded up to seconds, 0 leaves it to the system, which waits for
   * hours. @defaultValue 0
   */
  keepAliveDelay?: number;
}

/** The names of {@link TcpOptions}. @internal */
export const TCP_OPTIONS = ['noDelay', 'keepAlive', 'keepAliveDelay'] as const;

/** @throws TypeError `ERR_INVALID_ARG_TYPE`, RangeError `ERR_OUT_OF_RANGE` @internal */
export function validateTcpOptions({ noDelay, keepAlive, keepAliveDelay: delayMs }: TcpOptions): void {
  if (noDelay !== undefined) validateBoolean('options.noDelay', noDelay);
  if (keepAlive !== undefined) validateBoolean('options.keepAlive', keepAlive);
  if (delayMs !== undefined) validateInteger('options.keepAliveDelay', delayMs, 0, 2 ** 31 - 1);
}

/** @internal */
export function tcpFlags({ noDelay, keepAlive }: TcpOptions): number {
  return (noDelay === false ? 0 : SOCKET_NO_DELAY) | (keepAlive === true ? SOCKET_KEEP_ALIVE : 0);
}

/** @internal */
export function keepAliveSeconds({ keepAliveDelay: delayMs = 0 }: TcpOptions): number {
  return Math.ceil(delayMs / 1000);
}
