// UDP for tasks.
import { inspect } from 'node:util';
import { networkInterfaces } from 'node:os';
import { isIP } from 'node:net';
import { InvalidStateError, connectionLost, invalidArgType, outOfRange } from '../base/errors.js';
import { Deque } from '../base/deque.js';
import { validateBoolean, validateFunction, validateInteger, validateString } from '../base/validate.js';
import { captureContext, type ContextSnapshot } from '../core/context.js';
import { CallbackHandle } from '../core/handle.js';
import {
  DATAGRAM_OPTION_BROADCAST,
  DATAGRAM_OPTION_MULTICAST_INTERFACE,
  DATAGRAM_OPTION_MULTICAST_LOOPBACK,
  DATAGRAM_OPTION_MULTICAST_TTL,
  DATAGRAM_OPTION_TTL,
} from '../native/binding.js';
import type { Awaitable } from '../task/awaitable.js';
import { requireRunningLoop } from '../task/current.js';
import { Future } from '../task/future.js';
import { sleepOn } from '../task/sleep.js';
import { ready } from '../task/step-future.js';
import { toBytes, type Writable } from './bytes.js';
import { KnownAddress, type DatagramAddress } from './datagram-address.js';
import type { DatagramEndpoint, DatagramSink } from './datagram-endpoint.js';
import type { ConnectionInfo } from './endpoint.js';
import { bufferLimits, type BufferLimits } from './limits.js';
import { UdpOpening } from './udp-open.js';
import {
  ManyReception,
  OneReception,
  StepReception,
  closedError,
  type Datagram,
  type DatagramSource,
  type Reception,
  type Step,
} from './udp-reception.js';
import { validateUdpOptions, type UdpOptions } from './udp-options.js';
import { Once, Waiters } from './waiters.js';

export type { Datagram } from './udp-reception.js';

/** What became of the datagrams of a socket. */
export interface UdpStatistics {
  /** Datagrams that arrived. */
  readonly received: number;
  /** Datagrams that wait to be received. */
  readonly queued: number;
  /** Datagrams that were dropped because the queue was full. */
  readonly dropped: number;
  /** Errors, whether somebody heard of them or not. */
  readonly errors: number;
}

const DEFAULT_QUEUE = 1024;
// A sender that never has to wait still lets others run once in so many drains.
const DRAINS_PER_YIELD = 128;

/**
 * A UDP socket.
 *
 * One task may receive and others send at the same time; two may not receive at once. Errors of datagrams that were
 * sent end nothing, see {@link UdpSocket.onError}.
 *
 * @example
 * ```ts
 * async function echo(socket: UdpSocket) {
 *   for await (const { data, address } of socket) {
 *     socket.send(data, address);
 *     await socket.drain();
 *   }
 * }
 * ```
 * @source CPython 3.13 asyncio `DatagramTransport`, Node `dgram.Socket`. Differs: what arrived waits in a queue.
 */
export class UdpSocket implements DatagramSink, DatagramSource, AsyncIterable<Datagram> {
  readonly #endpoint: DatagramEndpoint;
  readonly #limits: BufferLimits;
  readonly #capacity: number;
  readonly #queue = new Deque<Datagram>();
  #reception: Reception<unknown> | null = null;
  #drainers: Waiters | null = null;
  #drainCount = 0;
  #closed: Once | null = null;
  #onError: ((error: Error) => unknown) | null = null;
  #onErrorContext: ContextSnapshot | null = null;
  #receivedCount = 0;
  #droppedCount = 0;
  #errorCount = 0;

  /** @internal */
  constructor(endpoint: DatagramEndpoint, options: UdpOptions) {
    this.#endpoint = endpoint;
    this.#limits = bufferLimits(options);
    this.#capacity = options.receiveQueue ?? DEFAULT_QUEUE;
    endpoint.sink = this;
    endpoint.startReceiving();
  }

  // Sending

