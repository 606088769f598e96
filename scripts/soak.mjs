// Talks over TCP, Unix sockets and TLS with a peer in another process, and checks that no byte and nothing else is lost:
//
//   node scripts/soak.mjs [--seconds 600] [--seed N] [--break byte|descriptor]
//
// Servers echo, or talk by themselves. Both ends check every byte by its position, half-close, reset, read slowly and break
// off in the middle; the peer's process is killed now and then, and our tasks, of both forms, are cancelled. Once all is
// drained, descriptors, sockets, tasks, references, slots and slabs are as they were after the warm-up, and the heap has
// grown by less than HEAP_BOUND_BYTES. Every backend has its share of the time.
// `--break` spoils a byte or leaks something on purpose, which must make it fail. Needs dist/ and --expose-gc, which it
// gives itself.
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, openSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { setTimeout as delay } from 'node:timers/promises';
import tls from 'node:tls';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { BACKENDS } from './lib/backends.mjs';
import { Checks } from './lib/checks.mjs';
import { root } from './lib/run.mjs';
import { Listener, Speech, content, isContent, randomOf } from './lib/soak-talk.mjs';

const HEAP_BOUND_BYTES = 8 << 20;
const WARM_UP_MS = 3000;
const CLIENTS = 12;
// More than there ever are at once: the numbers of slots are used again.
const SLOT_BOUND = 300;
const SLAB_BOUND_BYTES = 8 << 20;
const ME = fileURLToPath(import.meta.url);

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '600' },
    seed: { type: 'string', default: String(Date.now() % 1e9) },
    break: { type: 'string', default: '' },
    peer: { type: 'string', default: '' },
  },
});

/** What an echo comes to; what is wrong, or ''. @param {net.NetConnectOpts} where @param {(n: number) => number} random */
function shout(where, random) {
  return new Promise((/** @type {(wrong: string) => void} */ resolve) => {
    const total = random(200_000);
    const isReset = random(5) === 0;
    const isSlow = random(4) === 0;
    let sent = 0;
    let received = 0;
    let wrong = '';
    const socket = net.connect({ ...where, allowHalfOpen: true });
    const write = () => {
      while (sent < total) {
        const size = Math.min(1 + random(30_000), total - sent);
        sent += size;
        if (!socket.write(content(sent - size, size))) return void socket.once('drain', write);
        if (isReset && random(4) === 0) {
          return void ('path' in where ? socket.destroy() : socket.resetAndDestroy());
        }
      }
      socket.end();
    };
    socket.on('connect', write);
    socket.on('data', (bytes) => {
      if (!isContent(received, bytes)) wrong ||= `a byte behind ${received} is wrong`;
      received += bytes.length;
      if (!isSlow) return;
      socket.pause();
      setTimeout(() => socket.resume(), random(20));
    });
    socket.on('error', (error) => (wrong ||= isReset ? '' : String(error)));
    socket.on('close', () => {
      if (!isReset && received !== total) wrong ||= `${received} of ${total} bytes came back`;
      resolve(wrong);
    });
  });
}

/**
 * One conversation of the peer, in which both ends say something; what is wrong, or ''.
 *
 * @param {any} where
 * @param {(n: number) => number} random
 * @param {boolean} isMortal
 */
function converse(where, random, isMortal) {
  return new Promise((/** @type {(wrong: string) => void} */ resolve) => {
    const speech = new Speech(random, isMortal);
    const listener = new Listener();
    const isSlow = random(4) === 0;
    /** @type {unknown} */
    let error = null;
    let hasBrokenOff = false;
    const socket = where.isTls
      ? tls.connect({ ...where, rejectUnauthorized: false })
      : net.connect({ ...where, allowHalfOpen: true });
    // TLS has no half that ends by itself.
    const endIfDone = () => {
      if (speech.isOver && !hasBrokenOff && (!where.isTls || listener.isComplete)) socket.end();
    };
    const breakOff = () => {
      hasBrokenOff = true;
      if (where.isTls || 'path' in where || random(2) === 0) socket.destroy();
      else socket.resetAndDestroy();
    };
    const write = () => {
      while (!speech.isOver) {
        const hasRoom = socket.write(speech.next());
        if (speech.breaksOff && random(4) === 0) return breakOff();
        if (!hasRoom) return void socket.once('drain', write);
      }
      if (speech.breaksOff) breakOff();
      else endIfDone();
    };
    socket.on(where.isTls ? 'secureConnect' : 'connect', () => {
      socket.write(speech.header);
      write();
    });
    socket.on('data', (/** @type {Buffer} */ bytes) => {
      listener.take(bytes);
      if (where.isTls) endIfDone();
      if (!isSlow) return;
      socket.pause();
      setTimeout(() => socket.resume(), random(20));
    });
    socket.on('error', (/** @type {Error} */ reason) => (error ??= reason));
    socket.on('close', () => resolve(hasBrokenOff ? '' : listener.end(error)));
  });
}

