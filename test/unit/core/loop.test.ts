import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { afterEach, expect, test, vi } from 'vitest';
import { CallbackHandle } from '../../../src/core/handle.js';
import { LoopCore, runningLoop, type SlowCallback } from '../../../src/core/loop.js';
import { FifoPolicy } from '../../../src/core/policy.js';
import { runChild } from '../../support/child.js';
import {
  block,
  later,
  nodeTurn,
  oneTurn,
  soon,
  stopped,
  withIdleLoop,
  withLoop,
} from '../../support/loop.js';

afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
});

// Stop

test('stop() lets the batch end, and leaves what it scheduled for the next run', () =>
  withIdleLoop(async (loop) => {
    const calls: string[] = [];
    loop.callSoon(() => {
      calls.push('a');
      loop.stop();
      loop.callSoon(() => calls.push('next run'));
    });
    loop.callSoon(() => calls.push('b'));
    await loop._start();
    expect(calls).toEqual(['a', 'b']);
    expect(loop.statistics().ready).toBe(1);
    await oneTurn(loop);
    expect(calls).toEqual(['a', 'b', 'next run']);
  }));

test('stop() before the run lets one turn pass, which does not wait', () =>
  withIdleLoop(async (loop) => {
    const calls: string[] = [];
    loop.callSoon(() => {
      calls.push('a');
      loop.callSoon(() => calls.push('b'));
    });
    const timer = loop.callLater(1e6, () => calls.push('timer'));
    const { turns } = loop.statistics();
    loop.stop();
    loop.stop();
    await loop._start();
    expect(calls).toEqual(['a']);
    expect(loop.statistics().turns).toBe(turns + 1);
    // With nothing to do it is one turn as well.
    await oneTurn(loop);
    await oneTurn(loop);
    expect(loop.statistics().turns).toBe(turns + 3);
    timer.cancel();
  }));

test('a loop can be stopped from outside while it waits', () =>
  withIdleLoop(async (loop) => {
    const timer = loop.callLater(1e6, () => undefined);
    const finished = loop._start();
    await nodeTurn();
    setTimeout(() => loop.stop(), 1);
    await finished;
    expect(loop.isRunning()).toBe(false);
    timer.cancel();
  }));

test('a loop can run many times', () =>
  withIdleLoop(async (loop) => {
    const calls: number[] = [];
    for (let run = 0; run < 50; run++) {
      loop.callSoon(() => calls.push(run));
      await oneTurn(loop);
      expect(loop.isRunning()).toBe(false);
    }
    expect(calls).toHaveLength(50);
  }));

test('a loop can be started again by whoever hears of its end first', () =>
  withIdleLoop(async (loop) => {
    const calls: string[] = [];
    loop.callSoon(() => loop.stop());
    await loop._start();
    const again = loop._start();
    loop.callSoon(() => {
      calls.push('second run');
      loop.stop();
    });
    await again;
    expect(calls).toEqual(['second run']);
  }));

test('a stopped loop runs nothing', () =>
  withLoop(async (loop) => {
    await stopped(loop);
    const calls: string[] = [];
    loop.callSoon(() => calls.push('a'));
    await nodeTurn();
    await nodeTurn();
    expect(calls).toEqual([]);
    await oneTurn(loop);
    expect(calls).toEqual(['a']);
  }));

// Running

test('one loop runs per thread', () =>
  withLoop(async (loop) => {
    expect(runningLoop()).toBe(loop);
    expect(loop.isRunning()).toBe(true);
    const invalid = expect.objectContaining({ code: 'ERR_INVALID_STATE' });
    expect(() => loop._start()).toThrow(invalid);
    await withIdleLoop((other) => {
      expect(() => other._start()).toThrow(invalid);
      expect(() => other._start()).toThrow(/another loop is running/);
      expect(other.isRunning()).toBe(false);
    });
    // The refused start has not disturbed this one.
    await soon(loop);
    await stopped(loop);
    expect(runningLoop()).toBeNull();
  }));

test('a waiting loop does not keep Node from its work', () =>
  withLoop(async (loop) => {
    const order: string[] = [];
    const timer = loop.callLater(1e6, () => undefined);
    await new Promise<void>((resolve) => {
      setTimeout(() => {
        order.push('timeout');
        setImmediate(() => {
          order.push('immediate');
          resolve();
        });
      }, 1);
    });
    expect(order).toEqual(['timeout', 'immediate']);
    timer.cancel();
  }));

// Close

