// Many connections end at once: how long anything else on the loop waits meanwhile.
//
//   node teardown.mjs FORM HOW COUNT CROWD...
//
// FORM is `generator`, `protocol` or `net`; HOW says who ends them: `clients` or `resets` on their side,
// `close` or `abort` on ours; CROWD is how bench/rivals/crowd.c is run. Prints the result of a child
// (bench/lib/table.mjs).
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import net from 'node:net';
import { PerformanceObserver } from 'node:perf_hooks';
import process from 'node:process';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { EventLoop, listen, run } from 'evloop';

const HOST = '127.0.0.1';
const SETTLE_MS = 1000;
// A client whose connection finds no room in it tries again a second later.
const BACKLOG = 4096;

/**
 * @typedef {object} Server
 * @property {number} port
 * @property {() => number} count
 * @property {() => void} close
 * @property {() => void} abort
 * @property {() => unknown} stop
 */

/** @param {import('evloop').Stream} stream */
function* discard(stream) {
  while ((yield* stream.read()).length > 0);
}

class Discard {
  dataReceived() {
    // Nothing comes.
  }
}

/** @param {string} form @returns {Promise<Server>} */
async function serve(form) {
  if (form === 'net') return serveByNet();
  // A connection that the peer has reset is no news here.
  EventLoop.running().setExceptionHandler(() => undefined);
  const options = { host: HOST, port: 0, backlog: BACKLOG };
  const server =
    form === 'generator'
      ? await listen(discard, options)
      : await EventLoop.running().createServer(() => new Discard(), options);
  return {
    port: server.port,
    count: () => server.connectionCount,
    close: () => server.closeClients(),
    abort: () => server.abortClients(),
    stop: () => server.close(),
  };
}

async function serveByNet() {
  /** @type {Set<net.Socket>} */
  const sockets = new Set();
  const server = net.createServer((socket) => {
    sockets.add(socket);
    socket.on('data', () => undefined);
    socket.on('error', () => undefined);
    socket.on('close', () => sockets.delete(socket));
  });
  server.listen(0, HOST, BACKLOG);
  await once(server, 'listening');
  const { port } = /** @type {net.AddressInfo} */ (server.address());
  return {
    port,
    count: () => sockets.size,
    close: () => sockets.forEach((socket) => socket.destroy()),
    abort: () => sockets.forEach((socket) => socket.resetAndDestroy()),
    stop: () => server.close(),
  };
}

// Of this thread: V8's others share its processor here.
function cpuMs() {
  return Number(readFileSync(`/proc/self/task/${process.pid}/schedstat`, 'utf8').split(' ', 1)[0]) / 1e6;
}

/** @typedef {{ begin: number, end: number, cpu: number }} Stay milliseconds; `cpu`: of this thread */

/** Notes the times that passed between its timers; one beats on each loop. */
class Pulse {
  /** @type {Stay[]} */
  stays = [];
  #last = performance.now();
  #lastCpu = cpuMs();
  #isOver = false;

  /** @param {(again: () => void) => void} soon */
  constructor(soon) {
    const beat = () => {
      const [now, cpu] = [performance.now(), cpuMs()];
      this.stays.push({ begin: this.#last, end: now, cpu: cpu - this.#lastCpu });
      [this.#last, this.#lastCpu] = [now, cpu];
      if (!this.#isOver) soon(beat);
    };
    soon(beat);
  }

  stop() {
    this.#isOver = true;
  }
}

/** @type {import('node:perf_hooks').PerformanceEntry[]} */
const collections = [];
new PerformanceObserver((list) => collections.push(...list.getEntries())).observe({ entryTypes: ['gc'] });

/**
 * Processor time of a stay without what V8 collected meanwhile.
 *
 * @param {Stay} stay
 */
function ownMs({ begin, end, cpu }) {
  const inside = collections.filter(({ startTime }) => startTime >= begin && startTime < end);
  return cpu - inside.reduce((sum, { duration }) => sum + duration, 0);
}

/** @param {() => boolean} isSo */
async function until(isSo) {
  for (let tries = 0; !isSo(); tries++) {
    if (tries > 3000) throw new Error('the connections did not come or go');
    await delay(10);
  }
}

const [form = '', how = '', count = '', crowd = '', ...crowdArgs] = process.argv.slice(2);

async function measure() {
  const server = await serve(form);
  const args = [...crowdArgs, HOST, String(server.port), count];
  const child = spawn(crowd, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  await once(createInterface(child.stdout), 'line');
  await until(() => server.count() === Number(count));
  await delay(SETTLE_MS);

  const pulses = [new Pulse((again) => setTimeout(again, 1))];
  if (form !== 'net') pulses.push(new Pulse((again) => EventLoop.running().callLater(1, again)));
  const begin = performance.now();
  if (how === 'close') server.close();
  else if (how === 'abort') server.abort();
  else child.stdin.write(how === 'resets' ? 'reset\n' : 'close\n');
  await until(() => server.count() === 0);
  const wholeMs = performance.now() - begin;
  await delay(20);
  for (const pulse of pulses) pulse.stop();
  child.stdin.end();
  child.kill();
  await server.stop();
  const stays = pulses.flatMap((pulse) => pulse.stays);
  return {
    own: Math.max(...stays.map(ownMs)),
    busy: Math.max(...stays.map(({ cpu }) => cpu)),
    stall: Math.max(...stays.map(({ begin, end }) => end - begin)),
    whole: wholeMs,
  };
}

const metrics = form === 'net' ? await measure() : await run(measure);
const { user, system } = process.cpuUsage();
console.log(JSON.stringify({ metrics, cpuSeconds: (user + system) / 1e6 }));
