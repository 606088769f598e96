// The callback interface beneath streams: a protocol is told what happens on a transport.
import { Deque } from '../base/deque.js';
import { InvalidStateError, invalidArgType, outOfRange } from '../base/errors.js';
import { validateInstance, validateInteger, validateObject } from '../base/validate.js';
import { Handle, KIND_CALLBACK } from '../core/handle.js';
import type { ContextSnapshot } from '../core/context.js';
import type { LoopCore } from '../core/loop.js';
import { Future } from '../task/future.js';
import { awaitNatively } from '../task/native-await.js';
import { NO_BYTES, type Writable } from './bytes.js';
import type { Carrier } from './carrier.js';
import type { ConnectionOwner, EndpointSink, SocketAddress } from './endpoint.js';
import { bufferLimits, type BufferLimits } from './limits.js';
import { TlsEndpoint, type TlsInfo } from './tls-endpoint.js';
import { tlsSide, type StartTlsOptions, type TlsSide } from './tls-options.js';

/**
 * What a connection calls. All methods run from the ready queue: never inside a call of the
 * transport, and `process.nextTick` and promise jobs drain after each. What one throws goes to the
 * exception handler and closes the connection.
 *
 * @source CPython 3.13 asyncio/protocols.py `Protocol`
 */
export interface Protocol {
  /** The first call. */
  connectionMade?(transport: Transport): void;
  /** Bytes arrived; the Buffer is the protocol's. */
  dataReceived?(chunk: Buffer): void;
  /** The peer sends no more. The transport closes unless this answers true. */
  eofReceived?(): boolean | undefined;
  /** More than the high water mark is unsent. */
  pauseWriting?(): void;
  /** No more than the low water mark is unsent. */
  resumeWriting?(): void;
  /** The last call; null after an orderly close. */
  connectionLost?(error: Error | null): void;
}

/**
 * A protocol whose bytes land in its own memory, without a copy in between. As {@link Protocol}, but for the two
 * methods that take the place of `dataReceived`.
 *
 * @source CPython 3.13 asyncio/protocols.py `BufferedProtocol`
 */
export interface BufferedProtocol extends Omit<Protocol, 'dataReceived'> {
  /**
   * Gives the memory for the next bytes; at least one byte, or the connection is closed with an error.
   *
   * @param sizeHint - How many bytes there are, or -1 where that is not known.
   */
  getBuffer(sizeHint: number): Uint8Array;
  /** So many bytes were put at the beginning of what `getBuffer` gave. */
  bufferUpdated(byteCount: number): void;
}

/** Either kind of protocol. */
export type AnyProtocol = Protocol | BufferedProtocol;

function isBuffered(protocol: AnyProtocol): protocol is BufferedProtocol {
  return 'getBuffer' in protocol;
}

/** Calls a factory of protocols in the context it was given in. @internal */
export function makeProtocol<P extends AnyProtocol>(factory: () => P, context: ContextSnapshot | null): P {
  const protocol: unknown = context === null ? factory() : context.runInAsyncScope(factory);
  if (typeof protocol !== 'object' || protocol === null) {
    throw invalidArgType('protocolFactory', 'a function that returns an object', protocol);
  }
  return protocol as P;
}

// One call of a protocol, waiting in the ready queue.
class ProtocolCall extends Handle {
  readonly #transport: Transport;
  readonly #call: (protocol: AnyProtocol) => void;

  constructor(transport: Transport, context: ContextSnapshot | null, call: (protocol: AnyProtocol) => void) {
    super(KIND_CALLBACK, context);
    this.#transport = transport;
    this.#call = call;
  }

  _run(): void {
    this.#transport._call(this.#call);
  }

  _describe(): string {
    return 'protocol call';
  }
}

/**
 * Writes to a connection and controls it; made by `createConnection` and `createServer`.
 *
 * @source CPython 3.13 asyncio/transports.py `Transport`
 */
