// Gives Node's own sockets and servers handles of the loop, in the two places where they get theirs.
import { createRequire } from 'node:module';
import net from 'node:net';
import { faceLoop } from './face-loop.js';
import {
  isAddressMissing,
  PipeHandle,
  PipeServerHandle,
  TcpHandle,
  TcpServerHandle,
  type ServerHandle,
} from './handles.js';
import { isHttp2Connecting, isHttp2Server } from './http2-calls.js';
import { ConnectionHandle } from './connection-handle.js';
import { installSending } from './hand-over.js';
import { DEFAULT_BACKLOG, findInternals, type NodeServer, type NodeSocket } from './internals.js';

export { reportAtExit } from './report.js';

type AnyMethod = (this: unknown, ...args: unknown[]) => unknown;

const ANY_IPV6 = '::';
const ANY_IPV4 = '0.0.0.0';
// Node marks servers on a path so.
const NO_PORT = -1;

const require = createRequire(import.meta.url);

let isInstalled = false;

/**
 * Puts every TCP and Unix socket that `node:net` makes from now on under the loop, but for those that need a handle
 * of Node's own. Idempotent.
 *
 * @throws Error - this Node's sockets are not as they are known to be; nothing has changed then.
 * @internal
 */
export function installNet(): void {
  if (isInstalled) return;
  prepareSockets();
  isInstalled = true;
  installSending();
  const { reinitialize } = findInternals();
  replace(net.Server.prototype, '_listen2', listening);
  replace(net.Socket.prototype, 'connect', connecting);
  replace(net.Socket.prototype, reinitialize, reinitializing);
}

/**
 * Puts one server, which does not listen yet, and its connections under the loop; with the limits of
 * {@link installNet}.
 *
 * @throws As {@link installNet}.
 * @internal
 */
export function installServer(server: net.Server): void {
  prepareSockets();
  if (!isInstalled) replace(server, '_listen2', listening);
}

let isPrepared = false;

// What a socket does differently when its handle is one of ours.
function prepareSockets(): void {
  if (isPrepared) return;
  findInternals();
  isPrepared = true;
  replace(net.Socket.prototype, 'resetAndDestroy', resetting);
  replace(net.Socket.prototype, '_write', writing);
}

function replace(prototype: object, key: string | symbol, wrap: (original: AnyMethod) => AnyMethod): void {
  const methods = prototype as Record<string | symbol, AnyMethod>;
  const original = methods[key]!;
  const wrapped = wrap(original);
  Object.defineProperty(wrapped, 'name', { value: original.name });
  Object.defineProperty(prototype, key, { value: wrapped, writable: true, configurable: true });
}

// Before the first one there is none at all.
function hasHandle({ _handle: handle }: { _handle: object | null | undefined }): boolean {
  return handle !== null && handle !== undefined;
}

// TLS is done by native code of Node, on native streams.
function isSecure(object: object): boolean {
  return 'setSecureContext' in object || (object as { encrypted?: boolean }).encrypted === true;
}

function needsNodeHandle(server: net.Server): boolean {
  return isSecure(server) || isHttp2Server(server) || isForWorkers(server);
}

// In a cluster, the primary process listens for its workers, and hands handles of Node to them. Such a server is
// known by its listener, which is a function of Node's that fails: it has no connections of its own.
function isForWorkers(server: net.Server): boolean {
  const [listener] = server.listeners('connection');
  if (listener?.name !== 'fail') return false;
  const { workers = {} } = require('node:cluster') as { workers?: object };
  return Object.keys(workers).length > 0;
}

function listening(original: AnyMethod): AnyMethod {
  return function (this: unknown, ...args: unknown[]) {
    const server = this as NodeServer;
    const [address, port, type, backlog, fd, flags] = args as [
      string | null,
      number,
      number,
      number,
      unknown,
      number,
    ];
    if (hasHandle(server) || typeof fd === 'number' || needsNodeHandle(server)) {
      return original.apply(this, args);
    }
    const opened = openServer(address, port, type, backlog || DEFAULT_BACKLOG, flags | 0);
    server._handle = opened.handle;
    return original.call(this, opened.address, port, opened.type, backlog, fd, flags);
  };
}

