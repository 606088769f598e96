// The two functions that most programs start from.
import { requireRunningLoop } from '../task/current.js';
import type { Future } from '../task/future.js';
import { connectStream, type ConnectOptions } from './connect.js';
import { serveStreams, type ConnectionHandler, type ListenOptions, type Server } from './server.js';
import type { Stream } from './stream.js';

/**
 * Opens a TCP connection.
 *
 * Suspends: always. A cancel point; cancelling closes the socket.
 *
 * @param options - `port` and optionally `host`; several addresses of a name are tried one by one.
 * @returns The stream, once connected.
 * @throws TypeError `ERR_INVALID_ARG_TYPE`, RangeError `ERR_OUT_OF_RANGE` - an option is wrong.
 * @throws {@link InvalidStateError} `ERR_INVALID_STATE` - no event loop is running.
 * @throws {@link SystemError} (rejects) `ECONNREFUSED` ... - no address answered.
 * @example
 * ```ts
 * const stream = await connect({ host: '127.0.0.1', port: 4000 });
 * stream.write('hello\n');
 * console.log(String(await stream.read()));
 * await stream.close();
 * ```
 * @source CPython 3.13 `asyncio.open_connection`
 */
export function connect(options: ConnectOptions): Future<Stream> {
  return connectStream(requireRunningLoop(), options);
}

/**
 * Serves TCP connections: each gets a task of its own that runs `handler`.
 *
 * Suspends: always. A cancel point.
 *
 * The stream is closed when the handler is through. What the handler throws goes to the loop's
 * exception handler, and the stream is reset; other connections go on.
 *
 * @param handler - A generator function or an async function of the stream.
 * @param options - `port` and optionally `host`; by default every address on a free port.
 * @returns The server, once it listens.
 * @throws TypeError `ERR_INVALID_ARG_TYPE`, RangeError `ERR_OUT_OF_RANGE` - an argument is wrong.
 * @throws {@link InvalidStateError} `ERR_INVALID_STATE` - no event loop is running.
 * @throws {@link SystemError} (rejects) `EADDRINUSE` ... - the address cannot be listened on.
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
 * @source CPython 3.13 `asyncio.start_server`
 */
export function listen(handler: ConnectionHandler, options: ListenOptions = {}): Future<Server> {
  return serveStreams(requireRunningLoop(), handler, options);
}
