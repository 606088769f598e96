// Drives the Express application of the examples with Node's own sockets: node app-driver.mjs PORT SECONDS
//
// Several clients ask for every route and compare what they get. Prints one line of JSON; exit code 1 when
// anything was wrong, missing or too late.
import assert from 'node:assert/strict';
import { randomBytes, randomInt } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { WebSocket } from 'ws';

const HOST = '127.0.0.1';
const CLIENTS = 4;
const STALL_MS = 10_000;
const GREATEST_MESSAGE_BYTES = 200_000;
const PAGE = readFileSync(new URL('../../examples/public/index.html', import.meta.url));

/** @typedef {Record<string, number>} Totals how often each route answered */

/**
 * @param {string} base
 * @param {string} path
 * @param {RequestInit} [init]
 */
async function ask(base, path, init = {}) {
  return fetch(`http://${base}${path}`, { ...init, signal: AbortSignal.timeout(STALL_MS) });
}

/** @type {Record<string, (base: string) => Promise<void>>} */
const routes = {
  async 'GET /'(base) {
    const response = await ask(base, '/');
    assert.deepEqual(Buffer.from(await response.arrayBuffer()), PAGE);
  },

  async 'GET /api/items/:id'(base) {
    const id = randomInt(1e9);
    const response = await ask(base, `/api/items/${id}`);
    assert.deepEqual(await response.json(), { id, name: `item ${id}` });
  },

  async 'POST /api/items'(base) {
    const text = randomBytes(randomInt(1, 20_000)).toString('base64');
    const init = { method: 'POST', headers: { 'Content-Type': 'application/json' } };
    const response = await ask(base, '/api/items', { ...init, body: JSON.stringify({ text }) });
    assert.equal(response.status, 201);
    const { id, ...rest } = /** @type {{ id: number }} */ (await response.json());
    assert.ok(id > 0);
    assert.deepEqual(rest, { text });
  },

  async 'GET /stream'(base) {
    const count = randomInt(1, 30);
    const expected = Array.from({ length: count }, (_, line) => `line ${line + 1} of ${count}\n`);
    assert.equal(await (await ask(base, `/stream?lines=${count}`)).text(), expected.join(''));
  },

  async 'GET /slow'(base) {
    const ms = randomInt(1, 50);
    assert.deepEqual(await (await ask(base, `/slow?ms=${ms}`)).json(), { waitedMs: ms });
  },

  async 'WebSocket /echo'(base) {
    const socket = new WebSocket(`ws://${base}/echo`, { handshakeTimeout: STALL_MS });
    await once(socket, 'open');
    const sent = randomBytes(randomInt(1, GREATEST_MESSAGE_BYTES));
    socket.send(sent);
    const [received] = await once(socket, 'message', { signal: AbortSignal.timeout(STALL_MS) });
    assert.ok(sent.equals(received));
    socket.close(1000);
    assert.equal((await once(socket, 'close'))[0], 1000);
  },
};

/**
 * @param {string} base
 * @param {number} deadline as of performance.now()
 * @param {Totals} totals
 */
async function drive(base, deadline, totals) {
  // Each route has its turn at least once.
  do {
    for (const [name, route] of Object.entries(routes)) {
      await route(base);
      totals[name] = (totals[name] ?? 0) + 1;
    }
  } while (performance.now() < deadline);
}

async function main() {
  const [port = NaN, seconds = NaN] = process.argv.slice(2).map(Number);
  const deadline = performance.now() + seconds * 1000;
  /** @type {Totals} */
  const totals = {};
  await Promise.all(Array.from({ length: CLIENTS }, () => drive(`${HOST}:${port}`, deadline, totals)));
  console.log(JSON.stringify(totals));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main();
