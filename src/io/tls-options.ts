// What TLS is told, and how a handshake begins on either side.
import { isIP } from 'node:net';
import type { Duplex } from 'node:stream';
import tls, { type ConnectionOptions, type TlsOptions, type TLSSocket } from 'node:tls';
import {
  LONGEST_TIMEOUT_MS,
  validateBoolean,
  validateFunction,
  validateNumber,
  validateObject,
} from '../base/validate.js';

const DEFAULT_HANDSHAKE_TIMEOUT_MS = 60_000;
const DEFAULT_SHUTDOWN_TIMEOUT_MS = 30_000;

/** How long TLS may take. */
export interface TlsTimeouts {
  /** Milliseconds until a handshake that is not over closes the connection. @defaultValue 60000 */
  handshakeTimeout?: number;
  /** Milliseconds that the peer has to end its side once this one is closed. @defaultValue 30000 */
  shutdownTimeout?: number;
}

type ConnectionPart = 'allowHalfOpen' | 'host' | 'lookup' | 'onread' | 'path' | 'port' | 'socket' | 'timeout';

/** What `tls.connect()` of Node takes, without what makes a connection of its own. */
export interface TlsClientOptions extends Omit<ConnectionOptions, ConnectionPart>, TlsTimeouts {
  /** What the server has to prove to be, also told to it. @defaultValue the host; an address is not told */
  servername?: string;
  /** Called with each session that a later connection can resume by the option `session`. */
  onSession?: SessionListener;
}

/** What `tls.createServer()` of Node takes, without what makes a server of its own. */
export interface TlsServerOptions
  extends Omit<TlsOptions, ConnectionPart | 'handshakeTimeout' | 'pauseOnConnect' | 'signal'>, TlsTimeouts {}

/** Options of `startTls()`. */
export type StartTlsOptions =
  (TlsClientOptions & { isServer?: false }) | (TlsServerOptions & { isServer: true });

/** Hears how a handshake ends. @internal */
export interface Handshake {
  onSocket(socket: TLSSocket): void;
  onSecure(socket: TLSSocket): void;
  onTlsError(error: Error): void;
  /** `listener` is the user's. */
  onSession(session: Buffer, listener: SessionListener | undefined): void;
}

type SessionListener = (session: Buffer) => void;

/** One side of TLS, for any number of connections. @internal */
export interface TlsSide {
  readonly handshakeTimeoutMs: number;
  readonly shutdownTimeoutMs: number;
  /** Begins a handshake over `wire`. */
  begin(wire: Duplex, handshake: Handshake): void;
}

function validateTimeouts(where: string, options: TlsTimeouts): void {
  for (const name of ['handshakeTimeout', 'shutdownTimeout'] as const) {
    const timeoutMs = options[name];
    if (timeoutMs !== undefined) validateNumber(`${where}.${name}`, timeoutMs, 0, LONGEST_TIMEOUT_MS);
  }
}

/**
 * @param host - What the server has to prove to be, unless `options.servername` says it.
 * @param where - What messages call the options.
 * @throws TypeError `ERR_INVALID_ARG_TYPE`, RangeError `ERR_OUT_OF_RANGE`; and what Node throws for its options.
 * @internal
 */
export function clientSide(options: TlsClientOptions | true, host: string, where = 'options.tls'): TlsSide {
  const given: TlsClientOptions = options === true ? {} : options;
  validateObject(where, given);
  validateTimeouts(where, given);
  const { handshakeTimeout, shutdownTimeout, onSession, ...settings } = given;
  if (onSession !== undefined) validateFunction(`${where}.onSession`, onSession);
  const servername = settings.servername ?? (isIP(host) === 0 ? host : undefined);
  const secureContext = settings.secureContext ?? tls.createSecureContext(settings);
  return {
    handshakeTimeoutMs: handshakeTimeout ?? DEFAULT_HANDSHAKE_TIMEOUT_MS,
    shutdownTimeoutMs: shutdownTimeout ?? DEFAULT_SHUTDOWN_TIMEOUT_MS,
    begin(wire, handshake) {
      const socket = tls.connect({
        ...settings,
        ...(servername === undefined ? {} : { servername }),
        host,
        secureContext,
        socket: wire,
      });
      handshake.onSocket(socket);
      socket.on('session', (session) => handshake.onSession(session, onSession));
      socket.once('secureConnect', () => handshake.onSecure(socket));
    },
  };
}

/**
 * @param host - As for {@link clientSide}.
 * @throws As {@link clientSide} and {@link serverSide}.
 * @internal
 */
export function tlsSide(options: StartTlsOptions, host: string): TlsSide {
  validateObject('options', options);
  if (options.isServer !== undefined) validateBoolean('options.isServer', options.isServer);
  return options.isServer === true ? serverSide(options, 'options') : clientSide(options, host, 'options');
}

// What a server of Node makes of its options is worth keeping.
const servers = new WeakMap<TlsServerOptions, tls.Server>();

/** One connection of a server of Node that never listens. */
interface ServerView extends tls.Server {
  handshake: Handshake;
}

function serverOf(options: TlsServerOptions): tls.Server {
  const known = servers.get(options);
  if (known !== undefined) return known;
  const { handshakeTimeout: _, shutdownTimeout: __, ...settings } = options;
  // There is one timeout for both sides, and it is not Node's.
  const server = tls.createServer({ ...settings, handshakeTimeout: LONGEST_TIMEOUT_MS });
  server.on('secureConnection', function onSecure(this: ServerView, socket) {
    this.handshake.onSocket(socket);
    this.handshake.onSecure(socket);
  });
  server.on('tlsClientError', function onError(this: ServerView, error) {
    this.handshake.onTlsError(error);
  });
  servers.set(options, server);
  return server;
}

/**
 * @throws TypeError `ERR_INVALID_ARG_TYPE`, RangeError `ERR_OUT_OF_RANGE`; and what Node throws for its options.
 * @internal
 */
export function serverSide(options: TlsServerOptions, where = 'options.tls'): TlsSide {
  validateObject(where, options);
  validateTimeouts(where, options);
  const server = serverOf(options);
  return {
    handshakeTimeoutMs: options.handshakeTimeout ?? DEFAULT_HANDSHAKE_TIMEOUT_MS,
    shutdownTimeoutMs: options.shutdownTimeout ?? DEFAULT_SHUTDOWN_TIMEOUT_MS,
    begin(wire, handshake) {
      // Events come with the emitter as `this`: so each is known to be of this connection.
      const view = Object.create(server) as ServerView;
      view.handshake = handshake;
      view.emit('connection', wire);
    },
  };
}