async function peer() {
  const { targets, talkers, isMortal, seed, ms } = JSON.parse(values.peer);
  const random = randomOf(seed);
  const end = performance.now() + ms;
  let count = 0;
  /** @type {string[]} */
  const wrong = [];
  const client = async () => {
    while (performance.now() < end) {
      const found =
        random(2) === 0
          ? await shout(targets[random(targets.length)], random)
          : await converse(talkers[random(talkers.length)], random, isMortal);
      count++;
      if (found !== '') wrong.push(found);
    }
  };
  await Promise.all(Array.from({ length: CLIENTS }, client));
  console.log(JSON.stringify({ count, wrong: wrong.slice(0, 5) }));
}

/** @param {object} order @param {number} [killAfterMs] @returns {Promise<{count: number, wrong: string[]} | null>} */
function startPeer(order, killAfterMs) {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [ME, '--peer', JSON.stringify(order)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let output = '';
    child.stdout.on('data', (text) => (output += text));
    if (killAfterMs !== undefined) setTimeout(() => child.kill('SIGKILL'), killAfterMs);
    child.on('close', () => resolve(output === '' ? null : JSON.parse(output)));
  });
}

/** Signed by itself. @param {string} directory */
function makeCertificate(directory) {
  const files = ['-keyout', 'key.pem', '-out', 'cert.pem'];
  const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-subj', '/CN=localhost'];
  execFileSync('openssl', ['req', '-x509', '-nodes', ...kind, ...files], { cwd: directory, stdio: 'pipe' });
  const read = (/** @type {string} */ name) => readFileSync(path.join(directory, name), 'utf8');
  return { key: read('key.pem'), cert: read('cert.pem') };
}

