// What programs get their streams from.
import type { Duplex } from 'node:stream';
import { InvalidStateError, invalidArgType } from '../base/errors.js';
import { validateMethods, validateObject } from '../base/validate.js';
import { requireRunningLoop } from '../task/current.js';
import type { Future } from '../task/future.js';
import type { ConnectOptions } from './connect-options.js';
import { connectStream } from './connect.js';
import { bufferLimits, validateStreamOptions, type StreamOptions } from './limits.js';
import type { ListenOptions } from './listening.js';
import { MemoryEndpoint } from './memory-endpoint.js';
import { NodeConnection } from './node-connection.js';
import { NodeEndpoint } from './node-endpoint.js';
import { serveStreams, type ConnectionHandler, type Server } from './server.js';
import { Stream } from './stream.js';

/**
 * Opens a connection: by TCP, or to a Unix socket.
 *
 * Suspends: always. A cancel point; cancelling closes the sockets.
 *
 * @param options - `port` and optionally `host`: the addresses of a name are tried next to each other, each
 *   250 ms after the one before it or as soon as that has failed (RFC 8305). Or `path`: while too many
 *   connections wait for the server there, this one waits for its place among them.
 * @returns The stream, once connected.
 * @throws TypeError `ERR_INVALID_ARG_TYPE`, RangeError `ERR_OUT_OF_RANGE` - an option is wrong.
 * @throws {@link InvalidStateError} `ERR_INVALID_STATE` - no event loop is running.
 * @throws {@link SystemError} (rejects) `ECONNREFUSED` ... - the only address did not answer; of several an
 *   AggregateError, or with `allErrors` an {@link ExceptionGroup}. `ENAMETOOLONG` - the path is too long.
 * @example
 * ```ts
 * const stream = await connect({ host: '127.0.0.1', port: 4000 });
 * stream.write('hello\n');
 * console.log(String(await stream.read()));
 * await stream.close();
 * ```
 * @source CPython 3.13 `asyncio.open_connection`, `open_unix_connection`. Differs: happy eyeballs without
 *   being asked; where a Unix socket has no room, asyncio's connection looks open and is none.
 */
export function connect(options: ConnectOptions): Future<Stream> {
  return connectStream(requireRunningLoop(), options);
}

/**
 * Serves connections, by TCP or on a Unix socket: each gets a task of its own that runs `handler`.
 *
 * Suspends: always. A cancel point.
 *
 * The stream is closed when the handler is through. What the handler throws goes to the loop's
 * exception handler, and the stream is reset; other connections go on.
 *
 * @param handler - A generator function or an async function of the stream.
 * @param options - `port` and optionally `host`; by default every address on a free port. Or the `path` of a
 *   Unix socket; or the `fd` of a socket that listens already.
 * @returns The server, once it listens.
 * @throws TypeError `ERR_INVALID_ARG_TYPE`, RangeError `ERR_OUT_OF_RANGE` - an argument is wrong.
 * @throws {@link InvalidStateError} `ERR_INVALID_STATE` - no event loop is running.
 * @throws {@link SystemError} (rejects) `EADDRINUSE` ... - the address cannot be listened on. `EINVAL` - `fd`
 *   does not listen; `EPROTOTYPE` - it is not of the stream type.
 * @example
 * ```ts
 * const server = await listen(
 *   function* (stream) {
 *     for (;;) {
 *       const chunk = yield* stream.read();
 *       if (chunk.length === 0) return;
 *       stream.write(chunk);
 *       yield* stream.drain();
 *     }
 *   },
 *   { host: '127.0.0.1', port: 4000 },
 * );
 * ```
 * @source CPython 3.13 `asyncio.start_server`, `start_unix_server`. Differs: port 0 is the same port on every
 *   address, unless `samePort` is false; a Unix socket that is listened on is not taken over.
 */