function openServer(
  address: string | null,
  port: number,
  type: number,
  backlog: number,
  flags: number,
): { handle: ServerHandle; address: string | null; type: number } {
  const loop = faceLoop();
  if (port === NO_PORT && type === NO_PORT) {
    const handle = new PipeServerHandle(loop);
    handle.open(address!, backlog);
    return { handle, address, type };
  }
  const handle = new TcpServerHandle(loop);
  if (address !== null && address !== '') {
    handle.open(address, port, backlog, flags);
    return { handle, address, type };
  }
  if (!isAddressMissing(handle.open(ANY_IPV6, port, backlog, flags))) {
    return { handle, address: ANY_IPV6, type: 6 };
  }
  handle.open(ANY_IPV4, port, backlog, flags);
  return { handle, address: ANY_IPV4, type: 4 };
}

interface Normalizes {
  _normalizeArgs(args: readonly unknown[]): [{ path?: string | null; port?: unknown }, unknown];
}

// Node marks arguments that are normalized with a symbol.
function isNormalized(args: unknown): args is ReturnType<Normalizes['_normalizeArgs']> {
  return Array.isArray(args) && Object.getOwnPropertySymbols(args).length > 0;
}

function connecting(original: AnyMethod): AnyMethod {
  const { reinitialize } = findInternals();
  return function (this: unknown, ...args: unknown[]) {
    const socket = this as NodeSocket;
    const isOpen = hasHandle(socket) && !socket.destroyed;
    if (isOpen || socket._parent?.connecting === true || isSecure(socket) || isHttp2Connecting()) {
      return original.apply(this, args);
    }
    const normalized = isNormalized(args[0]) ? args[0] : (net as unknown as Normalizes)._normalizeArgs(args);
    const [{ path, port }] = normalized;
    if (port !== undefined || (path ?? null) !== null) {
      if (socket.destroyed) {
        socket._handle = null;
        socket._peername = null;
        socket._sockname = null;
      }
      const loop = faceLoop();
      const isPipe = path !== undefined && path !== null && path !== '';
      const handle = isPipe ? new PipeHandle(loop) : new TcpHandle(loop);
      (socket[reinitialize] as AnyMethod).call(socket, handle);
    }
    return original.call(this, normalized);
  };
}

// A further attempt at connecting comes with a handle of Node's.
function reinitializing(original: AnyMethod): AnyMethod {
  return function (this: unknown, ...args: unknown[]) {
    const socket = this as NodeSocket;
    const [handle] = args as [{ close?: () => void }];
    if (!socket.connecting || !(socket._handle instanceof TcpHandle) || handle instanceof ConnectionHandle) {
      return original.apply(this, args);
    }
    handle.close?.();
    return original.call(this, new TcpHandle(faceLoop()));
  };
}

// Most writes are through at once; without a request for each they cost half.
function writing(original: AnyMethod): AnyMethod {
  return function (this: unknown, data: unknown, encoding: unknown, done: unknown) {
    const socket = this as NodeSocket;
    const handle = socket._handle;
    if (
      !(handle instanceof ConnectionHandle) ||
      socket.connecting ||
      !handle._writeNow(data as string | Uint8Array, encoding as string)
    ) {
      return original.call(this, data, encoding, done);
    }
    socket._pendingData = null;
    socket._pendingEncoding = '';
    socket._unrefTimer();
    (done as () => void)();
    return undefined;
  };
}

function resetting(original: AnyMethod): AnyMethod {
  return function (this: unknown, ...args: unknown[]) {
    const socket = this as NodeSocket;
    if (!(socket._handle instanceof TcpHandle)) return original.apply(this, args);
    if (socket.connecting) socket.once('connect', () => socket._reset());
    else socket._reset();
    return socket;
  };
}
