import { AsyncLocalStorage } from 'node:async_hooks';
import { afterEach, expect, test, vi } from 'vitest';
import { FatalError } from '../../../src/base/errors.js';
import { reportException, type ExceptionContext } from '../../../src/core/exception.js';
import type { LoopCore } from '../../../src/core/loop.js';
import { later, oneTurn, soon, withIdleLoop, withLoop } from '../../support/loop.js';

afterEach(() => {
  vi.restoreAllMocks();
});

/** Collects what is written to stderr. */
function captureReports(): string[] {
  const reports: string[] = [];
  vi.spyOn(console, 'error').mockImplementation((text: string) => void reports.push(text));
  return reports;
}

/** Collects what reaches the exception handler. */
function captureErrors(loop: LoopCore): ExceptionContext[] {
  const contexts: ExceptionContext[] = [];
  loop.setExceptionHandler((_, context) => contexts.push(context));
  return contexts;
}

test('an error of one callback does not keep its siblings from running', () =>
  withIdleLoop(async (loop) => {
    const contexts = captureErrors(loop);
    const calls: string[] = [];
    loop.callSoon(() => calls.push('a'));
    const failing = loop.callSoon(function fails() {
      throw new Error('boom');
    });
    loop.callSoon(() => calls.push('c'));
    loop.callLater(0, () => {
      throw new Error('timer');
    });
    loop.callLater(0, () => calls.push('d'));
    await oneTurn(loop);
    expect(calls).toEqual(['a', 'c', 'd']);
    expect(contexts).toHaveLength(2);
    expect(contexts[0]).toMatchObject({ message: 'Exception in callback fails()', handle: failing });
    expect(contexts[0]!.exception).toMatchObject({ message: 'boom' });
    expect(contexts[1]!.message).toBe('Exception in callback timer (anonymous)');
  }));

test.each([undefined, null, 0, 'text', { a: 1 }])('%s can be thrown', (thrown) =>
  withIdleLoop(async (loop) => {
    const contexts = captureErrors(loop);
    loop.callSoon(() => {
      throw thrown;
    });
    await oneTurn(loop);
    expect(contexts).toHaveLength(1);
    expect('exception' in contexts[0]!).toBe(true);
    expect(contexts[0]!.exception).toBe(thrown);
  }),
);

test('the handler is given the loop, and can be replaced and read', () =>
  withIdleLoop(async (loop) => {
    const reports = captureReports();
    const handler = vi.fn();
    const before = loop.getExceptionHandler();
    loop.setExceptionHandler(handler);
    expect(loop.getExceptionHandler()).toBe(handler);
    const context = { message: 'told' };
    loop.callExceptionHandler(context);
    expect(handler).toHaveBeenCalledExactlyOnceWith(loop, context);
    loop.setExceptionHandler(null);
    expect(loop.getExceptionHandler()).toBeNull();
    loop.callExceptionHandler({ message: 'told the default' });
    expect(reports).toEqual(['evloop: told the default']);
    loop.setExceptionHandler(before);
  }));

test('a handler that throws is replaced by the default, which tells both errors', () =>
  withIdleLoop(async (loop) => {
    const reports = captureReports();
    loop.setExceptionHandler(() => {
      throw new Error('the handler fails');
    });
    const calls: string[] = [];
    loop.callSoon(function fails() {
      throw new Error('the callback fails');
    });
    loop.callSoon(() => calls.push('sibling'));
    await oneTurn(loop);
    expect(calls).toEqual(['sibling']);
    expect(reports).toHaveLength(2);
    expect(reports[0]).toContain('Unhandled error in exception handler');
    expect(reports[0]).toContain('the handler fails');
    expect(reports[1]).toContain('Exception in callback fails()');
    expect(reports[1]).toContain('the callback fails');
  }));

test('the handler runs in the context of what failed', () =>
  withIdleLoop(async (loop) => {
    const storage = new AsyncLocalStorage<string>();
    const seen: (string | undefined)[] = [];
    loop.setExceptionHandler(() => seen.push(storage.getStore()));
    const fail = (): void => {
      throw new Error('boom');
    };
    storage.run('soon', () => loop.callSoon(fail));
    storage.run('timer', () => loop.callLater(0, fail));
    loop.callSoon(fail);
    // One that cancels itself has forgotten its context, but still fails in it.
    storage.run('cancelled', () => {
      const handle = loop.callSoon(() => {
        handle.cancel();
        fail();
      });
    });
    await oneTurn(loop);
    expect(seen).toEqual(['soon', undefined, 'cancelled', 'timer']);
    storage.disable();
  }));

test('the handler may use the loop', () =>
  withLoop(async (loop) => {
    const calls: string[] = [];
    loop.setExceptionHandler(() => {
      calls.push('handler');
      loop.callSoon(() => calls.push('scheduled'));
    });
    loop.callSoon(() => {
      throw new Error('boom');
    });
    await soon(loop);
    await soon(loop);
    expect(calls).toEqual(['handler', 'scheduled']);
  }));

