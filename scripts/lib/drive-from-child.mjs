// Runs a driver in a process of its own.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import process from 'node:process';

/**
 * What it printed, or null when it failed.
 *
 * @param {string} driver a program that is told a port and seconds, and prints JSON
 * @param {number} port
 * @param {number} seconds
 * @returns {Promise<unknown>}
 */
export async function driveFromChild(driver, port, seconds) {
  const child = spawn(process.execPath, [driver, String(port), String(seconds)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text) => (output += text));
  const [code] = await once(child, 'close');
  return code === 0 ? JSON.parse(output) : null;
}
