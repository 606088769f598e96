// Lets signals end a program in order: they cancel its main task, once.
import { constants } from 'node:os';
import { CancelledError, invalidArgType, isCancelled, outOfRange } from './base/errors.js';
import type { Task } from './task/task.js';

/** What a shell answers for a process that a signal ended, less the signal's number. */
const EXIT_CODE_OF_SIGNAL_0 = 128;
// The system lets nobody handle these.
const UNSTOPPABLE: readonly string[] = ['SIGKILL', 'SIGSTOP'];

/** @throws TypeError `ERR_INVALID_ARG_TYPE`, RangeError `ERR_OUT_OF_RANGE` - no signals to handle. @internal */
export function validateSignals(
  name: string,
  signals: unknown,
): asserts signals is readonly NodeJS.Signals[] {
  if (!Array.isArray(signals)) throw invalidArgType(name, 'an array of signal names', signals);
  for (const signal of signals as unknown[]) {
    if (typeof signal !== 'string') throw invalidArgType(name, 'an array of signal names', [signal]);
    if (!Object.hasOwn(constants.signals, signal) || UNSTOPPABLE.includes(signal)) {
      throw outOfRange(name, 'an array of names of signals that can be handled', [signal]);
    }
  }
}

/**
 * Cancels a task when the first of the signals comes, with its name as the reason. All of them have
 * their default action again from then on, and after {@link Interruption.end}.
 *
 * @source CPython 3.13 asyncio/runners.py `Runner.run`, `_on_sigint`
 * @internal
 */
export class Interruption {
  readonly #names: ReadonlySet<NodeJS.Signals>;
  readonly #task: Task<unknown>;
  #first: NodeJS.Signals | null = null;

  constructor(signals: readonly NodeJS.Signals[], task: Task<unknown>) {
    this.#names = new Set(signals);
    this.#task = task;
    for (const name of this.#names) process.on(name, this.#onSignal);
  }

  readonly #onSignal = (name: NodeJS.Signals): void => {
    this.#first = name;
    this.end();
    this.#task.cancel(name);
  };

  /** Signals have no effect on the task any more. Idempotent. */
  end(): void {
    for (const name of this.#names) process.off(name, this.#onSignal);
  }

  /**
   * What the run throws whose task ended with `error`. If a signal, and nothing else, cancelled the task,
   * that is an error with the signal as its reason, and the exit code of the process says so too,
   * unless one is set.
   */
  outcome(error: unknown): unknown {
    const signal = this.#first;
    const task = this.#task;
    if (signal === null || !task.done() || !task.cancelled() || task.uncancel() > 0) return error;
    if (process.exitCode === undefined) exitBecauseOf(signal);
    return isCancelled(error) && error.reason === signal ? error : new CancelledError(signal);
  }
}

function exitBecauseOf(signal: NodeJS.Signals): void {
  const exitCode = EXIT_CODE_OF_SIGNAL_0 + constants.signals[signal];
  process.exitCode = exitCode;
  // Node replaces it when nobody catches the error of the run.
  process.on('uncaughtExceptionMonitor', (error) => {
    if (!isCancelled(error) || error.reason !== signal) return;
    process.once('exit', () => {
      process.exitCode = exitCode;
    });
  });
}
