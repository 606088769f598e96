// A copy of what the addon is built from, so that a special build leaves build/ alone.
import { cpSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { root } from './run.mjs';

/**
 * Calls `body` with a temporary directory that holds the native sources, and removes it afterwards.
 *
 * @template T
 * @param {(directory: string) => Promise<T>} body
 * @returns {Promise<T>}
 */
export async function withStaging(body) {
  const directory = mkdtempSync(path.join(tmpdir(), 'evloop-build-'));
  try {
    for (const name of ['package.json', 'binding.gyp', 'native']) {
      cpSync(path.join(root, name), path.join(directory, name), { recursive: true });
    }
    symlinkSync(path.join(root, 'node_modules'), path.join(directory, 'node_modules'), 'dir');
    return await body(directory);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
