// The loop: a ready queue, timers, and one function that runs a turn.
//
//     reap completions -> deliver them -> timers that are due -> run exactly what was ready
//
// Native polls before the turn and carries out what was submitted after it. Handles are *called* in
// batch.ts and nowhere else; what a batch schedules waits for the next turn.
//
// Source: CPython 3.13 asyncio/base_events.py `_run_once`.
import { AsyncResource } from 'node:async_hooks';
import { FatalError, InvalidStateError, LoopClosedError } from '../base/errors.js';
import { refuseCoroutine, validateFunction, validateNumber, validateObject } from '../base/validate.js';
import { abi } from '../native/abi.js';
import type { NativeLoop } from '../native/binding.js';
import { openNative, type NativeOptions } from '../native/open.js';
import { Rings } from '../native/rings.js';
import { Batch, slowCallbackChannel, type BatchOwner } from './batch.js';
import { monotonicMs, type Clock } from './clock.js';
import { ClockTimers, ClockWake } from './clock-timers.js';
import { Completions, type CompletionTarget } from './completions.js';
import type { ContextSnapshot } from './context.js';
import { captureContext, isContextTracked, isTaskContextFree, pickContext } from './context.js';
import { reportException, validateExceptionContext, type ExceptionContext } from './exception.js';
import type { Handle } from './handle.js';
import { CallbackHandle, listOf, noArgs } from './handle.js';
import {
  DEFAULT_BUDGET_MS,
  DEFAULT_DNS_THREADS,
  DEFAULT_MAX_BATCH,
  pickBackend,
  pickHost,
  validateLoopOptions,
  type LoopOptions,
} from './options.js';
import { describeHandle, originOf, recordOrigin } from './origin.js';
import { FifoPolicy } from './policy.js';
import type { Resolver } from './resolver.js';
import { ReceiveMemory } from './receive-memory.js';
import { takeStatistics, type LoopStatistics } from './statistics.js';
import { TimerHandle, type TimerQueue } from './timers.js';
import { WheelTimers } from './wheel-timers.js';

type AnyCallback = (...args: never[]) => unknown;

export type { LoopOptions } from './options.js';

/** Receives errors that nobody else can catch. */
export type ExceptionHandler = (loop: LoopCore, context: ExceptionContext) => void;

export type { CompletionTarget } from './completions.js';

/** Published on the channel `evloop.slowCallback` and passed to `onSlowCallback`. */
export interface SlowCallback {
  handle: Handle;
  /** How long it ran, milliseconds. */
  durationMs: number;
  loop: LoopCore;
}

// How old a poll may become while handles are ready.
const POLL_INTERVAL_MS = 0.05;
const BATCHES_PER_CLOCK_READ = 4;
const DEFAULT_SLOW_CALLBACK_MS = 100;
let running: LoopCore | null = null;

/** The loop that runs in this thread, or null. @internal */
export function runningLoop(): LoopCore | null {
  return running;
}

/** Scheduling, timers and the native side; EventLoop adds futures and tasks. */
export class LoopCore implements BatchOwner {
  /** Checks more and records where things were made. */
  debug: boolean;
  /** The task whose step runs right now; set by the task room. @internal */
  _currentTask: unknown = null;
  /** Whether each task is a resource of its own. @internal */
  readonly _hasTaskResources: boolean;
  /** What the rooms above have to do when the loop closes. @internal */
  readonly _onClose: (() => void)[] = [];
  /** Counts tasks for statistics; set by the task room. @internal */
  _taskCount: () => number = () => 0;

  /** Null for the system's. @internal */
  readonly _resolver: Resolver | null;
  /** @internal */
  readonly _dnsThreads: number;
  /** @internal */
  readonly _rings: Rings;
  /** @internal */
  readonly _native: NativeLoop;
  readonly #native: NativeOptions;
  readonly #control: Uint32Array;
  readonly #clock: Clock | null;
  readonly #wheel: WheelTimers;
  readonly #clockTimers: ClockTimers | null = null;
  readonly #clockWake: ClockWake | null = null;
  // Where timers of callers wait: one of the two.
  readonly #timers: TimerQueue;
  // What native enters for a turn. A callback may write into it: the first in the process that uses
  // an AsyncLocalStorage, as only then contexts are looked after.
  readonly #resource = new AsyncResource('EVLOOP');
  // Held here: native does so only while the loop runs.
  readonly #onTurn = (): void => this.#turn();
  readonly #batch: Batch;
  readonly #completions: Completions;
  readonly #memory: ReceiveMemory;
  readonly #unhandled: NonNullable<LoopOptions['unhandled']>;