  /**
   * Sends one datagram at the end of the turn, together with others; or later, while the system takes no more.
   * Whatever is wrong with it then is told to {@link UdpSocket.onError}.
   *
   * Suspends: never.
   *
   * @param data - Strings are sent as UTF-8. Nothing is a datagram too.
   * @param address - A numeric address; none for the peer of a connected socket.
   * @returns False when more than the high water mark is unsent: wait with {@link UdpSocket.drain}.
   * @throws TypeError `ERR_INVALID_ARG_TYPE`, RangeError `ERR_OUT_OF_RANGE` - an argument is wrong.
   * @throws {@link InvalidStateError} `ERR_INVALID_STATE` - the socket is connected to another address, or to none and
   *   there is no `address`.
   * @throws {@link ClosedResourceError} `ERR_CLOSED_RESOURCE` - the socket is closed.
   * @source CPython 3.13 `DatagramTransport.sendto`
   */
  send(data: Writable, address?: DatagramAddress): boolean {
    sendOn(this.#endpoint, data, address);
    return this.#endpoint.bufferedBytes <= this.#limits.high;
  }

  /**
   * Waits until few enough bytes are unsent to send on.
   *
   * Suspends: while more than the high water mark is unsent, until it is at most the low one; and now and then without
   * need, so that one busy sender does not keep the loop. A cancel point then.
   *
   * @throws SystemError (rejects) `ECONNRESET` - the socket was closed.
   */
  drain(): Awaitable<void> {
    const endpoint = this.#endpoint;
    const { loop } = endpoint;
    if (endpoint.isClosing) {
      const future = new Future<void>(loop);
      future.setException(connectionLost('send'));
      return future;
    }
    // What is only waiting for the end of the turn is not the system's fault.
    if (endpoint.bufferedBytes > this.#limits.high) endpoint.flush();
    if (endpoint.bufferedBytes > this.#limits.high) return (this.#drainers ??= new Waiters(loop)).add();
    if (++this.#drainCount % DRAINS_PER_YIELD === 0) return sleepOn(loop, 0, undefined);
    return ready(loop, undefined);
  }

  /** Bytes sent and not yet taken by the system, with 8 for each datagram. */
  get writeBufferSize(): number {
    return this.#endpoint.bufferedBytes;
  }

  // Receiving

  /**
   * Receives one datagram.
   *
   * Suspends: while there is none. A cancel point then; no datagram is lost by cancelling.
   *
   * @throws {@link InvalidStateError} `ERR_INVALID_STATE` - somebody else waits for datagrams already.
   * @throws {@link ClosedResourceError} (rejects) `ERR_CLOSED_RESOURCE` - the socket is or was closed.
   */
  receive(): Awaitable<Datagram> {
    this.#refuseSecond('receive');
    const first = this.#queue.shift();
    const { loop } = this.#endpoint;
    return first === undefined ? this.#wait(new OneReception(loop, this, 0)) : ready(loop, first);
  }

  /**
   * Receives all datagrams that are there, at most `limit`.
   *
   * Suspends: while there is none. A cancel point then; no datagram is lost by cancelling.
   *
   * @param limit - 1 or more.
   * @returns At least one.
   * @throws RangeError `ERR_OUT_OF_RANGE`, TypeError `ERR_INVALID_ARG_TYPE` - `limit` is no such number.
   * @throws As {@link UdpSocket.receive}.
   */
  recvMany(limit: number): Awaitable<Datagram[]> {
    validateInteger('limit', limit, 1);
    this.#refuseSecond('recvMany');
    const { loop } = this.#endpoint;
    return this.#queue.size === 0
      ? this.#wait(new ManyReception(loop, this, limit))
      : ready(loop, this.#take(limit));
  }

  #refuseSecond(method: string): void {
    if (this.#reception === null || this.#reception.done()) return;
    throw new InvalidStateError(`${method}() was called while another task waits for datagrams`);
  }

  #wait<R extends Reception<unknown>>(reception: R): R {
    if (this.#endpoint.isClosing) reception._end();
    else this.#reception = reception;
    return reception;
  }

  #take(limit: number): Datagram[] {
    const taken: Datagram[] = [];
    while (taken.length < limit && this.#queue.size > 0) taken.push(this.#queue.shift()!);
    return taken;
  }

  /** Puts back what nobody got to see. @internal */
  _giveBack(datagrams: readonly Datagram[]): void {
    if (this.#endpoint.isClosing) return;
    for (let i = datagrams.length - 1; i >= 0; i--) this.#queue.unshift(datagrams[i]!);
  }

  /** Datagrams until the socket is closed; leaving the loop early does not close it. */
  [Symbol.asyncIterator](): AsyncIterator<Datagram, void, undefined> {
    return { next: () => this.#step() };
  }

  // An async generator would make three promises for each datagram that is there, and wait for them.
  #step(): Promise<Step> {
    this.#refuseSecond('next');
    const value = this.#queue.shift();
    if (value !== undefined) return Promise.resolve({ done: false, value });
    return this.#wait(new StepReception(this.#endpoint.loop, this, 0)) as unknown as Promise<Step>;
  }

  /**
   * Hears of errors: a datagram that was too large (`EMSGSIZE`), or that nobody receives (`ECONNREFUSED`, of connected
   * sockets only). The socket goes on. Null, as at first: they are only counted.
   *
   * Suspends: never.
   *
   * @throws TypeError `ERR_INVALID_ARG_TYPE` - neither a function nor null.
   * @source CPython 3.13 `DatagramProtocol.error_received`
   */
  get onError(): ((error: Error) => unknown) | null {
    return this.#onError;
  }

  set onError(listener: ((error: Error) => unknown) | null) {
    if (listener !== null) validateFunction('onError', listener);
    this.#onError = listener;
    this.#onErrorContext = captureContext();
  }

  /** What became of its datagrams so far. */
  statistics(): UdpStatistics {
    return {
      received: this.#receivedCount,
      queued: this.#queue.size,
      dropped: this.#droppedCount,
      errors: this.#errorCount,
    };
  }

  // Groups and options

  /**
   * Joins a multicast group.
   *
   * Suspends: never.
   *
   * @param group - Its numeric address.
   * @param interfaceName - The interface to receive it on: its name, number, or one of its addresses. By default the
   *   system chooses.
   * @throws TypeError `ERR_INVALID_ARG_TYPE`, RangeError `ERR_OUT_OF_RANGE` - an argument is wrong.
   * @throws {@link SystemError} `EADDRINUSE` - it is a member already; `EINVAL` - no such group ...
   * @source Node `socket.addMembership`
   */
  addMembership(group: string, interfaceName?: string | number): void {
    this.#changeMembership(group, interfaceName, true);
  }

  /**
   * Leaves a multicast group; as {@link UdpSocket.addMembership}.
   *
   * Suspends: never.
   *
   * @throws As {@link UdpSocket.addMembership}; {@link SystemError} `EADDRNOTAVAIL` - it is no member.
   */
  dropMembership(group: string, interfaceName?: string | number): void {
    this.#changeMembership(group, interfaceName, false);
  }

  #changeMembership(group: string, interfaceName: string | number | undefined, joins: boolean): void {
    validateString('group', group);
    const known = KnownAddress.parse(group, 0);
    if (known === null) throw outOfRange('group', 'a numeric address', group);
    const number = interfaceName === undefined ? 0 : interfaceNumber(interfaceName);
    this.#endpoint.setMembership(KnownAddress.bytesOf(known), number, joins);
  }

  /**
   * Sets how many routers a datagram may pass.
   *
   * @param hops - 1 ... 255.
   * @throws TypeError `ERR_INVALID_ARG_TYPE`, RangeError `ERR_OUT_OF_RANGE`
   * @throws SystemError - the system refuses, as when the socket is closed (`EBADF`).
   */
  setTtl(hops: number): this {
    validateInteger('hops', hops, 1, 255);
    this.#endpoint.setOption(DATAGRAM_OPTION_TTL, hops);
    return this;
  }

  /**
   * As {@link UdpSocket.setTtl}, for datagrams to groups.
   *
   * @param hops - 0 ... 255; 0 keeps them on this machine.
   * @throws As {@link UdpSocket.setTtl}.
   */
  setMulticastTtl(hops: number): this {
    validateInteger('hops', hops, 0, 255);
    this.#endpoint.setOption(DATAGRAM_OPTION_MULTICAST_TTL, hops);
    return this;
  }

  /**
   * Sets whether sockets of this machine receive what this one sends to groups, as they do from the start.
   *
   * @throws TypeError `ERR_INVALID_ARG_TYPE` - `on` is no boolean.
   * @throws SystemError - the system refuses, as when the socket is closed (`EBADF`).
   */
  setMulticastLoopback(on: boolean): this {
    validateBoolean('on', on);
    this.#endpoint.setOption(DATAGRAM_OPTION_MULTICAST_LOOPBACK, Number(on));
    return this;
  }

  /**
   * Sets the interface through which datagrams to groups leave.
   *
   * @param interfaceName - As of {@link UdpSocket.addMembership}.
   * @throws TypeError `ERR_INVALID_ARG_TYPE`, RangeError `ERR_OUT_OF_RANGE`
   * @throws SystemError - the system refuses, as when the socket is closed (`EBADF`).
   */
  setMulticastInterface(interfaceName: string | number): this {
    this.#endpoint.setOption(DATAGRAM_OPTION_MULTICAST_INTERFACE, interfaceNumber(interfaceName));
    return this;
  }

  /**
   * Allows to send to broadcast addresses, or forbids it.
   *
   * @throws TypeError `ERR_INVALID_ARG_TYPE` - `on` is no boolean.
   * @throws SystemError - the system refuses, as when the socket is closed (`EBADF`).
   */
  setBroadcast(on: boolean): this {
    validateBoolean('on', on);
    this.#endpoint.setOption(DATAGRAM_OPTION_BROADCAST, Number(on));
    return this;
  }

  // Closing

  /**
   * Closes after everything sent has left; what nobody has received is dropped. Idempotent.
   *
   * Suspends: never; what it returns does.
   *
   * @returns What {@link UdpSocket.closed} gives.
   */
  close(): Awaitable<void> {
    this.#endpoint.close();
    this.#end();
    return this.closed;
  }

  /** Closes at once: what is unsent is dropped. Idempotent. */
  abort(): void {
    this.#endpoint.abort();
    this.#end();
  }

  #end(): void {
    this.#queue.clear();
    const reception = this.#reception;
    this.#reception = null;
    if (reception !== null && !reception.done()) reception._end();
    this.#drainers?.fail(connectionLost('send'));
    this.#drainers = null;
  }

  /**
   * Fulfilled once the socket is closed, no matter why.
   *
   * Suspends: while it is open. A cancel point then.
   */
  get closed(): Awaitable<void> {
    if (this.#closed === null) {
      this.#closed = new Once(this.#endpoint.loop);
      if (this.#endpoint.isClosed) this.#closed.happen();
    }
    return this.#closed;
  }

  /** Whether the socket is closed or about to be. */
  isClosing(): boolean {
    return this.#endpoint.isClosing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
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

  [inspect.custom](): string {
    const { local } = this.info;
    const where = local === null ? 'unbound' : `${String(local.address)}:${String(local.port)}`;
    const state = this.#endpoint.isClosed ? 'closed' : this.isClosing() ? 'closing' : 'open';
    return `<UdpSocket ${where} ${state} queued=${String(this.#queue.size)} unsent=${String(this.writeBufferSize)}>`;
  }

  // What the endpoint tells

  /** @internal */
  onDatagram(data: Buffer, address: KnownAddress): void {
    this.#receivedCount++;
    const reception = this.#reception;
    if (reception !== null && reception._limit === 0 && !reception.done()) {
      this.#reception = null;
      reception._give([{ data, address }]);
    } else if (this.#queue.size < this.#capacity) {
      this.#queue.push({ data, address });
    } else {
      this.#droppedCount++;
    }
  }

  /** @internal */
  onBatch(): void {
    const reception = this.#reception;
    if (reception === null || reception.done() || this.#queue.size === 0) return;
    this.#reception = null;
    reception._give(this.#take(reception._limit));
  }

  /** @internal */
  onFailure(error: Error): void {
    this.#errorCount++;
    if (this.#onError === null) return;
    this.#endpoint.loop._push(new CallbackHandle(this.#onError, [error], this.#onErrorContext));
  }

  /** @internal */
  onDrain(): void {
    if (this.#drainers === null || this.#endpoint.bufferedBytes > this.#limits.low) return;
    this.#drainers.fulfil();
  }

  /** @internal */
  onClosed(): void {
    this.#end();
    this.#closed?.happen();
  }
}

/** Checks the arguments of a send, and sends. @internal */
export function sendOn(
  endpoint: DatagramEndpoint,
  data: Writable,
  address: DatagramAddress | undefined | null,
): void {
  const bytes = typeof data === 'string' ? data : toBytes('data', data);
  const isGiven = address !== undefined && address !== null;
  const to = isGiven ? endpoint.addresses.wordsOf(address) : null;
  if (endpoint.isConnected) {
    if (isGiven && !isPeer(endpoint, address)) {
      throw new InvalidStateError('The socket is connected to another address than the one to send to');
    }
    if (endpoint.isClosing) throw closedError();
    endpoint.send(bytes, null);
    return;
  }
  if (to === null) throw new InvalidStateError('An address is needed: the socket is not connected');
  if (endpoint.isClosing) throw closedError();
  endpoint.send(bytes, to);
}

function isPeer(endpoint: DatagramEndpoint, { address, port }: DatagramAddress): boolean {
  const peer = endpoint.peerAddress;
  return peer?.port === port && peer.address === address;
}

const MOST_INTERFACES = 2 ** 31 - 1;

function interfaceNumber(wanted: string | number): number {
  if (typeof wanted === 'number') {
    validateInteger('interfaceName', wanted, 0, MOST_INTERFACES);
    return wanted;
  }
  if (typeof wanted !== 'string') throw invalidArgType('interfaceName', 'a string or a number', wanted);
  const name = isIP(wanted) === 0 ? wanted : nameOfAddress(wanted);
  const scoped = name === undefined ? null : KnownAddress.parse(`fe80::%${name}`, 0);
  if (scoped === null) throw outOfRange('interfaceName', 'an interface of this machine', wanted);
  // The scope is what the name stands for.
  return KnownAddress.wordsOf(scoped)![SCOPE_WORD]!;
}

const SCOPE_WORD = 4;

function nameOfAddress(address: string): string | undefined {
  for (const [name, entries = []] of Object.entries(networkInterfaces())) {
    if (entries.some((entry) => entry.address === address)) return name;
  }
  return undefined;
}

/**
 * Opens a UDP socket.
 *
 * Suspends: while names are looked up. A cancel point; cancelling closes the socket.
 *
 * @param options - `local`: where it receives; `remote`: whom it is connected to. Names are resolved, and addresses of
 *   one family are paired; the first pair that the system takes is used.
 * @returns The socket, bound.
 * @throws TypeError `ERR_INVALID_ARG_TYPE`, RangeError `ERR_OUT_OF_RANGE` - an option is wrong.
 * @throws {@link InvalidStateError} `ERR_INVALID_STATE` - no event loop is running; (rejects) both ends have no
 *   addresses of one family.
 * @throws {@link SystemError} (rejects) `EADDRINUSE`, `EADDRNOTAVAIL`, `ENOTFOUND` ...
 * @example
 * ```ts
 * const server = await udp({ local: { host: '127.0.0.1' } });
 * const client = await udp({ remote: { host: '127.0.0.1', port: server.info.local!.port! } });
 * client.send('hello');
 * const { data, address } = await server.receive();
 * console.log(String(data), address.port);
 * await client.close();
 * await server.close();
 * ```
 * @source CPython 3.13 `loop.create_datagram_endpoint`, Node `dgram.createSocket`
 */
export function udp(options: UdpOptions = {}): Future<UdpSocket> {
  validateUdpOptions(options);
  return new UdpOpening(
    requireRunningLoop(),
    options,
    (endpoint) => new UdpSocket(endpoint, options),
    (socket) => socket.abort(),
  );
}