test('close() drops what is queued without running it', async () => {
  const loop = new LoopCore();
  const never = (): never => expect.fail('ran');
  const handle = loop.callSoon(never);
  const timer = loop.callLater(0, never);
  const far = loop.callLater(1e6, never);
  expect(loop.isClosed()).toBe(false);
  loop.close();
  expect(loop.isClosed()).toBe(true);
  loop.close();
  await nodeTurn();
  await nodeTurn();
  // Nothing is left to complain about these.
  handle.cancel();
  timer.cancel();
  far.cancel();
  expect(loop.statistics()).toMatchObject({ ready: 0, timers: 0, sockets: 0, references: 0 });
});

test('a closed loop counts nothing', () => {
  const loop = new LoopCore();
  loop.callLater(10, () => undefined);
  loop.callLater(Infinity, () => undefined);
  loop.callSoon(() => undefined);
  loop.close();
  expect(loop.statistics()).toMatchObject({ ready: 0, timers: 0, references: 0, nextDeadline: Infinity });
});

test('a closed loop refuses work', () => {
  const loop = new LoopCore();
  const timer = loop.callLater(1e6, () => undefined);
  loop.close();
  const closed = expect.objectContaining({ code: 'ERR_LOOP_CLOSED' });
  const nothing = (): void => undefined;
  expect(() => loop.callSoon(nothing)).toThrow(closed);
  expect(() => loop.callSoonWith({}, nothing)).toThrow(closed);
  expect(() => loop.callSoonThreadsafe(nothing)).toThrow(closed);
  expect(() => loop.callLater(1, nothing)).toThrow(closed);
  expect(() => loop.callAt(1, nothing)).toThrow(closed);
  expect(() => timer.reset(1)).toThrow(closed);
  expect(() => timer.resetAt(1)).toThrow(closed);
  expect(() => loop._start()).toThrow(closed);
  expect(() => loop.stop()).toThrow(closed);
});

test('a running loop cannot be closed', () =>
  withLoop(async (loop) => {
    expect(() => loop.close()).toThrow(expect.objectContaining({ code: 'ERR_INVALID_STATE' }));
    expect(loop.isClosed()).toBe(false);
    await soon(loop);
    await stopped(loop);
    loop.close();
    expect(loop.isClosed()).toBe(true);
  }));

test('the end of a run may close the loop at once', async () => {
  for (let i = 0; i < 20; i++) {
    const loop = new LoopCore();
    loop.callLater(1e6, () => undefined);
    loop.callSoon(() => loop.stop());
    await loop._start();
    loop.close();
  }
});

test('Symbol.dispose closes', () => {
  const loop = new LoopCore();
  loop[Symbol.dispose]();
  expect(loop.isClosed()).toBe(true);
});

test('loops come and go without a trace', async () => {
  for (let i = 0; i < 100; i++) {
    await withLoop(async (loop) => {
      await soon(loop);
    });
  }
});

// Options

test('options are checked before anything is opened', () => {
  const bad: [object, string][] = [
    [{ backend: 'kqueue2' }, 'ERR_OUT_OF_RANGE'],
    [{ host: 5 }, 'ERR_INVALID_ARG_TYPE'],
    [{ drain: 'never' }, 'ERR_OUT_OF_RANGE'],
    [{ unhandled: 'ignore' }, 'ERR_OUT_OF_RANGE'],
    [{ budgetMs: -1 }, 'ERR_OUT_OF_RANGE'],
    [{ budgetMs: '1' }, 'ERR_INVALID_ARG_TYPE'],
    [{ maxBatch: 0 }, 'ERR_OUT_OF_RANGE'],
    [{ maxBatch: 1.5 }, 'ERR_OUT_OF_RANGE'],
    [{ debug: 1 }, 'ERR_INVALID_ARG_TYPE'],
    [{ clock: { now: () => 0 } }, 'ERR_INVALID_ARG_TYPE'],
    [{ policy: { push: () => undefined } }, 'ERR_INVALID_ARG_TYPE'],
  ];
  for (const [options, code] of bad) {
    expect(() => new LoopCore(options), JSON.stringify(options)).toThrow(expect.objectContaining({ code }));
  }
});

test('an impossible pair of backend and host is refused', () => {
  expect(() => new LoopCore({ backend: 'poll', host: 'uv' })).toThrow(
    expect.objectContaining({ code: 'ENOTSUP' }),
  );
});

