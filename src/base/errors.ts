// The errors of every room, and how their messages are worded.
import { getSystemErrorMap, inspect } from 'node:util';

// On the prototype, so that stacks begin with the name and it is not listed as a property.
function nameErrors(type: { readonly prototype: Error }, name: string): void {
  Object.defineProperty(type.prototype, 'name', { value: name, writable: true, configurable: true });
}

/**
 * Thrown into a task at the place where it waits when somebody cancelled it, and by a cancelled future
 * when it is read.
 *
 * @example
 * ```ts
 * try {
 *   await sleep(1000);
 * } catch (error) {
 *   if (isCancelled(error)) console.log('stopped because', error.reason);
 *   throw error;
 * }
 * ```
 * @source CPython 3.13 asyncio `CancelledError`. Differs: an ordinary Error, as JavaScript has no other.
 */
export class CancelledError extends Error {
  static {
    nameErrors(this, 'CancelledError');
  }
  readonly code = 'ABORT_ERR';
  /** What was passed to `cancel()`; the same object as the `reason` of the task's signal. */
  readonly reason: unknown;

  constructor(reason?: unknown) {
    super(cancelMessage(reason), reason instanceof Error ? { cause: reason } : undefined);
    this.reason = reason;
  }
}

function cancelMessage(reason: unknown): string {
  if (reason === undefined) return 'Cancelled';
  if (reason instanceof Error) return `Cancelled: ${reason.message}`;
  return `Cancelled: ${typeof reason === 'string' ? reason : inspect(reason, { depth: 0 })}`;
}

/**
 * Whether `error` says that something was cancelled, rather than that it failed.
 *
 * @example
 * ```ts
 * if (!isCancelled(error)) console.error(error);
 * ```
 */
export function isCancelled(error: unknown): error is CancelledError {
  return error instanceof CancelledError;
}

/** Something took longer than it was given; named and coded as `AbortSignal.timeout()` and the system do. */
export class TimeoutError extends Error {
  static {
    nameErrors(this, 'TimeoutError');
  }
  readonly code = 'ETIMEDOUT';

  constructor(message = 'The operation timed out', options?: ErrorOptions) {
    super(message, options);
  }
}

/** The object is in no state for this call: a result read too early, a second result set. */
export class InvalidStateError extends Error {
  static {
    nameErrors(this, 'InvalidStateError');
  }
  readonly code = 'ERR_INVALID_STATE';
}

/** The barrier was aborted, or reset while somebody waited at it. */
export class BrokenBarrierError extends Error {
  static {
    nameErrors(this, 'BrokenBarrierError');
  }
  readonly code = 'ERR_BROKEN_BARRIER';
}

/** The loop was closed; nothing can be scheduled on it any more. */
export class LoopClosedError extends Error {
  static {
    nameErrors(this, 'LoopClosedError');
  }
  readonly code = 'ERR_LOOP_CLOSED';

  constructor(message = 'The event loop is closed') {
    super(message);
  }
}

/** A queue has no item, and the call does not wait for one. */
export class QueueEmpty extends Error {
  static {
    nameErrors(this, 'QueueEmpty');
  }
  readonly code = 'ERR_QUEUE_EMPTY';

  constructor(message = 'The queue is empty') {
    super(message);
  }
}

/** A queue has no room, and the call does not wait for any. */
export class QueueFull extends Error {
  static {
    nameErrors(this, 'QueueFull');
  }
  readonly code = 'ERR_QUEUE_FULL';

  constructor(message = 'The queue is full') {
    super(message);
  }
}

/** The queue was shut down: it takes no items any more, and has none left to give. */
export class QueueShutDown extends Error {
  static {
    nameErrors(this, 'QueueShutDown');
  }
  readonly code = 'ERR_QUEUE_SHUT_DOWN';

  constructor(message = 'The queue was shut down') {
    super(message);
  }
}

/** The call does not wait, and would have had to. */
export class WouldBlock extends Error {
  static {
    nameErrors(this, 'WouldBlock');
  }
  readonly code = 'ERR_WOULD_BLOCK';

  constructor(message = 'The call would have to wait') {
    super(message);
  }
}

/** Every sender of the channel is closed, and all that was sent has been received. */
export class EndOfChannel extends Error {
  static {
    nameErrors(this, 'EndOfChannel');
  }
  readonly code = 'ERR_END_OF_CHANNEL';

