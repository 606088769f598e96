import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Joiner } from '../../../src/io/joiner.js';

test('copies chunks and joins those that follow each other', () => {
  const joiner = new Joiner();
  const source = Buffer.from('abcdef');
  const first = joiner.join(null, source.subarray(0, 2));
  const both = joiner.join(first, source.subarray(2, 3));
  source.fill(0);
  expect(String(first)).toBe('ab');
  expect(String(both)).toBe('abc');
  expect(both.buffer).toBe(first.buffer);
});

test('does not join what is not its own', () => {
  const joiner = new Joiner();
  joiner.join(null, Buffer.from('ab'));
  expect(String(joiner.join(Buffer.from('xy'), Buffer.from('c')))).toBe('c');
  expect(String(joiner.join(null, Buffer.from('d')))).toBe('d');
});

test('what was handed out stays as it is', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ minLength: 1, maxLength: 1024 }), { maxLength: 100 }), (chunks) => {
      const joiner = new Joiner();
      const handedOut: [Buffer, Buffer][] = [];
      let previous: Buffer | null = null;
      let all = Buffer.alloc(0);
      for (const chunk of chunks) {
        const joined: Buffer = joiner.join(previous, Buffer.from(chunk));
        expect(joined.subarray(joined.length - chunk.length).equals(chunk)).toBe(true);
        all = Buffer.concat([all, chunk]);
        expect(all.subarray(all.length - joined.length).equals(joined)).toBe(true);
        handedOut.push([joined, Buffer.from(joined)]);
        previous = joined;
      }
      expect(handedOut.every(([bytes, copy]) => bytes.equals(copy))).toBe(true);
    }),
    { numRuns: 50 },
  );
});

test('is worth keeping only while it is small', () => {
  const joiner = new Joiner();
  expect(joiner.orNull()).toBe(joiner);
  joiner.join(null, Buffer.alloc(200));
  expect(joiner.orNull()).toBe(joiner);
  joiner.join(null, Buffer.alloc(200));
  expect(joiner.orNull()).toBe(null);
});
