// Other Node code in the process of a busy server: what each waits for the other.
import { once } from 'node:events';
import process from 'node:process';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { runLoad, startServer } from '../lib/process.mjs';

/** @typedef {import('../lib/process.mjs').LoadOptions} LoadOptions */
/** @typedef {import('../lib/process.mjs').LoadResult} LoadResult */
/** @typedef {import('../lib/process.mjs').RunningServer} RunningServer */

const PROGRAM = fileURLToPath(new URL('../programs/coexistence.mjs', import.meta.url));
/** How long a load runs before and behind the one that is measured. */
const MARGIN_SECONDS = 0.5;
const ECHO_LOAD = { connections: 50, size: 64 };
/** About as long a turn of Node's loop as the echo's: sharing fairly then doubles the latency of both. */
const HTTP_LOAD = { connections: 10, http: true };
// What waits for the processor of the loads would count as the server's latency.
const ECHO_PROBE = { connections: 1, size: 64, isProbe: true };
const HTTP_PROBE = { connections: 1, http: true, isProbe: true };

/**
 * @param {RunningServer} server
 * @param {string} message
 */
async function ask(server, message) {
  const answered = once(server.child, 'message');
  server.child.send(message);
  const [answer] = await answered;
  return answer;
}

/**
 * Starts the program, warms both of its servers up, and calls `body`.
 *
 * @param {string} echoWith
 * @param {(servers: { echo: RunningServer, web: { pid: number, port: number }}) =>
 *   Promise<import('../lib/table.mjs').Sample>} body
 */
async function withProgram(echoWith, body) {
  const echo = await startServer((host, port) => [process.execPath, PROGRAM, host, String(port), echoWith], {
    hasChannel: true,
  });
  try {
    const web = { pid: echo.pid, port: Number(await ask(echo, 'port')) };
    await runLoad(echo, { ...ECHO_LOAD, warmup: 0, seconds: 1 });
    await runLoad(web, { ...HTTP_LOAD, warmup: 0, seconds: 1 });
    return await body({ echo, web });
  } finally {
    await echo.stop();
  }
}

/**
 * Measures one load, beside another or alone.
 *
 * @param {() => Promise<LoadResult>} measured
 * @param {((seconds: number) => Promise<LoadResult>) | null} beside
 * @param {number} seconds
 */
async function measure(measured, beside, seconds) {
  const other = beside?.(seconds + 2 * MARGIN_SECONDS) ?? null;
  if (other !== null) await delay(MARGIN_SECONDS * 1000);
  const result = await measured();
  const { otherSeconds, seconds: elapsed } = (await other) ?? result;
  const ownSeconds = other === null ? 0 : result.clientSeconds;
  return { result, otherShare: Math.max(0, (otherSeconds - ownSeconds) / elapsed) };
}

/**
 * HTTP, files and timeouts of Node, while the echo is loaded or not.
 *
 * @param {string} name
 * @param {string} echoWith
 * @param {boolean} isLoaded
 * @returns {import('../lib/table.mjs').Contender}
 */
function nodeBesideEcho(name, echoWith, isLoaded) {
  return {
    name,
    sample({ seconds = 1 }) {
      return withProgram(echoWith, async ({ echo, web }) => {
        echo.child.send('begin');
        const { result, otherShare } = await measure(
          () => runLoad(web, { ...HTTP_PROBE, warmup: 0, seconds }),
          isLoaded ? (duration) => runLoad(echo, { ...ECHO_LOAD, warmup: 0, seconds: duration }) : null,
          seconds,
        );
        const probes = await ask(echo, 'end');
        return { metrics: { http: result.p50Us, httpP99: result.p99Us, ...probes }, otherShare };
      });
    },
  };
}

/**
 * The echo and the loop's timers, while Node's HTTP server is loaded or not.
 *
 * @param {string} name
 * @param {boolean} isLoaded
 * @returns {import('../lib/table.mjs').Contender}
 */
