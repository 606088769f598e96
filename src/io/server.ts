// Accepts connections.
import { inspect } from 'node:util';
import { InvalidStateError, systemError } from '../base/errors.js';
import { validateFunction } from '../base/validate.js';
import { captureContext, type ContextSnapshot } from '../core/context.js';
import { Handle, KIND_CALLBACK } from '../core/handle.js';
import type { CompletionTarget, LoopCore } from '../core/loop.js';
import type { TimerHandle } from '../core/timers.js';
import { abi } from '../native/abi.js';
import type { SlotRef } from '../native/binding.js';
import type { Awaitable } from '../task/awaitable.js';
import { isGeneratorFunction } from '../task/coroutine.js';
import { createTaskOn } from '../task/create.js';
import { Future } from '../task/future.js';
import { awaitNatively } from '../task/native-await.js';
import type { Coroutine, Task } from '../task/task.js';
import { Acquisition } from './acquisition.js';
import { Endpoint, type ConnectionOwner, type EndpointSink, type SocketAddress } from './endpoint.js';
import { bufferLimits } from './limits.js';
import {
  findAddresses,
  openSockets,
  validateListenOptions,
  type Listening,
  type ListenOptions,
} from './listening.js';
import { makeProtocol, Transport, type AnyProtocol } from './protocol.js';
import { Stream } from './stream.js';
import { serverSide, type TlsSide } from './tls-options.js';
import type { SocketFile } from './unix.js';
import { Once } from './waiters.js';

/**
 * Serves one connection. The stream is closed when it is through, and reset when it fails.
 */
export type ConnectionHandler = (stream: Stream) => Generator<unknown, unknown> | PromiseLike<unknown>;

// Connections that are closed in one turn: some 30 us each, most of it the kernel's.
const CONNECTIONS_AT_A_TIME = 32;
// How long a listener rests when the process has no descriptor or memory left.
const SHORTAGE_PAUSE_MS = 1000;

/** Anything that a server serves. */
interface Connection extends EndpointSink {
  close(): unknown;
  abort(): void;
}

// One listening socket of a server.
class Listener implements CompletionTarget {
  readonly index: number;
  readonly generation: number;
  readonly #loop: LoopCore;
  readonly #server: Server;
  #file: SocketFile | null;
  #pause: TimerHandle | null = null;
  #isClosing = false;

  constructor(loop: LoopCore, server: Server, { slot, file }: Listening) {
    this.#loop = loop;
    this.#server = server;
    this.#file = file;
    this.index = slot.index;
    this.generation = slot.generation;
    loop._attach(slot.index, this);
    this.#submit(abi.OP_ACCEPT_START);
  }

  #submit(op: number): void {
    this.#loop._rings.submit(op, this.index, this.generation, 0, 0);
  }

  close(): void {
    if (this.#isClosing) return;
    this.#isClosing = true;
    this.#pause?.cancel();
    // While the socket is open, so that nobody else's file can be taken for ours.
    this.#removeFile();
    this.#submit(abi.OP_CLOSE);
  }

  #removeFile(): void {
    try {
      this.#file?.remove();
    } catch (exception) {
      this.#loop.callExceptionHandler({
        message: 'The file of a Unix socket cannot be removed',
        exception,
        server: this.#server,
      });
    }
    this.#file = null;
  }

  complete(kind: number, result: number, a: number): void {
    if (kind === abi.CQ_CLOSED) {
      // The loop may have been closed under the server.
      this.#removeFile();
      this.#loop._detach(this.index, this);
      this.#server._onListenerClosed(this);
    } else if (kind === abi.CQ_ACCEPT && result < 0) {
      this.#onShortage(result);
    } else if (kind === abi.CQ_ACCEPT && this.#isClosing) {
      this.#loop._rings.submit(abi.OP_RESET, result, a, 0, 0);
    } else if (kind === abi.CQ_ACCEPT) {
      this.#server._onConnection({ index: result, generation: a });
    }
  }

  // Native has stopped accepting, so a shortage costs one report a second instead of a busy loop.
  #onShortage(result: number): void {
    const error = systemError(result, 'accept');
    this.#loop.callExceptionHandler({
      message: 'Accepting connections pauses',
      exception: error,
      server: this.#server,
    });
    if (this.#isClosing) return;
    // The server itself says whether it keeps the process alive.
    this.#pause = this.#loop.callLater(SHORTAGE_PAUSE_MS, () => this.#submit(abi.OP_ACCEPT_START)).unref();
  }
}

/** What waits for a server that nobody means to end: over only when it is cancelled. */
class Serving extends Future<never> {
  declare readonly _server: Server;
  declare _isEnding: boolean;
  declare _reason: unknown;

  static {
    awaitNatively(this.prototype);
  }

  constructor(loop: LoopCore, server: Server) {
    super(loop);
    this._server = server;
    this._isEnding = false;
    this._reason = undefined;
  }

  /** Closes the server, and is cancelled when that is over; at once when it is asked a second time. */
  override cancel(reason?: unknown): boolean {
    if (this.done()) return false;
    if (this._isEnding) return super.cancel(reason);
    this._isEnding = true;
    this._reason = reason;
    void this._server.close();
    return true;
  }

