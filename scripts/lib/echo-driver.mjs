// Drives an echo server with Node's own sockets: node echo-driver.mjs PORT SECONDS
//
// Several connections send random bytes in random pieces and compare what comes back. Prints one line
// of JSON; exit code 1 when anything was wrong, missing or too late.
import { randomBytes, randomInt } from 'node:crypto';
import { once } from 'node:events';
import net from 'node:net';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

const HOST = '127.0.0.1';
const CONNECTIONS = 8;
const STALL_MS = 10_000;
/** Sizes of exchanges, least and greatest; each row is as likely as the others. */
const SIZES = /** @type {const} */ ([
  [1, 64],
  [65, 16_384],
  [16_385, 65_536],
  [65_537, 400_000],
]);

/** @typedef {{ connections: number, exchanges: number, bytes: number, greatest: number }} Totals */

function pickSize() {
  const [least, greatest] = SIZES[randomInt(SIZES.length)] ?? SIZES[0];
  return randomInt(least, greatest + 1);
}

/**
 * @param {net.Socket} socket
 * @param {Buffer} bytes
 */
function sendInPieces(socket, bytes) {
  for (let sent = 0; sent < bytes.length;) {
    const size = randomInt(1, bytes.length - sent + 1);
    socket.write(bytes.subarray(sent, sent + size));
    sent += size;
  }
}

/**
 * Takes as many bytes as were sent and compares them.
 *
 * @param {AsyncIterator<Buffer>} received
 * @param {Buffer} expected
 */
async function expectBytes(received, expected) {
  for (let offset = 0; offset < expected.length;) {
    const { value, done } = await received.next();
    if (done === true) throw new Error(`the end came after ${offset} of ${expected.length} bytes`);
    const end = offset + value.length;
    if (end > expected.length) throw new Error('more came back than was sent');
    if (!value.equals(expected.subarray(offset, end))) throw new Error('wrong bytes came back');
    offset = end;
  }
}

/**
 * @param {number} port
 * @param {number} deadline as of performance.now()
 * @param {Totals} totals
 */
async function drive(port, deadline, totals) {
  const socket = net.connect(port, HOST);
  await once(socket, 'connect');
  socket.setTimeout(STALL_MS, () => socket.destroy(new Error(`nothing came for ${STALL_MS} ms`)));
  const received = socket[Symbol.asyncIterator]();
  totals.connections++;
  while (performance.now() < deadline) {
    const bytes = randomBytes(pickSize());
    sendInPieces(socket, bytes);
    await expectBytes(received, bytes);
    totals.exchanges++;
    totals.bytes += bytes.length;
    totals.greatest = Math.max(totals.greatest, bytes.length);
  }
  // The last bytes and the end travel together: the end must not overtake them.
  const last = randomBytes(pickSize());
  sendInPieces(socket, last);
  socket.end();
  await expectBytes(received, last);
  const { done } = await received.next();
  if (done !== true) throw new Error('more came back than was sent');
}

async function main() {
  const [port = NaN, seconds = NaN] = process.argv.slice(2).map(Number);
  const deadline = performance.now() + seconds * 1000;
  /** @type {Totals} */
  const totals = { connections: 0, exchanges: 0, bytes: 0, greatest: 0 };
  await Promise.all(Array.from({ length: CONNECTIONS }, () => drive(port, deadline, totals)));
  console.log(JSON.stringify(totals));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main();
