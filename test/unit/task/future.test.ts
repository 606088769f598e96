import { AsyncLocalStorage, AsyncResource } from 'node:async_hooks';
import { inspect } from 'node:util';
import { expect, test } from 'vitest';
import type { CancelledError } from '../../../src/base/errors.js';
import { InvalidStateError, isCancelled } from '../../../src/base/errors.js';
import { Future } from '../../../src/task/future.js';
import { Task } from '../../../src/task/task.js';
import { fakeLoop } from '../../support/fake-loop.js';

const thrownBy = (body: () => unknown): unknown => {
  try {
    body();
  } catch (error) {
    return error;
  }
  throw new Error('nothing was thrown');
};

test('is pending until it is settled, and settled once', () => {
  const future = new Future<number>(fakeLoop());
  expect([future.done(), future.cancelled()]).toEqual([false, false]);
  future.setResult(1);
  expect([future.done(), future.cancelled(), future.result(), future.exception()]).toEqual([
    true,
    false,
    1,
    null,
  ]);
  expect(() => future.setResult(2)).toThrow(InvalidStateError);
  expect(() => future.setException(new Error('x'))).toThrow(InvalidStateError);
  expect(future.cancel()).toBe(false);
  expect(future.setResultUnlessDone(3)).toBe(false);
  expect(future.result()).toBe(1);
});

test('a pending future has neither result nor exception', () => {
  const future = new Future(fakeLoop());
  expect(() => future.result()).toThrow(expect.objectContaining({ code: 'ERR_INVALID_STATE' }));
  expect(() => future.exception()).toThrow(expect.objectContaining({ code: 'ERR_INVALID_STATE' }));
});

test('a failed future throws its exception, and always the same', () => {
  const future = new Future(fakeLoop());
  const error = new Error('x');
  future.setException(error);
  expect(thrownBy(() => future.result())).toBe(error);
  expect(thrownBy(() => future.result())).toBe(error);
  expect(future.exception()).toBe(error);
});

test('an exception that is no Error is thrown as it is, and comes as a cause', () => {
  for (const value of ['text', undefined, null, 0, { code: 1 }]) {
    const future = new Future(fakeLoop());
    future.setException(value);
    expect(thrownBy(() => future.result())).toBe(value);
    expect(future.exception()).toBeInstanceOf(Error);
    expect(future.exception()!.cause).toBe(value);
  }
});

test('a cancelled future throws one CancelledError with the reason', () => {
  const future = new Future(fakeLoop());
  const reason = { why: 1 };
  expect(future.cancel(reason)).toBe(true);
  expect([future.done(), future.cancelled()]).toEqual([true, true]);
  const error = thrownBy(() => future.result());
  expect(isCancelled(error)).toBe(true);
  expect((error as CancelledError).reason).toBe(reason);
  expect(thrownBy(() => future.exception())).toBe(error);
  expect(future.cancel()).toBe(false);
  expect(() => future.setResult(undefined)).toThrow(InvalidStateError);
  expect(future.setResultUnlessDone(undefined)).toBe(false);
});

test('a thenable is a result like any other', () => {
  const future = new Future<unknown>(fakeLoop());
  const thenable = {
    then: () => {
      throw new Error('was looked at');
    },
  };
  future.setResult(thenable);
  expect(future.result()).toBe(thenable);
});

test('callbacks run later, in order, with the future, once', () => {
  const loop = fakeLoop();
  const future = new Future<number>(loop);
  const log: unknown[] = [];
  for (const name of ['a', 'b', 'c']) future.addDoneCallback((f) => log.push(name, f === future));
  future.setResult(1);
  expect(log).toEqual([]);
  loop.run();
  expect(log).toEqual(['a', true, 'b', true, 'c', true]);
});

test('a callback added to a settled future is scheduled, not called', () => {
  const loop = fakeLoop();
  const future = new Future<number>(loop);
  future.setResult(1);
  let calls = 0;
  future.addDoneCallback(() => calls++);
  expect(calls).toBe(0);
  loop.turn();
  expect(calls).toBe(1);
});

