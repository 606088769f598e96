// What the ready queue holds: something that runs once, later, in a context of its own.
import type { ContextSnapshot } from './context.js';

/** Plain callbacks: `process.nextTick` and promise jobs drain before the next handle runs. */
export const KIND_CALLBACK = 0;
/** Steps of generator tasks: a run of them shares one drain. */
export const KIND_STEP = 1;
/** First steps of async-function tasks: a run of them shares one drain. */
export const KIND_ASYNC_STEP = 2;
/** Wake-ups of async functions: they only settle promises, so a run of them shares one drain and needs no context. */
export const KIND_WAKE_UP = 3;
export type HandleKind =
  typeof KIND_CALLBACK | typeof KIND_STEP | typeof KIND_ASYNC_STEP | typeof KIND_WAKE_UP;

/**
 * A unit of work in the ready queue; schedulers order them, the loop runs each at most once.
 *
 * Suspends: never.
 *
 * @source CPython 3.13 asyncio/events.py `Handle`
 */
export abstract class Handle {
  /** Decides what drains before the next handle runs. */
  declare readonly kind: HandleKind;
  /** The async context captured when the handle was made; null is the loop's own. */
  declare context: ContextSnapshot | null;
  /** @internal */
  declare protected _isCancelled: boolean;

  constructor(kind: HandleKind, context: ContextSnapshot | null) {
    this.kind = kind;
    this.context = context;
    this._isCancelled = false;
  }

  /** Keeps the handle from running, also when it is already part of the current batch. Idempotent. */
  cancel(): void {
    this._isCancelled = true;
  }

  /** Whether {@link Handle.cancel} was called before the handle ran. */
  cancelled(): boolean {
    return this._isCancelled;
  }

  [Symbol.dispose](): void {
    this.cancel();
  }

  /** Called by the loop, and only there. What it throws goes to the exception handler. @internal */
  abstract _run(): void;

  /** It has run, and nobody looks at it any more. Only of wake-ups. @internal */
  _release(): void {
    // Most are made for one run.
  }

  /** Names the work in messages. @internal */
  abstract _describe(): string;
}

const noCallback = (): void => undefined;
/** The arguments of a callback that takes none. @internal */
export const noArgs: readonly unknown[] = [];

/**
 * Makes an array of its arguments. Forwarding a rest parameter to a call, and only asking for its
 * length elsewhere, lets V8 leave the array out when there is none to keep.
 * @internal
 */
export function listOf(...args: unknown[]): readonly unknown[] {
  return args;
}

/** Runs a callback once; made by `callSoon`. @internal */
export class CallbackHandle extends Handle {
  declare private _callback: (...args: never[]) => unknown;
  declare private _args: readonly unknown[];

  constructor(
    callback: (...args: never[]) => unknown,
    args: readonly unknown[],
    context: ContextSnapshot | null,
  ) {
    super(KIND_CALLBACK, context);
    this._callback = callback;
    this._args = args;
  }

  override cancel(): void {
    super.cancel();
    // What the callback holds is released now, not when the handle is forgotten.
    this._callback = noCallback;
    this._args = noArgs;
    this.context = null;
  }

  _run(): void {
    callWith(this._callback, this._args);
  }

  _describe(): string {
    return describeFunction(this._callback);
  }
}

/** Calls `callback(...args)`; without arguments that is twice as fast as spreading none. @internal */
export function callWith(callback: (...args: never[]) => unknown, args: readonly unknown[]): void {
  if (args.length === 0) callback();
  else (callback as (...args: unknown[]) => unknown)(...args);
}

/** How a function is named in messages. @internal */
export function describeFunction(callback: (...args: never[]) => unknown): string {
  return callback.name === '' ? '(anonymous)' : `${callback.name}()`;
}
