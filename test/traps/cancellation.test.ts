// C-11 to C-19: what cancelling a task does, step by step, in both forms of coroutine.
// Each expectation was observed on CPython 3.13.
import { describe, expect, test } from 'vitest';
import { CancelledError, isCancelled } from '../../src/base/errors.js';
import { createTaskOn } from '../../src/task/create.js';
import { Future } from '../../src/task/future.js';
import type { Coroutine, Task } from '../../src/task/task.js';
import { fakeLoop, type FakeLoop } from '../support/fake-loop.js';

// `yield x` in a body stands for `yield* x` in a generator and `await x` in an async function.
type Body = (self: Task<unknown>) => Generator<Future<any>, unknown>;

const forms: Record<string, (body: Body) => Coroutine<unknown>> = {
  generator: (body) =>
    function* (_signal, self) {
      const generator = body(self);
      let step = generator.next();
      while (step.done !== true) {
        try {
          const value: unknown = yield* step.value;
          step = generator.next(value);
        } catch (error) {
          step = generator.throw(error);
        }
      }
      return step.value;
    },
  'async function': (body) => async (_signal, self) => {
    const generator = body(self);
    let step = generator.next();
    while (step.done !== true) {
      try {
        const value: unknown = await step.value;
        step = generator.next(value);
      } catch (error) {
        step = generator.throw(error);
      }
    }
    return step.value;
  },
};

