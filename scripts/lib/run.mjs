// Runs child processes for the scripts beside this folder.
import { spawn } from 'node:child_process';
import path from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

/** The project's root, without a trailing slash. */
export const root = path.dirname(path.dirname(path.dirname(fileURLToPath(import.meta.url))));

/**
 * @typedef {object} RunOptions
 * @property {string} [cwd] the project's root when absent
 * @property {Record<string, string | undefined>} [env] added to this process's environment
 * @property {string} [indent] put before every line shown
 * @property {boolean} [isQuiet] show the output only when the command fails
 * @property {boolean} [isSilent] show nothing even then
 * @property {number} [timeoutMs] after which the command is killed and counts as failed
 */

/**
 * Runs a command to its end, showing its output as it comes.
 *
 * @param {string} command `node` means the Node that runs this script
 * @param {string[]} args
 * @param {RunOptions} [options]
 * @returns {Promise<{ code: number, stdout: string, output: string }>} code 127: not found; 124: timed out
 */
export function run(command, args, options = {}) {
  const {
    cwd = root,
    env = {},
    indent = '',
    isQuiet = false,
    isSilent = false,
    timeoutMs = 30 * 60_000,
  } = options;
  return new Promise((resolve) => {
    const child = spawn(command === 'node' ? process.execPath : command, args, {
      cwd,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let stdout = '';
    let output = '';
    let isTimedOut = false;
    const show = lineWriter(indent);
    const timer = setTimeout(() => {
      isTimedOut = true;
      child.kill('SIGKILL');
    }, timeoutMs);
    child.stdout.setEncoding('utf8').on('data', (/** @type {string} */ text) => {
      stdout += text;
      output += text;
      if (!isQuiet) show(text);
    });
    child.stderr.setEncoding('utf8').on('data', (/** @type {string} */ text) => {
      output += text;
      if (!isQuiet) show(text);
    });
    let isMissing = false;
    child.on('error', (error) => {
      isMissing = /** @type {NodeJS.ErrnoException} */ (error).code === 'ENOENT';
      output += `${error.message}\n`;
      if (!isQuiet) show(`${error.message}\n`);
    });
    child.on('close', (status, signal) => {
      clearTimeout(timer);
      if (isTimedOut) output += `killed after ${timeoutMs} ms\n`;
      else if (signal) output += `killed by ${signal}\n`;
      const code = isMissing ? 127 : isTimedOut ? 124 : (status ?? 1);
      if (isQuiet && !isSilent && code !== 0) show(shorten(output));
      show('', true);
      resolve({ code, stdout, output });
    });
  });
}

/**
 * Keeps the head, where the cause stands, and the tail of a long output.
 *
 * @param {string} text
 */
function shorten(text) {
  const lines = text.split('\n');
  const [head, tail] = [120, 60];
  if (lines.length <= head + tail) return text;
  const left = `... ${lines.length - head - tail} lines left out ...`;
  return [...lines.slice(0, head), left, ...lines.slice(-tail)].join('\n');
}

/**
 * Indents whole lines, so that what a suite prints is never taken for the result of all suites.
 *
 * @param {string} indent
 */
function lineWriter(indent) {
  let rest = '';
  return (/** @type {string} */ text, isLast = false) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    if (isLast && rest !== '') {
      lines.push(rest);
      rest = '';
    }
    for (const line of lines) process.stdout.write(`${indent}${line}\n`);
  };
}

/**
 * The path of a program that came with a development dependency.
 *
 * @param {string} name
 */
export function tool(name) {
  return path.join(root, 'node_modules', '.bin', name);
}
