// The same scripts on the same Node, plain and under evloop/register.
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { findNode, root } from '../lib/machine.mjs';
import { runLoad } from '../lib/process.mjs';
import { serverContender } from '../lib/table.mjs';

/** @typedef {import('../lib/process.mjs').LoadOptions} LoadOptions */
/** @typedef {import('../lib/process.mjs').LoadResult} LoadResult */
/** @typedef {import('../lib/table.mjs').Metric} Metric */
/** @typedef {import('../lib/table.mjs').Settings} Settings */

const MAJORS = [20, 24, 26];
const ECHO = fileURLToPath(new URL('../rivals/echo-net.mjs', import.meta.url));
const PROGRAM = fileURLToPath(new URL('../programs/drop-in.mjs', import.meta.url));
const REGISTER = pathToFileURL(path.join(root, 'dist/register.js')).href;
const PACKAGES = path.join(root, 'test/packages/node_modules');
/** How much of what plain Node can do at most is asked for. */
const LOAD_SHARE = 0.7;
// Resident memory of connections, as claims/connections.mjs measures it.
const FULL_YOUNG_GENERATION = ['--min-semi-space-size=16', '--max-semi-space-size=16'];

/** @type {string | null} */
let directory = null;

/**
 * A file with an HTTP request, for as long as the suite runs.
 *
 * @param {string} name
 * @param {string} head
 * @param {string} body
 */
function requestFile(name, head, body) {
  if (directory === null) {
    const made = mkdtempSync(path.join(tmpdir(), 'evloop-bench-'));
    process.on('exit', () => rmSync(made, { recursive: true, force: true }));
    directory = made;
  }
  const file = path.join(directory, name);
  writeFileSync(
    file,
    `POST / HTTP/1.1\r\nHost: 127.0.0.1\r\n${head}Content-Length: ${body.length}\r\n\r\n${body}`,
  );
  return file;
}

/** JSON of 1 KiB. */
function jsonBody() {
  const items = Array.from({ length: 18 }, (_, id) => ({
    id: 1000 + id,
    name: 'something',
    count: 7,
    on: true,
  }));
  return JSON.stringify({ items }).padEnd(1024);
}

/**
 * @param {string} kind
 * @param {(settings: Settings) => LoadOptions} load
 * @param {(result: LoadResult, settings: Settings) => Record<string, number>} toMetrics
 * @param {{ nodeArgs?: readonly string[], loader?: (server: { pid: number, host?: string, port: number }, options: LoadOptions, major: number) => Promise<LoadResult> }} [options]
 */
function contenders(kind, load, toMetrics, { nodeArgs = [], loader } = {}) {
  const isPackage = ['express', 'fastify', 'ws'].includes(kind);
  if (isPackage && !existsSync(path.join(PACKAGES, kind))) return [null];
  return MAJORS.flatMap((major) => {
    const node = findNode(major);
    if (node === null) return [null];
    return ['plain', 'evloop'].map((name) => {
      const preload = name === 'plain' ? [] : ['--import', REGISTER];
      return serverContender(
        `${name}, Node ${major}`,
        (host, port) => {
          const program = kind === 'net' ? [ECHO, host, String(port)] : [PROGRAM, host, String(port), kind];
          return [node, ...nodeArgs, ...preload, ...program];
        },
        load,
        toMetrics,
        loader === undefined ? {} : { loader: (server, options) => loader(server, options, major) },
      );
    });
  });
}

/** @param {LoadResult} result */
const perRequest = ({ answers, serverSeconds, perSecond, p50Us, p99Us }) => ({
  cpu: (serverSeconds / answers) * 1e6,
  rate: perSecond,
  p50: p50Us,
  p99: p99Us,
});

/** @type {Record<string, Metric>} */
const metrics = {
  cpu: { title: 'CPU per operation', unit: 'µs', digits: 2 },
  rate: { title: 'operations', unit: '/s', better: 'higher', digits: 0 },
  p50: { title: 'p50', unit: 'µs', digits: 1 },
  p99: { title: 'p99', unit: 'µs', digits: 1 },
};

