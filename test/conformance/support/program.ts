// A program that is written twice, in Python and in TypeScript, and what both of them may call.
//
// Each line of a trace begins with the time and the turn of the loop since the clock moved, so that two
// traces are equal only when the same things happened in the same turns.
import { inspect } from 'node:util';
import {
  CancelledError,
  EventLoop,
  ExceptionGroup,
  FatalError,
  InvalidStateError,
  LoopClosedError,
  type Awaitable,
  type Future,
} from '../../../src/index.js';

/**
 * What a program does differently here, on purpose. Programs with timeouts do as asyncio does in strict
 * mode, and this is what they do by default.
 */
export interface Deviation {
  reason: string;
  /** The version of CPython that began to do the same. */
  since?: string;
  /** The trace of the TypeScript side. */
  trace: readonly string[];
}

/** One pair. */
export interface Program {
  /** What is true on both sides. */
  name: string;
  /** Cases of CPython's test file that check the same: `'Class: test, test; Class: test'`, without `test_`. */
  covers?: string;
  /** Defines `main`, a coroutine function, or `program`, which runs a loop itself. */
  python: string;
  /** Runs on a loop of the harness. */
  main?: () => Generator<unknown, unknown, unknown>;
  /** Runs a loop itself; its trace tells neither time nor turns. */
  program?: () => Promise<void>;
  deviation?: Deviation;
}

/** The programs that answer to one test file of CPython. */
export interface Suite {
  /** `test_tasks` */
  module: string;
  /** Another file of CPython whose cases count here. */
  also?: string;
  programs: readonly Program[];
}

/** What programs throw. */
export class Boom extends Error {}

/** What ends the run. */
export class Fatal extends FatalError {}

/** A program that runs. */
export interface Run {
  loop: EventLoop;
  /** Since the clock moved. */
  turn: number;
  trace: string[];
  isStrict: boolean;
  /** Whether the mode was asked for. */
  hasTimeouts: boolean;
}

let current: Run | null = null;

/** Makes `run` the one that {@link log} and {@link loop} are about. */
export function setRun(run: Run | null): void {
  current = run;
}

/** The loop of the program. */
export function loop(): EventLoop {
  return EventLoop.running();
}

/** How timeouts of the program behave. */
export function timeoutMode(): { strict: boolean } {
  current!.hasTimeouts = true;
  return { strict: current!.isStrict };
}

/** A new future. */
export function future<T = any>(): Future<T> {
  return loop().createFuture<T>();
}

/** Adds a line to the trace. */
export function log(...what: unknown[]): void {
  if (current === null) return;
  const { turn, trace } = current;
  const place = turn > 0 ? `${String(current.loop.time())}ms/${String(turn)} ` : '';
  trace.push(place + what.map(show).join(' '));
}

/** What a call gave or threw. */
export function attempt(body: () => unknown): unknown {
  try {
    return body();
  } catch (error) {
    return error;
  }
}

/** What waiting gave or threw. */
export function* outcome(awaitable: Awaitable<unknown>): Generator<unknown, unknown, unknown> {
  try {
    return yield* awaitable;
  } catch (error) {
    return error;
  }
}

/** `pending`, `cancelled`, `result 7` or `error Boom(why)`. */
export function state(one: Future<any>): string {
  if (!one.done()) return 'pending';
  if (one.cancelled()) return 'cancelled';
  const error: unknown = one.exception();
  return error === null ? `result ${show(one.result())}` : `error ${show(error)}`;
}

/** A value as both languages write it in a trace. */
export function show(value: unknown): string {
  if (value === undefined || value === null) return 'none';
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  if (Array.isArray(value)) return `[${value.map(show).join(', ')}]`;
  if (value instanceof Error) return showError(value);
  if (isFuture(value)) return state(value);
  return typeof value === 'string' ? value : inspect(value);
}

function showError(error: Error): string {
  if (error instanceof ExceptionGroup) return `ExceptionGroup[${error.errors.map(show).join(', ')}]`;
  if (error instanceof Boom || error instanceof Fatal) return `${error.constructor.name}(${error.message})`;
  if (error instanceof CancelledError) {
    return error.reason === undefined ? 'CancelledError' : `CancelledError(${show(error.reason)})`;
  }
  return isMisuse(error) ? 'misuse' : error.name === 'TypeError' ? `TypeError: ${error.message}` : error.name;
}

// A call that is refused is a different error in each language.
function isMisuse(error: Error): boolean {
  if (error instanceof InvalidStateError || error instanceof LoopClosedError) return true;
  const code: unknown = (error as { code?: unknown }).code;
  return typeof code === 'string' && /^ERR_(INVALID|OUT_OF_RANGE)/.test(code);
}

function isFuture(value: unknown): value is Future<unknown> {
  return typeof value === 'object' && value !== null && 'addDoneCallback' in value;
}