test('the default names everything it knows', () => {
  const reports = captureReports();
  reportException({
    message: 'Something failed',
    exception: new TypeError('wrong'),
    task: { name: 'Task-1' },
    sourceTraceback: undefined,
  });
  reportException({ message: 'No exception here' });
  reportException({ message: 'Keys of asyncio', socket: 'fd 5', asyncGenerator: async function* name() {} });
  expect(reports[0]).toMatch(/^evloop: Something failed\n {2}task: \{ name: 'Task-1' \}\nTypeError: wrong\n/);
  expect(reports[0]).not.toContain('sourceTraceback');
  expect(reports[1]).toBe('evloop: No exception here');
  expect(reports[2]).toBe(
    'evloop: Keys of asyncio\n  socket: fd 5\n  asyncGenerator: [AsyncGeneratorFunction: name]',
  );
});

test('unhandled: report writes and goes on', () =>
  withLoop(async (loop) => {
    const reports = captureReports();
    loop.setExceptionHandler(null);
    loop.callSoon(() => {
      throw new Error('boom');
    });
    await soon(loop);
    await soon(loop);
    expect(reports).toHaveLength(1);
    expect(loop.isRunning()).toBe(true);
  }));

test('unhandled: shutdown ends the run with the error, once the batch is through', () =>
  withIdleLoop(
    async (loop) => {
      const reports = captureReports();
      loop.setExceptionHandler(null);
      const calls: string[] = [];
      loop.callSoon(() => {
        throw new Error('first');
      });
      loop.callSoon(() => {
        throw new Error('second');
      });
      loop.callSoon(() => {
        calls.push('sibling');
        loop.callSoon(() => calls.push('next run'));
      });
      await expect(loop._start()).rejects.toThrow('first');
      expect(reports).toHaveLength(2);
      expect(calls).toEqual(['sibling']);
      expect(loop.isRunning()).toBe(false);
      await oneTurn(loop);
      expect(calls).toEqual(['sibling', 'next run']);
    },
    { unhandled: 'shutdown' },
  ));

test('unhandled: shutdown leaves errors alone that a handler took', () =>
  withLoop(
    async (loop) => {
      const contexts = captureErrors(loop);
      loop.callSoon(() => {
        throw new Error('boom');
      });
      await soon(loop);
      expect(contexts).toHaveLength(1);
      expect(loop.isRunning()).toBe(true);
    },
    { unhandled: 'shutdown' },
  ));

test('a FatalError ends the run, past every handler', () =>
  withIdleLoop(async (loop) => {
    const handler = vi.fn();
    loop.setExceptionHandler(handler);
    const calls: string[] = [];
    const fatal = new FatalError('the end');
    loop.callSoon(() => {
      throw fatal;
    });
    loop.callSoon(() => calls.push('sibling'));
    await expect(loop._start()).rejects.toBe(fatal);
    expect(handler).not.toHaveBeenCalled();
    expect(calls).toEqual(['sibling']);
    // The next run begins anew.
    await oneTurn(loop);
  }));

test('a FatalError of a timer and of the handler end the run', () =>
  withIdleLoop(async (loop) => {
    loop.callLater(0, () => {
      throw new FatalError('timer');
    });
    await expect(loop._start()).rejects.toThrow('timer');
    loop.setExceptionHandler(() => {
      throw new FatalError('handler');
    });
    loop.callSoon(() => {
      throw new Error('boom');
    });
    await expect(loop._start()).rejects.toThrow('handler');
  }));

test('an error of onSlowCallback reaches the handler, and everything else runs', () =>
  withLoop(async (loop) => {
    const contexts = captureErrors(loop);
    const calls: string[] = [];
    loop.slowCallbackDuration = 0;
    loop.onSlowCallback = () => {
      throw new Error('the listener fails');
    };
    loop.callLater(0, () => calls.push('a'));
    loop.callLater(0, () => calls.push('b'));
    await later(loop, 1);
    loop.onSlowCallback = null;
    await soon(loop);
    expect(calls).toEqual(['a', 'b']);
    expect(contexts.length).toBeGreaterThanOrEqual(2);
    expect(contexts[0]!.exception).toMatchObject({ message: 'the listener fails' });
  }));

test('errors of promise jobs and of nextTick go to Node, and the batch goes on', () =>
  withLoop(async (loop) => {
    // The runner listens as well; it must not take this for a failure of the test.
    const listeners = process.listeners('uncaughtException');
    process.removeAllListeners('uncaughtException');
    const caught: string[] = [];
    process.on('uncaughtException', (error) => caught.push(error.message));
    try {
      const calls: string[] = [];
      loop.callSoon(() => {
        calls.push('a');
        process.nextTick(() => {
          throw new Error('tick');
        });
        queueMicrotask(() => {
          throw new Error('job');
        });
      });
      loop.callSoon(() => calls.push('b'));
      loop.callSoon(() => calls.push('c'));
      await soon(loop);
      await soon(loop);
      expect(calls).toEqual(['a', 'b', 'c']);
      expect(caught.sort()).toEqual(['job', 'tick']);
    } finally {
      process.removeAllListeners('uncaughtException');
      for (const listener of listeners) process.on('uncaughtException', listener);
    }
  }));
