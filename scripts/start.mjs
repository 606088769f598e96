// `npm start`: an Express application on evloop, with a line of figures once a second.
//
//   --port N             the port, 4000 by default; when it is taken, a free one
//   --self-test SECONDS  drives every route from a child process and compares what comes back
//
// Ctrl-C ends it in order. Exit code 0; 1 when anything of the self-test was wrong; 2 when the arguments make
// no sense.
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { serveApplication } from '../examples/express-app.mjs';
import { driveFromChild } from './lib/drive-from-child.mjs';
import { startArguments } from './lib/start-arguments.mjs';

const HOST = '127.0.0.1';
const STATUS_INTERVAL_MS = 1000;
const DRIVER = fileURLToPath(new URL('lib/app-driver.mjs', import.meta.url));

const number = (/** @type {number} */ value) => Math.round(value).toLocaleString('en-US');

/** @param {number} port */
async function serveNearby(port) {
  try {
    return await serveApplication(port);
  } catch (error) {
    if (/** @type {NodeJS.ErrnoException} */ (error).code !== 'EADDRINUSE') throw error;
    console.log(`Port ${port} is taken.`);
    return serveApplication(0);
  }
}

/** @param {number} port */
function explain(port) {
  console.log(`An Express application on evloop: http://${HOST}:${port}/`);
  console.log(`  curl http://${HOST}:${port}/api/items/7`);
  console.log(`  curl -N http://${HOST}:${port}/stream?lines=20`);
  console.log('Ctrl-C stops it.');
}

/** @param {import('evloop').Service} service */
function showStatus(service) {
  const { isTTY } = process.stdout;
  let requests = 0;
  service.server.on('request', () => requests++);
  let before = { ...service.statistics(), requests };
  return setInterval(() => {
    const now = { ...service.statistics(), requests };
    const elapsedMs = now.runningMs - before.runningMs;
    const perSecond = (/** @type {'turns' | 'requests'} */ name) =>
      number(((now[name] - before[name]) / elapsedMs) * 1000);
    const utilization = (now.busyMs - before.busyMs) / elapsedMs;
    const line = [
      `${number(service.connectionCount)} connections`,
      `${perSecond('requests')} requests/s`,
      `${perSecond('turns')} turns/s`,
      `loop utilisation ${number(utilization * 100)} %`,
    ].join(', ');
    // A terminal shows one line that changes; a log gets a line each time.
    process.stdout.write(isTTY ? `\r\u001b[K${line}` : `${line}\n`);
    before = now;
  }, STATUS_INTERVAL_MS);
}

/**
 * @param {number} port
 * @param {number} seconds
 */
async function selfTest(port, seconds) {
  const totals = /** @type {import('./lib/app-driver.mjs').Totals | null} */ (
    await driveFromChild(DRIVER, port, seconds)
  );
  if (process.stdout.isTTY) process.stdout.write('\r\u001b[K');
  if (totals === null) {
    console.log('Self-test FAILED: not every answer was right.');
    process.exitCode = 1;
    return;
  }
  const counts = Object.entries(totals).map(([route, count]) => `${route} ${number(count)}`);
  console.log(`Self-test ok, every answer was right: ${counts.join(', ')}.`);
}

const { port, testSeconds } = startArguments('npm start');
const service = await serveNearby(port);
explain(service.port);
const status = showStatus(service);
if (testSeconds !== null) {
  await selfTest(service.port, testSeconds);
  void service.shutdown({ lameDuck: 0, drain: 1000 });
}
await service.closed;
clearInterval(status);
if (process.stdout.isTTY) process.stdout.write('\n');
console.log('Stopped.');
