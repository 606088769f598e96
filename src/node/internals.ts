// What Node's own sockets expect of a handle, found out by looking at one. None of it is documented, so it is
// tried out before anything relies on it, on whatever Node this is.
import net from 'node:net';
import { nodeBinding } from '../core/node-binding.js';

/** Calls of Node's sockets that a handle makes. */
export type OnRead = (this: object, memory: ArrayBufferLike | undefined) => Uint8Array | undefined;

/** Words that a handle leaves for whoever called it. */
interface StreamWords {
  streamBaseState: Int32Array;
  kReadBytesOrError: number;
  kArrayBufferOffset: number;
  kBytesWritten: number;
  kLastWriteWasAsync: number;
  kLastWriteErr?: number;
}

/** A socket of Node, with what its handle gets at. */
export interface NodeSocket extends net.Socket {
  _handle: object | null;
  _parent: NodeSocket | null;
  _peername: object | null;
  _sockname: object | null;
  readonly _readableState: { awaitDrainWriters: unknown; dataEmitted: boolean; multiAwaitDrain: boolean };
  _reset(): void;
  _unrefTimer(): void;
  _pendingData: unknown;
  _pendingEncoding: string;
  [key: symbol]: unknown;
}

/** A server of Node, with its handle. */
export interface NodeServer extends net.Server {
  _handle: object | null;
}

/** What Node's servers ask for where nobody says. @internal */
export const DEFAULT_BACKLOG = 511;

/** Where Node keeps what a handle needs. */
export interface NodeInternals extends StreamWords {
  /** The key under which a handle names its socket or server. */
  readonly owner: symbol;
  /** The method that gives a socket another handle. */
  readonly reinitialize: symbol;
  /** The method that notes activity of a socket. */
  readonly updateTimer: symbol;
  /** Where a socket keeps the memory of its option `onread`. */
  readonly userBuffer: symbol;
  readonly onRead: OnRead;
}

/** The number for the end of a stream. */
export const UV_EOF = -4095;

/** What native code of Node lets programs derive from: a stream that it can read from and write to. @internal */
export interface NativeStreamBase {
  onread: OnRead | null;
  finishWrite(request: object, status: number): void;
  finishShutdown(request: object, status: number): void;
  readBuffer(bytes: Uint8Array): void;
  emitEOF(): void;
  getAsyncId(): number;
  asyncReset(resource?: object): void;
}

interface StreamModule {
  readonly JSStream: new () => NativeStreamBase;
}

/** @internal */
export const { JSStream } = nodeBinding('js_stream') as StreamModule;

function symbolOf(object: object, description: string): symbol {
  for (let at: object | null = object; at !== null; at = Object.getPrototypeOf(at) as object | null) {
    const found = Object.getOwnPropertySymbols(at).find((symbol) => symbol.description === description);
    if (found !== undefined) return found;
  }
  throw new Error(`Node's sockets have no ${description}`);
}

/** Stands in for a handle, and notes what it is asked for. */
class ProbeHandle {
  onread: OnRead | null = null;
  reading = false;
  readonly calls: string[] = [];
  readonly #words: StreamWords;

  constructor(words: StreamWords) {
    this.#words = words;
  }

  readStart(): number {
    this.calls.push('readStart');
    return 0;
  }

  readStop(): number {
    this.calls.push('readStop');
    return 0;
  }

  writeLatin1String(_request: object | null, text: string): number {
    this.calls.push(`write ${text}`);
    const { streamBaseState: state, kBytesWritten, kLastWriteWasAsync } = this.#words;
    state[kBytesWritten] = text.length;
    state[kLastWriteWasAsync] = 0;
    return 0;
  }

  close(): void {
    this.calls.push('close');
  }
}

function check(condition: boolean, what: string): void {
  if (!condition) throw new Error(`Node's sockets do not ${what} as they are known to`);
}

function look(): NodeInternals {
  const words = nodeBinding('stream_wrap') as StreamWords;
  const probe = new ProbeHandle(words);
  const socket = new net.Socket({
    handle: probe,
    manualStart: true,
  } as net.SocketConstructorOpts) as NodeSocket;
  const { onread } = probe;
  const internals = {
    ...words,
    owner: symbolOf(probe, 'owner_symbol'),
    reinitialize: symbolOf(socket, 'kReinitializeHandle'),
    updateTimer: symbolOf(socket, 'kUpdateTimer'),
    userBuffer: symbolOf(socket, 'kBuffer'),
    onRead: onread as OnRead,
  };
  check(typeof onread === 'function', 'set onread');
  check(typeof (net.Server.prototype as unknown as Listens)._listen2 === 'function', 'listen');
  tryReading(socket, probe, internals);
  tryWriting(socket, probe);
  socket.destroy();
  check(probe.calls.at(-1) === 'close', 'close');
  return internals;
}

/** The step of listening in which a server gets its handle. @internal */
export interface Listens {
  _listen2(...args: unknown[]): void;
}

function tryReading(socket: net.Socket, probe: ProbeHandle, internals: NodeInternals): void {
  socket.read(0);
  check(probe.reading && probe.calls.at(-1) === 'readStart', 'start to read');
  internals.streamBaseState[internals.kReadBytesOrError] = 2;
  internals.streamBaseState[internals.kArrayBufferOffset] = 1;
  internals.onRead.call(probe, Uint8Array.of(0, 0x6f, 0x6b).buffer);
  check(socket.readableLength === 2 && String(socket.read()) === 'ok', 'read');
}

function tryWriting(socket: net.Socket, probe: ProbeHandle): void {
  const ends: unknown[] = [];
  const note = (error?: Error | null): void => void ends.push(error ?? null);
  (socket as unknown as Writes)._write('ok', 'latin1', note);
  check(ends[0] === null && probe.calls.at(-1) === 'write ok', 'write');
}

interface Writes {
  _write(data: string, encoding: string, done: (error?: Error | null) => void): void;
}

/**
 * Looks at this Node's sockets.
 *
 * @throws Error - they are not as they are known to be, or this Node lets nobody look.
 * @internal
 */
export function findInternals(): NodeInternals {
  return (found ??= look());
}

let found: NodeInternals | null = null;
