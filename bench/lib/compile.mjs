// Compiles rivals from their sources; the programs are kept until a source changes.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { findProgram, root } from './machine.mjs';

// What C programs include.
const shared = path.join(root, 'bench', 'rivals', 'load.h');
const cache = path.join(root, 'node_modules', '.cache', 'evloop-bench');

/**
 * @param {string} source below bench/rivals
 * @param {(input: string, output: string) => [command: string, args: string[]]} command
 */
function build(source, command) {
  const input = path.join(root, 'bench', 'rivals', source);
  const hash = createHash('sha256')
    .update(readFileSync(input))
    .update(readFileSync(shared))
    .update(String(command))
    .digest('hex');
  const output = path.join(cache, `${path.parse(source).name}-${hash.slice(0, 16)}`);
  if (existsSync(output)) return output;
  mkdirSync(cache, { recursive: true });
  const unfinished = `${output}.${process.pid}`;
  execFileSync(...command(input, unfinished), { stdio: ['ignore', 'ignore', 'inherit'] });
  renameSync(unfinished, output);
  return output;
}

/**
 * @param {string} source below bench/rivals
 * @returns {string} the program
 */
export function compileC(source) {
  return build(source, (input, output) => ['cc', ['-O2', '-Wall', '-Wextra', '-o', output, input]]);
}

/**
 * @param {string} source below bench/rivals
 * @returns {string | null} the program; null without a Go compiler
 */
export function compileGo(source) {
  const go = findProgram('go');
  return go === null ? null : build(source, (input, output) => [go, ['build', '-o', output, input]]);
}
