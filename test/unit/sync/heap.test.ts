import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Heap } from '../../../src/sync/heap.js';

test('gives what a stable sort gives, whatever is added in between', () => {
  const operation = fc.option(fc.nat({ max: 9 }), { nil: 'take' as const, freq: 2 });
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 200 }), (operations) => {
      const heap = new Heap<[number, number]>(([a], [b]) => a - b);
      const model: [number, number][] = [];
      operations.forEach((level, index) => {
        if (level !== 'take') {
          heap.push([level, index]);
          model.push([level, index]);
          model.sort(([a], [b]) => a - b);
        } else if (model.length > 0) {
          expect(heap.take()).toEqual(model.shift());
        }
        expect(heap.size).toBe(model.length);
      });
      while (model.length > 0) expect(heap.take()).toEqual(model.shift());
    }),
    { numRuns: 200 },
  );
});

test('clear forgets everything', () => {
  const heap = new Heap<number>((a, b) => a - b);
  for (const item of [3, 1, 2]) heap.push(item);
  heap.clear();
  expect(heap.size).toBe(0);
  heap.push(5);
  expect(heap.take()).toBe(5);
});
