import fc from 'fast-check';
import { expect, test } from 'vitest';
import { UnreadBytes } from '../../../src/io/unread.js';

// Few letters, so that separators are found, and found across chunks.
const letters = (constraints: fc.StringConstraints): fc.Arbitrary<Buffer> =>
  fc.string({ unit: fc.constantFrom('a', 'b'), ...constraints }).map((text) => Buffer.from(text, 'latin1'));

const action = fc.oneof(
  fc.record({ kind: fc.constant('push' as const), bytes: letters({ minLength: 1, maxLength: 9 }) }),
  fc.record({ kind: fc.constant('give back' as const), bytes: letters({ minLength: 1, maxLength: 9 }) }),
  fc.record({ kind: fc.constant('take' as const), size: fc.nat(20) }),
  fc.record({ kind: fc.constant('take some' as const), size: fc.integer({ min: 1, max: 20 }) }),
  fc.record({
    kind: fc.constant('find' as const),
    separator: letters({ minLength: 1, maxLength: 6 }),
    from: fc.nat(30),
  }),
);

test('does as one buffer would', () => {
  fc.assert(
    fc.property(fc.array(action, { maxLength: 60 }), (actions) => {
      const unread = new UnreadBytes();
      let model: Buffer = Buffer.alloc(0);
      for (const step of actions) {
        if (step.kind === 'push') {
          unread.push(step.bytes);
          unread.joinLast();
          model = Buffer.concat([model, step.bytes]);
        } else if (step.kind === 'give back') {
          unread.unshift(step.bytes);
          model = Buffer.concat([step.bytes, model]);
        } else if (step.kind === 'take') {
          const size = Math.min(step.size, model.length);
          expect(String(unread.take(size))).toBe(String(model.subarray(0, size)));
          model = model.subarray(size);
        } else if (step.kind === 'take some') {
          if (model.length === 0) continue;
          const taken = unread.takeSome(step.size);
          expect(taken.length).toBeGreaterThan(0);
          expect(taken.length).toBeLessThanOrEqual(step.size);
          expect(String(taken)).toBe(String(model.subarray(0, taken.length)));
          model = model.subarray(taken.length);
        } else {
          expect(unread.indexOf(step.separator, step.from)).toBe(
            step.from >= model.length ? -1 : model.indexOf(step.separator, step.from),
          );
        }
        expect(unread.sizeBytes).toBe(model.length);
      }
    }),
  );
});

test('one chunk is given and cut without copying', () => {
  const unread = new UnreadBytes();
  const chunk = Buffer.from('abcdef');
  unread.push(chunk);
  expect(unread.takeSome(2).buffer).toBe(chunk.buffer);
  expect(unread.take(4).buffer).toBe(chunk.buffer);
  expect(unread.isDisposable()).toBe(true);
});

test('small chunks are copied, large ones stay where they are', () => {
  for (const [size, isCopied] of [
    [10, true],
    [5000, false],
  ] as const) {
    const unread = new UnreadBytes();
    const slab = Buffer.alloc(10_000, 'x');
    unread.push(slab.subarray(0, size));
    unread.joinLast();
    expect(unread.takeSome(size).buffer === slab.buffer).toBe(!isCopied);
  }
});
