import fc from 'fast-check';
import { expect, test } from 'vitest';
import { interleave } from '../../../src/io/interleave.js';

const ADDRESSES = ['::1', '::2', '::3', '10.0.0.1', '10.0.0.2'];

// What `_interleave_addrinfos` of CPython 3.13 makes of the same.
test.each([
  [0, ['::1', '::2', '::3', '10.0.0.1', '10.0.0.2']],
  [1, ['::1', '10.0.0.1', '::2', '10.0.0.2', '::3']],
  [2, ['::1', '::2', '10.0.0.1', '::3', '10.0.0.2']],
  [3, ['::1', '::2', '::3', '10.0.0.1', '10.0.0.2']],
  [9, ['::1', '::2', '::3', '10.0.0.1', '10.0.0.2']],
])('happy eyeballs: with interleave %i the families take turns', (count, expected) => {
  expect(interleave(ADDRESSES, count)).toEqual(expected);
});

test('the family of the first address is the first one', () => {
  expect(interleave(['10.0.0.1', '10.0.0.2', '::1'], 1)).toEqual(['10.0.0.1', '::1', '10.0.0.2']);
  expect(interleave(['10.0.0.1', '::1', '::2', '::3'], 1)).toEqual(['10.0.0.1', '::1', '::2', '::3']);
});

test('every address once, each family in its order, and turns once the first family has had its share', () => {
  const address = fc.oneof(fc.ipV4(), fc.ipV6());
  const isIPv6 = (one: string): boolean => one.includes(':');
  fc.assert(
    fc.property(fc.uniqueArray(address, { maxLength: 12 }), fc.integer({ min: 1, max: 15 }), (all, count) => {
      const before = [...all];
      const ordered = interleave(all, count);
      expect(all).toEqual(before);
      for (const family of [true, false]) {
        const ofFamily = (one: string): boolean => isIPv6(one) === family;
        expect(ordered.filter(ofFamily)).toEqual(all.filter(ofFamily));
      }
      const families = ordered.map(isIPv6);
      const first = families[0];
      const firsts = families.filter((family) => family === first).length;
      const share = Math.min(count, firsts);
      expect(families.slice(0, share).every((family) => family === first)).toBe(true);
      const turns = 2 * Math.min(firsts - share + 1, families.length - firsts);
      if (firsts < count) return;
      families.slice(share, share + turns - 1).forEach((family, i) => {
        expect(family === first).toBe(i % 2 === 1);
      });
    }),
  );
});