  constructor(message = 'All senders of the channel are closed') {
    super(message);
  }
}

/** The other side is gone for good: nobody could receive what is sent. */
export class BrokenResourceError extends Error {
  static {
    nameErrors(this, 'BrokenResourceError');
  }
  readonly code = 'ERR_BROKEN_RESOURCE';

  constructor(message = 'All receivers of the channel are closed') {
    super(message);
  }
}

/** The object was closed by this side; also of waits that were under way then. */
export class ClosedResourceError extends Error {
  static {
    nameErrors(this, 'ClosedResourceError');
  }
  readonly code = 'ERR_CLOSED_RESOURCE';

  constructor(message = 'This end of the channel is closed') {
    super(message);
  }
}

/**
 * The other side's bytes ended before all that was asked for had come.
 *
 * @source CPython 3.13 asyncio `IncompleteReadError`
 */
export class IncompleteReadError extends Error {
  static {
    nameErrors(this, 'IncompleteReadError');
  }
  readonly code = 'ERR_INCOMPLETE_READ';
  /** What came until then. */
  readonly partial: Buffer;
  /** How many bytes were asked for; null where a separator was. */
  readonly expected: number | null;

  constructor(partial: Buffer, expected: number | null) {
    const wanted = expected === null ? 'a separator' : `${String(expected)} bytes`;
    super(`The bytes ended after ${String(partial.length)}, where ${wanted} had to come`);
    this.partial = partial;
    this.expected = expected;
  }
}

/**
 * More bytes came than a stream's limit allows before a separator.
 *
 * @source CPython 3.13 asyncio `LimitOverrunError`
 */
export class LimitOverrunError extends Error {
  static {
    nameErrors(this, 'LimitOverrunError');
  }
  readonly code = 'ERR_LIMIT_OVERRUN';
  /** How many bytes there are in front of the separator, or where it may begin at the earliest. */
  readonly consumed: number;

  constructor(message: string, consumed: number) {
    super(message);
    this.consumed = consumed;
  }
}

/**
 * Ends the run of the loop when a callback or task throws it; a task stores it as well.
 *
 * @example
 * ```ts
 * throw new FatalError('The configuration is gone');
 * ```
 * @source CPython: what asyncio does with `KeyboardInterrupt` and `SystemExit`
 */
export class FatalError extends Error {
  static {
    nameErrors(this, 'FatalError');
  }
}

/** What a failed operation was about. */
interface ErrorPlace {
  address?: string;
  port?: number;
  hostname?: string;
}

// Numbers of libuv, the same on every system.
/** There is no address of the family that is asked for. @internal */
export const EAI_ADDRFAMILY = -3000;
/** There is no such name, as with EAI_NODATA; Node calls both ENOTFOUND. @internal */
export const EAI_NONAME = -3008;
const EAI_NODATA = -3007;

/** A failed operation of the operating system; has the properties of Node's own system errors. */
export class SystemError extends Error {
  static {
    nameErrors(this, 'SystemError');
  }
  /** The system's name for it: `'ECONNRESET'`. */
  readonly code: string;
  /** The system's number, negative. */
  readonly errno: number;
  /** What was called. */
  readonly syscall: string;
  /** The address concerned. */
  declare readonly address?: string;
  /** The port concerned. */
  declare readonly port?: number;
  /** The name concerned. */
  declare readonly hostname?: string;

  constructor(errno: number, syscall: string, where: ErrorPlace = {}, text?: string) {
    const [name, meaning] = systemErrors().get(errno) ?? [`UNKNOWN_${String(-errno)}`, 'unknown error'];
    const code = errno === EAI_NONAME || errno === EAI_NODATA ? 'ENOTFOUND' : name;
    super(`${syscall} ${code}${describePlace(where)}: ${text ?? meaning}`);
    this.code = code;
    this.errno = errno;
    this.syscall = syscall;
    if (where.address !== undefined) this.address = where.address;
    if (where.port !== undefined) this.port = where.port;
    if (where.hostname !== undefined) this.hostname = where.hostname;
  }
}

function describePlace({ hostname, address = hostname, port }: ErrorPlace): string {
  if (address === undefined) return '';
  return port === undefined ? ` ${address}` : ` ${address}:${String(port)}`;
}