test('an error in a callback goes to the exception handler and stops no other', () => {
  const loop = fakeLoop();
  const future = new Future<void>(loop);
  const error = new Error('x');
  let reached = false;
  future.addDoneCallback(() => {
    throw error;
  });
  future.addDoneCallback(() => (reached = true));
  future.setResult();
  loop.run();
  expect(reached).toBe(true);
  expect(loop.errors).toMatchObject([{ exception: error }]);
});

test('removeDoneCallback takes all that are equal and tells how many', () => {
  const loop = fakeLoop();
  const future = new Future<void>(loop);
  const log: string[] = [];
  const a = (): unknown => log.push('a');
  const b = (): unknown => log.push('b');
  for (const callback of [a, b, a, b, a]) future.addDoneCallback(callback);
  expect(future.removeDoneCallback(a)).toBe(3);
  expect(future.removeDoneCallback(a)).toBe(0);
  future.addDoneCallback(a);
  future.setResult();
  loop.run();
  expect(log).toEqual(['b', 'b', 'a']);
});

test('order is kept when the first callback is removed', () => {
  const loop = fakeLoop();
  const future = new Future<void>(loop);
  const log: string[] = [];
  const a = (): unknown => log.push('a');
  future.addDoneCallback(a);
  future.addDoneCallback(() => log.push('b'));
  future.removeDoneCallback(a);
  future.addDoneCallback(() => log.push('c'));
  future.setResult();
  loop.run();
  expect(log).toEqual(['b', 'c']);
});

test('a callback runs in the context in which it was added, or in a given one', () => {
  const loop = fakeLoop();
  const storage = new AsyncLocalStorage<string>();
  const future = new Future<void>(loop);
  const log: unknown[] = [];
  storage.run('added', () => future.addDoneCallback(() => log.push(storage.getStore())));
  const context = storage.run('given', () => new AsyncResource('TEST'));
  future.addDoneCallback(() => log.push(storage.getStore()), { context });
  storage.run('settled', () => future.setResult());
  storage.run('ran', () => loop.run());
  expect(log).toEqual(['added', 'given']);
});

test('settling after the loop was closed runs nothing and throws nothing', () => {
  const loop = fakeLoop();
  const future = new Future<number>(loop);
  future.addDoneCallback(() => {
    throw new Error('ran');
  });
  loop.close();
  future.setResult(1);
  expect(future.result()).toBe(1);
  expect(loop.ready).toBe(0);
});

// Promises

test('await, Promise.resolve, Promise.all and an async return work on a pending future', async () => {
  const loop = fakeLoop();
  const future = new Future<number>(loop);
  const results = [
    (async () => await future)(),
    (async () => future)(),
    Promise.resolve(future),
    Promise.all([future, future]),
    Promise.race([future]),
    Promise.any([future]),
    Promise.allSettled([future]),
    future.toPromise(),
    future.then((value) => value),
  ];
  await loop.settle();
  future.setResult(5);
  await loop.settle();
  expect(await Promise.all(results)).toEqual([
    5,
    5,
    5,
    [5, 5],
    5,
    5,
    [{ status: 'fulfilled', value: 5 }],
    5,
    5,
  ]);
});

test('the same on a settled future takes no turn', async () => {
  const loop = fakeLoop();
  const future = new Future<number>(loop);
  future.setResult(5);
  const results = [
    await future,
    await future,
    await (async () => future)(),
    await Promise.resolve(future),
    await Promise.all([future, future]),
    await Promise.race([future]),
    await future.toPromise(),
    await future.then((value) => value + 1),
  ];
  expect(results).toEqual([5, 5, 5, 5, [5, 5], 5, 5, 6]);
  expect([loop.ready, loop.turns]).toEqual([0, 0]);
});

