// A TCP echo server: whatever a client sends comes back.
//
//   node examples/echo-server.mjs HOST PORT [--form generator|async|protocol]
//
// A HOST that begins with a slash is the path of a Unix socket; the port is of no consequence then.
//
// The three forms do the same. Generators are the cheapest coroutines, async functions the most
// familiar ones, and a protocol is told by callbacks. Ctrl-C ends the server.
import process from 'node:process';
import { parseArgs } from 'node:util';
import { EventLoop, listen, run } from 'evloop';

/**
 * @typedef {import('evloop').Protocol} Protocol
 * @typedef {import('evloop').Stream} Stream
 * @typedef {import('evloop').Transport} Transport
 * @typedef {import('evloop').ListenOptions} ListenOptions
 */

/** @param {Stream} stream */
function* echo(stream) {
  for (;;) {
    const chunk = yield* stream.read();
    if (chunk.length === 0) return;
    // A client that sends but does not read slows itself down.
    if (!stream.write(chunk)) yield* stream.drain();
  }
}

/** @param {Stream} stream */
async function echoAsync(stream) {
  for (;;) {
    const chunk = await stream.read();
    if (chunk.length === 0) return;
    if (!stream.write(chunk)) await stream.drain();
  }
}

/** @implements {Protocol} */
class EchoProtocol {
  /** @type {Transport | null} */
  #transport = null;

  /** @param {Transport} transport */
  connectionMade(transport) {
    this.#transport = transport;
  }

  /** @param {Buffer} chunk */
  dataReceived(chunk) {
    this.#transport?.write(chunk);
  }

  pauseWriting() {
    this.#transport?.pauseReading();
  }

  resumeWriting() {
    this.#transport?.resumeReading();
  }
}

/** How each form is started. */
const forms = {
  generator: (/** @type {ListenOptions} */ options) => listen(echo, options),
  async: (/** @type {ListenOptions} */ options) => listen(echoAsync, options),
  protocol: (/** @type {ListenOptions} */ options) =>
    EventLoop.running().createServer(() => new EchoProtocol(), options),
};

/**
 * @param {keyof typeof forms} form
 * @param {ListenOptions} options
 */
function* serve(form, options) {
  const server = yield* forms[form](options);
  const stopped = EventLoop.running().createFuture();
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => stopped.setResultUnlessDone());

  const [address] = server.addresses;
  const place = address?.family === 'Unix' ? address.path : `${address?.address}:${address?.port}`;
  console.log(`listening on ${place}`);
  yield* stopped;

  server.close();
  server.closeClients();
  yield* server.waitClosed();
}

const { values, positionals } = parseArgs({
  options: { form: { type: 'string', default: 'generator' } },
  allowPositionals: true,
});
const [host, port] = positionals;
const { form } = values;

if (host === undefined || port === undefined || !Object.hasOwn(forms, form)) {
  console.error('usage: echo-server.mjs HOST PORT [--form generator|async|protocol]');
  process.exitCode = 2;
} else {
  const where = host.startsWith('/') ? { path: host } : { host, port: Number(port) };
  await run(serve(/** @type {keyof typeof forms} */ (form), where));
}
