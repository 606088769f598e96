// A server that waits for its first client: how often its threads wake up.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { contextSwitches, findProgram } from '../lib/machine.mjs';
import { startServer, watchOthers } from '../lib/process.mjs';

/** V8 collects once more some eight seconds after a start that allocated much; that has to be over. */
const SETTLE_MS = 12_000;
const ATTACH_MS = 1000;

/**
 * Calls `body` while the system calls of all threads are counted.
 *
 * @template T
 * @param {number} pid
 * @param {() => Promise<T>} body
 * @returns {Promise<{ result: T, calls: number }>} NaN calls where processes cannot be traced
 */
async function countSystemCalls(pid, body) {
  const strace = findProgram('strace');
  if (strace === null) return { result: await body(), calls: NaN };
  const directory = mkdtempSync(path.join(tmpdir(), 'evloop-bench-'));
  const log = path.join(directory, 'calls');
  try {
    const tracer = spawn(strace, ['-f', '-qq', '-o', log, '-p', String(pid)], { stdio: 'ignore' });
    const closed = once(tracer, 'close');
    // Attaching interrupts the calls that wait, and they begin again.
    await delay(ATTACH_MS);
    const before = countLines(log);
    const result = await body();
    const calls = countLines(log) - before;
    const isTracing = tracer.exitCode === null;
    tracer.kill('SIGINT');
    await closed;
    return { result, calls: isTracing ? calls : NaN };
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** @param {string} file there may be none yet */
function countLines(file) {
  return existsSync(file) ? readFileSync(file, 'utf8').split('\n').length : 0;
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
        const watch = async () => {
          const before = contextSwitches(server.pid);
          await delay(seconds * 1000);
          const after = contextSwitches(server.pid);
          return { main: after.main - before.main, all: after.all - before.all };
        };
        const { result, otherShare } = await watchOthers(
          () => countSystemCalls(server.pid, watch),
          () => 0,
        );
        return { metrics: { ...result.result, calls: result.calls }, otherShare };
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