async function soak() {
  const { EventLoop, connect, createTask, currentTask, listen, sleep } = await import(
    pathToFileURL(path.join(root, 'dist/index.js')).href
  );
  const seed = Number(values.seed);
  const endMs = performance.now() + Number(values.seconds) * 1000;
  const where = `${process.env['EVLOOP_BACKEND'] ?? 'epoll'}, host ${process.env['EVLOOP_HOST'] ?? 'uv'}`;
  console.log(`${where}: seed ${seed}, ${values.seconds} s`);
  const random = randomOf(seed);
  const directory = mkdtempSync(path.join(tmpdir(), 'evloop-soak-'));
  const checks = new Checks();
  const loop = new EventLoop();
  const spoil = values.break === 'byte';
  const echo = async (/** @type {any} */ stream) => {
    for (let bytes = await stream.read(65536); bytes.length > 0; bytes = await stream.read(65536)) {
      if (spoil && bytes.length > 1000) {
        bytes[500] ^= 1;
      }
      await stream.send(bytes);
    }
    await stream.close();
  };
  function* echoSteps(/** @type {any} */ stream) {
    for (let bytes = yield* stream.read(65536); bytes.length > 0; bytes = yield* stream.read(65536)) {
      yield* stream.send(bytes);
    }
    yield* stream.close();
  }
  const quietly = (/** @type {any} */ handler) => async (/** @type {any} */ stream) => {
    try {
      await loop.createTask(() => handler(stream));
    } catch {
      stream.abort();
    }
  };
  /** @type {string[]} */
  const wrong = [];
  /**
   * One conversation of ours, on either end of a connection.
   *
   * @param {any} stream
   * @param {boolean} isTls
   * @param {boolean} isMortal
   */
  const talk = async (stream, isTls, isMortal) => {
    const speech = new Speech(random, isMortal);
    const listener = new Listener();
    const isSlow = random(4) === 0;
    let hasBrokenOff = false;
    /** @type {unknown} */
    let error = null;
    const hearing = createTask(function* () {
      for (;;) {
        const bytes = yield* stream.read();
        if (bytes.length === 0) return;
        listener.take(bytes);
        // TLS has no half that ends by itself.
        if (isTls && listener.isComplete) return;
        if (isSlow) yield* sleep(random(10));
      }
    });
    // Read below, unless something else came first.
    hearing.catch(() => undefined);
    try {
      stream.write(speech.header);
      while (!speech.isOver) {
        stream.write(speech.next());
        if (speech.breaksOff && random(4) === 0) break;
        if (random(2) === 0) await stream.drain();
      }
      hasBrokenOff = speech.breaksOff;
      if (hasBrokenOff && random(2) === 0) currentTask().cancel();
      if (!hasBrokenOff && !isTls) stream.closeWrite();
      if (hasBrokenOff) {
        // Not for the other end, which may have broken off as well and wait for this one.
        await sleep(random(5));
      } else {
        await hearing;
        await stream.close();
      }
    } catch (reason) {
      error = reason;
    } finally {
      stream.abort();
      hearing.cancel();
    }
    const found = isMortal || hasBrokenOff ? '' : listener.end(error);
    if (found !== '') wrong.push(`at our end: ${found}`);
  };
  const talks = (/** @type {boolean} */ isTls) => (/** @type {any} */ stream) => talk(stream, isTls, false);
  await loop.runUntilComplete(async () => {
    const socketPath = path.join(directory, 'talk');
    const servers = [
      await listen(talks(false), { host: '127.0.0.1' }),
      await listen(talks(false), { path: socketPath }),
      await listen(talks(true), { host: '127.0.0.1', tls: makeCertificate(directory) }),
      await listen(quietly(echo), { host: '127.0.0.1' }),
      await listen(quietly(echoSteps), { path: path.join(directory, 'socket') }),
    ];
    /** @type {any[]} */
    const talkers = [
      { host: '127.0.0.1', port: servers[0].port },
      { path: socketPath },
      { host: '127.0.0.1', port: servers[2].port, isTls: true },
    ];
    const targets = [{ host: '127.0.0.1', port: servers[3].port }, { path: path.join(directory, 'socket') }];
    // Both ends are ours.
    const talkToOurselves = async () => {
      const { isTls = false, ...target } = talkers[random(talkers.length)];
      const isMortal = random(2) === 0;
      const task = loop.createTask(async () => {
        const stream = await connect({ ...target, ...(isTls ? { tls: { rejectUnauthorized: false } } : {}) });
        await talk(stream, isTls, isMortal);
      });
      if (isMortal) {
        await sleep(random(20));
        task.cancel();
      }
      await task.catch(() => undefined);
    };
    // Cancelled while it connects, writes or reads.
    const cancelOne = async () => {
      const task = loop.createTask(async () => {
        const stream = await connect(targets[random(2)]);
        try {
          await stream.send(Buffer.alloc(random(300_000)));
          await stream.read();
          await sleep(1000);
        } finally {
          stream.abort();
        }
      });
      await sleep(random(8));
      task.cancel();
      await task.catch(() => undefined);
    };
    const round = async (/** @type {number} */ ms) => {
      const isOver = performance.now() + ms;
      const peers = [
        startPeer({ targets, talkers, isMortal: false, seed: random(1e9), ms }),
        startPeer({ targets, talkers, isMortal: true, seed: random(1e9), ms }, ms * 0.7),
      ];
      while (performance.now() < isOver) await (random(2) === 0 ? cancelOne() : talkToOurselves());
      const [checked] = await loop.wrap(Promise.all(peers));
      return checked;
    };
    const measure = async () => {
      await sleep(500);
      /** @type {any} */ (globalThis).gc();
      const { tasks, sockets, references, timers } = loop.statistics();
      const descriptors = readdirSync('/proc/self/fd').length;
      const { heapUsed, arrayBuffers } = process.memoryUsage();
      return {
        exact: JSON.stringify({ descriptors, tasks, sockets, references, timers }),
        heap: heapUsed,
        slabs: arrayBuffers,
      };
    };
    const warmUp = await round(WARM_UP_MS);
    const before = await measure();
    let count = 0;
    wrong.push(...(warmUp?.wrong ?? ['the peer has failed']));
    do {
      const checked = await round(Math.max(1000, Math.min(10_000, endMs - performance.now())));
      count += checked?.count ?? 0;
      wrong.push(...(checked?.wrong ?? ['the peer has failed']));
    } while (performance.now() < endMs && wrong.length === 0);
    if (values.break === 'descriptor') openSync('/dev/null', 'r');
    const after = await measure();
    // Its number tells how many there were at once; it is closed with the loop.
    const slot = loop._native.listen('127.0.0.1', 0, 0, 0, 1);
    checks.check(`${count} connections, no byte lost`, count > 0 && wrong.length === 0, wrong.join('\n'));
    checks.check(`as before: ${after.exact}`, after.exact === before.exact, before.exact);
    checks.check(`the next slot is number ${slot}`, slot >= 0 && slot < SLOT_BOUND);
    const grown = after.heap - before.heap;
    checks.check(`the heap grew by ${grown} bytes`, grown < HEAP_BOUND_BYTES);
    const slabs = after.slabs - before.slabs;
    checks.check(`slabs and buffers grew by ${slabs} bytes`, slabs < SLAB_BOUND_BYTES);
    for (const server of servers) server.close();
    await delay(0);
  });
  loop.close();
  rmSync(directory, { recursive: true });
  checks.end();
}

/** On every backend, one after the other. */
async function soakAll() {
  let [passed, failed] = [0, 0];
  for (const env of BACKENDS) {
    const seconds = String(Math.max(1, Number(values.seconds) / BACKENDS.length));
    const args = ['--expose-gc', ME, '--seed', values.seed, '--break', values.break, '--seconds', seconds];
    const child = spawn(process.execPath, args, {
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let output = '';
    child.stdout.on('data', (text) => {
      output += text;
      process.stdout.write(text);
    });
    const code = await new Promise((resolve) => child.on('close', resolve));
    const counts = /(\d+) passed, (\d+) failed, 0 skipped\s*$/.exec(output);
    passed += Number(counts?.[1] ?? 0);
    failed += Number(counts?.[2] ?? 1);
    if (code !== 0 && counts?.[2] === '0') failed++;
  }
  console.log(`${passed} passed, ${failed} failed, 0 skipped`);
  process.exitCode = failed === 0 ? 0 : 1;
}

if (values.peer !== '') await peer();
else if (typeof (/** @type {any} */ (globalThis).gc) === 'function') await soak();
else await soakAll();