export function listen(handler: ConnectionHandler, options: ListenOptions = {}): Future<Server> {
  return serveStreams(requireRunningLoop(), handler, options);
}

/**
 * A stream over a duplex stream of Node: a `net.Socket`, a `tls.TLSSocket`, or one of a package. Nobody else may
 * read or write it from then on.
 *
 * Suspends: never.
 *
 * @param duplex - One of bytes, not of objects or strings. If its `allowHalfOpen` is false, as that of a `net.Socket`
 *   is by default, the end of the peer's bytes closes the stream.
 * @param options - How it buffers.
 * @throws TypeError `ERR_INVALID_ARG_TYPE`, RangeError `ERR_OUT_OF_RANGE` - an argument is wrong.
 * @throws {@link InvalidStateError} `ERR_INVALID_STATE` - it is destroyed, or no event loop is running.
 * @example
 * ```ts
 * const [one, other] = streamPair();
 * other.write('hello\n');
 * const stream = fromNodeSocket(one.toNodeDuplex());
 * console.log(String(await stream.readLine()));
 * await stream.close();
 * ```
 */
export function fromNodeSocket(duplex: Duplex, options: StreamOptions = {}): Stream {
  validateMethods('duplex', duplex, ['on', 'pause', 'resume', 'write', 'end', 'destroy']);
  const isOfBytes =
    !duplex.readableObjectMode && !duplex.writableObjectMode && duplex.readableEncoding === null;
  if (!isOfBytes) throw invalidArgType('duplex', 'a stream of bytes', duplex);
  validateOptions(options);
  if (duplex.destroyed) throw new InvalidStateError('The duplex stream is destroyed');
  return new Stream(new NodeEndpoint(requireRunningLoop(), duplex), bufferLimits(options));
}

/**
 * A connection for packages that take a stream of Node, and connect it by themselves or expect that somebody does.
 *
 * Suspends: never; it emits `'connect'`, or `'error'`.
 *
 * @param options - As for {@link connect}. With a `port` or `path` it connects at once, else when its `connect()` is called.
 * @throws As {@link connect}, where an option is wrong.
 * @throws {@link InvalidStateError} `ERR_INVALID_STATE` - no event loop is running.
 * @example
 * ```ts
 * const server = await listen(async (stream) => void stream.write('hello'), { host: '127.0.0.1' });
 * const connection = nodeConnection().connect(server.port, '127.0.0.1');
 * for await (const chunk of connection) console.log(String(chunk));
 * ```
 * @source Node `net.createConnection`
 */
export function nodeConnection(options: Partial<ConnectOptions> = {}): NodeConnection {
  validateObject('options', options);
  const connection = new NodeConnection(requireRunningLoop(), options);
  return options.port === undefined && options.path === undefined ? connection : connection.connect(options);
}

/**
 * Two streams that are connected to each other in memory, for tests. What one writes waits for the other to
 * read it: `limit` bytes on the one side, and `highWaterMark` on the other, where `drain()` waits.
 *
 * Suspends: never.
 *
 * @param options - How both of them buffer.
 * @throws TypeError `ERR_INVALID_ARG_TYPE`, RangeError `ERR_OUT_OF_RANGE` - an option is wrong.
 * @throws {@link InvalidStateError} `ERR_INVALID_STATE` - no event loop is running.
 * @example
 * ```ts
 * const [client, server] = streamPair();
 * client.write('ping\n');
 * console.log(String(await server.readLine()));
 * ```
 * @source tokio `io::duplex`, Node `stream.duplexPair`
 */
export function streamPair(options: StreamOptions = {}): [Stream, Stream] {
  validateOptions(options);
  const limits = bufferLimits(options);
  const [one, other] = MemoryEndpoint.pair(requireRunningLoop());
  return [new Stream(one, limits), new Stream(other, limits)];
}

function validateOptions(options: StreamOptions): void {
  validateObject('options', options);
  validateStreamOptions(options);
}
