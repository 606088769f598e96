import { getEventListeners } from 'node:events';
import { expect, test } from 'vitest';
import { isCancelled } from '../../../src/base/errors.js';
import { createTaskOn } from '../../../src/task/create.js';
import { Future } from '../../../src/task/future.js';
import { wrapOn } from '../../../src/task/wrap.js';
import { fakeLoop } from '../../support/fake-loop.js';
import { isCollected } from '../../support/garbage.js';
import { nodeTurn } from '../../support/loop.js';

function deferred<T>(): {
  promise: Promise<T>;
  resolve: (value: T) => void;
  reject: (error: unknown) => void;
} {
  let resolve!: (value: T) => void;
  let reject!: (error: unknown) => void;
  const promise = new Promise<T>((onResolve, onReject) => {
    resolve = onResolve;
    reject = onReject;
  });
  return { promise, resolve, reject };
}

test('takes the outcome over, in both forms', async () => {
  const loop = fakeLoop();
  const error = new Error('x');
  const tasks = [
    createTaskOn(loop, function* () {
      return yield* wrapOn(loop, Promise.resolve(1));
    }),
    createTaskOn(loop, async () => await wrapOn(loop, Promise.resolve(2))),
    createTaskOn(loop, function* () {
      return yield* wrapOn(loop, {
        then: (resolve: (value: number) => void) => resolve(3),
      } as PromiseLike<number>);
    }),
  ];
  const failed = createTaskOn(loop, function* () {
    yield* wrapOn(loop, Promise.reject(error));
  });
  await loop.settle();
  expect(tasks.map((task) => task.result())).toEqual([1, 2, 3]);
  expect(failed.exception()).toBe(error);
});

test('cancelling a task that waits for a promise cancels the wrapper and leaves the promise alone', async () => {
  const loop = fakeLoop();
  const { promise, resolve } = deferred<number>();
  const task = createTaskOn(loop, function* () {
    yield* wrapOn(loop, promise);
  });
  loop.run();
  task.cancel();
  loop.run();
  expect(task.cancelled()).toBe(true);
  resolve(5);
  expect(await promise).toBe(5);
});

test('a late rejection is heard, and nobody is bothered', async () => {
  const loop = fakeLoop();
  const unhandled: unknown[] = [];
  const listener = (reason: unknown): unknown => unhandled.push(reason);
  process.on('unhandledRejection', listener);
  const { promise, reject } = deferred<number>();
  const wrapped = wrapOn(loop, promise);
  wrapped.cancel();
  reject(new Error('late'));
  await nodeTurn();
  await nodeTurn();
  process.off('unhandledRejection', listener);
  loop.close();
  expect([unhandled, loop.errors]).toEqual([[], []]);
});

test('an outcome after somebody else settled the wrapper is ignored', async () => {
  const loop = fakeLoop();
  const { promise, reject } = deferred<number>();
  const wrapped = wrapOn(loop, promise);
  wrapped.setResult(1);
  reject(new Error('late'));
  await nodeTurn();
  expect(wrapped.result()).toBe(1);
});

test('an error that nobody reads is reported', async () => {
  const loop = fakeLoop();
  wrapOn(loop, Promise.reject(new Error('unread')));
  await nodeTurn();
  loop.close();
  expect(loop.errors).toMatchObject([{ exception: { message: 'unread' } }]);
});

test('a cancelled wrapper is not held by its promise', async () => {
  const loop = fakeLoop();
  const { promise, resolve } = deferred<void>();
  const reference = (() => {
    const wrapped = wrapOn(loop, promise);
    wrapped.cancel();
    return new WeakRef(wrapped);
  })();
  expect(await isCollected(reference)).toBe(true);
  resolve();
});

test('a signal cancels the wrapper with its reason, and is let go', async () => {
  const loop = fakeLoop();
  const controller = new AbortController();
  const { signal } = controller;
  const { promise, resolve } = deferred<void>();
  const fine = wrapOn(loop, promise, { signal });
  const never = wrapOn(loop, deferred<void>().promise, { signal });
  resolve();
  await nodeTurn();
  expect(fine.done()).toBe(true);
  expect(getEventListeners(signal, 'abort')).toHaveLength(1);
  const reason = new Error('gone');
  controller.abort(reason);
  expect(never.cancelled()).toBe(true);
  expect(() => never.result()).toThrow(expect.objectContaining({ reason }));
  expect(getEventListeners(signal, 'abort')).toHaveLength(0);
  expect(wrapOn(loop, promise, { signal }).cancelled()).toBe(true);
});

test('a future of the same loop is itself', () => {
  const loop = fakeLoop();
  const future = new Future<void>(loop);
  expect(wrapOn(loop, future)).toBe(future);
});

test('a future of another loop is bridged', async () => {
  const [here, there] = [fakeLoop(), fakeLoop()];
  const outcomes = [
    (future: Future<unknown>) => future.setResult(1),
    (future: Future<unknown>) => future.setException(new Error('x')),
    (future: Future<unknown>) => void future.cancel('r'),
  ].map((settle) => {
    const source = new Future<unknown>(there);
    const wrapped = wrapOn(here, source);
    settle(source);
    there.run();
    here.run();
    return wrapped;
  });
  expect(outcomes[0]!.result()).toBe(1);
  expect(outcomes[1]!.exception()).toMatchObject({ message: 'x' });
  expect(() => outcomes[2]!.result()).toThrow(expect.objectContaining({ reason: 'r' }));
});

test('cancelling the bridge cancels the other end, from either coroutine', async () => {
  const [here, there] = [fakeLoop(), fakeLoop()];
  const source = new Future<void>(there);
  const task = createTaskOn(here, async () => await wrapOn(here, source));
  await here.settle();
  task.cancel('r');
  await here.settle();
  expect([task.cancelled(), source.cancelled()]).toEqual([true, true]);
  const error = await source.then(null, (reason: unknown) => reason);
  expect(isCancelled(error) && error.reason).toBe('r');
});

test('bad arguments', () => {
  const loop = fakeLoop();
  for (const value of [undefined, null, 5, {}, (function* () {})()]) {
    expect(() => wrapOn(loop, value as any)).toThrow(
      expect.objectContaining({ name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' }),
    );
  }
  for (const options of [5, { signal: 5 }]) {
    expect(() => wrapOn(loop, Promise.resolve(), options as any)).toThrow(TypeError);
  }
});