/**
 * The error of a failed operation.
 *
 * @param errno - The system's number, negative, as completions carry it.
 * @param syscall - What was called: `'connect'`.
 * @param where - The address or name concerned, if there is one.
 * @example
 * ```ts
 * throw systemError(-111, 'connect', { address: '127.0.0.1', port: 80 }); // connect ECONNREFUSED 127.0.0.1:80
 * ```
 */
export function systemError(errno: number, syscall: string, where?: ErrorPlace): SystemError {
  return new SystemError(errno, syscall, where);
}

let connectionReset: number | undefined;

/**
 * What an operation on a connection gets that was closed by this side; `ECONNRESET`, as if the peer
 * had done it.
 *
 * @source CPython 3.13 asyncio/streams.py `ConnectionResetError('Connection lost')`
 */
export function connectionLost(syscall = 'write'): SystemError {
  connectionReset ??= errnoOf('ECONNRESET');
  return new SystemError(connectionReset, syscall, {}, 'connection lost');
}

let errorMap: ReturnType<typeof getSystemErrorMap> | undefined;

// Node makes a new map for each who asks.
function systemErrors(): ReturnType<typeof getSystemErrorMap> {
  return (errorMap ??= getSystemErrorMap());
}

// Numbers differ between systems.
function errnoOf(wanted: string): number {
  for (const [errno, [code]] of systemErrors()) if (code === wanted) return errno;
  throw new RangeError(`This system has no ${wanted}`);
}

/** An error as Node makes it for an argument of a wrong type. */
export type ArgumentTypeError = TypeError & { code: 'ERR_INVALID_ARG_TYPE' };
/** An error as Node makes it for an argument out of range. */
export type ArgumentRangeError = RangeError & { code: 'ERR_OUT_OF_RANGE' };

/** An error as Node makes it for a function of the caller that returned the wrong thing. */
export type ReturnValueError = TypeError & { code: 'ERR_INVALID_RETURN_VALUE' };

/**
 * The error for an argument of a wrong type.
 *
 * @param name - The argument, or `options.property`.
 * @param expected - Follows "expected": `'a number'`, `'a string or a Buffer'`.
 * @param got - What came instead.
 */
export function invalidArgType(name: string, expected: string, got: unknown): ArgumentTypeError {
  const error = new TypeError(`The "${name}" ${kindOf(name)}: expected ${expected}, got ${describe(got)}`);
  return Object.assign(error, { code: 'ERR_INVALID_ARG_TYPE' as const });
}

/**
 * The error for an argument of the right type that is out of range.
 *
 * @param name - The argument, or `options.property`.
 * @param expected - Follows "expected": `'an integer from 0 to 65535'`.
 * @param got - What came instead.
 */
export function outOfRange(name: string, expected: string, got: unknown): ArgumentRangeError {
  const error = new RangeError(
    `The "${name}" ${kindOf(name)}: expected ${expected}, got ${inspectShort(got)}`,
  );
  return Object.assign(error, { code: 'ERR_OUT_OF_RANGE' as const });
}

/**
 * The error for a function of the caller that returned the wrong thing.
 *
 * @param name - The function, as the caller passed it: `options.loopFactory`.
 * @param expected - Follows "expected": `'an instance of EventLoop'`.
 * @param got - What it returned.
 */
export function invalidReturnValue(name: string, expected: string, got: unknown): ReturnValueError {
  const error = new TypeError(`The result of "${name}": expected ${expected}, got ${describe(got)}`);
  return Object.assign(error, { code: 'ERR_INVALID_RETURN_VALUE' as const });
}

function kindOf(name: string): string {
  return name.includes('.') ? 'property' : 'argument';
}

const LONGEST_VALUE = 28;

function inspectShort(value: unknown): string {
  const text = inspect(value, { depth: 0, breakLength: Infinity });
  return text.length <= LONGEST_VALUE ? text : `${text.slice(0, LONGEST_VALUE)}...`;
}

/** Names a value so that its type is seen, for the end of "expected X, got Y". */
export function describe(value: unknown): string {
  if (typeof value === 'function') return value.name === '' ? 'a function' : `function ${value.name}`;
  if (typeof value !== 'object' || value === null) return inspectShort(value);
  const prototype = Object.getPrototypeOf(value) as { constructor?: { name?: unknown } } | null;
  const name = prototype?.constructor?.name;
  return typeof name === 'string' && name !== '' ? `an instance of ${name}` : inspectShort(value);
}