  _end(): void {
    super.cancel(this._isEnding ? this._reason : 'the server was closed');
  }
}

/**
 * Accepts connections until it is closed.
 *
 * @source CPython 3.13 asyncio/base_events.py `Server`
 */
export class Server implements ConnectionOwner {
  readonly #loop: LoopCore;
  readonly #context: ContextSnapshot | null;
  readonly #serve: (slot: SlotRef, context: ContextSnapshot | null) => Connection;
  readonly #listeners = new Set<Listener>();
  readonly #connections = new Set<Connection>();
  readonly #addresses: SocketAddress[] = [];
  readonly #over: Once;
  #serving: Serving | null = null;
  #isReferenced = true;
  #isClosing = false;

  /** @internal */
  constructor(
    loop: LoopCore,
    serve: (this: Server, slot: SlotRef, context: ContextSnapshot | null) => Connection,
  ) {
    this.#loop = loop;
    this.#over = new Once(loop);
    this.#context = captureContext();
    this.#serve = serve.bind(this);
    loop._reference(1);
  }

  /** Opens one listening socket. @internal */
  _listen(socket: Listening): void {
    this.#listeners.add(new Listener(this.#loop, this, socket));
    this.#addresses.push(socket.address);
  }

  /** What the server listens on; still there after it was closed. */
  get addresses(): readonly SocketAddress[] {
    return this.#addresses;
  }

  /** The port of the first address; 0 for a Unix socket. */
  get port(): number {
    return this.#addresses[0]?.port ?? 0;
  }

  /** Connections that are open. */
  get connectionCount(): number {
    return this.#connections.size;
  }

  /** Whether the server accepts connections. */
  isServing(): boolean {
    return !this.#isClosing;
  }

