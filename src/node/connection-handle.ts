// A handle under Node's own net.Socket: what libuv's streams are to it otherwise. It reads and writes through an
// endpoint of the loop, and answers in the way of Node's stream handles.
import { constants } from 'node:os';
import { captureContext, type ContextSnapshot } from '../core/context.js';
import type { LoopCore } from '../core/loop.js';
import type { SlotRef } from '../native/binding.js';
import { Attempt, type ConnectPlan } from '../io/attempt.js';
import { Endpoint, type EndpointSink } from '../io/endpoint.js';
import { FaceCall, FaceEvent } from './face-loop.js';
import { findInternals, UV_EOF, type NodeSocket } from './internals.js';
import { NativeStream } from './native-stream.js';

const { EBADF, ECANCELED, EINVAL, ENOTCONN, EPIPE } = constants.errno;

/** A request object of Node: it hears how something ended. @internal */
export interface NodeRequest {
  oncomplete(status: number, handle: object, request: object, readable: boolean, writable: boolean): void;
}

/** A write that goes on: Node fills in who hears of its end. */
class WriteRequest {
  writeStatus = null;
  declare oncomplete: NodeRequest['oncomplete'];
}

/** Bytes, or why there are no more. */
type Arrival = Buffer | number;

class Arrived extends FaceEvent {
  readonly #handle: ConnectionHandle;
  readonly #arrival: Arrival;

  constructor(context: ContextSnapshot | null, handle: ConnectionHandle, arrival: Arrival) {
    super(context);
    this.#handle = handle;
    this.#arrival = arrival;
  }

  protected _deliver(): void {
    this.#handle._onArrival(this.#arrival);
  }
}

const internals = findInternals();
const { streamBaseState: state, kReadBytesOrError, kArrayBufferOffset } = internals;
const { kBytesWritten, kLastWriteWasAsync, kLastWriteErr } = internals;

// Whatever a text of so many units becomes, it is copied.
const SMALL_WRITE_UNITS = 4096;

/** How many sockets were on this loop, by where they came from. @internal */
export const socketCounts = { accepted: 0, connected: 0 };

/**
 * One connection, or what will become one.
 *
 * @source Node `StreamBase`, `LibuvStreamWrap`, `HandleWrap`
 * @internal
 */
export class ConnectionHandle extends NativeStream implements EndpointSink {
  // Set by Node's sockets.
  reading = false;
  bytesRead = 0;
  bytesWritten = 0;
  [key: symbol]: unknown;

  protected readonly _loop: LoopCore;
  protected _endpoint: Endpoint | null = null;
  #attempt: Attempt | null = null;
  #isReceiving = false;
  #isReferenced = true;
  #isClosed = false;
  // What arrived after reading was stopped.
  #held: Arrival[] = [];
  #heir: NodeSocket | null = null;
  #userBuffer: Uint8Array | null = null;
  // Writes that the kernel has not taken whole.
  #writes: { request: NodeRequest; context: ContextSnapshot | null }[] = [];

  constructor(type: string, loop: LoopCore, slot: SlotRef | null) {
    super(type);
    this._loop = loop;
    if (slot !== null) this.#open(slot);
  }