test.each(['before', 'after'] as const)('errors arrive however one waits, %s they happen', async (when) => {
  const loop = fakeLoop();
  for (const settle of [
    (future: Future<number>) => future.setException(new Error('boom')),
    (future: Future<number>) => void future.cancel('boom'),
  ]) {
    const future = new Future<number>(loop);
    if (when === 'after') settle(future);
    const results = Promise.allSettled([
      (async () => await future)(),
      (async () => future)(),
      Promise.resolve(future),
      Promise.all([future]),
      Promise.race([future]),
      future.toPromise(),
      future.then(() => 0),
    ]);
    await loop.settle();
    if (when === 'before') settle(future);
    await loop.settle();
    for (const result of await results) {
      expect(result).toMatchObject({
        status: 'rejected',
        reason: { message: expect.stringContaining('boom') },
      });
    }
  }
  loop.close();
  expect(loop.errors).toEqual([]);
});

test('then() of a user gives a promise and never calls back at once', async () => {
  const loop = fakeLoop();
  const future = new Future<number>(loop);
  future.setResult(1);
  const log: unknown[] = [];
  const both = future.then(
    (value) => log.push(value),
    () => log.push('error'),
  );
  const bound = future.then(log.push.bind(log), log.push.bind(log));
  expect(log).toEqual([]);
  expect(both).toBeInstanceOf(Promise);
  expect(bound).toBeInstanceOf(Promise);
  await both;
  await bound;
  expect(log).toEqual([1, 1]);
});

test('then() recovers, passes through and chains as promises do', async () => {
  const loop = fakeLoop();
  const failed = new Future<number>(loop);
  failed.setException(new Error('x'));
  expect(await failed.then(null, (error: Error) => error.message)).toBe('x');
  await expect(failed.then((value) => value).then((value) => value)).rejects.toThrow('x');
  const fine = new Future<number>(loop);
  fine.setResult(2);
  expect(await fine.then().then((value) => value * 2)).toBe(4);
});

test('catch() and finally() are those of promises', async () => {
  const loop = fakeLoop();
  const pending = new Future<number>(loop);
  const failed = new Future<number>(loop);
  failed.setException(new Error('x'));
  const log: string[] = [];
  const chains = [
    pending.catch(() => 0),
    pending.finally(() => log.push('finally')),
    failed.catch((error: Error) => error.message),
    failed.finally(() => log.push('finally')).catch(() => 'caught'),
  ];
  await loop.settle();
  pending.setResult(1);
  await loop.settle();
  expect(await Promise.all(chains)).toEqual([1, 1, 'x', 'caught']);
  expect(log).toEqual(['finally', 'finally']);
});

test('await takes one promise job, as for a promise, when the future is settled', async () => {
  const future = new Future<string>(fakeLoop());
  future.setResult('x');
  const log: string[] = [];
  const native = Promise.resolve();
  await Promise.all([
    (async () => {
      await future;
      log.push('future');
    })(),
    (async () => {
      await native;
      log.push('promise');
      await native;
      log.push('promise again');
    })(),
  ]);
  expect(log).toEqual(['future', 'promise', 'promise again']);
});

test('await flattens a thenable, yield* does not', async () => {
  const loop = fakeLoop();
  const inner = Promise.resolve('inner');
  const future = new Future<Promise<string>>(loop);
  future.setResult(inner);
  expect(await future).toBe('inner');
  const task = new Task(loop, function* () {
    return (yield* future) === inner;
  });
  loop.run();
  expect(task.result()).toBe(true);
});

test('awaits are resumed by the loop, in the order of the waiters and callbacks', async () => {
  const loop = fakeLoop();
  const future = new Future<void>(loop);
  const log: string[] = [];
  const wait = async (name: string): Promise<void> => {
    await future;
    log.push(name);
  };
  void wait('first');
  await loop.settle();
  future.addDoneCallback(() => log.push('callback'));
  void wait('second');
  await loop.settle();
  future.setResult();
  await new Promise((resolve) => setImmediate(resolve));
  expect(log).toEqual([]);
  expect(loop.ready).toBe(3);
  await loop.settle();
  expect(log.sort()).toEqual(['callback', 'first', 'second']);
});

