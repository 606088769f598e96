import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Deque } from '../../../src/base/deque.js';

test('first in, first out', () => {
  const deque = new Deque<number>();
  for (let i = 0; i < 1000; i++) deque.push(i);
  expect(deque.size).toBe(1000);
  for (let i = 0; i < 1000; i++) expect(deque.shift()).toBe(i);
  expect(deque.shift()).toBeUndefined();
  expect(deque.size).toBe(0);
});

test('behaves as an array does', () => {
  const operation = fc.oneof(
    { weight: 5, arbitrary: fc.constant('push' as const) },
    { weight: 1, arbitrary: fc.constant('unshift' as const) },
    { weight: 4, arbitrary: fc.constant('shift' as const) },
    { weight: 1, arbitrary: fc.constant('pop' as const) },
  );
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 400 }), (operations) => {
      const deque = new Deque<number>();
      const model: number[] = [];
      operations.forEach((name, index) => {
        if (name === 'shift' || name === 'pop') {
          expect(deque[name]()).toBe(model[name]());
        } else {
          deque[name](index);
          model[name](index);
        }
      });
      expect([...deque]).toEqual(model);
      expect(deque.size).toBe(model.length);
      expect(deque.at(0)).toBe(model[0]);
      expect(deque.at(model.length)).toBeUndefined();
    }),
    { numRuns: 200 },
  );
});

test('works again after a burst gave its memory back', () => {
  const deque = new Deque<number>();
  for (let i = 0; i < 100_000; i++) deque.push(i);
  for (let i = 0; i < 100_000; i++) deque.shift();
  deque.push(1);
  deque.push(2);
  expect([...deque]).toEqual([1, 2]);
});

test('clear forgets everything', () => {
  const deque = new Deque<number>();
  for (let i = 0; i < 100; i++) deque.push(i);
  deque.clear();
  expect(deque.size).toBe(0);
  expect(deque.shift()).toBeUndefined();
  deque.push(7);
  expect(deque.shift()).toBe(7);
});