function echoBesideNode(name, isLoaded) {
  return {
    name,
    sample({ seconds = 1 }) {
      return withProgram('evloop', async ({ echo, web }) => {
        echo.child.send('begin');
        const { result, otherShare } = await measure(
          () => runLoad(echo, { ...ECHO_PROBE, warmup: 0, seconds }),
          isLoaded ? (duration) => runLoad(web, { ...HTTP_LOAD, warmup: 0, seconds: duration }) : null,
          seconds,
        );
        const probes = await ask(echo, 'end');
        return { metrics: { echo: result.p50Us, echoP99: result.p99Us, ...probes }, otherShare };
      });
    },
  };
}

/**
 * Both servers under full load, one after the other or at once.
 *
 * @param {string} name
 * @param {string} echoWith
 * @param {boolean} isAtOnce
 * @returns {import('../lib/table.mjs').Contender}
 */
function bothLoaded(name, echoWith, isAtOnce) {
  return {
    name,
    sample({ seconds = 1 }) {
      return withProgram(echoWith, async ({ echo, web }) => {
        const loadEcho = () => runLoad(echo, { ...ECHO_LOAD, warmup: MARGIN_SECONDS, seconds });
        const loadWeb = () => runLoad(web, { ...HTTP_LOAD, warmup: MARGIN_SECONDS, seconds });
        const echoed = isAtOnce ? loadEcho() : Promise.resolve(await loadEcho());
        const [ofEcho, ofWeb] = await Promise.all([echoed, loadWeb()]);
        const ownSeconds = isAtOnce ? ofWeb.clientSeconds : 0;
        return {
          metrics: {
            http: ofWeb.p50Us,
            httpP99: ofWeb.p99Us,
            httpRate: ofWeb.perSecond,
            echo: ofEcho.p50Us,
            echoP99: ofEcho.p99Us,
            echoRate: ofEcho.perSecond,
          },
          otherShare: Math.max(0, (ofEcho.otherSeconds - ownSeconds) / ofEcho.seconds),
        };
      });
    },
  };
}

const us = (/** @type {string} */ title) => ({ title, unit: 'µs', digits: 0 });
const rate = (/** @type {string} */ title) => ({
  title,
  unit: '/s',
  better: /** @type {const} */ ('higher'),
  digits: 0,
});

/** @type {import('../lib/table.mjs').Table[]} */
export const tables = [
  {
    id: 'coexistence/node',
    title: "Node's latency beside 50 busy echo connections",
    metrics: {
      http: us('node:http p50'),
      httpP99: us('p99'),
      fileP50: us('fs.promises.readFile p50'),
      fileP99: us('p99'),
      timeoutP50: us('setTimeout(1) p50'),
      timeoutP99: us('p99'),
    },
    settings: { rounds: 5, seconds: 3 },
    quick: { rounds: 3, seconds: 1.5 },
    contenders: () => [
      nodeBesideEcho('alone', 'evloop', false),
      nodeBesideEcho('beside evloop', 'evloop', true),
      nodeBesideEcho('beside node:net', 'net', true),
    ],
  },
  {
    id: 'coexistence/evloop',
    title: "evloop's latency beside 10 busy node:http connections",
    metrics: {
      echo: us('echo p50'),
      echoP99: us('p99'),
      callLaterP50: us('callLater(1) p50'),
      callLaterP99: us('p99'),
    },
    settings: { rounds: 5, seconds: 3 },
    quick: { rounds: 3, seconds: 1.5 },
    contenders: () => [echoBesideNode('alone', false), echoBesideNode('beside node:http', true)],
  },
  {
    id: 'coexistence/both',
    title: '50 busy echo connections and 10 busy node:http connections',
    metrics: {
      http: us('node:http p50'),
      httpP99: us('p99'),
      httpRate: rate('requests'),
      echo: us('echo p50'),
      echoP99: us('p99'),
      echoRate: rate('round trips'),
    },
    settings: { rounds: 5, seconds: 3 },
    quick: { rounds: 3, seconds: 1.5 },
    contenders: () => [
      bothLoaded('evloop, one after the other', 'evloop', false),
      bothLoaded('evloop, at once', 'evloop', true),
      bothLoaded('node:net, one after the other', 'net', false),
      bothLoaded('node:net, at once', 'net', true),
    ],
  },
];
