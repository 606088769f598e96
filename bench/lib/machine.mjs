// What this machine offers: processors to pin to, other runtimes, and how busy others keep it.
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../..', import.meta.url));

/** Where what is measured runs. */
export const SERVER_CPU = 0;
/** Where the load comes from. */
export const LOAD_CPU = 1;

/**
 * The path of a program on PATH or in $PEERS/bin, or null.
 *
 * @param {string} name
 */
export function findProgram(name) {
  const peers = process.env['PEERS'];
  const directories = (process.env['PATH'] ?? '').split(path.delimiter);
  if (peers !== undefined) directories.push(path.join(peers, 'bin'));
  for (const directory of directories) {
    const file = path.join(directory, name);
    if (directory !== '' && existsSync(file)) return file;
  }
  return null;
}

const taskset = os.availableParallelism() > 1 ? findProgram('taskset') : null;

/** Whether programs can be bound to a processor. */
export const canPin = taskset !== null;

/**
 * The command line that runs `command` on one processor.
 *
 * @param {number | null} cpu null: on any
 * @param {readonly string[]} command
 * @returns {[string, string[]]}
 */
export function pinned(cpu, command) {
  const [program = '', ...args] = command;
  if (taskset === null || cpu === null) return [program, args];
  return [taskset, ['-c', String(cpu), program, ...args]];
}

/**
 * Another major version of Node, or null: from PATH, $PEERS/bin, or where the tests install it.
 *
 * @param {number} major
 */
export function findNode(major) {
  if (Number(process.versions.node.split('.')[0]) === major) return process.execPath;
  const installed = path.join(
    root,
    `build/node-matrix/${major}/node_modules/node-${process.platform}-${process.arch}/bin/node`,
  );
  return findProgram(`node${major}`) ?? (existsSync(installed) ? installed : null);
}

/** A Python that has uvloop, or null. */
export function findUvloop() {
  for (const python of [findProgram('python3'), '/usr/bin/python3']) {
    if (python === null || !existsSync(python)) continue;
    if (spawnSync(python, ['-c', 'import uvloop']).status === 0) return python;
  }
  return null;
}

const ticksPerSecond = Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }));

/** Processor seconds that all programs of this machine have used, the hypervisor's share included. */
export function busySeconds() {
  const line = readFileSync('/proc/stat', 'utf8').split('\n', 1)[0] ?? '';
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, steal = 0] = line
    .trim()
    .split(/\s+/)
    .slice(1)
    .map(Number);
  return (user + nice + system + irq + softirq + steal) / ticksPerSecond;
}

/**
 * How often the threads of a process went to sleep and were woken.
 *
 * @param {number} pid
 */
export function contextSwitches(pid) {
  let all = 0;
  let main = 0;
  for (const task of readdirSync(`/proc/${pid}/task`)) {
    const status = readFileSync(`/proc/${pid}/task/${task}/status`, 'utf8');
    const count = Number(/^voluntary_ctxt_switches:\s+(\d+)/m.exec(status)?.[1]);
    all += count;
    if (Number(task) === pid) main = count;
  }
  return { all, main };
}

/** What a reader has to know to judge the figures. */
export function describeMachine() {
  return {
    cpu: os.cpus()[0]?.model ?? 'unknown',
    cpus: os.availableParallelism(),
    kernel: `${os.type()} ${os.release()}`,
    node: process.versions.node,
    isPinned: canPin,
  };
}
