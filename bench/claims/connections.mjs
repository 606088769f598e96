// Many open connections of which few are active: what the silent ones cost in memory and time, and how
// long their common end keeps everybody else waiting.
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { compileC } from '../lib/compile.mjs';
import { LOAD_CPU, pinned } from '../lib/machine.mjs';
import { programContender, serverContender } from '../lib/table.mjs';

const EXAMPLE = fileURLToPath(new URL('../../examples/echo-server.mjs', import.meta.url));
const TEARDOWN = fileURLToPath(new URL('../programs/teardown.mjs', import.meta.url));
const NET = fileURLToPath(new URL('../rivals/echo-net.mjs', import.meta.url));

// V8 doubles its young generation, up to 16 MiB for each half, when much of it survives, as it does while
// thousands of connections are accepted. That is once per process; it has its full size from the start here,
// so that what is left is what connections take.
const NODE = [process.execPath, '--min-semi-space-size=16', '--max-semi-space-size=16'];

/**
 * @param {string} name
 * @param {readonly string[]} program
 * @param {string} [form]
 */
function server(name, program, form) {
  return serverContender(
    name,
    (host, port) => [...program, host, String(port), ...(form === undefined ? [] : ['--form', form])],
    ({ idle = 0, active = 0, mix = 0, warmup = 0, seconds = 0 }) => ({
      connections: active,
      size: 64,
      idle,
      mix: mix > 0,
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

/**
 * How many connections are open in all, and nothing else, differs between two of these.
 *
 * @param {string} name
 * @param {readonly string[]} program
 * @param {number} open
 */
function serverWith(name, program, open) {
  return serverContender(
    `${name}, ${open} open`,
    (host, port) => [...program.slice(0, 2), host, String(port), ...program.slice(2)],
    ({ active = 0, warmup = 0, seconds = 0 }) => ({
      connections: active,
      size: 64,
      idle: open - active,
      warmup,
      seconds,
    }),
    ({ answers, serverSeconds, p50Us, p99Us }) => ({
      cpu: (serverSeconds / answers) * 1e6,
      p50: p50Us,
      p99: p99Us,
    }),
  );
}

const PROGRAMS = /** @type {const} */ ([
  ['evloop generator', [process.execPath, EXAMPLE, '--form', 'generator']],
  ['evloop protocol', [process.execPath, EXAMPLE, '--form', 'protocol']],
  ['node:net', [process.execPath, NET]],
]);

/**
 * @param {string} form
 * @param {string} how
 */
function ending(form, how) {
  const name = `${form === 'net' ? 'node:net' : `evloop ${form}`}, ${ENDINGS[how]}`;
  return programContender(name, ({ count }) => {
    const [client, args] = pinned(LOAD_CPU, [compileC('crowd.c')]);
    return [process.execPath, TEARDOWN, form, how, String(count), client, ...args];
  });
}

/** Who ends the connections. @type {Record<string, string>} */
const ENDINGS = {
  clients: 'clients close',
  resets: 'clients reset',
  close: 'closeClients()',
  abort: 'abortClients()',
};

const memory = {
  memory: { title: 'resident memory per idle connection', unit: 'B', digits: 0 },
  opened: { title: 'before the load went on', unit: 'B', digits: 0 },
  process: { title: 'whole process above its start', unit: 'MiB', digits: 1 },
};
const time = {
  cpu: { title: 'CPU per round trip', unit: 'µs', digits: 2 },
  p50: { title: 'p50', unit: 'µs', digits: 1 },
  p99: { title: 'p99', unit: 'µs', digits: 1 },
};

/** One in a hundred of `count` connections is active, whichever. @param {number} count */
function crowd(count) {
  const active = count / 100;
  return {
    id: `connections/${count / 1000}k-random`,
    title: `Connections, ${count.toLocaleString('en')} open, a random hundredth of them active`,
    metrics: { ...memory, ...time },
    settings: { rounds: 3, idle: count - active, active, mix: 1, warmup: 3, seconds: 3 },
    quick: { rounds: 1, warmup: 2, seconds: 1.5 },
    contenders: () => [
      server('evloop generator', [...NODE, EXAMPLE], 'generator'),
      server('evloop protocol', [...NODE, EXAMPLE], 'protocol'),
      server('node:net', [...NODE, NET]),
    ],
  };
}

/** @type {import('../lib/table.mjs').Table[]} */
export const tables = [
  {
    id: 'connections/10k',
    title: 'Connections, 10,000 open, 100 of them active',
    metrics: { ...memory, ...time },
    settings: { rounds: 5, idle: 9900, active: 100, warmup: 3, seconds: 4 },
    quick: { rounds: 2, warmup: 2, seconds: 1.5 },
    contenders: () => [
      server('evloop generator', [...NODE, EXAMPLE], 'generator'),
      server('evloop async', [...NODE, EXAMPLE], 'async'),
      server('evloop protocol', [...NODE, EXAMPLE], 'protocol'),
      server('C epoll', [compileC('echo-epoll.c')]),
      server('node:net', [...NODE, NET]),
    ],
  },
  crowd(2000),
  crowd(8000),
  crowd(19_000),
  {
    id: 'connections/cpu',
    title: 'Connections, 100 active, alone and among 19,000',
    metrics: time,
    settings: { rounds: 5, active: 100, warmup: 2, seconds: 3 },
    quick: { rounds: 2, warmup: 1.5, seconds: 1.5 },
    contenders: () =>
      /** @type {[string, readonly string[]][]} */ ([
        ...PROGRAMS,
        ['C epoll', [compileC('echo-epoll.c')]],
      ]).flatMap(([name, program]) => [100, 19_000].map((open) => serverWith(name, program, open))),
  },
  {
    id: 'connections/end',
    title: 'Connections, the end of 19,000 at once',
    metrics: {
      own: { title: 'longest stay, processor time of its thread without collections', unit: 'ms', digits: 1 },
      busy: { title: 'with them', unit: 'ms', digits: 1 },
      stall: { title: 'as a clock sees it', unit: 'ms', digits: 1 },
      whole: { title: 'until the last was gone', unit: 'ms', digits: 0 },
    },
    settings: { rounds: 3, count: 19_000 },
    quick: { rounds: 1 },
    contenders: () =>
      ['generator', 'protocol', 'net'].flatMap((form) =>
        Object.keys(ENDINGS).map((how) => ending(form, how)),
      ),
  },
];
