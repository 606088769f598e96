// Child processes of the benchmarks: servers that stay, and programs that measure and end.
import { spawn } from 'node:child_process';
import dgram from 'node:dgram';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { setTimeout as delay } from 'node:timers/promises';
import { compileC } from './compile.mjs';
import { LOAD_CPU, SERVER_CPU, busySeconds, pinned } from './machine.mjs';

const HOST = '127.0.0.1';
const START_TIMEOUT_MS = 20_000;
const ANSWER_TIMEOUT_MS = 200;
const STOP_TIMEOUT_MS = 3000;
const PROGRAM_TIMEOUT_MS = 300_000;

// Unix sockets that were made, each with a name of its own.
let sockets = 0;

/** @type {Set<import('node:child_process').ChildProcess>} */
const children = new Set();

// Nothing that was started outlives the suite, however that ends.
process.on('exit', () => {
  for (const child of children) child.kill('SIGKILL');
});
process.once('SIGINT', () => process.exit(1));
process.once('SIGTERM', () => process.exit(1));

/** @param {import('node:child_process').ChildProcess} child */
function keepTrack(child) {
  children.add(child);
  child.once('close', () => children.delete(child));
}

/**
 * @param {boolean} isUdp
 * @returns {Promise<number>}
 */
async function freePort(isUdp) {
  if (isUdp) {
    const socket = dgram.createSocket('udp4').bind(0, HOST);
    await once(socket, 'listening');
    const { port } = socket.address();
    socket.close();
    await once(socket, 'close');
    return port;
  }
  const server = net.createServer().listen(0, HOST);
  await once(server, 'listening');
  const { port } = /** @type {net.AddressInfo} */ (server.address());
  server.close();
  await once(server, 'close');
  return port;
}

/** @param {net.NetConnectOpts} where */
async function isListening(where) {
  const socket = net.connect(where);
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

/**
 * Whether a datagram is answered.
 *
 * @param {number} port
 */
async function isAnswering(port) {
  const socket = dgram.createSocket('udp4');
  try {
    socket.connect(port, HOST);
    await once(socket, 'connect');
    socket.send('anybody?');
    await once(socket, 'message', { signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS) });
    return true;
  } catch {
    return false;
  } finally {
    socket.close();
  }
}

/**
 * A running server.
 *
 * @typedef {object} RunningServer
 * @property {import('node:child_process').ChildProcess} child
 * @property {number} pid
 * @property {string} host an address, or the path of a Unix socket
 * @property {number} port 0 with a path
 * @property {() => Promise<void>} stop
 */

/**
 * Starts a server on the server's processor and waits until it listens, or answers.
 *
 * @param {(host: string, port: number) => readonly string[]} command
 * @param {{ hasChannel?: boolean, isUnix?: boolean, isUdp?: boolean }} [options] `hasChannel`: the server speaks
 *   over `process.send`; `isUnix`: it listens on a Unix socket; `isUdp`: it echoes datagrams
 * @returns {Promise<RunningServer>}
 */
export async function startServer(command, { hasChannel = false, isUnix = false, isUdp = false } = {}) {
  const host = isUnix ? path.join(tmpdir(), `evloop-bench-${process.pid}-${sockets++}`) : HOST;
  const port = isUnix ? 0 : await freePort(isUdp);
  const [program, args] = pinned(SERVER_CPU, command(host, port));
  const child = spawn(program, args, {
    stdio: hasChannel ? ['ignore', 'ignore', 'inherit', 'ipc'] : ['ignore', 'ignore', 'inherit'],
  });
  keepTrack(child);
  const { pid } = child;
  if (pid === undefined) throw new Error(`cannot start ${program}`);
  const closed = once(child, 'close');
  const deadline = Date.now() + START_TIMEOUT_MS;
  const isUp = () => (isUdp ? isAnswering(port) : isListening(isUnix ? { path: host } : { host, port }));
  while (!(await isUp())) {
    if (child.exitCode !== null) throw new Error(`${args.join(' ')} ended with ${child.exitCode}`);
    if (Date.now() > deadline) throw new Error(`${args.join(' ')} does not listen`);
    await delay(20);
  }
  const stop = async () => {
    child.kill('SIGTERM');
    const timer = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS);
    await closed;
    clearTimeout(timer);
    if (isUnix) rmSync(host, { force: true });
  };
  return { child, pid, host, port, stop };
}