test('backend and host come from the options, else from the environment', () => {
  const made = (options: object): string => {
    const loop = new LoopCore(options);
    const { backend, host } = loop.statistics();
    loop.close();
    return `${backend} ${host}`;
  };
  expect(made({ backend: 'epoll', host: 'thread' })).toBe('epoll thread');
  expect(made({ backend: 'poll', host: 'thread' })).toBe('poll thread');
  vi.stubEnv('EVLOOP_BACKEND', 'poll');
  vi.stubEnv('EVLOOP_HOST', 'thread');
  expect(made({})).toBe('poll thread');
  expect(made({ backend: 'auto', host: 'auto' })).toBe('poll thread');
  expect(made({ backend: 'epoll' })).toBe('epoll thread');
  vi.stubEnv('EVLOOP_HOST', undefined);
  expect(made({})).toBe('poll thread');
  vi.stubEnv('EVLOOP_BACKEND', undefined);
  expect(made({})).toBe('epoll uv');
  vi.stubEnv('EVLOOP_BACKEND', 'nonsense');
  expect(() => made({})).toThrow(expect.objectContaining({ code: 'ERR_OUT_OF_RANGE' }));
});

// Slow callbacks

function slowCallbacks(loop: LoopCore): {
  events: SlowCallback[];
  published: SlowCallback[];
  end: () => void;
} {
  const events: SlowCallback[] = [];
  const published: SlowCallback[] = [];
  const listener = (message: unknown): void => void published.push(message as SlowCallback);
  subscribe('evloop.slowCallback', listener);
  loop.onSlowCallback = (event) => events.push(event);
  return { events, published, end: () => unsubscribe('evloop.slowCallback', listener) };
}

test('slow callbacks are told to the listener and on the channel', () =>
  withLoop(async (loop) => {
    const { events, published, end } = slowCallbacks(loop);
    loop.slowCallbackDuration = 20;
    loop.callSoon(() => undefined);
    const slow = loop.callSoon(() => block(25));
    const timer = loop.callLater(0, () => block(25));
    await soon(loop);
    await later(loop, 0);
    await soon(loop);
    end();
    expect(events.map((event) => event.handle)).toEqual([slow, timer]);
    expect(published).toEqual(events);
    expect(events[0]!.durationMs).toBeGreaterThanOrEqual(25);
    expect(events[0]!.loop).toBe(loop);
  }));

test('100 ms is slow unless something else is said', () =>
  withIdleLoop((loop) => {
    expect(loop.slowCallbackDuration).toBe(100);
  }));

test('the channel alone is enough, and an error in a listener of it goes to Node', () =>
  withLoop(async (loop) => {
    const { events, published, end } = slowCallbacks(loop);
    loop.onSlowCallback = null;
    loop.slowCallbackDuration = 0;
    await soon(loop);
    await soon(loop);
    end();
    expect(events).toEqual([]);
    expect(published.length).toBeGreaterThan(0);
  }));

test('in debug mode a slow callback is written down, with where it was scheduled', () =>
  withLoop(
    async (loop) => {
      const reports: string[] = [];
      vi.spyOn(console, 'error').mockImplementation((text: string) => void reports.push(text));
      loop.slowCallbackDuration = 5;
      loop.callSoon(function sleepy() {
        block(6);
      });
      loop.callLater(0, function sleepyTimer() {
        block(6);
      });
      await later(loop, 1);
      await soon(loop);
      expect(reports[0]).toMatch(
        /^evloop: Executing sleepy\(\) created at\n.*loop\.test\.ts:\d+[^]* took \d+\.\d ms$/,
      );
      expect(reports.some((text) => text.includes('Executing timer sleepyTimer()'))).toBe(true);
    },
    { debug: true },
  ));

test('without debug mode nothing is written', () =>
  withLoop(async (loop) => {
    const write = vi.spyOn(console, 'error').mockImplementation(() => undefined);
    loop.slowCallbackDuration = 0;
    loop.onSlowCallback = () => undefined;
    await soon(loop);
    await soon(loop);
    expect(write).not.toHaveBeenCalled();
  }));

// Debug mode

