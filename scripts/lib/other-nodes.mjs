// Other versions of Node, from npm packages that hold the plain binary.
import { existsSync, mkdirSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { root, run } from './run.mjs';

/** The major versions that are supported beside the one the tests run on. */
export const OTHER_MAJORS = [22, 24, 26];

/**
 * The path of a Node of that major version, installed into build/node-matrix and kept; null when that failed.
 *
 * @param {number} major
 */
export async function installNode(major) {
  const directory = path.join(root, 'build', 'node-matrix', String(major));
  const name = `node-${process.platform}-${process.arch}`;
  const binary = path.join(directory, 'node_modules', name, 'bin', 'node');
  if (existsSync(binary)) return binary;
  mkdirSync(directory, { recursive: true });
  const args = ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--no-save', '--prefix', directory];
  const result = await run('npm', [...args, `${name}@${major}`], { cwd: directory, isQuiet: true });
  return result.code === 0 && existsSync(binary) ? binary : null;
}