/**
 * Runs a program to its end and reads the JSON in its last line.
 *
 * @param {readonly string[]} command
 * @param {{ cpu: number | null }} options
 * @returns {Promise<unknown>}
 */
export async function runProgram(command, { cpu }) {
  const [program, args] = pinned(cpu, command);
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'], timeout: PROGRAM_TIMEOUT_MS });
  keepTrack(child);
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text) => (output += text));
  const [code, signal] = await once(child, 'close');
  if (code !== 0) throw new Error(`${command.join(' ')} ended with ${code ?? signal}: ${output}`);
  return JSON.parse(output.trimEnd().split('\n').at(-1) ?? '');
}

/**
 * What bench/rivals/echo-load.c prints; times in the names' units.
 *
 * @typedef {object} LoadResult
 * @property {number} seconds
 * @property {number} perSecond
 * @property {number} bytesPerSecond
 * @property {number} answers
 * @property {number} p50Us
 * @property {number} p99Us
 * @property {number} serverSeconds
 * @property {number} serverUserSeconds
 * @property {number} serverSystemSeconds
 * @property {number} clientSeconds
 * @property {number} otherSeconds
 * @property {number} coldKib
 * @property {number} warmKib
 * @property {number} openKib
 * @property {number} endKib
 */

/**
 * How a server is loaded.
 *
 * @typedef {object} LoadOptions
 * @property {number} [connections]
 * @property {number} [size] bytes of a request
 * @property {number} [pipeline] requests under way on each connection
 * @property {number} [idle] silent connections
 * @property {boolean} [mix] active are random ones of all
 * @property {number} [warmup] seconds
 * @property {number} [seconds]
 * @property {boolean} [lines]
 * @property {boolean} [http]
 * @property {string} [request] a file with an HTTP request
 * @property {boolean} [websocket]
 * @property {number} [rate] requests a second; without it, each follows an answer
 * @property {boolean} [isProbe] its client runs before every other program
 */

/**
 * Loads a server from the other processor; rejects when a byte came back wrong or not at all.
 *
 * @param {{ pid: number, host?: string, port: number }} server
 * @param {LoadOptions} options
 * @returns {Promise<LoadResult>}
 */
export async function runLoad({ pid, host = HOST, port }, { isProbe = false, ...options }) {
  const args = Object.entries({ ...options, pid }).flatMap(([name, value]) =>
    value === false ? [] : value === true ? [`--${name}`] : [`--${name}`, String(value)],
  );
  const program = [compileC('echo-load.c'), host, String(port), ...args];
  const command = isProbe ? ['nice', '-n', '-20', ...program] : program;
  return /** @type {LoadResult} */ (await runProgram(command, { cpu: LOAD_CPU }));
}

/**
 * Calls `body` and says how much processor time other programs used meanwhile.
 *
 * @template T
 * @param {() => Promise<T>} body
 * @param {(result: T) => number} ownSeconds processor seconds of what `body` started
 * @returns {Promise<{ result: T, otherShare: number }>} the share of one processor
 */
export async function watchOthers(body, ownSeconds) {
  const begin = performance.now();
  const busyBefore = busySeconds();
  const usedBefore = process.cpuUsage();
  const result = await body();
  const used = process.cpuUsage(usedBefore);
  const elapsed = (performance.now() - begin) / 1000;
  const others = busySeconds() - busyBefore - (used.user + used.system) / 1e6 - ownSeconds(result);
  return { result, otherShare: Math.max(0, others / elapsed) };
}
