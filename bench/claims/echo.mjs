// Echo over TCP: the bytes a client sends come back. The server has one processor, the load another.
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { compileC, compileGo } from '../lib/compile.mjs';
import { findProgram, findUvloop } from '../lib/machine.mjs';
import { serverContender } from '../lib/table.mjs';

/** @typedef {import('../lib/process.mjs').LoadOptions} LoadOptions */
/** @typedef {import('../lib/process.mjs').LoadResult} LoadResult */
/** @typedef {import('../lib/table.mjs').Settings} Settings */

const EXAMPLE = fileURLToPath(new URL('../../examples/echo-server.mjs', import.meta.url));
const rival = (/** @type {string} */ name) => fileURLToPath(new URL(`../rivals/${name}`, import.meta.url));

/** @param {string} form */
const evloop = (form) => (/** @type {string} */ host, /** @type {number} */ port) => [
  process.execPath,
  EXAMPLE,
  host,
  String(port),
  '--form',
  form,
];

/**
 * Every echo server that can run here, under the same load.
 *
 * @param {(settings: Settings) => LoadOptions} load
 * @param {(result: LoadResult, settings: Settings) => Record<string, number>} toMetrics
 */
function servers(load, toMetrics) {
  const [bun, deno, go, python] = [
    findProgram('bun'),
    findProgram('deno'),
    compileGo('echo.go'),
    findUvloop(),
  ];
  /**
   * @param {string} name
   * @param {readonly (string | null)[]} command
   * @param {boolean} [isGuest]
   */
  const fixed = (name, command, isGuest = false) => {
    const words = command.filter((word) => word !== null);
    if (words.length < command.length) return null;
    const line = (/** @type {string} */ host, /** @type {number} */ port) => [...words, host, String(port)];
    return serverContender(name, line, load, toMetrics, { isGuest });
  };
  return [
    serverContender('evloop generator', evloop('generator'), load, toMetrics),
    serverContender('evloop async', evloop('async'), load, toMetrics),
    serverContender('evloop protocol', evloop('protocol'), load, toMetrics),
    fixed('C epoll', [compileC('echo-epoll.c')]),
    fixed('node:net', [process.execPath, rival('echo-net.mjs')]),
    fixed('Bun', [bun, rival('echo-bun.mjs')], true),
    fixed('Deno', [deno, 'run', '--no-prompt', '--allow-net', rival('echo-deno.mjs')], true),
    fixed('Go', ['/usr/bin/env', 'GOMAXPROCS=1', go], true),
    fixed('uvloop', [python, rival('echo-uvloop.py')], true),
  ];
}

/** The servers that listen on Unix sockets as well. */
function unixServers() {
  /** @param {Settings} settings */
  const load = ({ warmup = 0, seconds = 0 }) => ({ connections: 50, warmup, seconds });
  /** @param {LoadResult} result */
  const toMetrics = ({ answers, serverSeconds, perSecond, p50Us }) => ({
    cpu: (serverSeconds / answers) * 1e6,
    rate: perSecond,
    p50: p50Us,
  });
  /**
   * @param {string} name
   * @param {(host: string, port: number) => readonly string[]} command
   */
  const contender = (name, command) => serverContender(name, command, load, toMetrics, { isUnix: true });
  const fixed =
    (/** @type {readonly string[]} */ words) => (/** @type {string} */ host, /** @type {number} */ port) => [
      ...words,
      host,
      String(port),
    ];
  return [
    contender('evloop generator', evloop('generator')),
    contender('evloop async', evloop('async')),
    contender('evloop protocol', evloop('protocol')),
    contender('C epoll', fixed([compileC('echo-epoll.c')])),
    contender('node:net', fixed([process.execPath, rival('echo-net.mjs')])),
  ];
}

const cpuPerTrip = { title: 'CPU per round trip', unit: 'µs', digits: 2 };
const latency = { title: 'p50', unit: 'µs', digits: 1 };
const tail = { title: 'p99', unit: 'µs', digits: 1 };

/** @type {import('../lib/table.mjs').Table[]} */
export const tables = [
  {
    id: 'echo/50x64',
    title: 'Echo, 50 connections x 64 B',
    metrics: {
      cpu: cpuPerTrip,
      user: { title: 'of it in user space', unit: 'µs', digits: 2 },
      rate: { title: 'round trips', unit: '/s', better: 'higher', digits: 0 },
      p50: latency,
      p99: tail,
    },
    settings: { rounds: 7, warmup: 1.5, seconds: 4 },
    quick: { rounds: 3, warmup: 1, seconds: 1.5 },
    contenders: () =>
      servers(
        ({ warmup = 0, seconds = 0 }) => ({ connections: 50, size: 64, warmup, seconds }),
        ({ answers, serverSeconds, serverUserSeconds, perSecond, p50Us, p99Us }) => ({
          cpu: (serverSeconds / answers) * 1e6,
          user: (serverUserSeconds / answers) * 1e6,
          rate: perSecond,
          p50: p50Us,
          p99: p99Us,
        }),
      ),
  },
  {
    id: 'echo/1x64',
    title: 'Echo, 1 connection x 64 B: latency',
    metrics: { p50: latency, p99: tail, cpu: cpuPerTrip },
    settings: { rounds: 7, warmup: 1, seconds: 2 },
    quick: { rounds: 3, warmup: 0.7, seconds: 1 },
    contenders: () =>
      servers(
        ({ warmup = 0, seconds = 0 }) => ({ connections: 1, size: 64, warmup, seconds }),
        ({ answers, serverSeconds, p50Us, p99Us }) => ({
          p50: p50Us,
          p99: p99Us,
          cpu: (serverSeconds / answers) * 1e6,
        }),
      ),
  },
  {
    id: 'echo/unix',
    title: 'Echo over Unix sockets, 50 connections x 64 B',
    metrics: {
      cpu: cpuPerTrip,
      rate: { title: 'round trips', unit: '/s', better: 'higher', digits: 0 },
      p50: latency,
    },
    settings: { rounds: 7, warmup: 1.5, seconds: 4 },
    quick: { rounds: 3, warmup: 1, seconds: 1.5 },
    contenders: () => unixServers(),
  },
  {
    id: 'echo/10x200k',
    title: 'Echo, 10 connections x 200 kB, 3 under way on each',
    metrics: {
      cpu: { title: 'CPU per MB', unit: 'µs', digits: 0 },
      rate: { title: 'throughput', unit: 'MB/s', better: 'higher', digits: 0 },
      p50: latency,
      p99: tail,
    },
    settings: { rounds: 7, warmup: 1.5, seconds: 4 },
    quick: { rounds: 3, warmup: 1, seconds: 1.5 },
    contenders: () =>
      servers(
        ({ warmup = 0, seconds = 0 }) => ({ connections: 10, size: 200_000, pipeline: 3, warmup, seconds }),
        ({ answers, serverSeconds, bytesPerSecond, p50Us, p99Us }) => ({
          cpu: (serverSeconds / (answers * 0.2)) * 1e6,
          rate: bytesPerSecond / 1e6,
          p50: p50Us,
          p99: p99Us,
        }),
      ),
  },
];
