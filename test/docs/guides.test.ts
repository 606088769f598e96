// Runs the programs of the guides in docs/: what they print is what their comments `// -> ...` say, line by line.
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { format } from 'node:util';
import { describe, expect, test, vi } from 'vitest';
import * as evloop from '../../src/index.js';
import { execute, fencedBlocks } from '../support/blocks.js';

const folder = fileURLToPath(new URL('../../docs', import.meta.url));
const read = (file: string): string => readFileSync(path.join(folder, file), 'utf8');
// Tables, most of them made by other tests and scripts.
const TABLES = ['faults.md', 'features.md', 'platforms.md'];
const guides = readdirSync(folder).filter((file) => file.endsWith('.md') && !TABLES.includes(file));

// What a program may import, beside this package.
const OTHERS = [
  'node:events',
  'node:http',
  'node:timers/promises',
  'p-limit',
  'p-queue',
  'p-retry',
  'bottleneck',
  'ws',
  'express',
  'fastify',
  'koa',
  'hono',
];

async function importable(): Promise<Map<string, object>> {
  const modules = new Map<string, object>([['evloop', evloop]]);
  for (const name of OTHERS) {
    modules.set(name, { __esModule: true, ...((await import(name)) as object) });
  }
  return modules;
}

const modules = await importable();

/** What a program says that it prints, in the order of its lines. */
function announced(code: string): string[] {
  return [...code.matchAll(/\/\/ -> (.*)$/gm)].map(([, text]) => text!);
}

test('there are guides', () => {
  expect(guides.length).toBeGreaterThanOrEqual(5);
});

describe.each(guides)('docs/%s', (file) => {
  const blocks = fencedBlocks(file, read(file), ['js', 'ts']);

  test('has programs', () => {
    expect(blocks.length).toBeGreaterThan(0);
  });

  test.each(blocks.map(({ place, code }) => [place, code] as const))('%s', async (_, code) => {
    const printed: string[] = [];
    const log = vi.spyOn(console, 'log').mockImplementation((...values) => {
      printed.push(format(...values));
    });
    const error = vi.spyOn(console, 'error').mockImplementation(() => undefined);
    try {
      await execute(code, modules);
      expect(printed).toEqual(announced(code));
      // Nothing that nobody asked for: no error that was lost.
      expect(error.mock.calls).toEqual([]);
    } finally {
      log.mockRestore();
      error.mockRestore();
    }
  });
});
