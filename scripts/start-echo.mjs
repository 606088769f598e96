// `npm run start:echo`: a TCP echo server on 127.0.0.1, with a line of figures once a second.
//
//   --port N             the port, 4000 by default; when it is taken, a free one
//   --self-test SECONDS  drives the server from a child process and checks every byte
//
// Ctrl-C closes everything. Exit code 0; 1 when a byte of the self-test was wrong or none came back; 2 when
// the arguments make no sense.
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { EventLoop, createTask, listen, run, sleep } from 'evloop';
import { driveFromChild } from './lib/drive-from-child.mjs';
import { startArguments } from './lib/start-arguments.mjs';

const HOST = '127.0.0.1';
const STATUS_INTERVAL_MS = 1000;
/** Clients that do not read what was sent to them are cut off then. */
const CLOSE_TIMEOUT_MS = 1000;
const DRIVER = fileURLToPath(new URL('lib/echo-driver.mjs', import.meta.url));
const SIGNALS = /** @type {const} */ (['SIGINT', 'SIGTERM']);

const counts = { connections: 0, roundTrips: 0, bytes: 0 };

/** @param {import('evloop').Stream} stream */
function* echo(stream) {
  counts.connections++;
  for (;;) {
    const chunk = yield* stream.read();
    if (chunk.length === 0) return;
    counts.roundTrips++;
    counts.bytes += chunk.length;
    if (!stream.write(chunk)) yield* stream.drain();
  }
}

/** @param {number} port */
function* listenNearby(port) {
  try {
    return yield* listen(echo, { host: HOST, port });
  } catch (error) {
    if (/** @type {NodeJS.ErrnoException} */ (error).code !== 'EADDRINUSE') throw error;
    console.log(`Port ${port} is taken.`);
    return yield* listen(echo, { host: HOST, port: 0 });
  }
}

/** @param {number} port */
function explain(port) {
  const client = `require('net').connect(${port}, '${HOST}').on('data', (bytes) => process.stdout.write(bytes))`;
  console.log(`evloop echoes on ${HOST}:${port}. Talk to it from another terminal:`);
  console.log(`  nc ${HOST} ${port}`);
  console.log(`  node -e "process.stdin.pipe(${client})"`);
  console.log('Ctrl-C stops it.');
}

const number = (/** @type {number} */ value) => Math.round(value).toLocaleString('en-US');

/** @param {import('evloop').Server} server */
function* showStatus(server) {
  const loop = EventLoop.running();
  const { isTTY } = process.stdout;
  let before = { ...loop.statistics(), roundTrips: counts.roundTrips };
  for (;;) {
    yield* sleep(STATUS_INTERVAL_MS);
    const now = { ...loop.statistics(), roundTrips: counts.roundTrips };
    const elapsedMs = now.runningMs - before.runningMs;
    const perSecond = (/** @type {'turns' | 'roundTrips'} */ name) =>
      number(((now[name] - before[name]) / elapsedMs) * 1000);
    const utilization = (now.busyMs - before.busyMs) / elapsedMs;
    const line = [
      `${number(server.connectionCount)} connections`,
      `${perSecond('roundTrips')} round trips/s`,
      `${perSecond('turns')} turns/s`,
      `loop utilisation ${number(utilization * 100)} %`,
    ].join(', ');
    // A terminal shows one line that changes; a log gets a line each time.
    process.stdout.write(isTTY ? `\r\u001b[K${line}` : `${line}\n`);
    before = now;
  }
}

/**
 * @param {number} port
 * @param {number} seconds
 */
function* selfTest(port, seconds) {
  const driven = EventLoop.running().wrap(driveFromChild(DRIVER, port, seconds));
  const totals = /** @type {import('./lib/echo-driver.mjs').Totals | null} */ (yield* driven);
  if (process.stdout.isTTY) process.stdout.write('\r\u001b[K');
  if (totals === null) {
    console.log('Self-test FAILED: not every byte came back right.');
    process.exitCode = 1;
    return;
  }
  if (totals.exchanges === 0) {
    console.log('Self-test FAILED: the time was over before anything was exchanged.');
    process.exitCode = 1;
    return;
  }
  const { connections, exchanges, bytes, greatest } = totals;
  const megabytes = (bytes / 1e6).toFixed(1);
  console.log(
    `Self-test ok: ${connections} connections, ${number(exchanges)} exchanges of up to ${number(greatest)} bytes, ` +
      `${megabytes} MB, every byte came back right.`,
  );
}

/**
 * @param {number} port
 * @param {number | null} testSeconds
 */
function* main(port, testSeconds) {
  const loop = EventLoop.running();
  const server = yield* listenNearby(port);
  const stopped = loop.createFuture();
  const stop = () => void stopped.setResultUnlessDone();
  for (const signal of SIGNALS) process.once(signal, stop);
  explain(server.port);
  const status = createTask(showStatus(server));

  if (testSeconds === null) yield* stopped;
  else yield* selfTest(server.port, testSeconds);

  status.cancel();
  server.close();
  server.closeClients();
  const timeout = loop.callLater(CLOSE_TIMEOUT_MS, () => server.abortClients());
  yield* server.waitClosed();
  timeout.cancel();
  for (const signal of SIGNALS) process.off(signal, stop);
  const { connections, roundTrips, bytes } = counts;
  if (process.stdout.isTTY) process.stdout.write('\n');
  console.log(
    `Stopped after ${number(connections)} connections, ${number(roundTrips)} round trips and ${number(bytes)} bytes.`,
  );
}

const { port, testSeconds } = startArguments('npm run start:echo');
await run(main(port, testSeconds));
