// Echoes over TCP and Unix sockets with a peer in another process, and checks that no byte and nothing else is lost:
//
//   node scripts/soak.mjs [--seconds 600] [--seed N] [--break byte|descriptor]
//
// The peer checks every byte by its position, half-closes, resets, reads slowly and is killed now and then; handlers
// are of both forms, and tasks are cancelled in the middle. Once all is drained, descriptors, sockets, tasks and
// references are as they were after the warm-up, and the heap has grown by less than HEAP_BOUND_BYTES.
// `--break` spoils a byte or leaks a descriptor on purpose, which must make it fail. Needs dist/ and --expose-gc,
// which it gives itself.
import { spawn } from 'node:child_process';
import { mkdtempSync, openSync, readdirSync, rmSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { Checks } from './lib/checks.mjs';
import { root } from './lib/run.mjs';

const HEAP_BOUND_BYTES = 8 << 20;
const WARM_UP_MS = 3000;
const CLIENTS = 12;
const ME = fileURLToPath(import.meta.url);

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '600' },
    seed: { type: 'string', default: String(Date.now() % 1e9) },
    break: { type: 'string', default: '' },
    peer: { type: 'string', default: '' },
  },
});

/** Mulberry32. @param {number} seed */
function randomOf(seed) {
  let state = seed | 0;
  return (/** @type {number} */ below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

/** @param {number} position */
const byteAt = (position) => (position * 31 + (position >> 8) * 7) & 255;

/** @param {number} from @param {number} size */
const content = (from, size) => Uint8Array.from({ length: size }, (_, i) => byteAt(from + i));

/** One connection of the peer; what is wrong, or ''. @param {net.NetConnectOpts} where @param {(n: number) => number} random */
function converse(where, random) {
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
      for (const byte of bytes) if (byte !== byteAt(received++)) wrong ||= `byte ${received - 1} is wrong`;
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

async function peer() {
  const { targets, seed, ms } = JSON.parse(values.peer);
  const random = randomOf(seed);
  const end = performance.now() + ms;
  let count = 0;
  /** @type {string[]} */
  const wrong = [];
  const client = async () => {
    while (performance.now() < end) {
      const found = await converse(targets[random(targets.length)], random);
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

async function soak() {
  const { EventLoop, connect, listen, sleep } = await import(
    pathToFileURL(path.join(root, 'dist/index.js')).href
  );
  const seed = Number(values.seed);
  const endMs = performance.now() + Number(values.seconds) * 1000;
  console.log(`seed ${seed}, ${values.seconds} s`);
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
  await loop.runUntilComplete(async () => {
    const servers = [
      await listen(quietly(echo), { host: '127.0.0.1' }),
      await listen(quietly(echoSteps), { path: path.join(directory, 'socket') }),
    ];
    const targets = [{ host: '127.0.0.1', port: servers[0].port }, { path: path.join(directory, 'socket') }];
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
        startPeer({ targets, seed: random(1e9), ms }),
        startPeer({ targets, seed: random(1e9), ms }, ms * 0.7),
      ];
      while (performance.now() < isOver) await cancelOne();
      const [checked] = await loop.wrap(Promise.all(peers));
      return checked;
    };
    const measure = async () => {
      await sleep(500);
      /** @type {any} */ (globalThis).gc();
      const { tasks, sockets, references, timers } = loop.statistics();
      const descriptors = readdirSync('/proc/self/fd').length;
      return {
        exact: JSON.stringify({ descriptors, tasks, sockets, references, timers }),
        heap: process.memoryUsage().heapUsed,
      };
    };
    const warmUp = await round(WARM_UP_MS);
    const before = await measure();
    let count = 0;
    /** @type {string[]} */
    const wrong = [...(warmUp?.wrong ?? ['the peer has failed'])];
    do {
      const checked = await round(Math.max(1000, Math.min(10_000, endMs - performance.now())));
      count += checked?.count ?? 0;
      wrong.push(...(checked?.wrong ?? ['the peer has failed']));
    } while (performance.now() < endMs && wrong.length === 0);
    if (values.break === 'descriptor') openSync('/dev/null', 'r');
    const after = await measure();
    checks.check(`${count} connections, no byte lost`, count > 0 && wrong.length === 0, wrong.join('\n'));
    checks.check(`as before: ${after.exact}`, after.exact === before.exact, before.exact);
    const grown = after.heap - before.heap;
    checks.check(`the heap grew by ${grown} bytes`, grown < HEAP_BOUND_BYTES);
    for (const server of servers) server.close();
    await delay(0);
  });
  loop.close();
  rmSync(directory, { recursive: true });
  checks.end();
}

if (values.peer !== '') await peer();
else if (typeof (/** @type {any} */ (globalThis).gc) === 'function') await soak();
else {
  const child = spawn(process.execPath, ['--expose-gc', ME, ...process.argv.slice(2)], { stdio: 'inherit' });
  child.on('close', (code) => (process.exitCode = code ?? 1));
}
