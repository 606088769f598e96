// Echo over UDP: many datagrams are under way, so that a server finds several at each wake-up.
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { compileC } from '../lib/compile.mjs';
import { findProgram, LOAD_CPU } from '../lib/machine.mjs';
import { runProgram } from '../lib/process.mjs';
import { serverContender } from '../lib/table.mjs';

/** @typedef {import('../lib/process.mjs').LoadOptions} LoadOptions */
/** @typedef {import('../lib/process.mjs').LoadResult} LoadResult */

const SERVER = fileURLToPath(new URL('../programs/udp-evloop.mjs', import.meta.url));
const rival = (/** @type {string} */ name) => fileURLToPath(new URL(`../rivals/${name}`, import.meta.url));

/**
 * Loads a server from the other processor; rejects when an answer was wrong, lost, or came twice.
 *
 * @param {{ pid: number, host?: string, port: number }} server
 * @param {LoadOptions & { joins?: boolean }} options
 */
async function runUdpLoad({ pid, host = '127.0.0.1', port }, options) {
  const { connections = 1, pipeline = 1, warmup = 1, seconds = 1, joins = false } = options;
  const shape = ['--clients', connections, '--pipeline', pipeline, ...(joins ? ['--join'] : [])];
  const length = ['--warmup', warmup, '--seconds', seconds, '--pid', pid];
  const command = [compileC('udp-load.c'), host, port, ...shape, ...length].map(String);
  return /** @type {LoadResult} */ (await runProgram(command, { cpu: LOAD_CPU }));
}

/** @param {{ clients: number, pipeline: number, joins?: boolean }} shape */
function servers({ clients, pipeline, joins = false }) {
  /**
   * @param {string} name
   * @param {readonly (string | null)[]} command
   * @param {{ last?: readonly string[], isGuest?: boolean }} [options] `last`: words behind host and port
   */
  const server = (name, command, { last = [], isGuest = false } = {}) => {
    const words = command.filter((word) => word !== null);
    if (words.length < command.length) return null;
    return serverContender(
      name,
      (host, port) => [...words, host, String(port), ...last],
      ({ warmup = 0, seconds = 0 }) => ({ connections: clients, pipeline, joins, warmup, seconds }),
      ({ answers, serverSeconds, perSecond, p50Us, p99Us }) => ({
        cpu: (serverSeconds / answers) * 1e6,
        rate: perSecond,
        p50: p50Us,
        p99: p99Us,
      }),
      { isUdp: true, isGuest, loader: runUdpLoad },
    );
  };
  const evloop = (/** @type {string} */ form) =>
    server(`evloop ${form}`, [process.execPath, SERVER], { last: [form] });
  return [
    evloop('protocol'),
    evloop('recvMany()'),
    evloop('for await'),
    evloop('generator'),
    server('C', [compileC('udp-echo.c')]),
    server('C, joining', [compileC('udp-echo.c')], { last: ['join'] }),
    server('node:dgram', [process.execPath, rival('udp-dgram.mjs')]),
    server('Bun', [findProgram('bun'), rival('udp-bun.mjs')], { isGuest: true }),
  ];
}

const metrics = {
  cpu: { title: 'CPU per datagram', unit: 'µs', digits: 2 },
  rate: { title: 'datagrams', unit: '/s', better: /** @type {const} */ ('higher'), digits: 0 },
  p50: { title: 'p50', unit: 'µs', digits: 1 },
  p99: { title: 'p99', unit: 'µs', digits: 1 },
};
const settings = { rounds: 7, warmup: 1, seconds: 3 };
const quick = { rounds: 3, warmup: 0.7, seconds: 1 };

/** @type {import('../lib/table.mjs').Table[]} */
export const tables = [
  {
    id: 'udp/8x16',
    title: 'UDP echo 64 B, 8 clients with 16 datagrams under way',
    metrics,
    settings,
    quick,
    contenders: () => servers({ clients: 8, pipeline: 16 }),
  },
  {
    id: 'udp/8x16-joined',
    title: 'UDP echo 64 B, 8 clients that join their 16 datagrams (GSO, GRO)',
    metrics,
    settings,
    quick,
    contenders: () => servers({ clients: 8, pipeline: 16, joins: true }),
  },
  {
    id: 'udp/1x64',
    title: 'UDP echo 64 B, 1 client with 64 datagrams under way',
    metrics,
    settings,
    quick,
    contenders: () => servers({ clients: 1, pipeline: 64 }),
  },
  {
    id: 'udp/32x4',
    title: 'UDP echo 64 B, 32 clients with 4 datagrams under way',
    metrics,
    settings,
    quick,
    contenders: () => servers({ clients: 32, pipeline: 4 }),
  },
  {
    id: 'udp/128x1',
    title: 'UDP echo 64 B, 128 clients with 1 datagram under way: nothing to join',
    metrics,
    settings,
    quick,
    contenders: () => servers({ clients: 128, pipeline: 1 }),
  },
];
