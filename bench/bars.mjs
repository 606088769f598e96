// What the core has to reach, and the only place where that is written down.
//
// `limit` is the bar itself; `--check` allows `margin` times as much, because machines that run tests
// are busy and differ from the one the bars were set on. Without a margin the bar is exact.

/** Processor time a bare generator step takes where the bars in nanoseconds were set. */
export const REFERENCE_STEP_NS = 17;

const MARGIN = 1.35;
// For bars that are near or not reached yet, and for what depends most on the machine: no more than a
// clear regression fails then.
const WIDE_MARGIN = 3;
// Both contenders are Node running the same script, so that most of what disturbs one disturbs both.
const DROP_IN_MARGIN = 1.25;

/**
 * @typedef {object} Bar
 * @property {string} table
 * @property {string} metric
 * @property {string} contender
 * @property {string} [rival] the limit is a multiple of what it needs; without it, in the metric's unit
 * @property {number} limit at most
 * @property {number} margin for --check
 * @property {boolean} [isScaled] the limit grows with the time a bare generator step takes here
 */

/** @type {readonly Bar[]} */
export const bars = [
  ...['evloop generator', 'evloop async'].flatMap((contender) => [
    { table: 'echo/50x64', metric: 'cpu', contender, rival: 'C epoll', limit: 1.08, margin: WIDE_MARGIN / 2 },
    {
      table: 'echo/50x64',
      metric: 'cpu',
      contender,
      rival: 'node:net',
      limit: 0.65,
      margin: WIDE_MARGIN / 2,
    },
    { table: 'echo/1x64', metric: 'p50', contender, rival: 'node:net', limit: 1.05, margin: WIDE_MARGIN / 2 },
    {
      table: 'echo/10x200k',
      metric: 'cpu',
      contender,
      rival: 'C epoll',
      limit: 1.15,
      margin: WIDE_MARGIN / 2,
    },
    { table: 'connections/10k', metric: 'memory', contender, limit: 2048, margin: WIDE_MARGIN },
  ]),
  ...['evloop generator', 'evloop protocol'].flatMap((contender) => [
    { table: 'connections/19k-random', metric: 'memory', contender, limit: 1536, margin: WIDE_MARGIN },
    {
      table: 'connections/cpu',
      metric: 'cpu',
      contender: `${contender}, 19000 open`,
      rival: `${contender}, 100 open`,
      limit: 1.1,
      margin: MARGIN,
    },
    ...['clients close', 'clients reset', 'closeClients()', 'abortClients()'].map((end) => ({
      table: 'connections/end',
      metric: 'own',
      contender: `${contender}, ${end}`,
      limit: 10,
      margin: WIDE_MARGIN,
    })),
  ]),
  {
    table: 'echo/unix',
    metric: 'cpu',
    contender: 'evloop generator',
    rival: 'C epoll',
    limit: 1.1,
    margin: WIDE_MARGIN / 2,
  },
  ...['evloop protocol', 'evloop recvMany()', 'evloop for await'].map((contender) => ({
    table: 'udp/8x16',
    metric: 'cpu',
    contender,
    rival: 'node:dgram',
    limit: 1 / 3,
    margin: WIDE_MARGIN / 2,
  })),
  // Nobody gets further below node:dgram than this where clients send one by one.
  {
    table: 'udp/8x16',
    metric: 'cpu',
    contender: 'evloop protocol',
    rival: 'C, joining',
    limit: 1.1,
    margin: WIDE_MARGIN / 2,
  },
  ...['evloop protocol', 'evloop for await'].map((contender) => ({
    table: 'udp/8x16-joined',
    metric: 'cpu',
    contender,
    rival: 'node:dgram',
    limit: 1 / 3,
    margin: MARGIN,
  })),
  {
    table: 'tls/10x16k',
    metric: 'cpu',
    contender: 'evloop',
    rival: 'node:tls over node:net',
    limit: 1,
    margin: WIDE_MARGIN / 1.5,
  },
  {
    table: 'task-switch/100',
    metric: 'cpuNs',
    contender: 'evloop generator tasks',
    limit: 40,
    margin: WIDE_MARGIN,
    isScaled: true,
  },
  {
    table: 'spawn-join/empty',
    metric: 'cpuNs',
    contender: 'evloop generator tasks',
    limit: 400,
    margin: WIDE_MARGIN,
    isScaled: true,
  },
  ...[24, 26].map((major) => ({
    table: 'await-future/resolved',
    metric: 'cpuNs',
    contender: `evloop Future, Node ${major}`,
    rival: `native promise, Node ${major}`,
    limit: 2,
    margin: WIDE_MARGIN / 2,
  })),
  {
    table: 'timers/at-once',
    metric: 'cpuNs',
    contender: 'evloop',
    rival: 'Node',
    limit: 1 / 8,
    margin: WIDE_MARGIN,
  },
  ...['startNs', 'cancelNs', 'expireNs'].map((metric) => ({
    table: 'timers/million',
    metric,
    contender: 'evloop',
    rival: 'Node',
    limit: 1,
    margin: WIDE_MARGIN,
  })),
  { table: 'timers/million', metric: 'kept', contender: 'evloop', limit: 0.1, margin: 1 },
  {
    table: 'call-soon/turn',
    metric: 'cpuNs',
    contender: 'evloop callSoon',
    rival: 'setImmediate',
    limit: 0.6,
    margin: MARGIN,
  },
  {
    table: 'wake-up/worker',
    metric: 'p50',
    contender: 'evloop LoopRemote',
    rival: 'MessagePort',
    limit: 0.6,
    margin: WIDE_MARGIN,
  },
  ...[
    { table: 'structure/timeout', limit: 300 },
    { table: 'structure/lock', limit: 150 },
    { table: 'structure/queue', limit: 150 },
    { table: 'structure/group', limit: 6000 },
    { table: 'structure/race', limit: 1000 },
  ].map((bar) => ({
    ...bar,
    metric: 'cpuNs',
    contender: 'evloop generator',
    margin: WIDE_MARGIN,
    isScaled: true,
  })),
  { table: 'idle/10s', metric: 'main', contender: 'evloop', limit: 0, margin: 1 },
  { table: 'idle/10s', metric: 'calls', contender: 'evloop', limit: 0, margin: 1 },
  {
    table: 'send-file/gibibyte',
    metric: 'cpuUs',
    contender: 'evloop sendFile',
    rival: 'createReadStream().pipe(socket)',
    limit: 1 / 2,
    margin: MARGIN,
  },
  ...['http', 'fileP50', 'timeoutP50'].map((metric) => ({
    table: 'coexistence/node',
    metric,
    contender: 'beside evloop',
    rival: 'alone',
    limit: 3,
    margin: WIDE_MARGIN,
  })),
  ...['echo', 'callLaterP50'].map((metric) => ({
    table: 'coexistence/evloop',
    metric,
    contender: 'beside node:http',
    rival: 'alone',
    limit: 3,
    margin: WIDE_MARGIN,
  })),
  ...['http', 'echo'].map((metric) => ({
    table: 'coexistence/both',
    metric,
    contender: 'evloop, at once',
    rival: 'evloop, one after the other',
    limit: 3,
    margin: WIDE_MARGIN,
  })),
  // As many operations per processor second more than plain Node on the same script.
  ...[
    { table: 'drop-in/net', gain: 1.4 },
    { table: 'drop-in/ws', gain: 1.2 },
    { table: 'drop-in/http', gain: 1.15, margin: WIDE_MARGIN / 2 },
    { table: 'drop-in/http', gain: 1.08, major: 26, margin: WIDE_MARGIN / 2 },
    { table: 'drop-in/fastify', gain: 1.12 },
    { table: 'drop-in/fastify', gain: 1.06, major: 26 },
    { table: 'drop-in/json', gain: 1.12 },
    { table: 'drop-in/express', gain: 1 },
    { table: 'drop-in/response', gain: 1, margin: WIDE_MARGIN / 2 },
    { table: 'drop-in/upload', gain: 1, margin: WIDE_MARGIN / 2 },
  ].map(({ table, gain, major = 20, margin = DROP_IN_MARGIN }) => ({
    table,
    metric: 'cpu',
    contender: `evloop, Node ${major}`,
    rival: `plain, Node ${major}`,
    limit: 1 / gain,
    margin,
  })),
  ...[
    { table: 'drop-in/latency', metric: 'p99', margin: WIDE_MARGIN },
    { table: 'drop-in/memory', metric: 'memory', margin: DROP_IN_MARGIN },
  ].map((bar) => ({ ...bar, contender: 'evloop, Node 20', rival: 'plain, Node 20', limit: 1 })),
];
