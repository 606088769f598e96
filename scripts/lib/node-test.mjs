// Runs one of Node's own tests in a process of its own.
import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';

const OUTPUT_LIMIT = 16_384;
/** Tests that want a fixed port get one below those that the system hands out. */
const FIRST_PORT = 10_000 + (process.pid % 200) * 100;
/** What of this process's environment a test may see. */
const INHERITED = ['PATH', 'HOME', 'USER', 'LANG', 'EVLOOP_BACKEND', 'EVLOOP_HOST'];

/**
 * @typedef {object} How
 * @property {string} node the binary
 * @property {string} directory for the files of the tests that run in this slot
 * @property {number} slot tests that run at the same time have different ones
 * @property {Record<string, string>} [env]
 * @property {number} timeoutMs
 */

/**
 * `skipped`: the test said that it makes no sense here. `late`: it did not end in time.
 *
 * @typedef {object} Result
 * @property {'passed' | 'failed' | 'skipped' | 'late'} outcome
 * @property {string} output
 */

/**
 * @param {string} file
 * @param {How} how
 * @returns {Promise<Result>}
 */
export function runNodeTest(file, { node, directory, slot, env = {}, timeoutMs }) {
  const cwd = path.join(directory, 'cwd');
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(cwd, { recursive: true });
  const inherited = INHERITED.flatMap((name) => (name in process.env ? [[name, process.env[name]]] : []));
  const child = spawn(node, [...flagsOf(file), file], {
    cwd,
    // A group of its own: what a test leaves running ends with it.
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      ...Object.fromEntries(inherited),
      NODE_TEST_DIR: directory,
      TEST_THREAD_ID: String(slot),
      NODE_COMMON_PORT: String(FIRST_PORT + slot * 10),
      ...env,
    },
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (/** @type {string} */ text) => {
      output = (output + text).slice(-OUTPUT_LIMIT);
    });
  }
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    endGroup(child.pid);
  }, timeoutMs);
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('exit', (_code, signal) => {
      clearTimeout(timer);
      endGroup(child.pid);
      if (signal !== null) output += isLate ? `\nended after ${timeoutMs} ms` : `\nended by ${signal}`;
    });
    child.on('close', (code) => {
      const isSkipped = /^1\.\.0 # Skipped/m.test(output);
      resolve({
        outcome: isLate ? 'late' : code !== 0 ? 'failed' : isSkipped ? 'skipped' : 'passed',
        output,
      });
    });
  });
}

/** @param {number | undefined} id of the group's first process */
function endGroup(id) {
  if (id === undefined) return;
  try {
    process.kill(-id, 'SIGKILL');
  } catch {
    // Nobody is left.
  }
}

/**
 * The options of Node that the test asks for.
 *
 * @param {string} file
 */
function flagsOf(file) {
  const flags = /^\/\/ Flags:(.*)$/m.exec(readFileSync(file, 'utf8'))?.[1] ?? '';
  return flags.split(/\s+/).filter((flag) => flag !== '');
}
