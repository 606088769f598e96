// A loop without a native side, stepped by hand, with virtual time.
//
//   const loop = fakeLoop();
//   const task = new Task(loop, coroutine());
//   loop.turn();            // exactly what was ready
//   await loop.settle();    // turns and promise jobs, until nothing is left to do
//   await loop.advance(50); // as settle(), with 50 virtual milliseconds passing
import { captureContext, type ContextSnapshot } from '../../src/core/context.js';
import type { ExceptionContext } from '../../src/core/exception.js';
import { CallbackHandle, type Handle } from '../../src/core/handle.js';
import type { LoopCore } from '../../src/core/loop.js';
import { ClockTimers } from '../../src/core/clock-timers.js';
import { TimerHandle } from '../../src/core/timers.js';

type Callback = (...args: any[]) => unknown;

class FakeLoopCore {
  debug = false;
  _currentTask: unknown = null;
  readonly _onClose: (() => void)[] = [];
  _taskCount: () => number = () => 0;
  /** What reached the exception handler. */
  readonly errors: ExceptionContext[] = [];
  /** What ended the run. */
  fatal: unknown = null;
  /** Turns so far. */
  turns = 0;
  isRunningNow = true;
  #isClosed = false;
  #ready: Handle[] = [];
  #now = 0;
  readonly #timers = new ClockTimers(
    { now: () => this.#now, sleepTime: () => 0 },
    () => undefined,
    () => undefined,
  );

  /** Handles that are ready. */
  get ready(): number {
    return this.#ready.length;
  }

  /** Timers that wait. */
  get timers(): number {
    return this.#timers.size;
  }

  time(): number {
    return this.#now;
  }

  isClosed(): boolean {
    return this.#isClosed;
  }

  isRunning(): boolean {
    return this.isRunningNow;
  }

  close(): void {
    for (const hook of this._onClose.splice(0)) hook();
    this.#isClosed = true;
    this.#ready = [];
  }

  _push(handle: Handle): void {
    this.#ready.push(handle);
  }

  _fail(error: unknown): void {
    this.fatal ??= error;
  }

  callSoon(callback: Callback, ...args: unknown[]): Handle {
    const handle = new CallbackHandle(callback, args, captureContext());
    this._push(handle);
    return handle;
  }

  callLater(delayMs: number, callback: Callback, ...args: unknown[]): TimerHandle {
    const timer = new TimerHandle(this.#timers, this.#now + delayMs, callback, args, captureContext());
    this.#timers.start(timer);
    return timer;
  }

  getExceptionHandler(): () => void {
    return () => undefined;
  }

  callExceptionHandler(context: ExceptionContext): void {
    this.errors.push(context);
  }

  /** Runs exactly what is ready; returns how much that was. */
  turn(): number {
    for (;;) {
      const timer = this.#timers.takeDue(this.#now);
      if (timer === undefined) break;
      this.#ready.push(timer);
    }
    const batch = this.#ready;
    this.#ready = [];
    this.turns++;
    for (const handle of batch) if (!handle.cancelled()) this.#run(handle);
    return batch.length;
  }

  #run(handle: Handle): void {
    const context: ContextSnapshot | null = handle.context;
    try {
      if (context === null) handle._run();
      else context.runInAsyncScope(() => handle._run());
    } catch (error) {
      this.errors.push({ message: `Exception in callback ${handle._describe()}`, exception: error, handle });
    }
  }

  /** Runs turns, without promise jobs between them, until nothing is ready. */
  run(limit = 10_000): void {
    while (this.turn() > 0) if (--limit === 0) throw new Error('The fake loop does not come to rest');
  }

  /** Runs turns and promise jobs until nothing is left to do. */
  async settle(limit = 1000): Promise<void> {
    do {
      await new Promise((resolve) => setImmediate(resolve));
      if (--limit === 0) throw new Error('The fake loop does not come to rest');
    } while (this.turn() > 0 || this.#timers.nextDeadline() <= this.#now);
  }

  /** Lets virtual time pass, stopping at each deadline on the way. */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms;
    await this.settle();
    for (;;) {
      const deadline = this.#timers.nextDeadline();
      if (deadline > end) break;
      this.#now = Math.max(this.#now, deadline);
      await this.settle();
    }
    this.#now = end;
    await this.settle();
  }
}

export type FakeLoop = FakeLoopCore & LoopCore;

/** A new fake loop; it passes for a real one wherever futures and tasks are made. */
export function fakeLoop(): FakeLoop {
  return new FakeLoopCore() as unknown as FakeLoop;
}
