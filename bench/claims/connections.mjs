// Many open connections of which few are active: what the silent ones cost in memory.
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { compileC } from '../lib/compile.mjs';
import { serverContender } from '../lib/table.mjs';

const EXAMPLE = fileURLToPath(new URL('../../examples/echo-server.mjs', import.meta.url));
const NET = fileURLToPath(new URL('../rivals/echo-net.mjs', import.meta.url));

/**
 * @param {string} name
 * @param {readonly string[]} program
 * @param {string} [form]
 */
function server(name, program, form) {
  return serverContender(
    name,
    (host, port) => [...program, host, String(port), ...(form === undefined ? [] : ['--form', form])],
    ({ idle = 0, active = 0, warmup = 0, seconds = 0 }) => ({
      connections: active,
      size: 64,
      idle,
      warmup,
      seconds,
    }),
    ({ warmKib, openKib, endKib, coldKib, answers, serverSeconds, p50Us, p99Us }, { idle = 1 }) => ({
      memory: ((endKib - warmKib) * 1024) / idle,
      opened: ((openKib - warmKib) * 1024) / idle,
      process: (endKib - coldKib) / 1024,
      cpu: (serverSeconds / answers) * 1e6,
      p50: p50Us,
      p99: p99Us,
    }),
  );
}

/** @type {import('../lib/table.mjs').Table[]} */
export const tables = [
  {
    id: 'connections/10k',
    title: 'Connections, 10,000 open, 100 of them active',
    metrics: {
      memory: { title: 'resident memory per idle connection', unit: 'B', digits: 0 },
      opened: { title: 'before the load went on', unit: 'B', digits: 0 },
      process: { title: 'whole process above its start', unit: 'MiB', digits: 1 },
      cpu: { title: 'CPU per round trip', unit: 'µs', digits: 2 },
      p50: { title: 'p50', unit: 'µs', digits: 1 },
      p99: { title: 'p99', unit: 'µs', digits: 1 },
    },
    settings: { rounds: 5, idle: 9900, active: 100, warmup: 3, seconds: 4 },
    quick: { rounds: 2, warmup: 2, seconds: 1.5 },
    contenders: () => [
      server('evloop generator', [process.execPath, EXAMPLE], 'generator'),
      server('evloop async', [process.execPath, EXAMPLE], 'async'),
      server('evloop protocol', [process.execPath, EXAMPLE], 'protocol'),
      server('C epoll', [compileC('echo-epoll.c')]),
      server('node:net', [process.execPath, NET]),
    ],
  },
];
