// Runs a whole program: makes a loop, runs the main coroutine, and leaves nothing behind.
import { InvalidStateError, invalidReturnValue } from './base/errors.js';
import { validateBoolean, validateFunction, validateNumber, validateObject } from './base/validate.js';
import { validateContext, type ContextSnapshot } from './core/context.js';
import { runningLoop, type LoopOptions } from './core/loop.js';
import { watchForDeadlock } from './deadlock.js';
import { EventLoop } from './event-loop.js';
import { Interruption, validateSignals } from './signals.js';
import { closeCoroutine, validateCoroutine } from './task/coroutine.js';
import type { Coroutine, Task } from './task/task.js';
import { tearDown } from './teardown.js';

/** How {@link run} and {@link Runner} work. */
export interface RunOptions {
  /** Runs the loop in debug mode. @defaultValue whether `EVLOOP_DEBUG` is set to 1 */
  debug?: boolean;
  /** Makes the loop. @defaultValue `new EventLoop()` */
  loopFactory?: (options: LoopOptions) => EventLoop;
  /**
   * How long tasks that are left over may take to clean up, and generators after them, milliseconds; then the loop is closed
   * nevertheless, and they are reported.
   * @defaultValue 10000
   */
  graceMs?: number;
  /**
   * The first of these signals cancels the main coroutine, with the signal's name as the reason. When it
   * ends cancelled, and nobody else asked for that, the run was interrupted: what `run()` does at the
   * end follows, it rejects with a {@link CancelledError} whose reason is the signal's name, and the
   * exit code of the process becomes 128 plus the signal's number unless `process.exitCode` is set. A
   * coroutine that catches the cancellation decides for itself how the run ends. From the first
   * signal on, and once the coroutine is done, all of them have their default action: a second Ctrl-C
   * ends the process. In the main thread only; worker threads get no signals.
   * @defaultValue none
   */
  signals?: readonly NodeJS.Signals[];
}

/** How {@link Runner.run} runs one coroutine. */
export interface RunnerRunOptions {
  /** The async context the coroutine runs in. @defaultValue a snapshot of this moment */
  context?: ContextSnapshot;
}

const DEFAULT_GRACE_MS = 10_000;

/**
 * Runs coroutines one after the other on one loop, which it makes and closes.
 *
 * @example
 * ```ts
 * const runner = new Runner();
 * console.log(await runner.run(async () => await sleep(1, 'one')));
 * await runner.close();
 * ```
 * @source CPython 3.13 asyncio/runners.py `Runner`. Differs: each run has the context of its call, where
 *   asyncio keeps that of the first; signals are an option.
 */
export class Runner implements AsyncDisposable {
  readonly #options: RunOptions;
  #loop: EventLoop | null = null;
  #closing: Promise<void> | null = null;

  /** @throws TypeError `ERR_INVALID_ARG_TYPE`, RangeError `ERR_OUT_OF_RANGE` - an option is wrong. */
  constructor(options: RunOptions = {}) {
    validateObject('options', options);
    if (options.debug !== undefined) validateBoolean('options.debug', options.debug);
    if (options.loopFactory !== undefined) validateFunction('options.loopFactory', options.loopFactory);
    if (options.graceMs !== undefined) validateNumber('options.graceMs', options.graceMs, 0);
    if (options.signals !== undefined) validateSignals('options.signals', options.signals);
    this.#options = options;
  }

