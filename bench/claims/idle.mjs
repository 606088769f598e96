// A server that waits for its first client: how often its threads wake up.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { contextSwitches, findProgram } from '../lib/machine.mjs';
import { startServer, watchOthers } from '../lib/process.mjs';

/** V8 tidies up after the start; that has to be over. */
const SETTLE_MS = 3000;

/**
 * Counts system calls of all threads while `body` runs.
 *
 * @param {number} pid
 * @param {() => Promise<void>} body
 * @returns {Promise<number>} NaN where processes cannot be traced
 */
async function countSystemCalls(pid, body) {
  const strace = findProgram('strace');
  if (strace === null) return NaN;
  const directory = mkdtempSync(path.join(tmpdir(), 'evloop-bench-'));
  const log = path.join(directory, 'calls');
  try {
    const tracer = spawn(strace, ['-f', '-qq', '-o', log, '-p', String(pid)], { stdio: 'ignore' });
    const closed = once(tracer, 'close');
    // Attaching interrupts the calls that wait, and they begin again.
    await delay(1000);
    const before = countLines(log);
    if (before === null) return NaN;
    await body();
    const after = countLines(log);
    tracer.kill('SIGINT');
    await closed;
    return after === null ? NaN : after - before;
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** @param {string} file */
function countLines(file) {
  try {
    return readFileSync(file, 'utf8').split('\n').length;
  } catch {
    return null;
  }
}

/**
 * @param {string} name
 * @param {string} program
 * @returns {import('../lib/table.mjs').Contender}
 */
function idler(name, program) {
  const file = fileURLToPath(new URL(`../programs/${program}`, import.meta.url));
  return {
    name,
    async sample({ seconds = 1 }) {
      const server = await startServer((host, port) => [process.execPath, file, host, String(port)]);
      try {
        await delay(SETTLE_MS);
        const { result, otherShare } = await watchOthers(
          async () => {
            const before = contextSwitches(server.pid);
            await delay(seconds * 1000);
            const after = contextSwitches(server.pid);
            return { main: after.main - before.main, all: after.all - before.all };
          },
          () => 0,
        );
        const calls = await countSystemCalls(server.pid, () => delay(seconds * 1000));
        return { metrics: { ...result, calls }, otherShare };
      } finally {
        await server.stop();
      }
    },
  };
}

/** @type {import('../lib/table.mjs').Table[]} */
export const tables = [
  {
    id: 'idle/10s',
    title: 'Idle, a listening socket and a timer an hour away, 10 s',
    metrics: {
      main: { title: 'wake-ups of the main thread', unit: '', digits: 0 },
      all: { title: 'of all threads', unit: '', digits: 0 },
      calls: { title: 'system calls', unit: '', digits: 0 },
    },
    settings: { rounds: 1, seconds: 10 },
    quick: {},
    contenders: () => [idler('evloop', 'idle-evloop.mjs'), idler('node:net and setTimeout', 'idle-node.mjs')],
  },
];
