// What the scenarios share. Each prints a transcript, a line of JSON for everything that it saw, and at the end
// whose handles its sockets had.
import { createHash } from 'node:crypto';
import diagnostics from 'node:diagnostics_channel';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import process from 'node:process';

export const HOST = '127.0.0.1';

const counts = { node: 0, evloop: 0 };
// As Node names the handles of its own.
const NODE_HANDLES = ['TCP', 'Pipe'];

/** @param {import('node:net').Socket} socket */
function count(socket) {
  // @ts-expect-error It is Node's, and not in the types.
  const name = socket._handle?.constructor.name;
  if (name === undefined) return;
  counts[NODE_HANDLES.includes(name) ? 'node' : 'evloop']++;
}

diagnostics.subscribe('net.server.socket', (message) => count(/** @type {any} */ (message).socket));
// Many clients make their sockets themselves, which no channel tells of.
const { connect } = net.Socket.prototype;
/** @type {any} */ (net.Socket.prototype).connect = function (/** @type {any[]} */ ...args) {
  this.prependOnceListener('connect', () => count(this));
  return Reflect.apply(connect, this, args);
};
process.on('exit', () => console.log(JSON.stringify({ sockets: counts })));

/**
 * Adds a line to the transcript.
 *
 * @param {string} what
 * @param {unknown} [value]
 */
export function tell(what, value = null) {
  console.log(JSON.stringify([what, value]));
}

/**
 * Listens on a free port.
 *
 * @param {import('node:net').Server} server
 * @returns {Promise<number>}
 */
export async function listen(server) {
  server.listen(0, HOST);
  await once(server, 'listening');
  return /** @type {import('node:net').AddressInfo} */ (server.address()).port;
}

/** @param {import('node:net').Server} server */
export async function close(server) {
  const closed = once(server, 'close');
  server.close();
  await closed;
}

/**
 * Bytes in a few characters.
 *
 * @param {string | Uint8Array} bytes
 */
export function digest(bytes) {
  const hash = createHash('sha256').update(bytes).digest('hex').slice(0, 16);
  return `${Buffer.byteLength(bytes)} bytes, ${hash}`;
}

/**
 * The same bytes in every run.
 *
 * @param {number} size
 */
export function bytesOf(size) {
  const bytes = Buffer.allocUnsafe(size);
  let state = size + 1;
  for (let at = 0; at < size; at++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    bytes[at] = state >>> 24;
  }
  return bytes;
}

/** The same text in every run. @param {number} size */
export function textOf(size) {
  return bytesOf(Math.ceil(size / 2))
    .toString('hex')
    .slice(0, size);
}

/**
 * A response as it goes into the transcript; `body` is told whole when it is short.
 *
 * @param {string} what
 * @param {{ status: number, headers: Headers, arrayBuffer(): Promise<ArrayBuffer> }} response
 */
export async function tellResponse(what, response) {
  const headers = Object.fromEntries(response.headers);
  delete headers['date'];
  delete headers['last-modified'];
  const body = Buffer.from(await response.arrayBuffer());
  tell(what, {
    status: response.status,
    headers,
    body: body.length > 200 ? digest(body) : body.toString('latin1'),
  });
}

/** A directory that is gone when the scenario is. */
export function temporaryDirectory() {
  const directory = mkdtempSync(path.join(tmpdir(), 'evloop-packages-'));
  process.on('exit', () => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/**
 * What a failure is called.
 *
 * @param {Promise<unknown>} promise
 */
export async function failureOf(promise) {
  try {
    await promise;
    return 'nothing failed';
  } catch (error) {
    const { name, code, cause } = /** @type {any} */ (error);
    return { name, code: code ?? null, cause: cause?.code ?? null };
  }
}
