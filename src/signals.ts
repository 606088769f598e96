// Lets signals end a program in order: they cancel its main task, once.
import { constants } from 'node:os';
import { invalidArgType, isCancelled, outOfRange } from './base/errors.js';
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
 * Cancels `task` when the first of the signals comes, with its name as the reason. All of them have
 * their default action again from then on, and once the answered function is called; that also
 * sets the exit code of the process, unless it is set, when a signal came.
 *
 * @internal
 */
export function cancelOnSignals(signals: readonly NodeJS.Signals[], task: Task<unknown>): () => void {
  const names = new Set(signals);
  let first: NodeJS.Signals | null = null;
  const ignore = (): void => {
    for (const name of names) process.off(name, onSignal);
  };
  const onSignal = (name: NodeJS.Signals): void => {
    first = name;
    ignore();
    task.cancel(name);
  };
  for (const name of names) process.on(name, onSignal);
  return () => {
    ignore();
    if (first !== null && process.exitCode === undefined) exitBecauseOf(first);
  };
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