describe.each(Object.keys(forms))('%s', (form) => {
  const spawn = (loop: FakeLoop, body: Body): Task<unknown> => createTaskOn(loop, forms[form]!(body));
  const settled = (loop: FakeLoop, value?: unknown): Future<unknown> => {
    const future = new Future<unknown>(loop);
    loop.callSoon(() => future.setResultUnlessDone(value));
    return future;
  };
  const never = (loop: FakeLoop): Future<unknown> => new Future<unknown>(loop);

  test('C-11 cancel() counts, is true until done, and can be swallowed', async () => {
    const loop = fakeLoop();
    const task = spawn(loop, function* () {
      try {
        yield never(loop);
      } catch {
        return 'ok';
      }
      return undefined;
    });
    await loop.settle();
    expect([task.cancel(), task.cancelled(), task.cancelling()]).toEqual([true, false, 1]);
    await loop.settle();
    expect([task.result(), task.cancelling(), task.cancelled(), task.cancel()]).toEqual([
      'ok',
      1,
      false,
      false,
    ]);
  });

  test('C-12 cancelled before the first step, the body is never entered and the arguments are let go', async () => {
    const loop = fakeLoop();
    const log: string[] = [];
    const task = spawn(loop, function* () {
      try {
        log.push('entered');
        yield never(loop);
      } finally {
        log.push('finally');
      }
    });
    task.cancel();
    await loop.settle();
    expect([task.cancelled(), log]).toEqual([true, []]);
    expect([task._generator, task._function]).toEqual([null, null]);
  });

  test('C-13 cancelled between the result and the resumption, the result is lost', async () => {
    const loop = fakeLoop();
    const future = never(loop);
    const log: unknown[] = [];
    const task = spawn(loop, function* () {
      try {
        log.push(yield future);
      } catch (error) {
        log.push(isCancelled(error) && error.reason);
        throw error;
      }
    });
    await loop.settle();
    future.setResult(7);
    task.cancel('late');
    await loop.settle();
    expect([log, task.cancelled(), future.result()]).toEqual([['late'], true, 7]);
  });

  test('C-13 an exception is lost the same way, and counts as read', async () => {
    const loop = fakeLoop();
    const future = never(loop);
    const task = spawn(loop, function* () {
      yield future;
    });
    await loop.settle();
    future.setException(new Error('lost'));
    task.cancel();
    await loop.settle();
    loop.close();
    expect([task.cancelled(), loop.errors]).toEqual([true, []]);
  });

  test('C-14 a task that cancels itself and returns ends cancelled', async () => {
    const loop = fakeLoop();
    const task = spawn(loop, function* (self) {
      self.cancel('self');
      return 'discarded';
    });
    await loop.settle();
    expect(task.cancelled()).toBe(true);
    expect(() => task.result()).toThrow(expect.objectContaining({ reason: 'self' }));
  });

  test('C-14 a task that cancels itself and throws ends with what it threw', async () => {
    const loop = fakeLoop();
    const error = new Error('X');
    const task = spawn(loop, function* (self) {
      self.cancel();
      throw error;
    });
    await loop.settle();
    expect([task.cancelled(), task.exception()]).toEqual([false, error]);
  });

  test('C-14 a task that cancels itself gets the error at its next wait', async () => {
    const loop = fakeLoop();
    const future = never(loop);
    const task = spawn(loop, function* (self) {
      self.cancel();
      try {
        yield future;
      } catch (error) {
        return isCancelled(error);
      }
      return undefined;
    });
    await loop.settle();
    expect([task.result(), future.cancelled()]).toEqual([true, true]);
  });

  test('C-15 cancel() and uncancel() before the delivery: nothing is delivered', async () => {
    const loop = fakeLoop();
    const task = spawn(loop, function* (self) {
      self.cancel();
      expect(self.uncancel()).toBe(0);
      yield settled(loop);
      return 'alive';
    });
    await loop.settle();
    expect(task.result()).toBe('alive');
  });

  test('C-15 what the task waited for is cancelled already, and arrives', async () => {
    const loop = fakeLoop();
    const task = spawn(loop, function* () {
      try {
        yield never(loop);
      } catch (error) {
        return isCancelled(error);
      }
      return undefined;
    });
    await loop.settle();
    task.cancel();
    expect(task.uncancel()).toBe(0);
    await loop.settle();
    expect(task.result()).toBe(true);
  });

  test('C-16 two cancellations in one turn are delivered as one', async () => {
    const loop = fakeLoop();
    const log: string[] = [];
    const task = spawn(loop, function* () {
      try {
        yield never(loop);
      } catch {
        log.push('cancelled');
      }
      yield settled(loop);
      return 'survived';
    });
    await loop.settle();
    expect([task.cancel('a'), task.cancel('b')]).toEqual([true, true]);
    expect(task.cancelling()).toBe(2);
    await loop.settle();
    expect([log, task.cancelling(), task.result()]).toEqual([['cancelled'], 2, 'survived']);
  });

  test('C-17 throwing a CancelledError marks the task cancelled', async () => {
    const loop = fakeLoop();
    const error = new CancelledError('own');
    const task = spawn(loop, function* () {
      throw error;
    });
    await loop.settle();
    expect([task.cancelled(), task.cancelling()]).toEqual([true, 0]);
    expect(() => task.result()).toThrow(error);
  });

  test('C-18 cancelling a task that waits for a task cancels that one first', async () => {
    const loop = fakeLoop();
    const log: string[] = [];
    const inner = spawn(loop, function* () {
      try {
        yield never(loop);
      } catch (error) {
        log.push('inner');
        throw error;
      }
    });
    const outer = spawn(loop, function* () {
      try {
        yield inner;
      } catch (error) {
        log.push('outer');
        throw error;
      }
    });
    await loop.settle();
    outer.cancel('r');
    expect([inner.cancelling(), outer.cancelling()]).toEqual([1, 1]);
    await loop.settle();
    expect([log, inner.cancelled(), outer.cancelled()]).toEqual([['inner', 'outer'], true, true]);
  });

  test('C-18 an inner task that returns instead gives the outer its value', async () => {
    const loop = fakeLoop();
    const inner = spawn(loop, function* () {
      try {
        yield never(loop);
      } catch {
        return 'refused';
      }
      return undefined;
    });
    const outer = spawn(loop, function* () {
      return yield inner;
    });
    await loop.settle();
    outer.cancel();
    await loop.settle();
    expect([outer.cancelled(), outer.result()]).toEqual([false, 'refused']);
  });

  test('C-19 the reason is seen inside, by who waits, and by the signal, as one object', async () => {
    const loop = fakeLoop();
    const reason = { why: 1 };
    const seen: unknown[] = [];
    const inner = spawn(loop, function* (self) {
      const { signal } = self;
      try {
        yield never(loop);
      } catch (error) {
        seen.push((error as CancelledError).reason, signal.reason);
        throw error;
      }
    });
    spawn(loop, function* () {
      try {
        yield inner;
      } catch (error) {
        seen.push((error as CancelledError).reason);
      }
    });
    await loop.settle();
    inner.cancel(reason);
    await loop.settle();
    expect(seen).toHaveLength(3);
    for (const value of seen) expect(value).toBe(reason);
    expect(() => inner.result()).toThrow(expect.objectContaining({ reason }));
  });
});