/**
 * @param {string} id
 * @param {string} title
 * @param {string} kind
 * @param {() => LoadOptions} load
 */
function table(id, title, kind, load) {
  return {
    id: `drop-in/${id}`,
    title: `Drop-in: ${title}`,
    metrics,
    settings: { rounds: 5, warmup: 2, seconds: 3 },
    quick: { rounds: 2, warmup: 1, seconds: 1 },
    contenders: () =>
      contenders(kind, ({ warmup = 0, seconds = 0 }) => ({ ...load(), warmup, seconds }), perRequest),
  };
}

/** How many requests plain Node answers a second, by version. @type {Map<number, number>} */
const limits = new Map();

/**
 * Loads with a share of what the first server of this version was able to do, which is plain Node.
 *
 * @param {{ pid: number, host?: string, port: number }} server
 * @param {LoadOptions} options
 * @param {number} major
 */
async function loadPartly(server, options, major) {
  const { perSecond } = await runLoad(server, { ...options, warmup: 1, seconds: 1 });
  const limit = limits.get(major) ?? perSecond;
  limits.set(major, limit);
  return runLoad(server, { ...options, warmup: 0.2, rate: limit * LOAD_SHARE });
}

/** @type {import('../lib/table.mjs').Table[]} */
export const tables = [
  table('net', 'echo of node:net, 50 connections x 64 B', 'net', () => ({ connections: 50, size: 64 })),
  table('ws', 'WebSocket echo with ws, 50 connections x 64 B', 'ws', () => ({
    connections: 50,
    size: 64,
    websocket: true,
  })),
  table('http', 'hello of node:http, 50 connections', 'http', () => ({ connections: 50, http: true })),
  table('fastify', 'JSON hello of Fastify, 50 connections', 'fastify', () => ({
    connections: 50,
    http: true,
  })),
  table('express', 'JSON hello of Express, 50 connections', 'express', () => ({
    connections: 50,
    http: true,
  })),
  table('json', 'JSON of 1 KiB to node:http, 50 connections', 'json', () => ({
    connections: 50,
    request: requestFile('json', 'Content-Type: application/json\r\n', jsonBody()),
  })),
  table('response', '100 kB from node:http, 20 connections', 'response', () => ({
    connections: 20,
    http: true,
  })),
  table('upload', '10 MB to node:http, 5 connections', 'upload', () => ({
    connections: 5,
    request: requestFile('upload', '', 'x'.repeat(10_000_000)),
  })),
  {
    id: 'drop-in/latency',
    title: `Drop-in: hello of node:http at ${100 * LOAD_SHARE} % of what plain Node can do, 50 connections`,
    metrics: { p99: { title: 'p99', unit: 'µs', digits: 0 }, p50: { title: 'p50', unit: 'µs', digits: 0 } },
    settings: { rounds: 5, seconds: 4 },
    quick: { rounds: 3, seconds: 2 },
    contenders: () =>
      contenders(
        'http',
        ({ seconds = 0 }) => ({ connections: 50, http: true, seconds }),
        ({ p50Us, p99Us }) => ({ p99: p99Us, p50: p50Us }),
        { loader: loadPartly },
      ),
  },
  {
    id: 'drop-in/memory',
    title: 'Drop-in: 5,000 idle connections of node:http, kept behind a request',
    metrics: {
      memory: { title: 'resident memory per idle connection', unit: 'B', digits: 0 },
      process: { title: 'whole process above its start', unit: 'MiB', digits: 1 },
    },
    settings: { rounds: 3, idle: 5000, warmup: 3, seconds: 2 },
    quick: { rounds: 1, warmup: 2, seconds: 1 },
    contenders: () =>
      contenders(
        'http',
        ({ idle = 0, warmup = 0, seconds = 0 }) => ({ connections: 20, http: true, idle, warmup, seconds }),
        ({ warmKib, endKib, coldKib }, { idle = 1 }) => ({
          memory: ((endKib - warmKib) * 1024) / idle,
          process: (endKib - coldKib) / 1024,
        }),
        { nodeArgs: FULL_YOUNG_GENERATION },
      ),
  },
];
