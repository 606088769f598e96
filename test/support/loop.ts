// Runs a test on a loop of its own and leaves nothing behind: no timer, socket, task or reference.
import { expect } from 'vitest';
import type { ExceptionContext } from '../../src/core/exception.js';
import { LoopCore, type LoopOptions } from '../../src/core/loop.js';

export interface TestLoopOptions<L extends LoopCore = LoopCore> extends LoopOptions {
  /** Makes the loop. @defaultValue `new LoopCore(options)` */
  make?: (options: LoopOptions) => L;
}

/** What a loop holds; all zero once a test has cleaned up. */
export function leftovers(loop: LoopCore): Record<string, number> {
  const { ready, timers, tasks, sockets, references } = loop.statistics();
  return { ready, timers, tasks, sockets, references };
}

export const NOTHING_LEFT = { ready: 0, timers: 0, tasks: 0, sockets: 0, references: 0 };

/**
 * Calls `body` with a loop that runs already; stops and closes it afterwards.
 * An error that reaches the exception handler fails the test, unless the test sets a handler itself.
 */
export async function withLoop<L extends LoopCore = LoopCore>(
  body: (loop: L) => unknown,
  options: TestLoopOptions<L> = {},
): Promise<void> {
  await withIdleLoop<L>(async (loop) => {
    const finished = loop._start();
    // A fatal error is the test's business only when it ends the run before the test does.
    finished.catch(() => undefined);
    try {
      await body(loop);
    } finally {
      if (loop.isRunning()) loop.stop();
      await finished;
    }
  }, options);
}

/** Calls `body` with a loop that does not run yet; closes it afterwards. */
export async function withIdleLoop<L extends LoopCore = LoopCore>(
  body: (loop: L) => unknown,
  options: TestLoopOptions<L> = {},
): Promise<void> {
  const { make, ...loopOptions } = options;
  const loop = make === undefined ? (new LoopCore(loopOptions) as L) : make(loopOptions);
  const errors: ExceptionContext[] = [];
  loop.setExceptionHandler((_, context) => errors.push(context));
  let isDone = false;
  try {
    await body(loop);
    isDone = true;
  } finally {
    // Whatever went wrong, the next test needs a thread without a running loop.
    if (loop.isRunning()) await stopped(loop);
    if (isDone && !loop.isClosed()) {
      // Descriptors close in the turn after the one that asked for it.
      for (let turn = 0; turn < 3 && !isIdle(loop); turn++) await oneTurn(loop);
      expect(leftovers(loop), 'what the test left in the loop').toEqual(NOTHING_LEFT);
    }
    loop.close();
  }
  expect(errors, 'errors that nobody expected').toEqual([]);
}

function isIdle(loop: LoopCore): boolean {
  return Object.values(leftovers(loop)).every((count) => count === 0);
}

/** Runs exactly one turn of a loop that does not run. */
export async function oneTurn(loop: LoopCore): Promise<void> {
  loop.stop();
  await loop._start();
}

/** Lets a running loop end its batch. */
export async function stopped(loop: LoopCore): Promise<void> {
  loop.stop();
  while (loop.isRunning()) await nodeTurn();
}

/** Resolves in a callback of the loop, with everything behind it that was scheduled before. */
export function soon(loop: LoopCore): Promise<void> {
  return new Promise((resolve) => {
    loop.callSoon(resolve);
  });
}

/** Lets a running loop take some turns: what only waits for turns gets to where it waits for something else. */
export async function turns(loop: LoopCore, count = 6): Promise<void> {
  for (let turn = 0; turn < count; turn++) await soon(loop);
}

/** Resolves once `delayMs` have passed on the loop's clock, and what was due by then has had its turns. */
export async function later(loop: LoopCore, delayMs: number): Promise<void> {
  await new Promise<void>((resolve) => {
    loop.callLater(delayMs, resolve);
  });
  // On a busy machine all that is due comes at once.
  await turns(loop);
}

/** One round of Node's own loop. */
export function nodeTurn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

/** Keeps the thread busy. */
export function block(durationMs: number): void {
  const end = performance.now() + durationMs;
  while (performance.now() < end);
}
