// How a loop is made, and what its options mean where they are left out.
import {
  validateBoolean,
  validateInteger,
  validateMethods,
  validateNumber,
  validateObject,
  validateOneOf,
} from '../base/validate.js';
import { binding } from '../native/load.js';
import type { Backend } from '../native/open.js';
import type { Clock } from './clock.js';
import type { SchedulingPolicy } from './policy.js';
import type { Resolver } from './resolver.js';

const BACKENDS = ['auto', 'epoll', 'poll', 'kqueue'] as const;
const HOSTS = ['auto', 'uv', 'thread'] as const;
const DRAINS = ['perCallback', 'perBatch'] as const;
const UNHANDLED = ['report', 'shutdown', 'exit'] as const;

/** How a loop is made. */
export interface LoopOptions {
  /**
   * How readiness is found.
   * @defaultValue `'auto'`: `EVLOOP_BACKEND` if set, else epoll, on macOS kqueue
   */
  backend?: (typeof BACKENDS)[number];
  /**
   * How Node's loop wakes this one.
   * @defaultValue `'auto'`: `EVLOOP_HOST` if set, else uv where libuv can watch the backend
   */
  host?: (typeof HOSTS)[number];
  /** A source of time, for tests. @defaultValue CLOCK_MONOTONIC */
  clock?: Clock;
  /** The order of ready handles. @defaultValue a new {@link FifoPolicy} */
  policy?: SchedulingPolicy;
  /** Checks more and records where things were made. @defaultValue whether `EVLOOP_DEBUG` is set to 1 */
  debug?: boolean;
  /**
   * Makes each task an AsyncResource of type `LOOPTASK`, for tools that look at async hooks: each has an
   * `executionAsyncId()` of its own, triggered by whoever made it.
   * @defaultValue false up to Node 22, where it makes tasks dearer; true from Node 24 on
   */
  asyncHooks?: boolean;
  /** Milliseconds one stay may last before Node's own work runs, 0 ... 1000. @defaultValue 0.05 */
  budgetMs?: number;
  /** Handles one stay may run before Node's own work runs. @defaultValue 100000 */
  maxBatch?: number;
  /**
   * When `process.nextTick` and promise jobs drain: after each callback, as Node does, or once per
   * batch, which is faster.
   * @defaultValue `'perCallback'`
   */
  drain?: (typeof DRAINS)[number];
  /**
   * What an error does that no exception handler took: it is written to stderr; that, and the loop
   * stops with the error; or that, and the process exits with code 1.
   * @defaultValue `'report'`
   */
  unhandled?: (typeof UNHANDLED)[number];
  /**
   * Finds the addresses of names for connections and servers. @defaultValue the system's, as
   * `loop.getAddrInfo()`
   */
  resolver?: Resolver;
  /**
   * How many names the system looks up for this loop at the same time, 1 ... 64; each takes a thread.
   * @defaultValue 2
   */
  dnsThreads?: number;
}

export const DEFAULT_BUDGET_MS = 0.05;
export const DEFAULT_MAX_BATCH = 100_000;
export const DEFAULT_DNS_THREADS = 2;

/** @throws TypeError `ERR_INVALID_ARG_TYPE`, RangeError `ERR_OUT_OF_RANGE` - an option is wrong. @internal */
export function validateLoopOptions(options: LoopOptions): void {
  validateObject('options', options);
  if (options.clock !== undefined) validateMethods('options.clock', options.clock, ['now', 'sleepTime']);
  if (options.policy !== undefined) {
    validateMethods('options.policy', options.policy, ['push', 'pop']);
    validateNumber('options.policy.size', options.policy.size, 0);
  }
  if (options.debug !== undefined) validateBoolean('options.debug', options.debug);
  if (options.asyncHooks !== undefined) validateBoolean('options.asyncHooks', options.asyncHooks);
  if (options.backend !== undefined) validateOneOf('options.backend', options.backend, BACKENDS);
  if (options.host !== undefined) validateOneOf('options.host', options.host, HOSTS);
  if (options.drain !== undefined) validateOneOf('options.drain', options.drain, DRAINS);
  if (options.unhandled !== undefined) validateOneOf('options.unhandled', options.unhandled, UNHANDLED);
  if (options.budgetMs !== undefined) validateNumber('options.budgetMs', options.budgetMs, 0, 1000);
  if (options.maxBatch !== undefined) validateInteger('options.maxBatch', options.maxBatch, 1, 2 ** 31);
  if (options.resolver !== undefined) validateMethods('options.resolver', options.resolver, ['getAddrInfo']);
  if (options.dnsThreads !== undefined) validateInteger('options.dnsThreads', options.dnsThreads, 1, 64);
}

/** The poller, as the option or the environment says. @internal */
export function pickBackend(option: LoopOptions['backend']): Backend {
  const wanted = option === undefined || option === 'auto' ? (process.env.EVLOOP_BACKEND ?? 'auto') : option;
  validateOneOf('process.env.EVLOOP_BACKEND', wanted, BACKENDS);
  if (wanted !== 'auto') return wanted;
  return process.platform === 'darwin' ? 'kqueue' : 'epoll';
}

/** The host, as the option or the environment says. @internal */
export function pickHost(option: LoopOptions['host'], backend: string): 'uv' | 'thread' {
  const wanted = option === undefined || option === 'auto' ? (process.env.EVLOOP_HOST ?? 'auto') : option;
  validateOneOf('process.env.EVLOOP_HOST', wanted, HOSTS);
  if (wanted === 'uv' || wanted === 'thread') return wanted;
  // Only a poller with a descriptor can be watched by libuv. Deno lacks functions of it, and Bun has them all
  // but aborts in most.
  const isAbortedByUv = process.versions.bun !== undefined;
  return backend === 'poll' || isAbortedByUv || !binding.hasUvHost ? 'thread' : 'uv';
}