  /**
   * Waits until it is cancelled; then closes the server, and waits for the last connection to end as well.
   * It is cancelled as well when somebody else closes the server.
   *
   * Suspends: always. A cancel point; a second cancellation ends the waiting for connections.
   *
   * @throws {@link InvalidStateError} `ERR_INVALID_STATE` - the server is closed, or somebody waits already.
   * @example
   * ```ts
   * const server = await listen(async (stream) => void stream.write('hello'), { host: '127.0.0.1' });
   * const serving = createTask(async () => await server.serveForever());
   * await sleep(10);
   * serving.cancel();
   * ```
   * @source CPython 3.13 `Server.serve_forever`
   */
  serveForever(): Future<never> {
    if (this.#isClosing) throw new InvalidStateError('The server is closed');
    if (this.#serving !== null) throw new InvalidStateError('serveForever() was called before');
    this.#serving = new Serving(this.#loop, this);
    return this.#serving;
  }

  /**
   * Stops accepting; open connections go on. Idempotent.
   *
   * Suspends: never; what it returns does.
   *
   * @returns What {@link Server.waitClosed} gives.
   */
  close(): Awaitable<void> {
    if (!this.#isClosing) {
      this.#isClosing = true;
      for (const listener of this.#listeners) listener.close();
      if (this.#isReferenced) this.#loop._reference(-1);
      this.#checkOver();
    }
    return this.waitClosed();
  }

  /**
   * Fulfilled once the server is closed and its last connection is gone, in either order.
   *
   * Suspends: until then. A cancel point then.
   */
  waitClosed(): Awaitable<void> {
    return this.#over;
  }

  /**
   * Closes every connection after what was written is sent. Of very many the first are closed at once and
   * the others in the next turns, so that nothing else waits for all of them.
   *
   * Suspends: never.
   *
   * @source CPython 3.13 `Server.close_clients`, which closes all of them at once.
   */
  closeClients(): void {
    this.#forEachInParts((connection) => void connection.close());
  }

  /**
   * Closes every connection without sending what was written; like {@link Server.closeClients}, very many in
   * several turns.
   *
   * Suspends: never.
   *
   * @source CPython 3.13 `Server.abort_clients`, which closes all of them at once.
   */
  abortClients(): void {
    this.#forEachInParts((connection) => connection.abort());
  }

  #forEachInParts(act: (connection: Connection) => void): void {
    const connections = [...this.#connections];
    const next = (begin: number): void => {
      const end = begin + CONNECTIONS_AT_A_TIME;
      for (const connection of connections.slice(begin, end)) act(connection);
      if (end < connections.length) this.#loop.callSoon(next, end);
    };
    next(0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** Lets the server keep the process alive, as it does from the start. */
  ref(): this {
    if (!this.#isReferenced && !this.#isClosing) this.#loop._reference(1);
    this.#isReferenced = true;
    return this;
  }

  /** Lets the process exit while the server listens. */
  unref(): this {
    if (this.#isReferenced && !this.#isClosing) this.#loop._reference(-1);
    this.#isReferenced = false;
    return this;
  }

  /** Whether the server keeps the process alive. */
  hasRef(): boolean {
    return this.#isReferenced;
  }

  [inspect.custom](): string {
    const where = this.#addresses.map(describeAddress).join(', ');
    return `<Server ${where} ${this.#isClosing ? 'closed' : 'serving'} connections=${String(this.connectionCount)}>`;
  }

  /** @internal */
  _onConnection(slot: SlotRef): void {
    try {
      this.#connections.add(this.#serve(slot, this.#context));
    } catch (error) {
      this.#loop._rings.submit(abi.OP_RESET, slot.index, slot.generation, 0, 0);
      this.#loop.callExceptionHandler({
        message: 'Exception while a connection was set up',
        exception: error,
        server: this,
      });
    }
  }

  /** @internal */
  _onConnectionClosed(connection: EndpointSink): void {
    this.#connections.delete(connection as Connection);
    this.#checkOver();
  }

  /** @internal */
  _onListenerClosed(listener: Listener): void {
    this.#listeners.delete(listener);
    this.#checkOver();
  }

  #isOver(): boolean {
    return this.#isClosing && this.#connections.size === 0 && this.#listeners.size === 0;
  }

  #checkOver(): void {
    if (!this.#isOver()) return;
    this.#over.happen();
    this.#serving?._end();
    this.#serving = null;
  }
}

function describeAddress(address: SocketAddress): string {
  return address.family === 'Unix' ? inspect(address.path) : `${address.address}:${String(address.port)}`;
}

function start(
  loop: LoopCore,
  options: ListenOptions,
  make: (side: TlsSide | null) => Server,
): Future<Server> {
  validateListenOptions(options);
  const side = options.tls === undefined ? null : serverSide(options.tls);
  loop._openSlabs();
  const future = new Acquisition<Server>(loop, (server) => void server.close());
  const fail = (error: unknown): void => void (future.done() || future.setException(error));
  const begin = (addresses: readonly string[]): void => {
    if (future.done()) return;
    try {
      const sockets = openSockets(loop, options, addresses);
      const server = make(side);
      for (const socket of sockets) server._listen(socket);
      future.setResult(server);
    } catch (error) {
      fail(error);
    }
  };
  // In a turn of its own, like everything that suspends: until then it can be cancelled.
  loop.callSoon(() => {
    if (!future.done()) future._stop = findAddresses(loop, options, begin, fail);
  });
  return future;
}

// Serves a connection, at once or after its handshake.
function begin(
  loop: LoopCore,
  side: TlsSide | null,
  connection: Stream | Transport,
  serve: () => void,
): void {
  if (side === null) return serve();
  connection._secure(side, (error) => {
    if (error === null) return serve();
    // Whoever looks for open ports makes one fail, so it is no news.
    if (!loop.debug) return;
    loop.callExceptionHandler({ message: 'A TLS handshake failed', exception: error, transport: connection });
  });
}

// A generator is stepped as it is; an async function must start inside of its task.
function startHandler(handler: ConnectionHandler, stream: Stream): Coroutine<unknown> {
  return isGeneratorFunction(handler)
    ? (handler(stream) as Generator<unknown, unknown>)
    : () => handler(stream) as PromiseLike<unknown>;
}

// Closes a connection when its handler is through.
class HandlerEnd extends Handle {
  readonly #task: Task<unknown>;
  readonly #stream: Stream;

  constructor(task: Task<unknown>, stream: Stream) {
    super(KIND_CALLBACK, null);
    this.#task = task;
    this.#stream = stream;
  }

  _run(): void {
    const task = this.#task;
    const stream = this.#stream;
    const exception = task.cancelled() ? null : task.exception();
    if (exception === null) {
      void stream.close();
      return;
    }
    task._loop.callExceptionHandler({
      message: 'Unhandled exception in a connection handler',
      exception,
      task,
      transport: stream,
    });
    stream.abort();
  }

  _describe(): string {
    return `end of the connection handler ${this.#task.name}`;
  }
}

/** See `listen` of the package. @internal */
export function serveStreams(
  loop: LoopCore,
  handler: ConnectionHandler,
  options: ListenOptions,
): Future<Server> {
  validateFunction('handler', handler);
  return start(loop, options, (side) => {
    const limits = bufferLimits(options);
    return new Server(loop, function serve(slot, context) {
      const stream = new Stream(new Endpoint(loop, slot), limits, this);
      const startTask = (): Task<unknown> => createTaskOn(loop, startHandler(handler, stream));
      begin(loop, side, stream, () => {
        // Handlers run in the context of listen(), not in that of the loop.
        const task = context === null ? startTask() : context.runInAsyncScope(startTask);
        task._addHandle(new HandlerEnd(task, stream));
      });
      return stream;
    });
  });
}

/** See `EventLoop.createServer`. @internal */
export function serveProtocols(
  loop: LoopCore,
  factory: () => AnyProtocol,
  options: ListenOptions,
): Future<Server> {
  validateFunction('protocolFactory', factory);
  return start(loop, options, (side) => {
    const limits = bufferLimits(options);
    return new Server(loop, function serve(slot, context) {
      const protocol = makeProtocol(factory, context);
      const transport = new Transport(new Endpoint(loop, slot), protocol, context, limits, this);
      begin(loop, side, transport, () => transport._begin());
      return transport;
    });
  });
}
