// `npm start`: a TCP echo server on 127.0.0.1, with a line of figures once a second.
//
//   --port N             the port, 4000 by default; when it is taken, a free one
//   --self-test SECONDS  drives the server from a child process and checks every byte
//
// Ctrl-C closes everything. Exit code 0; 1 when a byte of the self-test was wrong or none came back; 2 when
// the arguments make no sense.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { EventLoop, createTask, listen, run, sleep } from 'evloop';

const HOST = '127.0.0.1';
const DEFAULT_PORT = 4000;
const STATUS_INTERVAL_MS = 1000;
/** Clients that do not read what was sent to them are cut off then. */
const CLOSE_TIMEOUT_MS = 1000;
const DRIVER = fileURLToPath(new URL('lib/echo-driver.mjs', import.meta.url));
const LONGEST_TEST_S = 86_400;
const USAGE = 'usage: npm start -- [--port N] [--self-test SECONDS]';
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
async function driveFromChild(port, seconds) {
  const driver = spawn(process.execPath, [DRIVER, String(port), String(seconds)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  driver.stdout.setEncoding('utf8').on('data', (text) => (output += text));
  const [code] = await once(driver, 'close');
  if (code !== 0) return null;
  return /** @type {import('./lib/echo-driver.mjs').Totals} */ (JSON.parse(output));
}

/**
 * @param {number} port
 * @param {number} seconds
 */
function* selfTest(port, seconds) {
  const totals = yield* EventLoop.running().wrap(driveFromChild(port, seconds));
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

/**
 * @param {string} name
 * @param {string | undefined} text
 * @param {string} expected
 * @param {(value: number) => boolean} isRight
 */
function toNumber(name, text, expected, isRight) {
  if (text === undefined) return null;
  const value = text.trim() === '' ? NaN : Number(text);
  if (!isRight(value)) throw new RangeError(`${name}: expected ${expected}, got '${text}'`);
  return value;
}

function readArguments() {
  const { values } = parseArgs({ options: { port: { type: 'string' }, 'self-test': { type: 'string' } } });
  const isPort = (/** @type {number} */ value) => Number.isInteger(value) && value >= 0 && value <= 65_535;
  const isDuration = (/** @type {number} */ value) => value > 0 && value <= LONGEST_TEST_S;
  const duration = `a number of seconds above 0 and up to ${LONGEST_TEST_S}`;
  return {
    port: toNumber('--port', values.port, 'an integer from 0 to 65535', isPort) ?? DEFAULT_PORT,
    testSeconds: toNumber('--self-test', values['self-test'], duration, isDuration),
  };
}

function readArgumentsOrExit() {
  try {
    return readArguments();
  } catch (error) {
    console.error(/** @type {Error} */ (error).message);
    console.error(USAGE);
    return process.exit(2);
  }
}

const { port, testSeconds } = readArgumentsOrExit();
await run(main(port, testSeconds));
