// docs/features.md says what the tests say.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { currentPage, featuresPage, testsOf } from '../../scripts/features.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));
const read = (file: string): string => readFileSync(path.join(root, file), 'utf8');

test('docs/features.md is what scripts/features.mjs writes', () => {
  expect(read('docs/features.md'), 'run node scripts/features.mjs').toBe(currentPage());
});

test('tests are found with what is around them, skipped ones are not', () => {
  const source = `
    describe.each([1])('%s', () => {
      test('Lock: ' + 'FIFO', () => undefined);
      test.each([2])('C-60 %d', () => undefined);
      test.skip('Lock: not tried', () => undefined);
    });
    describe.skip('Event', () => { test('Event: not tried', () => undefined); });
    for (const name of []) test(\`C-63 \${name} is done\`, () => undefined);
    test.todo('Event: not written');
  `;
  expect(testsOf('some.test.ts', source).map(({ names }) => names)).toEqual([
    ['%s', 'Lock: FIFO'],
    ['%s', 'C-60 %d'],
    ['C-63 … is done'],
  ]);
});

test('a feature has what is named after it, what bears the number of its traps, and what is listed', () => {
  const row = { feature: 'Lock', priority: 'P0', api: ['Lock'], traps: ['C-6'], tests: ['a: ^one'] };
  const tables = [{ letter: 'F', title: 'Primitives', rows: [row] }];
  const named = { file: 'b.test.ts', names: ['lock: FIFO'] };
  const others = [
    { file: 'a.test.ts', names: ['one at a time'] },
    { file: 'c.test.ts', names: ['C-6 hand-off'] },
    { file: 'd.test.ts', names: ['C-60 another trap'] },
    { file: 'e.test.ts', names: ['Locks: another feature'] },
  ];
  const page = featuresPage({ tables, traps: ['C-6', 'C-7'] }, [named, ...others]);
  const line = page.split('\n').find((text) => text.startsWith('| Lock |'))!;
  expect(line).toContain('| P0 | `Lock` | yes | “lock: FIFO”, in');
  expect([...line.matchAll(/\[(\w)\]/g)].map(([, file]) => file)).toEqual(['b', 'a', 'c']);
  expect(page).toContain('| C-6 | yes | [c](../test/c.test.ts) |\n| C-7 | no |  |');
  expect(() => featuresPage({ tables, traps: [] }, [named])).toThrow('Lock: no test is a: ^one');
});