  #open(slot: SlotRef): void {
    const endpoint = new Endpoint(this._loop, slot);
    endpoint.sink = this;
    this._endpoint = endpoint;
    this.#updateReference();
  }

  get #owner(): NodeSocket | undefined {
    return this[internals.owner] as NodeSocket | undefined;
  }

  /** The descriptor; -1 while there is none. */
  get fd(): number {
    const endpoint = this._endpoint;
    if (endpoint === null || this.#isClosed) return -1;
    const descriptor = this._loop._native.descriptor(endpoint.index, endpoint.generation);
    return descriptor < 0 ? -1 : descriptor;
  }

  // Connecting

  protected _connect(request: NodeRequest, address: string, plan: ConnectPlan): number {
    const context = captureContext();
    try {
      this.#attempt = new Attempt(this._loop, address, plan, (error, slot) => {
        this.#attempt = null;
        if (error === null) {
          socketCounts.connected++;
          this.#open(slot);
        }
        this._endRequest(request, statusOf(error), context);
      });
    } catch (error) {
      return statusOf(error as Error);
    }
    return 0;
  }

  protected _endRequest(request: NodeRequest, status: number, context: ContextSnapshot | null): void {
    this._loop._push(new FaceCall(context, () => request.oncomplete(status, this, request, true, true)));
  }

  protected get _slot(): SlotRef | null {
    return this._endpoint ?? this.#attempt?.slot ?? null;
  }

  // Reading

  readStart(): number {
    const endpoint = this._endpoint;
    if (endpoint === null || this.#isClosed) return this.#isClosed ? -EBADF : -ENOTCONN;
    this.#isReceiving = true;
    if (this.#held.length > 0) this.#scheduleHeld();
    else this.#receive(endpoint);
    this.#updateReference();
    return 0;
  }

  readStop(): number {
    this.#isReceiving = false;
    this._endpoint?.stopReceiving();
    this.#updateReference();
    return 0;
  }

  #receive(endpoint: Endpoint): void {
    if (this.#userBuffer === null) endpoint.startReceiving();
    else endpoint.awaitReadable();
  }

  /** Bytes go into `buffer` from now on. */
  useUserBuffer(buffer: Uint8Array): void {
    this.#userBuffer = buffer;
  }

  onData(chunk: Buffer): void {
    this._loop._push(new Arrived(this.context, this, chunk));
  }

  onEnd(): void {
    this._loop._push(new Arrived(this.context, this, UV_EOF));
  }

  /** Whatever has arrived and was not read is the socket's, who gets another handle. @internal */
  _bequeath(socket: NodeSocket): void {
    this._loop._flush();
    this.#heir = socket;
    for (const arrival of this.#held.splice(0)) this._onArrival(arrival);
  }

  /** @internal */
  _onArrival(arrival: Arrival): void {
    if (this.#heir !== null) return void this.#heir.push(typeof arrival === 'number' ? null : arrival);
    if (this.#isClosed) return;
    if (this.#isReceiving && this.#held.length === 0) this.#hand(arrival);
    else this.#held.push(arrival);
  }

  #scheduleHeld(): void {
    this._loop._push(new FaceCall(this.context, () => this.#deliverHeld()));
  }

  // One for each event, so that promise jobs run in between.
  #deliverHeld(): void {
    if (this.#isClosed || !this.#isReceiving) return;
    const arrival = this.#held.shift();
    if (this.#held.length > 0) this.#scheduleHeld();
    if (arrival !== undefined) this.#hand(arrival);
    this.#receiveOn();
  }

  #hand(arrival: Arrival): void {
    if (typeof arrival === 'number') return this.#handEnd(arrival);
    this.bytesRead += arrival.length;
    if (this._isConsumed) return this.readBuffer(arrival);
    const socket = this.#owner;
    if (this._onRead === internals.onRead && socket !== undefined && socket[internals.userBuffer] === null) {
      this.#push(socket, arrival);
      return;
    }
    state[kReadBytesOrError] = arrival.length;
    state[kArrayBufferOffset] = arrival.byteOffset;
    this._onRead?.(arrival.buffer);
  }

  #handEnd(status: number): void {
    this.#isReceiving = false;
    this.#updateReference();
    // Native code cannot be told of an error, the socket that it reads from can.
    const isUnheard = status === UV_EOF || this.#owner?.listenerCount('error') === 0;
    if (this._isConsumed && isUnheard) return this.emitEOF();
    state[kReadBytesOrError] = status;
    this._onRead?.(undefined);
  }

  // What onread() does for most sockets, without making another Buffer of the same bytes.
  #push(socket: NodeSocket, chunk: Buffer): void {
    (socket[internals.updateTimer] as () => void).call(socket);
    if (socket.destroyed) return;
    if (isFlowing(socket)) {
      // What push() does then, but for looking whether to read more: reading goes on anyway.
      const state = socket._readableState;
      state.awaitDrainWriters = null;
      state.dataEmitted = true;
      socket.emit('data', chunk);
    } else if (!socket.push(chunk)) {
      this.reading = false;
      this.readStop();
    }
  }

  onReadable(): void {
    this._loop._push(new FaceCall(this.context, () => this.#onReadable()));
  }

  #onReadable(): void {
    const endpoint = this._endpoint;
    if (this.#isClosed || !this.#isReceiving || endpoint === null) return;
    const buffer = this.#userBuffer!;
    const size = endpoint.receiveInto(buffer);
    if (size === 0) return this._onArrival(UV_EOF);
    if (size > 0) {
      this.bytesRead += size;
      state[kReadBytesOrError] = size;
      const next = this._onRead?.(undefined);
      if (next !== undefined) this.#userBuffer = next;
    }
    this.#receiveOn();
  }

  #receiveOn(): void {
    const endpoint = this._endpoint;
    if (this.#isReceiving && this.#held.length === 0 && endpoint !== null) this.#receive(endpoint);
  }

  // Writing

  /**
   * Takes a write that is through at once, so that it needs no request; false when it may have to wait.
   *
   * @internal
   */
  _writeNow(data: string | Uint8Array, encoding: string): boolean {
    const endpoint = this._endpoint;
    if (endpoint === null || this.#isClosed || endpoint.error !== null || endpoint.isBacklogged) return false;
    if (data.length > SMALL_WRITE_UNITS) return false;
    if (typeof data !== 'string') this.bytesWritten += endpoint.write(data);
    else if (encoding === 'latin1') this.bytesWritten += endpoint.writeLatin1(data);
    else if (encoding === 'utf8') this.bytesWritten += endpoint.write(data);
    else return false;
    return true;
  }

  writeBuffer(request: NodeRequest | null, bytes: Uint8Array): number | NodeRequest {
    if (typeof bytes === 'string') {
      throw Object.assign(new TypeError('Second argument must be a buffer'), {
        code: 'ERR_INVALID_ARG_TYPE',
      });
    }
    return this.#write(request, (endpoint) => endpoint.write(bytes));
  }

  writeUtf8String(request: NodeRequest | null, text: string): number | NodeRequest {
    return this.#write(request, (endpoint) => endpoint.write(text));
  }

  writeLatin1String(request: NodeRequest | null, text: string): number | NodeRequest {
    return this.#write(request, (endpoint) => endpoint.writeLatin1(text));
  }

  writeAsciiString(request: NodeRequest | null, text: string): number | NodeRequest {
    return this.writeLatin1String(request, text);
  }

  writeUcs2String(request: NodeRequest | null, text: string): number | NodeRequest {
    return this.writeBuffer(request, Buffer.from(text, 'utf16le'));
  }

  writev(
    request: NodeRequest | null,
    chunks: readonly (string | Uint8Array)[],
    areBuffers: boolean,
  ): number | NodeRequest {
    return this.#write(request, (endpoint) => {
      let size = 0;
      const step = areBuffers ? 1 : 2;
      for (let at = 0; at < chunks.length; at += step) {
        const chunk = chunks[at]!;
        size +=
          typeof chunk === 'string'
            ? writeText(endpoint, chunk, chunks[at + 1] as string)
            : endpoint.write(chunk);
      }
      return size;
    });
  }

  #write(request: NodeRequest | null, write: (endpoint: Endpoint) => number): number | NodeRequest {
    const endpoint = this._endpoint;
    state[kLastWriteWasAsync] = 0;
    state[kBytesWritten] = 0;
    if (endpoint === null || this.#isClosed) return -EBADF;
    if (endpoint.error !== null) return statusOf(endpoint.error);
    const size = write(endpoint);
    this.bytesWritten += size;
    state[kBytesWritten] = size;
    if (!endpoint.isBacklogged) return 0;
    state[kLastWriteWasAsync] = 1;
    if (kLastWriteErr !== undefined) state[kLastWriteErr] = 0;
    const pending = request ?? new WriteRequest();
    this.#writes.push({ request: pending, context: captureContext() });
    this.#updateReference();
    return request === null ? pending : 0;
  }

  /** Bytes that a write waits with. */
  get writeQueueSize(): number {
    return this.#writes.length === 0 ? 0 : (this._endpoint?.bufferedBytes ?? 0);
  }

  onDrain(): void {
    if (this._endpoint?.isBacklogged === false) this.#endWrites(0);
    this.#updateReference();
  }

  #endWrites(status: number): void {
    for (const { request, context } of this.#writes.splice(0)) {
      this._endRequest(request, status, context);
    }
  }

  shutdown(request: NodeRequest): number {
    const endpoint = this._endpoint;
    if (endpoint === null || endpoint.isClosing) return -ENOTCONN;
    endpoint.shutdown();
    this._endRequest(request, 0, captureContext());
    return 0;
  }

  // For native code

  isClosing(): boolean {
    return this.#isClosed;
  }

  onreadstart(): number {
    this._isConsumed = true;
    return this.readStart();
  }

  onreadstop(): number {
    return this.readStop();
  }

  onwrite(request: object, chunks: readonly Uint8Array[]): number {
    const end: NodeRequest = { oncomplete: (status) => this.finishWrite(request, status) };
    const status = this.writev(end, chunks, true) as number;
    // Native code expects the end of a write later, not within the call.
    if (status === 0 && state[kLastWriteWasAsync] === 0) this._endRequest(end, 0, this.context);
    return status;
  }

  onshutdown(request: object): number {
    return this.shutdown({ oncomplete: (status) => this.finishShutdown(request, status) });
  }

  // Ending

  onError(error: Error): void {
    const status = statusOf(error);
    // Whoever reads hears of it before those whose writes wait, as with libuv.
    if (this.#writes.length === 0 || (this.#isReceiving && status !== -EPIPE)) {
      this._loop._push(new Arrived(this.context, this, status));
    }
    this.#endWrites(status);
  }

  onClosed(): void {
    this.#endWrites(-ECANCELED);
  }

  close(callback?: () => void): void {
    this.#end(callback, (endpoint) => {
      // A write that waits is given up with its handle, one that Node takes for done is not.
      if (this.#writes.length > 0) endpoint.abandon();
      else endpoint.close();
    });
  }

  #end(callback: (() => void) | undefined, end: (endpoint: Endpoint) => void): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#held = [];
    this.#abandonAttempt();
    if (this._endpoint !== null) {
      end(this._endpoint);
      this.#updateReference();
      this.#endWrites(-ECANCELED);
    }
    if (typeof callback === 'function') {
      this._loop._push(new FaceCall(this.context, () => callback.call(this)));
    }
  }

  #abandonAttempt(): void {
    if (this.#attempt === null) return;
    this.#attempt.close();
    this.#attempt = null;
  }

  protected _reset(callback?: () => void): void {
    this.#end(callback, (endpoint) => endpoint.reset());
  }

  // Keeping the process alive

  ref(): void {
    this.#setReferenced(true);
  }

  unref(): void {
    this.#setReferenced(false);
  }

  hasRef(): boolean {
    return this.#isReferenced && !this.#isClosed;
  }

  #setReferenced(on: boolean): void {
    this.#isReferenced = on;
    this.#updateReference();
  }

  // A handle of libuv keeps the process alive only while it reads, or while something it was asked for goes on.
  #updateReference(): void {
    const endpoint = this._endpoint;
    if (endpoint === null) return;
    const isReading = this.#isReceiving && this.#isReferenced;
    if (isReading || this.#writes.length > 0 || endpoint.isBacklogged || this.#isClosed) endpoint.ref();
    else endpoint.unref();
  }
}

// Whether push() would hand bytes straight on.
function isFlowing(socket: NodeSocket): boolean {
  return (
    socket.readableFlowing === true &&
    socket.readableLength === 0 &&
    socket.readableEncoding === null &&
    !socket._readableState.multiAwaitDrain &&
    socket.listenerCount('data') > 0
  );
}

function writeText(endpoint: Endpoint, text: string, encoding: string): number {
  if (encoding === 'utf8' || encoding === 'utf-8') return endpoint.write(text);
  if (encoding === 'latin1' || encoding === 'binary') return endpoint.writeLatin1(text);
  return endpoint.write(Buffer.from(text, encoding as BufferEncoding));
}

function statusOf(error: Error | null): number {
  return error === null ? 0 : ((error as NodeJS.ErrnoException).errno ?? -EINVAL);
}
