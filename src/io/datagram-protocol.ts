// The callback interface of UDP: a protocol is told what happens on a transport.
import { invalidArgType } from '../base/errors.js';
import { validateFunction, validateInteger, validateObject } from '../base/validate.js';
import { captureContext, type ContextSnapshot } from '../core/context.js';
import { Handle, KIND_CALLBACK } from '../core/handle.js';
import type { LoopCore } from '../core/loop.js';
import type { Future } from '../task/future.js';
import type { Writable } from './bytes.js';
import type { DatagramAddress } from './datagram-address.js';
import type { DatagramEndpoint, DatagramSink } from './datagram-endpoint.js';
import type { ConnectionInfo, InternetAddress } from './endpoint.js';
import { bufferLimits, type BufferLimits } from './limits.js';
import { UdpOpening } from './udp-open.js';
import { validateDatagramOptions, type DatagramOptions } from './udp-options.js';
import { sendOn } from './udp.js';

/**
 * What a UDP socket calls, from the ready queue. What a method throws goes to the exception handler, and closes the
 * socket.
 *
 * @source CPython 3.13 asyncio/protocols.py `DatagramProtocol`
 */
export interface DatagramProtocol {
  /** The first call. */
  connectionMade?(transport: DatagramTransport): void;
  /** A datagram arrived; the Buffer is the protocol's. */
  datagramReceived?(data: Buffer, address: InternetAddress): void;
  /** A datagram was not sent, or reached nobody; the socket goes on. */
  errorReceived?(error: Error): void;
  /** More than the high water mark is unsent. */
  pauseWriting?(): void;
  /** No more than the low water mark is unsent. */
  resumeWriting?(): void;
  /** The last call; null after an orderly close. */
  connectionLost?(error: Error | null): void;
}

// One call of a protocol, waiting in the ready queue.
class ProtocolCall extends Handle {
  readonly #transport: DatagramTransport;
  readonly #call: (protocol: DatagramProtocol) => void;

  constructor(
    transport: DatagramTransport,
    context: ContextSnapshot | null,
    call: (protocol: DatagramProtocol) => void,
  ) {
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

// A datagram on its way to a protocol.
class DatagramCall extends Handle {
  readonly #transport: DatagramTransport;
  readonly #data: Buffer;
  readonly #address: InternetAddress;

  constructor(
    transport: DatagramTransport,
    context: ContextSnapshot | null,
    data: Buffer,
    address: InternetAddress,
  ) {
    super(KIND_CALLBACK, context);
    this.#transport = transport;
    this.#data = data;
    this.#address = address;
  }

  _run(): void {
    this.#transport._receive(this.#data, this.#address);
  }

  _describe(): string {
    return 'datagramReceived()';
  }
}

/**
 * Sends datagrams and controls a UDP socket; made by `createDatagramEndpoint`.
 *
 * @source CPython 3.13 asyncio/transports.py `DatagramTransport`
 */
export class DatagramTransport implements DatagramSink {
  readonly #endpoint: DatagramEndpoint;
  readonly #protocol: DatagramProtocol;
  readonly #context: ContextSnapshot | null;
  #limits: BufferLimits = bufferLimits();
  #isWritingPaused = false;
  #error: Error | null = null;

  /** @internal */
  constructor(endpoint: DatagramEndpoint, protocol: DatagramProtocol, context: ContextSnapshot | null) {
    this.#endpoint = endpoint;
    this.#protocol = protocol;
    this.#context = context;
    endpoint.sink = this;
    this.#schedule((target) => {
      target.connectionMade?.(this);
      endpoint.startReceiving();
    });
  }