  #isBatchOver = false;
  #isStopping = false;
  #stopsAtOnce = false;
  #isClosed = false;
  #isInBackground = false;
  #startedMs = 0;
  #ranMs = 0;
  #finish: ((error: unknown) => void) | null = null;
  #fatal: { error: unknown } | null = null;
  #exceptionHandler: ExceptionHandler | null = null;
  #slowCallbackDuration = DEFAULT_SLOW_CALLBACK_MS;
  #onSlowCallback: ((event: SlowCallback) => void) | null = null;

  /**
   * @throws TypeError `ERR_INVALID_ARG_TYPE`, RangeError `ERR_OUT_OF_RANGE` - an option is wrong.
   * @throws SystemError - the system has no room for another poller (`EMFILE` ...), or the backend and
   *   host do not go together (`ENOTSUP`).
   */
  constructor(options: LoopOptions = {}) {
    validateLoopOptions(options);
    const { budgetMs = DEFAULT_BUDGET_MS } = options;
    this.debug = options.debug ?? process.env.EVLOOP_DEBUG === '1';
    this._hasTaskResources = options.asyncHooks ?? isTaskContextFree();
    this.#unhandled = options.unhandled ?? 'report';
    this._resolver = options.resolver ?? null;
    this._dnsThreads = options.dnsThreads ?? DEFAULT_DNS_THREADS;
    const backend = pickBackend(options.backend);
    this.#native = { backend, host: pickHost(options.host, backend) };
    this.#clock = options.clock ?? null;

    this._rings = new Rings({ flush: () => this._flush(), requestTurn: () => this.#requestTurn() });
    this.#control = this._rings.control;
    this._rings.doubles[abi.CTL_F64_BUDGET_MS] = budgetMs;
    this.#batch = new Batch(this, this._rings, {
      policy: options.policy ?? new FifoPolicy(),
      maxBatch: options.maxBatch ?? DEFAULT_MAX_BATCH,
      isDrainedPerCallback: options.drain !== 'perBatch',
    });
    this._native = openNative(this.#native, this._rings, this.#onTurn, this.#resource);
    const onReference = (delta: number): void => this._reference(delta);
    this.#wheel = new WheelTimers(this._rings, onReference);
    if (this.#clock !== null) {
      this.#clockTimers = new ClockTimers(this.#clock, onReference, () => this.#clockWake?.arm());
      this.#clockWake = new ClockWake(this.#clock, this.#clockTimers, this.#wheel);
    }
    this.#timers = this.#clockTimers ?? this.#wheel;
    this.#completions = new Completions(this._rings, this.#wheel, (timer) => this.#batch.push(timer));
    this.#memory = new ReceiveMemory(this._native, this.#control);
  }

  // Scheduling

  /**
   * Runs `callback(...args)` in the next turn, after everything scheduled before it.
   *
   * Suspends: never. May be called from anywhere in this thread; other threads use a remote.
   *
   * @returns A handle; cancelling it keeps the callback from running.
   * @throws TypeError `ERR_INVALID_ARG_TYPE` - `callback` is no function.
   * @throws {@link LoopClosedError} `ERR_LOOP_CLOSED` - the loop is closed.
   * @example
   * ```ts
   * loop.callSoon(console.log, 'in the next turn');
   * ```
   * @source CPython 3.13 `loop.call_soon`
   */
  callSoon<A extends unknown[]>(callback: (...args: A) => unknown, ...args: A): Handle {
    this.#checkCallback(callback);
    const handle = new CallbackHandle(
      callback,
      args.length === 0 ? noArgs : listOf(...args),
      captureContext(),
    );
    if (this.debug) recordOrigin(this, handle, 'callSoon');
    this._push(handle);
    return handle;
  }

  /**
   * Like {@link LoopCore.callSoon}, in a context of the caller's choice.
   *
   * @param options - `context`: an `AsyncResource`, or null for the loop's own context.
   * @throws TypeError `ERR_INVALID_ARG_TYPE` - a wrong option, or `callback` is no function.
   * @throws {@link LoopClosedError} `ERR_LOOP_CLOSED` - the loop is closed.
   */
  callSoonWith<A extends unknown[]>(
    options: { context?: ContextSnapshot | null },
    callback: (...args: A) => unknown,
    ...args: A
  ): Handle {
    validateObject('options', options);
    this.#checkCallback(callback);
    const context = pickContext(options.context);
    const handle = new CallbackHandle(callback, args.length === 0 ? noArgs : listOf(...args), context);
    if (this.debug) recordOrigin(this, handle, 'callSoonWith');
    this._push(handle);
    return handle;
  }

  /**
   * Like {@link LoopCore.callSoon}. JavaScript of one thread cannot race with itself; from another
   * thread use {@link createRemote}.
   *
   * @source CPython 3.13 `loop.call_soon_threadsafe`
   */
  callSoonThreadsafe<A extends unknown[]>(callback: (...args: A) => unknown, ...args: A): Handle {
    return this.callSoon(callback, ...args);
  }

  /**
   * Runs `callback(...args)` once, no earlier than `delayMs` from now.
   *
   * Suspends: never. Timers with equal deadlines run in call order, after I/O of the same turn.
   *
   * @param delayMs - Milliseconds, fractions allowed; 0 or less means the next turn; Infinity never.
   * @throws TypeError `ERR_INVALID_ARG_TYPE`, RangeError `ERR_OUT_OF_RANGE` - `delayMs` is no number, or NaN.
   * @throws {@link LoopClosedError} `ERR_LOOP_CLOSED` - the loop is closed.
   * @example
   * ```ts
   * const timer = loop.callLater(50, () => console.log('late'));
   * timer.cancel();
   * ```
   * @source CPython 3.13 `loop.call_later`. Differs: milliseconds; ties are FIFO; never early.
   */
  callLater<A extends unknown[]>(
    delayMs: number,
    callback: (...args: A) => unknown,
    ...args: A
  ): TimerHandle {
    if (typeof delayMs !== 'number' || Number.isNaN(delayMs)) validateNumber('delayMs', delayMs);
    const timer = this.#makeTimer(0, callback, args.length === 0 ? noArgs : listOf(...args));
    if (this.debug) recordOrigin(this, timer, 'callLater');
    this.#timers.startIn(timer, delayMs);
    return timer;
  }

  /**
   * Runs `callback(...args)` once `loop.time()` has reached `whenMs`; a time in the past is the next turn.
   *
   * Suspends: never.
   *
   * @param whenMs - Milliseconds on the clock of `loop.time()`.
   * @throws TypeError `ERR_INVALID_ARG_TYPE`, RangeError `ERR_OUT_OF_RANGE` - `whenMs` is no number, or NaN.
   * @throws {@link LoopClosedError} `ERR_LOOP_CLOSED` - the loop is closed.
   * @source CPython 3.13 `loop.call_at`
   */
  callAt<A extends unknown[]>(whenMs: number, callback: (...args: A) => unknown, ...args: A): TimerHandle {
    validateNumber('whenMs', whenMs);
    const timer = this.#makeTimer(whenMs, callback, args.length === 0 ? noArgs : listOf(...args));
    if (this.debug) recordOrigin(this, timer, 'callAt');
    this.#timers.start(timer);
    return timer;
  }

  #makeTimer(when: number, callback: AnyCallback, args: readonly unknown[]): TimerHandle {
    // The engine makes one function of a start and what it calls, when that is little; so what is
    // rarely needed is kept out.
    if (typeof callback !== 'function' || this.#isClosed || this.debug) this.#checkCallback(callback);
    return new TimerHandle(this.#timers, when, callback, args, isContextTracked() ? captureContext() : null);
  }

  /** @throws {@link LoopClosedError} `ERR_LOOP_CLOSED` - the loop is closed. @internal */
  _checkOpen(): void {
    if (this.#isClosed) throw new LoopClosedError();
  }

  #checkCallback(callback: unknown): void {
    validateFunction('callback', callback);
    this._checkOpen();
    if (this.debug) refuseCoroutine(callback);
  }

  /** Monotonic milliseconds, read now. */
  time(): number {
    return this.#timers.time();
  }

  /** The time at which the current turn began, milliseconds: cheaper than {@link LoopCore.time}. */
  tickTime(): number {
    return this.#clock === null ? this._rings.doubles[abi.CTL_F64_NOW]! : this.#clock.now();
  }

  /** Appends to the ready queue. @internal */
  _push(handle: Handle): void {
    this.#batch.push(handle);
    const control = this.#control;
    control[abi.CTL_READY] = 1;
    if (control[abi.CTL_IN_HOST] === 0 && control[abi.CTL_WAKE_REQUESTED] === 0) this.#requestTurn();
  }

  // Running

  /** Runs as a guest until stop(); the promise rejects with a fatal error. @internal */
  _start(): Promise<void> {
    if (this.#isClosed) throw new LoopClosedError();
    if (running === this) throw new InvalidStateError('This event loop is already running');
    if (running !== null) {
      throw new InvalidStateError('Cannot run the event loop while another loop is running');
    }
    running = this;
    this.#startedMs = monotonicMs();
    const finished = new Promise<void>((resolve, reject) => {
      this.#finish = (fatal) => {
        if (fatal === null) resolve();
        else reject((fatal as { error: unknown }).error);
      };
    });
    // A stop() that came first still lets one turn run.
    if (this.#isStopping) this.#control[abi.CTL_READY] = 1;
    this._native.start();
    return finished;
  }

  /** Runs next to whichever loop runs in this thread, and to the end of the thread. @internal */
  _startInBackground(): void {
    this.#isInBackground = true;
    this.#startedMs = monotonicMs();
    this._native.start();
  }

  /**
   * Ends the run when the current batch is through; what the batch schedules stays queued.
   *
   * Suspends: never. Before the loop runs, it makes the next run end after one turn.
   *
   * @throws {@link LoopClosedError} `ERR_LOOP_CLOSED` - the loop is closed.
   * @source CPython 3.13 `loop.stop`
   */
  stop(): void {
    if (this.#isClosed) throw new LoopClosedError();
    this.#isStopping = true;
    if (running !== this) return;
    // A promise job of the batch that just ended: what it scheduled waits for the next run.
    this.#stopsAtOnce = this.#isBatchOver && this.#control[abi.CTL_IN_HOST] === 1;
    this.#control[abi.CTL_READY] = 1;
    if (this.#control[abi.CTL_IN_HOST] === 0) this.#requestTurn();
  }

  /** Whether the loop runs, in this thread. */
  isRunning(): boolean {
    return running === this;
  }

  /** Whether the loop was closed. */
  isClosed(): boolean {
    return this.#isClosed;
  }

  /**
   * Closes every socket and drops what is queued without running it. Idempotent.
   *
   * Suspends: never.
   *
   * @throws {@link InvalidStateError} `ERR_INVALID_STATE` - the loop runs.
   * @source CPython 3.13 `loop.close`
   */
  close(): void {
    if (this.#isClosed) return;
    if (running === this) throw new InvalidStateError('Cannot close a running event loop');
    for (const hook of this._onClose.splice(0)) hook();
    // Native closes what is open, and JS will see no completion any more.
    this.#completions.close();
    this.#isClosed = true;
    this.#batch.clear();
    this.#clockTimers?.close();
    this.#wheel.close();
    this._native.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** Lets what the loop waits for keep the process alive, as it does from the start. */
  ref(): this {
    return this.#setReferenced(true);
  }

  /** Lets the process exit no matter what the loop waits for. */
  unref(): this {
    return this.#setReferenced(false);
  }

  /** Whether what the loop waits for keeps the process alive. */
  hasRef(): boolean {
    return this.#control[abi.CTL_IS_UNREFERENCED] === 0;
  }

  #setReferenced(on: boolean): this {
    this.#control[abi.CTL_IS_UNREFERENCED] = on ? 0 : 1;
    this._reference(0);
    return this;
  }

  /** Counts things that keep the process alive; a turn makes the change known to Node. @internal */
  _reference(delta: number): void {
    const control = this.#control;
    control[abi.CTL_REFERENCES]! += delta;
    this._wantTurn();
  }

  /** Asks for a turn unless one runs or was asked for. @internal */
  _wantTurn(): void {
    const control = this.#control;
    if (control[abi.CTL_IN_HOST] === 0 && control[abi.CTL_WAKE_REQUESTED] === 0) this.#requestTurn();
  }

  /** Native does now what was submitted. @internal */
  _flush(): void {
    this.#wheel.settle();
    this._native.flush();
  }

  #requestTurn(): void {
    this.#control[abi.CTL_WAKE_REQUESTED] = 1;
    this._native.wake();
  }

  // The turn

  // Called by native, and only there.
  #turn(): void {
    this.#batch.inOwnContext(this, this.#runTurn);
  }

  #runTurn(): void {
    const control = this.#control;
    const batch = this.#batch;
    batch.enter();
    this.#isBatchOver = false;
    // Native looks for events only when no batch is under way.
    const isPolled = !batch.isUnderWay;
    if (isPolled && !this.#stopsAtOnce) {
      batch.beginStay();
      this.#wheel.beginTurn();
      this.#completions.reap();
      if (this.#clockTimers !== null) this.#reapClock(this.#clockTimers);
      batch.begin();
    }
    let result = batch.run();
    for (let batches = 1; isPolled && result === abi.TURN_DONE && this.#goesOn(batches); batches++) {
      control[abi.CTL_TURNS]!++;
      batch.begin();
      result = batch.run();
    }
    const isOver = result === abi.TURN_DONE;
    // The thread host calls from within a callback of Node's, so that leaving the turn drains nothing.
    if (isOver && this.#native.host === 'thread' && !batch.leave()) result = abi.TURN_DRAIN;
    control[abi.CTL_TURN_RESULT] = result;
    if (isOver) {
      this.#isBatchOver = true;
      // A slab goes only when no completion that names it is left.
      const isReaped = control[abi.CTL_COMPLETION_HEAD] === control[abi.CTL_COMPLETION_TAIL];
      if (isReaped && (control[abi.CTL_SLAB_CONSUMED_MASK]! | control[abi.CTL_SLAB_STARVED]!) !== 0) {
        this.#memory.replenish();
      }
      if (this.#isStopping) this.#finishRun();
    }
    control[abi.CTL_READY] = batch.size > 0 ? 1 : 0;
  }

  // Whether the next batch can start at once. A poll costs as much as ten steps of a task, so it is
  // skipped as long as the last one is fresh and there is nothing to submit: no I/O waits for longer
  // than that, and nothing but the poll is left out between the two batches.
  #goesOn(batches: number): boolean {
    if (!this.#mayGoOn()) return false;
    if (batches % BATCHES_PER_CLOCK_READ === 0) {
      if (monotonicMs() >= this._rings.doubles[abi.CTL_F64_NOW]! + POLL_INTERVAL_MS) return false;
    }
    // A promise job may stop the loop.
    return this.#batch.settle() && this.#mayGoOn();
  }

  #mayGoOn(): boolean {
    const control = this.#control;
    if (this.#batch.size === 0 || this.#isStopping || this.#clockTimers !== null) return false;
    if (control[abi.CTL_COMPLETION_HEAD] !== control[abi.CTL_COMPLETION_TAIL]) return false;
    return control[abi.CTL_SUBMISSION_HEAD] === control[abi.CTL_SUBMISSION_TAIL];
  }

  #finishRun(): void {
    this.#isStopping = false;
    this.#stopsAtOnce = false;
    this.#ranMs += monotonicMs() - this.#startedMs;
    running = null;
    this.#wheel.endRun();
    this._native.stop();
    const finish = this.#finish!;
    this.#finish = null;
    const fatal = this.#fatal;
    this.#fatal = null;
    finish(fatal);
  }

  // Completions

  /** Sends completions of a slot to `target`. @internal */
  _attach(index: number, target: CompletionTarget): void {
    this.#completions.attach(index, target);
  }

  /** @internal */
  _detach(index: number, target: CompletionTarget): void {
    this.#completions.detach(index, target);
  }

  #reapClock(timers: ClockTimers): void {
    const now = timers.time();
    for (let timer = timers.takeDue(now); timer !== undefined; timer = timers.takeDue(now)) {
      this.#batch.push(timer);
    }
    this.#clockWake?.arm();
  }

  /** Foreign descriptors that are watched. @internal */
  get _watches(): Map<number, CompletionTarget> {
    return this.#completions.watches;
  }

  // Memory for received bytes

  /** The slab a completion names. @internal */
  _slab(slot: number): ArrayBuffer {
    return this.#memory.slab(slot);
  }

  /** Provides the first slabs; called when the first socket is made. @internal */
  _openSlabs(): void {
    this.#memory.open();
  }

  // Errors

  /**
   * Sets who hears of errors that nobody can catch; null restores the default, which writes them to
   * standard error.
   *
   * @throws TypeError `ERR_INVALID_ARG_TYPE` - neither a function nor null.
   * @source CPython 3.13 `loop.set_exception_handler`
   */
  setExceptionHandler(handler: ExceptionHandler | null): void {
    if (handler !== null) validateFunction('handler', handler);
    this.#exceptionHandler = handler;
  }

  /** The handler set last, or null for the default. */
  getExceptionHandler(): ExceptionHandler | null {
    return this.#exceptionHandler;
  }

  /**
   * Hands an error to the exception handler; one that throws is replaced by the default.
   *
   * @throws TypeError `ERR_INVALID_ARG_TYPE` - `context` is no object, or has no message.
   * @source CPython 3.13 `loop.call_exception_handler`
   */
  callExceptionHandler(context: ExceptionContext): void {
    validateExceptionContext(context);
    const handler = this.#exceptionHandler;
    if (handler === null) return this.defaultExceptionHandler(context);
    try {
      handler(this, context);
    } catch (error) {
      if (error instanceof FatalError) return this.#fail(error);
      this.defaultExceptionHandler({ message: 'Unhandled error in exception handler', exception: error });
      this.defaultExceptionHandler(context);
    }
  }

  /**
   * Writes the error to standard error, and does what the option `unhandled` says.
   *
   * @throws TypeError `ERR_INVALID_ARG_TYPE` - `context` is no object, or has no message.
   */
  defaultExceptionHandler(context: ExceptionContext): void {
    reportException(context);
    if (this.#unhandled === 'shutdown') this.#fail(context.exception ?? new Error(context.message));
    else if (this.#unhandled === 'exit') process.exit(1);
  }

  /** A handle that was cancelled meanwhile has forgotten its context. @internal */
  _onCallbackError(handle: Handle, context: ContextSnapshot | null, error: unknown): void {
    if (error instanceof FatalError) return this.#fail(error);
    const report = (): void =>
      this.callExceptionHandler({
        message: `Exception in callback ${describeHandle(handle)}`,
        exception: error,
        handle,
        sourceTraceback: originOf(handle),
      });
    // The handler sees the context of what failed.
    if (context === null) report();
    else context.runInAsyncScope(report);
  }

  /**
   * Callbacks and steps that run at least this long are reported while anybody listens; milliseconds.
   *
   * @throws TypeError `ERR_INVALID_ARG_TYPE`, RangeError `ERR_OUT_OF_RANGE` - no number, or less than 0.
   * @source CPython 3.13 `loop.slow_callback_duration`
   */
  get slowCallbackDuration(): number {
    return this.#slowCallbackDuration;
  }

  set slowCallbackDuration(durationMs: number) {
    validateNumber('slowCallbackDuration', durationMs, 0);
    this.#slowCallbackDuration = durationMs;
  }

  /**
   * Hears of slow callbacks; in debug mode they are written to standard error as well.
   *
   * @throws TypeError `ERR_INVALID_ARG_TYPE` - neither a function nor null.
   */
  get onSlowCallback(): ((event: SlowCallback) => void) | null {
    return this.#onSlowCallback;
  }

  set onSlowCallback(listener: ((event: SlowCallback) => void) | null) {
    if (listener !== null) validateFunction('onSlowCallback', listener);
    this.#onSlowCallback = listener;
  }

  /** @internal */
  _onSlowCallback(handle: Handle, durationMs: number): void {
    const event: SlowCallback = { handle, durationMs, loop: this };
    slowCallbackChannel.publish(event);
    try {
      this.#onSlowCallback?.(event);
    } catch (error) {
      this.callExceptionHandler({ message: 'Exception in onSlowCallback', exception: error, handle });
    }
    if (this.debug) {
      console.error(`evloop: Executing ${describeHandle(handle)} took ${durationMs.toFixed(1)} ms`);
    }
  }

  // Ends the run with an error.
  #fail(error: unknown): void {
    this.#fatal ??= { error };
    if (running === this) this.stop();
  }

  /** Ends the run with an error; for tasks that end with one. @internal */
  _fail(error: unknown): void {
    this.#fail(error);
  }

  // Other threads

  /** Calls `collect` in the turn after another thread notified this loop. @internal */
  _addMailbox(collect: () => void): () => void {
    return this.#completions.addMailbox(collect);
  }

  // Looking inside

  /** Counters and gauges of this moment, frozen. Its cost grows with the number of timers. */
  statistics(): LoopStatistics {
    return takeStatistics(this._rings, {
      ...this.#native,
      ready: this.#batch.size,
      timers: this.#timers.size,
      nextDeadline: this.#timers.nextDeadline(),
      tasks: this._taskCount(),
      handlesRun: this.#batch.handlesRun,
      runningMs:
        this.#ranMs + (running === this || this.#isInBackground ? monotonicMs() - this.#startedMs : 0),
    });
  }
}
