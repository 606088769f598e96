// Serves an application of Node on the loop's sockets, and ends it without losing a request.
import type http from 'node:http';
import net from 'node:net';
import process from 'node:process';
import { InvalidStateError } from '../base/errors.js';
import {
  LONGEST_TIMEOUT_MS,
  refuseNextTo,
  validateInteger,
  validateNumber,
  validateObject,
  validateString,
} from '../base/validate.js';
import { validateSignals } from '../signals.js';
import type { LoopStatistics } from '../core/statistics.js';
import { openFaceLoop } from './face-loop.js';
import { serverOf, validateServable, type Servable, type Served } from './servable.js';

/** How a service ends. */
export interface ShutdownOptions {
  /**
   * How long requests that are under way may take, ms, after nothing new is accepted; connections that are open
   * then are cut off. @defaultValue 30_000
   */
  drain?: number;
  /**
   * How long new connections are still accepted although the service is not ready any more, ms, so that a load
   * balancer can notice. Every response closes its connection meanwhile. @defaultValue 5_000
   */
  lameDuck?: number;
}

/** Where and how to serve. */
export interface ServeOptions extends ShutdownOptions {
  /** A name or numeric address. @defaultValue every address */
  host?: string;
  /** 0 ... 65535; 0 picks a free one. @defaultValue 0 */
  port?: number;
  /** A Unix socket, instead of `host` and `port`. */
  path?: string;
  /** Connections the kernel may hold until they are accepted, 1 ... 65535. @defaultValue 511 */
  backlog?: number;
  /**
   * The first of these signals shuts the service down, a second one cuts it off. @defaultValue `['SIGTERM', 'SIGINT']`
   */
  signals?: readonly NodeJS.Signals[];
}

const DEFAULT_DRAIN_MS = 30_000;
const DEFAULT_LAME_DUCK_MS = 5_000;
const DEFAULT_SIGNALS: readonly NodeJS.Signals[] = ['SIGTERM', 'SIGINT'];

function validateShutdown(options: ShutdownOptions): void {
  validateObject('options', options);
  const { drain, lameDuck } = options;
  if (drain !== undefined) validateNumber('options.drain', drain, 0, LONGEST_TIMEOUT_MS);
  if (lameDuck !== undefined) validateNumber('options.lameDuck', lameDuck, 0, LONGEST_TIMEOUT_MS);
}

function validateServe(options: ServeOptions): void {
  validateShutdown(options);
  const { host, port, path, backlog, signals } = options;
  if (host !== undefined) validateString('options.host', host);
  if (port !== undefined) validateInteger('options.port', port, 0, 65535);
  if (path !== undefined) {
    validateString('options.path', path);
    refuseNextTo('path', options, ['host', 'port']);
  }
  if (backlog !== undefined) validateInteger('options.backlog', backlog, 1, 65535);
  if (signals !== undefined) validateSignals('options.signals', signals);
}

/** What a service does at the moment. */
export type ServiceState = 'serving' | 'lameDuck' | 'draining' | 'closed';

/** A served application; made by {@link serve}. */
export class Service implements AsyncDisposable {
  /** Node's server. */
  readonly server: http.Server;
  /** Resolves once the service has ended; never rejects. */
  readonly closed: Promise<void>;
  readonly #served: Served;
  readonly #options: ServeOptions;
  readonly #signals: readonly NodeJS.Signals[];
  readonly #responses = new Set<http.ServerResponse>();
  // Also those that are no HTTP connections any more.
  readonly #sockets = new Set<net.Socket>();
  #state: ServiceState = 'serving';
  #resolveClosed!: () => void;
  #goOn: (() => void) | null = null;