test('looking at a future is no use of it', async () => {
  const loop = fakeLoop();
  const pending = new Future<number>(loop);
  expect(inspect(pending)).toBe('<Future pending>');
  expect(loop.ready).toBe(0);
  pending.setResult(7);
  expect(loop.ready).toBe(0);
  expect(inspect(pending)).toBe('<Future finished result=7>');
  expect(await pending).toBe(7);
  const failed = new Future<number>(loop);
  failed.setException(new Error('x'));
  expect(inspect(failed)).toBe("<Future failed exception='Error: x'>");
  loop.close();
  expect(loop.errors).toHaveLength(1);
  const cancelled = new Future<number>(loop);
  cancelled.cancel();
  expect(inspect([cancelled])).toContain('<Future cancelled>');
});

test('createdAt is there in debug mode only', () => {
  const loop = fakeLoop();
  expect(new Future(loop).createdAt).toBeUndefined();
  loop.debug = true;
  expect(new Future(loop).createdAt).toContain('future.test.ts');
});

test('a subclass of a user is awaited like the others', async () => {
  class Mine extends Future<number> {}
  const loop = fakeLoop();
  const mine = new Mine(loop);
  const waiting = [(async () => await mine)(), mine.then((value) => value + 1), mine.toPromise()];
  await loop.settle();
  mine.setResult(1);
  await loop.settle();
  expect(await Promise.all(waiting)).toEqual([1, 2, 1]);
  expect(await mine).toBe(1);
});

// Errors that nobody reads

const failed = (): { loop: ReturnType<typeof fakeLoop>; future: Future<number>; error: Error } => {
  const loop = fakeLoop();
  const future = new Future<number>(loop);
  const error = new Error('unread');
  future.setException(error);
  return { loop, future, error };
};

test('an unread error is reported once, when the loop closes', () => {
  const { loop, future, error } = failed();
  loop.close();
  loop.close();
  expect(loop.errors).toMatchObject([{ message: 'Future exception was never retrieved', exception: error }]);
  expect(loop.errors[0]!.future === future).toBe(true);
});

test.each<[string, (future: Future<number>) => unknown]>([
  ['result()', (future) => thrownBy(() => future.result())],
  ['exception()', (future) => future.exception()],
  ['then()', (future) => future.then(null, () => 0)],
  ['await', async (future) => await (async () => await future)().catch(() => 0)],
])('%s reads the error', async (_name, read) => {
  const { loop, future } = failed();
  await read(future);
  loop.close();
  expect(loop.errors).toEqual([]);
});

test('a callback alone does not read the error', () => {
  const loop = fakeLoop();
  const future = new Future<number>(loop);
  future.addDoneCallback(() => undefined);
  future.setException(new Error('unread'));
  loop.run();
  loop.close();
  expect(loop.errors).toHaveLength(1);
});

test('the creation stack is part of the report', () => {
  const loop = fakeLoop();
  loop.debug = true;
  new Future(loop).setException(new Error('x'));
  loop.close();
  expect(loop.errors[0]!.sourceTraceback).toContain('future.test.ts');
});

test('an error set after the loop was closed is reported at once', () => {
  const loop = fakeLoop();
  const future = new Future(loop);
  loop.close();
  future.setException(new Error('late'));
  expect(loop.errors).toMatchObject([{ exception: { message: 'late' } }]);
});

// Arguments

test('bad arguments', () => {
  for (const loop of [undefined, null, 5, {}]) {
    expect(() => new Future(loop as any)).toThrow(
      expect.objectContaining({ name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' }),
    );
  }
  const future = new Future(fakeLoop());
  for (const method of ['addDoneCallback', 'removeDoneCallback'] as const) {
    expect(() => (future as any)[method]('x')).toThrow(
      expect.objectContaining({ name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' }),
    );
  }
  expect(() => future.addDoneCallback(() => undefined, 5 as any)).toThrow(TypeError);
});