  /**
   * Sends one datagram, or queues it while the system takes no more. After `close()` it does nothing.
   *
   * Suspends: never.
   *
   * @param address - A numeric address; none for the peer of a connected socket.
   * @throws As `UdpSocket.send`.
   * @source CPython 3.13 `DatagramTransport.sendto`
   */
  sendTo(data: Writable, address?: DatagramAddress | null): void {
    const endpoint = this.#endpoint;
    if (endpoint.isClosing) return;
    sendOn(endpoint, data, address);
    if (this.#isWritingPaused || endpoint.bufferedBytes <= this.#limits.high) return;
    // What is only waiting for the end of the turn is not the system's fault.
    endpoint.flush();
    if (endpoint.bufferedBytes <= this.#limits.high) return;
    this.#isWritingPaused = true;
    this.#schedule((protocol) => {
      if (endpoint.bufferedBytes > this.#limits.high) protocol.pauseWriting?.();
      else this.#isWritingPaused = false;
    });
  }

  /** Bytes sent and not yet taken by the system, with 8 for each datagram. */
  getWriteBufferSize(): number {
    return this.#endpoint.bufferedBytes;
  }

  /**
   * Sets when sending pauses (above `high`) and resumes (at or below `low`), in bytes; from the next datagram on.
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

  /** Closes after everything sent has left. Idempotent. */
  close(): void {
    this.#endpoint.close();
  }

  /** Closes at once: what is unsent is dropped. */
  abort(): void {
    this.#endpoint.abort();
  }

  /** Whether the transport is closed or about to be. */
  isClosing(): boolean {
    return this.#endpoint.isClosing;
  }

  /** Both addresses, `peer` of a connected socket; still there after it was closed. */
  get info(): ConnectionInfo {
    return { local: this.#endpoint.localAddress, peer: this.#endpoint.peerAddress };
  }

  /** Lets the socket keep the process alive, as it does from the start. */
  ref(): this {
    this.#endpoint.ref();
    return this;
  }

  /** Lets the process exit while the socket is open. */
  unref(): this {
    this.#endpoint.unref();
    return this;
  }

  /** Whether the socket keeps the process alive. */
  hasRef(): boolean {
    return this.#endpoint.hasRef();
  }

  /** Calls the protocol; an error closes the socket. @internal */
  _call(call: (protocol: DatagramProtocol) => void): void {
    try {
      call(this.#protocol);
    } catch (error) {
      this.#onMistake(error);
    }
  }

  /** {@link _call} for what happens most, without a function for each. @internal */
  _receive(data: Buffer, address: InternetAddress): void {
    if (this.#endpoint.isClosing) return;
    try {
      this.#protocol.datagramReceived?.(data, address);
    } catch (error) {
      this.#onMistake(error);
    }
  }

  #onMistake(error: unknown): void {
    this.#endpoint.loop.callExceptionHandler({
      message: 'Exception in protocol',
      exception: error,
      protocol: this.#protocol,
      transport: this,
    });
    this.#error ??= error instanceof Error ? error : new Error(String(error));
    this.#endpoint.abort();
  }

  #schedule(call: (protocol: DatagramProtocol) => void): void {
    this.#endpoint.loop._push(new ProtocolCall(this, this.#context, call));
  }

  /** @internal */
  onDatagram(data: Buffer, address: InternetAddress): void {
    this.#endpoint.loop._push(new DatagramCall(this, this.#context, data, address));
  }

  /** @internal */
  onBatch(): void {
    // Each datagram is a call of its own.
  }

  /** @internal */
  onFailure(error: Error): void {
    this.#schedule((protocol) => protocol.errorReceived?.(error));
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
  onClosed(): void {
    this.#schedule((protocol) => protocol.connectionLost?.(this.#error));
  }
}

/** See `EventLoop.createDatagramEndpoint`. @internal */
export function openDatagramEndpoint<P extends DatagramProtocol>(
  loop: LoopCore,
  factory: () => P,
  options: DatagramOptions,
): Future<[DatagramTransport, P]> {
  validateFunction('protocolFactory', factory);
  validateDatagramOptions(options);
  const context = captureContext();
  const make = (endpoint: DatagramEndpoint): [DatagramTransport, P] => {
    try {
      const protocol: unknown = context === null ? factory() : context.runInAsyncScope(factory);
      if (typeof protocol !== 'object' || protocol === null) {
        throw invalidArgType('protocolFactory', 'a function that returns an object', protocol);
      }
      return [new DatagramTransport(endpoint, protocol, context), protocol as P];
    } catch (error) {
      endpoint.sink = UNHEARD;
      endpoint.abort();
      throw error;
    }
  };
  return new UdpOpening<[DatagramTransport, P]>(loop, options, make, ([transport]) => transport.abort());
}

const nothing = (): void => undefined;
const UNHEARD: DatagramSink = {
  onDatagram: nothing,
  onBatch: nothing,
  onFailure: nothing,
  onDrain: nothing,
  onClosed: nothing,
};