  /** @internal */
  constructor(served: Served, options: ServeOptions) {
    this.server = served.server;
    this.#served = served;
    this.#options = options;
    this.#signals = options.signals ?? DEFAULT_SIGNALS;
    this.closed = new Promise((resolve) => (this.#resolveClosed = resolve));
    // First, so that a handler can still say otherwise.
    this.server.prependListener('request', this.#onRequest);
    this.server.on('connection', this.#onConnection);
    this.server.once('close', this.#onClose);
    for (const signal of this.#signals) process.on(signal, this.#onSignal);
  }

  /** The port; 0 on a Unix socket. */
  get port(): number {
    const address = this.server.address();
    return typeof address === 'object' ? (address?.port ?? 0) : 0;
  }

  /** The state of the service. */
  get state(): ServiceState {
    return this.#state;
  }

  /** Connections that are open. */
  get connectionCount(): number {
    return this.#sockets.size;
  }

  /**
   * Figures of the loop under this thread's sockets of Node.
   *
   * @throws {@link InvalidStateError} `ERR_INVALID_STATE` - there is none, as the service uses sockets of Node.
   */
  statistics(): LoopStatistics {
    const loop = openFaceLoop();
    if (loop === null) throw new InvalidStateError('The service uses sockets of Node');
    return loop.statistics();
  }

  /** Whether a load balancer should send requests: answer its readiness probe with this. */
  isReady(): boolean {
    return this.#state === 'serving';
  }

  readonly #onRequest = (_request: http.IncomingMessage, response: http.ServerResponse): void => {
    this.#responses.add(response);
    response.once('close', () => {
      this.#responses.delete(response);
      if (this.#state === 'draining') this.server.closeIdleConnections();
    });
    if (this.#state !== 'serving') closeAfter(response);
  };

  readonly #onConnection = (socket: net.Socket): void => {
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
  };

  readonly #onSignal = (): void => {
    if (this.#state !== 'serving') this.abort();
    else void this.shutdown();
  };

  readonly #onClose = (): void => {
    this.#state = 'closed';
    for (const signal of this.#signals) process.off(signal, this.#onSignal);
    this.server.off('request', this.#onRequest);
    this.server.off('connection', this.#onConnection);
    this.#goOn?.();
    void this.#endApp().then(this.#resolveClosed);
  };

  async #endApp(): Promise<void> {
    try {
      await this.#served.end();
    } catch (error) {
      process.emitWarning(error instanceof Error ? error : new Error(String(error)));
    }
  }

  /**
   * Ends the service without losing a request. First it is not ready any more, and every response closes its
   * connection; then nothing is accepted, and what is under way may end; then connections are cut off. Called
   * again it changes nothing.
   *
   * Suspends: always.
   *
   * @param options - Instead of those the service was made with.
   * @throws TypeError `ERR_INVALID_ARG_TYPE`, RangeError `ERR_OUT_OF_RANGE` - an option is wrong.
   * @source Kubernetes "Termination of Pods"; Google SRE book, chapter 20, "lame duck state".
   */
  shutdown(options: ShutdownOptions = {}): Promise<void> {
    validateShutdown(options);
    if (this.#state === 'serving') void this.#end({ ...this.#options, ...options });
    return this.closed;
  }

  async #end({ drain = DEFAULT_DRAIN_MS, lameDuck = DEFAULT_LAME_DUCK_MS }: ShutdownOptions): Promise<void> {
    this.#state = 'lameDuck';
    for (const response of this.#responses) closeAfter(response);
    await this.#wait(lameDuck);
    if (this.#hasEnded()) return;
    this.#state = 'draining';
    // The server's own close() would cut off connections between two requests in the same breath.
    net.Server.prototype.close.call(this.server);
    this.server.closeIdleConnections();
    await this.#wait(drain);
    this.abort();
  }

  #hasEnded(): boolean {
    return this.#state === 'closed';
  }

  // Until the service has ended, or so long.
  #wait(delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, delayMs);
      this.#goOn = () => {
        clearTimeout(timer);
        resolve();
      };
      if (this.#hasEnded()) this.#goOn();
    });
  }

  /** Ends the service at once: connections are cut off. Idempotent. */
  abort(): void {
    if (this.#hasEnded()) return;
    if (this.server.listening) net.Server.prototype.close.call(this.server);
    for (const socket of this.#sockets) socket.destroy();
    this.#goOn?.();
  }

  /**
   * As {@link Service.shutdown}, without the first phase.
   *
   * Suspends: always.
   */
  [Symbol.asyncDispose](): Promise<void> {
    return this.shutdown({ lameDuck: 0 });
  }
}

// Also of one that is under way, if its head is not out yet.
function closeAfter(response: http.ServerResponse): void {
  if (!response.headersSent) response.setHeader('Connection', 'close');
}

/**
 * Serves an application over HTTP on sockets of the loop, and ends it in order when the process is told to stop.
 *
 * Suspends: always; neither a loop nor a task is needed.
 *
 * @param app - An `http.Server` that does not listen yet, a request listener, or an application of Express, Fastify,
 *   Koa or Hono; for Hono the package `@hono/node-server` must be there. An `https.Server` keeps Node's sockets.
 * @param options - Where and how.
 * @returns The service, once it listens.
 * @throws TypeError `ERR_INVALID_ARG_TYPE`, RangeError `ERR_OUT_OF_RANGE` - an argument is wrong.
 * @throws {@link InvalidStateError} (rejects) `ERR_INVALID_STATE` - the server listens already.
 * @throws Error (rejects) `EADDRINUSE` ... - the address cannot be listened on. `ERR_MISSING_PACKAGE` - see above.
 * @example
 * ```ts
 * const service = await serve((request, response) => response.end(`hello ${request.url}`), { port: 0 });
 * const response = await fetch(`http://localhost:${service.port}/you`);
 * console.log(await response.text());
 * await service.shutdown({ lameDuck: 0 });
 * ```
 * @source Node `http.Server.listen`; the three phases are those of a load balancer's back ends.
 */
export function serve(app: Servable, options: ServeOptions = {}): Promise<Service> {
  validateServable(app);
  validateServe(options);
  return start(app, options);
}

async function start(app: Servable, options: ServeOptions): Promise<Service> {
  const served = await serverOf(app);
  const { server } = served;
  if (server.listening) throw new InvalidStateError('serve() was given a server that listens already');
  await moveToLoop(server);
  await listen(server, options);
  return new Service(served, options);
}

async function moveToLoop(server: net.Server): Promise<void> {
  try {
    const { installServer } = await import('./install.js');
    installServer(server);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    process.emitWarning(`serve() uses sockets of Node: ${reason}`, { code: 'EVLOOP_SERVE' });
  }
}

function listen(server: net.Server, { host, port = 0, path, backlog }: ServeOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    const where = path === undefined ? { port, ...(host === undefined ? {} : { host }) } : { path };
    server.listen({ ...where, ...(backlog === undefined ? {} : { backlog }) }, () => {
      server.off('error', reject);
      resolve();
    });
  });
}