export class Transport implements EndpointSink {
  #endpoint: Carrier;
  readonly #context: ContextSnapshot | null;
  #protocol: AnyProtocol;
  #limits: BufferLimits;
  #isWritingPaused = false;
  #isReadingPaused = false;
  // What was on its way when reading was paused; no bytes stand for the end.
  #held: Deque<Buffer> | null = null;
  #isLost = false;
  readonly #owner: ConnectionOwner | null;

  /** @internal */
  constructor(
    carrier: Carrier,
    protocol: AnyProtocol,
    context: ContextSnapshot | null,
    limits: BufferLimits,
    owner: ConnectionOwner | null = null,
  ) {
    this.#limits = limits;
    this.#owner = owner;
    this.#protocol = protocol;
    this.#context = context;
    this.#endpoint = carrier;
    carrier.sink = this;
  }

  /** Tells the protocol that the connection is there. @internal */
  _begin(): void {
    this.#schedule((target) => {
      target.connectionMade?.(this);
      this.#receive();
    });
  }

  /** Who hears of this connection. */
  get protocol(): AnyProtocol {
    return this.#protocol;
  }

  /**
   * Hands the connection to another protocol; bytes that are on their way go to the new one.
   *
   * @throws TypeError `ERR_INVALID_ARG_TYPE` - `protocol` is no object.
   */
  setProtocol(protocol: AnyProtocol): void {
    validateObject('protocol', protocol);
    this.#protocol = protocol;
    this.#receive();
  }

  /**
   * Sends bytes, or queues them when the kernel's buffer is full.
   *
   * Suspends: never.
   *
   * @param data - As for `Stream.write`.
   * @throws TypeError `ERR_INVALID_ARG_TYPE`; {@link InvalidStateError} `ERR_INVALID_STATE` after `writeEof()`.
   */
  write(data: Writable): void {
    const endpoint = this.#endpoint;
    if (!endpoint.isWritable) {
      if (!endpoint.isClosing && endpoint.error === null) {
        throw new InvalidStateError('write() was called after writeEof(), or before TLS was there');
      }
      return;
    }
    endpoint.write(data);
    if (this.#isWritingPaused || endpoint.bufferedBytes <= this.#limits.high) return;
    // What is only waiting for the end of the turn is not the peer's fault.
    endpoint.flush();
    if (endpoint.bufferedBytes <= this.#limits.high) return;
    this.#isWritingPaused = true;
    this.#schedule((protocol) => {
      if (endpoint.bufferedBytes > this.#limits.high) protocol.pauseWriting?.();
      else this.#isWritingPaused = false;
    });
  }

  /** Ends this side after what was written. */
  writeEof(): void {
    this.#endpoint.shutdown();
  }

  /** Bytes written and not yet taken by the kernel. */
  getWriteBufferSize(): number {
    return this.#endpoint.bufferedBytes;
  }

  /**
   * Sets when writing pauses (above `high`) and resumes (at or below `low`), in bytes; from the next
   * write on.
   *
   * @param limits - `high`: four times `low` by default, or 65536; `low`: a quarter of `high`.
   * @throws TypeError `ERR_INVALID_ARG_TYPE`, RangeError `ERR_OUT_OF_RANGE` - a limit is wrong.
   */
  setWriteBufferLimits(limits: { high?: number; low?: number } = {}): void {
    validateObject('limits', limits);
    const { high, low } = limits;
    if (high !== undefined) validateInteger('limits.high', high, 0);
    if (low !== undefined) validateInteger('limits.low', low, 0, high);
    this.#limits = bufferLimits({
      ...(high === undefined ? {} : { highWaterMark: high }),
      ...(low === undefined ? {} : { lowWaterMark: low }),
    });
  }

  /** Stops the delivery of bytes at once; the peer is slowed down. Idempotent. */
  pauseReading(): void {
    this.#isReadingPaused = true;
    this.#endpoint.stopReceiving();
  }

  /** Undoes {@link Transport.pauseReading}. Idempotent. */
  resumeReading(): void {
    if (!this.#isReadingPaused) return;
    this.#isReadingPaused = false;
    if (this.#held !== null) this.#schedule((protocol) => this.#deliverHeld(protocol));
    this.#receive();
  }

  // In the way that suits the protocol; behind what is held.
  #receive(): void {
    if (this.#isReadingPaused || this.#held !== null) return;
    const carrier = this.#endpoint;
    if (isBuffered(this.#protocol) && carrier.awaitReadable !== undefined) carrier.awaitReadable();
    else carrier.startReceiving();
  }

  /** Puts TLS around what carries the bytes; `onHandshake` must not call user code. @internal */
  _secure(side: TlsSide, onHandshake: (error: Error | null) => void): void {
    const received = [...(this.#held ?? [])];
    this.#held = null;
    const endpoint = new TlsEndpoint(this.#endpoint, side, onHandshake);
    this.#endpoint = endpoint;
    endpoint.sink = this;
    this.#receive();
    endpoint.begin(received);
  }

  /** What the TLS handshake has settled; null without TLS. Still there after the connection was closed. */
  get tls(): TlsInfo | null {
    return this.#endpoint instanceof TlsEndpoint ? this.#endpoint.info : null;
  }

  /** Closes after everything written is sent. Idempotent. */
  close(): void {
    this.#endpoint.close();
  }

  /** Closes at once: unsent bytes are dropped, the peer sees a reset. */
  abort(): void {
    this.#endpoint.reset();
  }

  /** Whether the transport is closed or about to be. */
  isClosing(): boolean {
    return this.#endpoint.isClosing;
  }

  /** Both addresses; still there after the connection was closed. */
  get info(): { local: SocketAddress | null; peer: SocketAddress | null } {
    return { local: this.#endpoint.localAddress, peer: this.#endpoint.peerAddress };
  }

  /** Lets the connection keep the process alive, as it does from the start. */
  ref(): this {
    this.#endpoint.ref();
    return this;
  }

  /** Lets the process exit while the connection is open. */
  unref(): this {
    this.#endpoint.unref();
    return this;
  }

  /** Whether the connection keeps the process alive. */
  hasRef(): boolean {
    return this.#endpoint.hasRef();
  }

  /** Calls the protocol; an error closes the connection. @internal */
  _call(call: (protocol: AnyProtocol) => void): void {
    try {
      call(this.#protocol);
    } catch (error) {
      this.#endpoint.loop.callExceptionHandler({
        message: 'Exception in protocol',
        exception: error,
        protocol: this.#protocol,
        transport: this,
      });
      this.#endpoint.error ??= error instanceof Error ? error : new Error(String(error));
      this.#endpoint.reset();
    }
  }

  #schedule(call: (protocol: AnyProtocol) => void): void {
    this.#endpoint.loop._push(new ProtocolCall(this, this.#context, call));
  }

  /** @internal */
  onData(chunk: Buffer): void {
    const endpoint = this.#endpoint;
    this.#schedule((protocol) => {
      // Whoever asked for TLS meanwhile did not mean these bytes to be read as they are.
      if (this.#endpoint === endpoint) this.#deliver(protocol, chunk);
      else (this.#endpoint as TlsEndpoint).receive(chunk);
    });
  }

  /** @internal */
  onEnd(): void {
    this.#schedule((protocol) => this.#deliver(protocol, NO_BYTES));
  }

  // A close or a pause in an earlier call of this batch ends the delivery.
  #deliver(protocol: AnyProtocol, chunk: Buffer): void {
    if (this.#endpoint.isClosing) return;
    if (this.#isReadingPaused || this.#held !== null) {
      (this.#held ??= new Deque<Buffer>()).push(chunk);
    } else {
      this.#hand(protocol, chunk);
    }
  }

  #hand(protocol: AnyProtocol, chunk: Buffer): void {
    if (chunk.length === 0) this.#handEnd(protocol);
    else if (isBuffered(protocol)) this.#copyInto(protocol, chunk);
    else protocol.dataReceived?.(chunk);
  }

  #handEnd(protocol: AnyProtocol): void {
    if (protocol.eofReceived?.() !== true) this.#endpoint.close();
  }

  // What came before the protocol had a say in where.
  #copyInto(protocol: BufferedProtocol, chunk: Buffer): void {
    const into = bufferOf(protocol, chunk.length);
    const size = Math.min(into.length, chunk.length);
    into.set(chunk.subarray(0, size));
    protocol.bufferUpdated(size);
    if (size === chunk.length || this.#endpoint.isClosing) return;
    const rest = chunk.subarray(size);
    if (this.#isReadingPaused) (this.#held ??= new Deque<Buffer>()).unshift(rest);
    else this.#hand(this.#protocol, rest);
  }

  /** @internal */
  onReadable(): void {
    this.#schedule((protocol) => this.#receiveInto(protocol));
  }

  #receiveInto(protocol: AnyProtocol): void {
    if (this.#isReadingPaused || this.#held !== null || !isBuffered(protocol)) return;
    const size = this.#endpoint.receiveInto!(bufferOf(protocol, -1));
    if (size > 0) protocol.bufferUpdated(size);
    if (size === 0) this.#handEnd(protocol);
    this.#receive();
  }

  // One chunk for each call, so that promise jobs drain in between.
  #deliverHeld(protocol: AnyProtocol): void {
    const held = this.#held;
    if (held === null || this.#isReadingPaused || this.#endpoint.isClosing) return;
    const chunk = held.shift()!;
    if (held.size === 0) this.#held = null;
    else this.#schedule((next) => this.#deliverHeld(next));
    this.#hand(protocol, chunk);
    this.#receive();
  }

  /** @internal */
  onDrain(): void {
    if (!this.#isWritingPaused || this.#endpoint.bufferedBytes > this.#limits.low) return;
    this.#schedule((protocol) => {
      if (!this.#isWritingPaused) return;
      this.#isWritingPaused = false;
      protocol.resumeWriting?.();
    });
  }

  /** @internal */
  onError(_error: Error): void {
    // connectionLost follows with the error.
  }

  /** @internal */
  onClosed(): void {
    this.#owner?._onConnectionClosed(this);
    this.#schedule((protocol) => {
      if (this.#isLost) return;
      this.#isLost = true;
      protocol.connectionLost?.(this.#endpoint.error);
    });
  }
}

/** See `EventLoop.startTls`. @internal */
export function startTransportTls(
  loop: LoopCore,
  transport: Transport,
  protocol: AnyProtocol,
  options: StartTlsOptions,
): Future<Transport> {
  validateInstance('transport', transport, Transport);
  validateObject('protocol', protocol);
  const side = tlsSide(options, transport.info.peer?.address ?? '');
  if (transport.isClosing()) throw new InvalidStateError('startTls() was called after close()');
  const secured = new Securing(loop, transport);
  transport.setProtocol(protocol);
  transport._secure(side, (error) => {
    if (secured.done()) return;
    if (error === null) secured.setResult(transport);
    else secured.setException(error);
  });
  return secured;
}

/** A handshake; cancelling it resets the connection. */
class Securing extends Future<Transport> {
  declare readonly _transport: Transport;

  static {
    awaitNatively(this.prototype);
  }

  constructor(loop: LoopCore, transport: Transport) {
    super(loop);
    this._transport = transport;
  }

  override cancel(reason?: unknown): boolean {
    if (!super.cancel(reason)) return false;
    this._transport.abort();
    return true;
  }
}

function bufferOf(protocol: BufferedProtocol, sizeHint: number): Uint8Array {
  const buffer: unknown = protocol.getBuffer(sizeHint);
  if (!(buffer instanceof Uint8Array)) throw invalidArgType('getBuffer()', 'a Uint8Array', buffer);
  if (buffer.length === 0) throw outOfRange('getBuffer()', 'one byte or more', buffer);
  return buffer;
}
