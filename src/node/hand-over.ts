// Gives a socket or server a handle of Node in place of ours, where it is about to go to another process: only those can be
// sent, or become a standard stream of a child.
import { ChildProcess } from 'node:child_process';
import net from 'node:net';
import process from 'node:process';
import { nodeBinding } from '../core/node-binding.js';
import { binding } from '../native/load.js';
import { ConnectionHandle } from './connection-handle.js';
import { PipeHandle, PipeServerHandle, ServerHandle } from './handles.js';
import { DEFAULT_BACKLOG, findInternals, type NodeServer, type NodeSocket } from './internals.js';

/** What Node's own handles are asked for here. */
interface NodeHandle {
  open(fd: number): number;
  listen(backlog: number): number;
  close(): void;
  onconnection: unknown;
  [key: symbol]: unknown;
}

interface HandleModule {
  readonly TCP: new (type: number) => NodeHandle;
  readonly Pipe: new (type: number) => NodeHandle;
  readonly constants: { readonly SOCKET: number; readonly SERVER: number };
}

function openNodeHandle(fd: number, isPipe: boolean, isServer: boolean): NodeHandle | null {
  const copy = binding.duplicate(fd);
  if (copy < 0) return null;
  const { constants, ...classes } = nodeBinding(isPipe ? 'pipe_wrap' : 'tcp_wrap') as HandleModule;
  const type = isServer ? constants.SERVER : constants.SOCKET;
  const handle = isPipe ? new classes.Pipe(type) : new classes.TCP(type);
  if (handle.open(copy) === 0) return handle;
  handle.close();
  return null;
}

function handOverSocket(socket: NodeSocket, handle: ConnectionHandle): void {
  const opened = openNodeHandle(handle.fd, handle instanceof PipeHandle, false);
  if (opened === null) return;
  const wasReading = handle.reading;
  handle._bequeath(socket);
  // This closes ours; the copy keeps the connection.
  (socket[findInternals().reinitialize] as (handle: object) => void).call(socket, opened);
  if (wasReading) socket.read(0);
}

function handOverServer(server: NodeServer, handle: ServerHandle): void {
  const opened = openNodeHandle(handle.fd, handle instanceof PipeServerHandle, true);
  if (opened === null) return;
  opened.onconnection = handle.onconnection;
  opened[findInternals().owner] = server;
  opened.listen(DEFAULT_BACKLOG);
  server._handle = opened;
  handle._release();
}

/** Leaves everything alone that has no handle of ours. */
function handOver(object: unknown): void {
  if (object instanceof net.Socket) {
    const socket = object as NodeSocket;
    if (socket._handle instanceof ConnectionHandle) handOverSocket(socket, socket._handle);
  } else if (object instanceof net.Server) {
    const server = object as NodeServer;
    if (server._handle instanceof ServerHandle) handOverServer(server, server._handle);
  }
}

type Send = (this: unknown, message: unknown, handle?: unknown, ...rest: unknown[]) => boolean;

/** A process at the other end of a channel, if it has one. */
interface Sends {
  send?: Send;
}

function sending(original: Send): Send {
  return function send(message, handle, ...rest) {
    handOver(handle);
    return original.call(this, message, handle, ...rest);
  };
}

function wrapSend(other: Sends): void {
  if (other.send !== undefined) other.send = sending(other.send);
}

interface Spawns {
  spawn: (this: Sends, options: { stdio?: unknown }) => number;
}

/** Lets sockets and servers with handles of ours be sent to other processes. @internal */
export function installSending(): void {
  wrapSend(process as unknown as Sends);
  const prototype = ChildProcess.prototype as unknown as Spawns;
  const { spawn } = prototype;
  prototype.spawn = function (options) {
    if (Array.isArray(options.stdio)) options.stdio.forEach(handOver);
    const status = spawn.call(this, options);
    wrapSend(this);
    return status;
  };
}
