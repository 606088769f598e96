// One process that serves echo and HTTP while it reads files and waits for timers.
//
// node coexistence.mjs HOST PORT evloop|net - the echo is on PORT; the HTTP server's port and the figures
// of the probes go to the parent over IPC.
import { readFile } from 'node:fs/promises';
import http from 'node:http';
import net from 'node:net';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { EventLoop, listen, run } from 'evloop';
import { percentile } from '../lib/statistics.mjs';

const DELAY_MS = 1;
const PAUSE_MS = 5;
const SMALL_FILE = fileURLToPath(import.meta.url);
const [host = '', port, echoWith] = process.argv.slice(2);

/** @typedef {{ timeout: number[], file: number[], callLater: number[] }} Latencies */

/** @type {Latencies} */
let latencies = { timeout: [], file: [], callLater: [] };
let isProbing = false;

/** @param {number} begin as of performance.now() */
const elapsedUs = (begin) => (performance.now() - begin) * 1000;

async function probeTimeout() {
  while (isProbing) {
    const begin = performance.now();
    await new Promise((resolve) => setTimeout(resolve, DELAY_MS));
    latencies.timeout.push(elapsedUs(begin));
  }
}

async function probeFile() {
  while (isProbing) {
    const begin = performance.now();
    await readFile(SMALL_FILE);
    latencies.file.push(elapsedUs(begin));
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
}

/** @param {EventLoop} loop */
function probeCallLater(loop) {
  const begin = performance.now();
  loop.callLater(DELAY_MS, () => {
    latencies.callLater.push(elapsedUs(begin));
    if (isProbing) probeCallLater(loop);
  });
}

/** @param {EventLoop} loop */
function begin(loop) {
  latencies = { timeout: [], file: [], callLater: [] };
  isProbing = true;
  void probeTimeout();
  void probeFile();
  probeCallLater(loop);
}

function end() {
  isProbing = false;
  const figures = Object.entries(latencies).flatMap(([name, values]) => [
    [`${name}P50`, percentile(values, 0.5)],
    [`${name}P99`, percentile(values, 0.99)],
  ]);
  process.send?.(Object.fromEntries(figures));
}

/** @param {import('evloop').Stream} stream */
function* echo(stream) {
  for (let chunk = yield* stream.read(); chunk.length > 0; chunk = yield* stream.read()) {
    stream.write(chunk);
    yield* stream.drain();
  }
}

function* serveEcho() {
  if (echoWith === 'evloop') {
    yield* listen(echo, { host, port: Number(port) });
    return;
  }
  const server = net.createServer({ noDelay: true }, (socket) => {
    socket.on('data', (chunk) => socket.write(chunk));
    socket.on('error', () => socket.destroy());
  });
  server.listen({ host, port: Number(port) });
}

// A generator, so that async context is tracked for nobody who does not ask for it.
await run(function* () {
  const loop = EventLoop.running();
  const web = http.createServer((_request, response) => void response.end('Hello, World!'));
  web.listen({ host, port: 0 });
  process.on('message', (message) => {
    if (message === 'begin') begin(loop);
    else if (message === 'end') end();
    else if (message === 'port') process.send?.(/** @type {net.AddressInfo} */ (web.address()).port);
  });
  yield* serveEcho();
  yield* loop.createFuture();
});