test('debug mode refuses coroutine functions where a callback is wanted', () =>
  withIdleLoop(
    (loop) => {
      const refused = expect.objectContaining({ name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' });
      const coroutines = [async () => undefined, function* () {}, async function* () {}];
      for (const coroutine of coroutines) {
        expect(() => loop.callSoon(coroutine)).toThrow(refused);
        expect(() => loop.callSoonWith({}, coroutine)).toThrow(refused);
        expect(() => loop.callLater(1, coroutine)).toThrow(refused);
        expect(() => loop.callAt(1, coroutine)).toThrow(refused);
      }
      loop.debug = false;
      for (const coroutine of coroutines) loop.callSoon(coroutine).cancel();
    },
    { debug: true },
  ));

test('debug mode tells where the failing callback was scheduled', () =>
  withIdleLoop(
    async (loop) => {
      const tracebacks: (string | undefined)[] = [];
      loop.setExceptionHandler((_, context) => tracebacks.push(context.sourceTraceback));
      function scheduleHere(): void {
        loop.callSoon(() => {
          throw new Error('boom');
        });
      }
      scheduleHere();
      await oneTurn(loop);
      loop.debug = false;
      scheduleHere();
      await oneTurn(loop);
      expect(tracebacks[0]).toContain('scheduleHere');
      expect(tracebacks[0]!.split('\n').length).toBeLessThanOrEqual(11);
      expect(tracebacks[1]).toBeUndefined();
    },
    { debug: true },
  ));

test('debug mode comes from the environment, too', () => {
  vi.stubEnv('EVLOOP_DEBUG', '1');
  const loop = new LoopCore();
  expect(loop.debug).toBe(true);
  loop.close();
  const explicit = new LoopCore({ debug: false });
  expect(explicit.debug).toBe(false);
  explicit.close();
});

test('a function without a constructor is a callback, in debug mode as well', () =>
  withLoop(
    async (loop) => {
      const callback = vi.fn();
      const bare = (): unknown => callback();
      Object.setPrototypeOf(bare, null);
      loop.callSoon(bare);
      await soon(loop);
      expect(callback).toHaveBeenCalledOnce();
    },
    { debug: true },
  ));

// Budget

test('100,000 ready callbacks do not starve timeouts, immediates or timers of the loop', () =>
  withLoop(async (loop) => {
    let left = 100_000;
    const leftAt: Record<string, number> = {};
    const finished = new Promise<void>((resolve) => {
      const callback = (): void => {
        if (--left === 0) resolve();
      };
      for (let i = left; i > 0; i--) loop.callSoon(callback);
    });
    setImmediate(() => (leftAt.immediate = left));
    setTimeout(() => (leftAt.timeout = left), 1);
    // The batch is one turn, however often it is interrupted, so a timer of the loop comes behind it.
    loop.callLater(0, () => (leftAt.timer = left));
    await finished;
    await later(loop, 1);
    expect(leftAt.immediate).toBeGreaterThan(50_000);
    expect(leftAt.timeout).toBeGreaterThan(0);
    expect(leftAt.timer).toBe(0);
  }));

test('maxBatch bounds a stay by count', () =>
  withLoop(
    async (loop) => {
      await soon(loop);
      const ranAt = new Map<number, number>();
      for (let i = 0; i < 35; i++) {
        loop.callSoon(() => {
          const { wakeups } = loop.statistics();
          ranAt.set(wakeups, (ranAt.get(wakeups) ?? 0) + 1);
        });
      }
      await soon(loop);
      expect([...ranAt.values()]).toEqual([10, 10, 10, 5]);
    },
    { maxBatch: 10, budgetMs: 1000 },
  ));

test('a chain of callbacks that never ends leaves room for Node', () =>
  withLoop(async (loop) => {
    let handle = loop.callSoon(function again() {
      handle = loop.callSoon(again);
    });
    for (let i = 0; i < 20; i++) await nodeTurn();
    handle.cancel();
  }));

// Outside of the loop

test('work that is scheduled from foreign callbacks runs soon', () =>
  withLoop(async (loop) => {
    for (let i = 0; i < 20; i++) {
      const begin = performance.now();
      await new Promise<void>((resolve) => {
        setImmediate(() => loop.callSoon(resolve));
      });
      await new Promise<void>((resolve) => {
        process.nextTick(() => loop.callLater(0, resolve));
      });
      expect(performance.now() - begin).toBeLessThan(1000);
    }
  }));

test('what rooms above registered is called once when the loop closes', () => {
  const loop = new LoopCore({ policy: new FifoPolicy() });
  const hook = vi.fn(() => expect(loop.isClosed()).toBe(false));
  loop._onClose.push(hook);
  // They may still look at what is queued.
  loop._push(new CallbackHandle(() => expect.fail('ran'), [], null));
  loop.close();
  loop.close();
  expect(hook).toHaveBeenCalledOnce();
});

test("unhandled: 'exit' ends the process with code 1", async () => {
  const { code, stderr, stdout } = await runChild(
    `const loop = new LoopCore({ unhandled: 'exit' });
     loop.callSoon(function fails() { throw new Error('boom'); });
     loop.callSoon(() => console.log('sibling'));
     loop._start();`,
    { modules: ['core/loop'] },
  );
  expect(code).toBe(1);
  expect(stderr).toContain('Exception in callback fails()');
  expect(stderr).toContain('boom');
  expect(stdout).toBe('');
});
