import { describe, expect, test } from 'vitest';
import { AsyncDisposableStack } from '../../../src/base/async-disposable-stack.js';
import { isCancelled } from '../../../src/base/errors.js';
import { cleanup } from '../../../src/task/cancel-scope.js';
import { ensureFuture } from '../../../src/task/ensure-future.js';
import { sleep } from '../../../src/task/sleep.js';
import { forms, outcome } from '../../support/forms.js';
import { later, withLoop } from '../../support/loop.js';

const LONG = 60_000;

const logging = (log: unknown[], name: string): AsyncDisposable => ({
  async [Symbol.asyncDispose]() {
    await sleep(1);
    log.push(name);
  },
});

describe.each(forms)('$name', (form) => {
  test.each(['return', 'throw', 'cancel'])(
    'async resources: released in reverse order on %s',
    async (end) => {
      await withLoop(async (loop) => {
        const log: unknown[] = [];
        const task = form.start(function* () {
          const stack = new AsyncDisposableStack();
          try {
            stack.use(logging(log, 'used'));
            stack.use({ [Symbol.dispose]: () => log.push('synchronous') });
            stack.adopt('adopted', async (value: string) => {
              await sleep(1);
              log.push(value);
            });
            stack.defer(() => void log.push('deferred'));
            if (end === 'throw') throw new RangeError('body');
            if (end === 'cancel') yield sleep(LONG);
            return 'value';
          } finally {
            yield cleanup(
              1000,
              form.coroutine(function* () {
                yield ensureFuture(stack.disposeAsync());
              }),
            );
          }
        });
        if (end === 'cancel') {
          await later(loop, 1);
          task.cancel();
          // Again, while it releases.
          await later(loop, 1);
          task.cancel();
        }
        const result = await outcome(task);
        if (end === 'return') expect(result).toBe('value');
        else if (end === 'throw') expect(result).toBeInstanceOf(RangeError);
        else expect(isCancelled(result)).toBe(true);
        expect(log).toEqual(['deferred', 'adopted', 'synchronous', 'used']);
      });
    },
  );
});

test('async resources: what releasing throws is aggregated, and nothing is left out', async () => {
  const stack = new AsyncDisposableStack();
  const log: unknown[] = [];
  for (const name of ['a', 'b', 'c']) {
    stack.defer(() => {
      log.push(name);
      throw new Error(name);
    });
  }
  const error = (await outcome(stack.disposeAsync())) as Record<'error' | 'suppressed', any> & Error;
  expect(log).toEqual(['c', 'b', 'a']);
  expect(error.name).toBe('SuppressedError');
  expect(error.error.message).toBe('a');
  expect(error.suppressed.name).toBe('SuppressedError');
  expect([error.suppressed.error.message, error.suppressed.suppressed.message]).toEqual(['b', 'c']);
});

test('async resources: a single error comes as it is', async () => {
  const stack = new AsyncDisposableStack();
  stack.defer(() => Promise.reject(new RangeError('alone')));
  stack.defer(() => undefined);
  expect(await outcome(stack.disposeAsync())).toBeInstanceOf(RangeError);
});

test('async resources: a stack is disposed of once, and takes nothing afterwards', async () => {
  const stack = new AsyncDisposableStack();
  let count = 0;
  stack.defer(() => void count++);
  expect([stack.use(null), stack.use(undefined), stack.disposed]).toEqual([null, undefined, false]);
  await stack[Symbol.asyncDispose]();
  await stack.disposeAsync();
  expect([count, stack.disposed]).toEqual([1, true]);
  expect(() => stack.defer(() => undefined)).toThrow();
  expect(() => stack.move()).toThrow();
  expect(Object.prototype.toString.call(stack)).toBe('[object AsyncDisposableStack]');
});

test('async resources: move() hands everything over', async () => {
  const stack = new AsyncDisposableStack();
  const log: string[] = [];
  stack.defer(() => void log.push('released'));
  const moved = stack.move();
  await stack.disposeAsync();
  expect([log, stack.disposed, moved.disposed]).toEqual([[], true, false]);
  await moved.disposeAsync();
  expect(log).toEqual(['released']);
});
