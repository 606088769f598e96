// Many small requests under way: each is answered by a write of its own, and the writes of one turn
// leave together.
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { compileC } from '../lib/compile.mjs';
import { serverContender } from '../lib/table.mjs';

const program = (/** @type {string} */ name) =>
  fileURLToPath(new URL(`../programs/${name}`, import.meta.url));

/**
 * @param {string} name
 * @param {readonly string[]} command
 * @param {string} [mode]
 */
function server(name, command, mode) {
  return serverContender(
    name,
    (host, port) => [...command, host, String(port), ...(mode === undefined ? [] : [mode])],
    ({ warmup = 0, seconds = 0 }) => ({
      connections: 10,
      size: 64,
      pipeline: 32,
      lines: true,
      warmup,
      seconds,
    }),
    ({ answers, serverSeconds, perSecond, p50Us, p99Us }) => ({
      cpu: (serverSeconds / answers) * 1e6,
      rate: perSecond,
      p50: p50Us,
      p99: p99Us,
    }),
  );
}

/** @type {import('../lib/table.mjs').Table[]} */
export const tables = [
  {
    id: 'pipelining/10x64x32',
    title: 'Pipelining, 10 connections x 32 lines of 64 B under way',
    metrics: {
      cpu: { title: 'CPU per request', unit: 'µs', digits: 3 },
      rate: { title: 'requests', unit: '/s', better: 'higher', digits: 0 },
      p50: { title: 'p50', unit: 'µs', digits: 1 },
      p99: { title: 'p99', unit: 'µs', digits: 1 },
    },
    settings: { rounds: 7, warmup: 1.5, seconds: 3 },
    quick: { rounds: 3, warmup: 1, seconds: 1 },
    contenders: () => [
      server('evloop generator', [process.execPath, program('lines-evloop.mjs')]),
      server('C epoll', [compileC('echo-epoll.c')], 'lines'),
      server('node:net', [process.execPath, program('lines-net.mjs')]),
      server('node:net, corked', [process.execPath, program('lines-net.mjs')], 'cork'),
    ],
  },
];
