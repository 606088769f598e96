// The shortest proof that the package works here: bytes, timers and tasks, in both coroutine forms.
//
// Needs nothing but evloop itself, so that any Node version and any installed copy can run it. It ends by
// leaving nothing open: a process that hangs behind it has failed as well.
import assert from 'node:assert/strict';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { EventLoop, connect, createTask, listen, run, sleep } from 'evloop';

const isLinux = process.platform === 'linux';
const MESSAGE = Buffer.alloc(100_000, 'evloop ');

/** @param {import('evloop').Stream} stream */
async function echo(stream) {
  for await (const chunk of stream) {
    stream.write(chunk);
    await stream.drain();
  }
}

/**
 * @param {import('evloop').ConnectOptions} options
 * @returns {Generator<unknown, number>}
 */
function* sendAndCount(options) {
  const stream = yield* connect(options);
  stream.write(MESSAGE);
  stream.closeWrite();
  let count = 0;
  for (;;) {
    const chunk = yield* stream.read();
    if (chunk.length === 0) break;
    assert.ok(MESSAGE.subarray(count, count + chunk.length).equals(chunk), 'bytes came back changed');
    count += chunk.length;
  }
  yield* stream.close();
  return count;
}

async function tcp() {
  const server = await listen(echo, { host: '127.0.0.1', port: 0 });
  const { port } = server;
  const clients = Array.from({ length: 10 }, (_, i) => {
    // Only Linux has all of 127.0.0.0/8.
    const localAddress = `127.0.0.${isLinux ? i + 1 : 1}`;
    return createTask(sendAndCount({ host: '127.0.0.1', port, localAddress, keepAlive: true }));
  });
  for (const client of clients) assert.equal(await client, MESSAGE.length);
  await server.close();
}

async function unix() {
  const name = `evloop-smoke-${process.pid}`;
  const path = isLinux ? `\0${name}` : join(tmpdir(), name);
  const server = await listen(echo, { path });
  assert.deepEqual(server.addresses, [{ family: 'Unix', path }]);
  assert.equal(await createTask(sendAndCount({ path })), MESSAGE.length);
  await assert.rejects(async () => await connect({ path: path.repeat(9) }), { code: 'ENAMETOOLONG' });
  await server.close();
}

async function timers() {
  const loop = EventLoop.running();
  /** @type {number[]} */
  const order = [];
  const started = loop.time();
  loop.callAt(started + 10, (/** @type {number} */ value) => order.push(value), 2);
  loop.callAt(started + 5, (/** @type {number} */ value) => order.push(value), 1);
  loop.callLater(7, () => order.push(-1)).cancel();
  await sleep(20);
  assert.ok(loop.time() - started >= 20, 'a timer was early');
  assert.deepEqual(order, [1, 2]);
}

async function cancellation() {
  let isCleanedUp = false;
  const task = createTask(function* () {
    try {
      yield* sleep(60_000);
    } finally {
      isCleanedUp = true;
    }
  });
  await sleep(1);
  task.cancel();
  await assert.rejects(async () => await task);
  assert.ok(task.cancelled() && isCleanedUp);
}

await run(async () => {
  await tcp();
  await unix();
  await timers();
  await cancellation();
});
console.log(`tcp, Unix sockets, timers and tasks work on Node ${process.version}`);