  /**
   * The loop; made when it is first asked for.
   *
   * @throws {@link InvalidStateError} `ERR_INVALID_STATE` - the runner is closed.
   * @throws TypeError `ERR_INVALID_RETURN_VALUE` - what `loopFactory` made is no event loop.
   */
  get loop(): EventLoop {
    if (this.#closing !== null) throw new InvalidStateError('The runner is closed');
    if (this.#loop === null) {
      const { debug, loopFactory } = this.#options;
      const options: LoopOptions = debug === undefined ? {} : { debug };
      const loop: unknown = loopFactory === undefined ? new EventLoop(options) : loopFactory(options);
      if (!(loop instanceof EventLoop)) {
        throw invalidReturnValue('options.loopFactory', 'an instance of EventLoop', loop);
      }
      this.#loop = loop;
    }
    return this.#loop;
  }

  /**
   * Runs a coroutine to its end.
   *
   * Suspends: always. Rejects with what the coroutine threw. When nothing is left that could ever wake
   * it, the process exits with code 13 and says on standard error which tasks wait for what. Rejects
   * with a {@link CancelledError} when one of the option's signals came and the coroutine let it.
   *
   * @param main - A generator, a generator function or an async function.
   * @throws TypeError `ERR_INVALID_ARG_TYPE` - `main` is no coroutine, or an option is wrong.
   * @throws TypeError `ERR_INVALID_RETURN_VALUE` - what `loopFactory` made is no event loop.
   * @throws {@link InvalidStateError} `ERR_INVALID_STATE` - a loop runs in this thread already, or the
   *   runner is closed.
   */
  run<T>(main: Coroutine<T>, options?: RunnerRunOptions): Promise<T> {
    validateCoroutine(main);
    try {
      if (options !== undefined) validateObject('options', options);
      if (options?.context !== undefined) validateContext('options.context', options.context);
      if (runningLoop() !== null) {
        throw new InvalidStateError('run() cannot be called while an event loop is running in this thread');
      }
      this.loop._checkOpen();
    } catch (error) {
      closeCoroutine(main);
      throw error;
    }
    const { loop } = this;
    return this.#runTask(loop, loop.createTask(main, options));
  }

  async #runTask<T>(loop: EventLoop, task: Task<T>): Promise<T> {
    const endWatch = watchForDeadlock(loop);
    const interruption = new Interruption(this.#options.signals ?? [], task);
    try {
      return await loop.runUntilComplete(task);
    } catch (error) {
      throw interruption.outcome(error);
    } finally {
      interruption.end();
      endWatch();
    }
  }

  /**
   * Cancels the tasks that are left, waits for them, reports their errors, closes the generators of
   * `loop.track()`, and closes the loop. Idempotent.
   *
   * Suspends: always.
   *
   * @throws {@link InvalidStateError} `ERR_INVALID_STATE` - the runner runs a coroutine.
   */
  close(): Promise<void> {
    if (this.#closing === null && this.#loop?.isRunning() === true) {
      throw new InvalidStateError('Cannot close a runner that runs a coroutine');
    }
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const loop = this.#loop;
    this.#loop = null;
    if (loop === null || loop.isClosed()) return;
    await tearDown(loop, this.#options.graceMs ?? DEFAULT_GRACE_MS);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/**
 * Runs a program: makes a loop, runs `main` to its end, cancels and awaits whatever is left, and closes
 * the loop.
 *
 * Suspends: always. Rejects with what `main` threw, and with a {@link CancelledError} after one of the
 * option's signals.
 *
 * @param main - A generator, a generator function or an async function.
 * @throws TypeError `ERR_INVALID_ARG_TYPE`, RangeError `ERR_OUT_OF_RANGE` - `main` is no coroutine, or
 *   an option is wrong.
 * @throws TypeError `ERR_INVALID_RETURN_VALUE` - what `loopFactory` made is no event loop.
 * @throws {@link InvalidStateError} `ERR_INVALID_STATE` - a loop runs in this thread already.
 * @example
 * ```ts
 * await run(async () => {
 *   await sleep(100);
 *   console.log('done');
 * });
 * ```
 * @example
 * ```ts
 * await run(
 *   async () => {
 *     await sleep(10);
 *     console.log('not interrupted');
 *   },
 *   { signals: ['SIGINT', 'SIGTERM'] },
 * );
 * ```
 * @source CPython 3.13 `asyncio.run`
 */
export function run<T>(main: Coroutine<T>, options?: RunOptions): Promise<T> {
  validateCoroutine(main);
  let runner: Runner;
  let result: Promise<T>;
  try {
    runner = new Runner(options);
    result = runner.run(main);
  } catch (error) {
    closeCoroutine(main);
    throw error;
  }
  return result.finally(() => runner.close());
}
