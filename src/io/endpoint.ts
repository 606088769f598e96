// One connected socket: the data path between native and whoever reads and writes it.
//
// Small writes are copied into the send slab at once and leave, merged, when the turn ends. Large
// ones go to the kernel by reference in a call of their own. What the kernel does not take waits:
// the rest of small writes with native, the rest of large ones, and everything written behind them,
// in the queue here.
//
//   kOpen --closeWrite--> kShut --close--> kClosing --CQ_CLOSED--> kClosed
import { constants } from 'node:os';
import { Deque } from '../base/deque.js';
import { systemError } from '../base/errors.js';
import { validateBoolean, validateInteger } from '../base/validate.js';
import type { CompletionTarget, LoopCore } from '../core/loop.js';
import { abi } from '../native/abi.js';
import { FAMILY_UNIX, type NativeAddress, type SlotRef } from '../native/binding.js';
import { originOf, recordOrigin } from '../task/debug-sites.js';
import { receivedBytes, toBytes, type Writable } from './bytes.js';

/** Hears what happens on an endpoint, while completions are reaped: it must not call user code. */
export interface EndpointSink {
  /** Bytes arrived; they are the sink's. */
  onData(chunk: Buffer): void;
  /** Bytes wait to be taken with `receiveInto()`; of use to those who asked for that. */
  onReadable?(): void;
  /** The peer will send no more. */
  onEnd(): void;
  /** Fewer bytes wait to be sent than before. */
  onDrain(): void;
  /** The connection broke; onClosed follows. */
  onError(error: Error): void;
  /** The descriptor is closed: the last call. */
  onClosed(): void;
}

/** Keeps connections until they are gone. @internal */
export interface ConnectionOwner {
  /** Called once, when the descriptor of `connection` is closed. */
  _onConnectionClosed(connection: EndpointSink): void;
}

/** The numeric address of a TCP socket. */
export interface InternetAddress {
  readonly family: 'IPv4' | 'IPv6';
  readonly address: string;
  readonly port: number;
  readonly path?: undefined;
}

/** The address of a Unix socket. */
export interface UnixAddress {
  readonly family: 'Unix';
  /** A path, an abstract name that begins with NUL, or `''`: most clients have none. */
  readonly path: string;
  readonly address?: undefined;
  readonly port?: undefined;
}

/** A socket's address; `family` tells which. */
export type SocketAddress = InternetAddress | UnixAddress;

/** Both ends of a connection. */
export interface ConnectionInfo {
  /** This end; null for a socket that was never connected. */
  readonly local: SocketAddress | null;
  /** The other end. */
  readonly peer: SocketAddress | null;
}

// Up to this size copying into the slab is cheaper than a system call of its own.
const COPY_LIMIT_BYTES = 16384;
// Queued small writes are joined up to this size before they are sent.
const JOIN_LIMIT_BYTES = 65536;
// Less is left to the collector: the call would cost more.
const FREE_MINIMUM_BYTES = 4096;
// UTF-8 needs at most three bytes for each UTF-16 unit.
const UTF8_BYTES_PER_UNIT = 3;

const STATE_OPEN = 0;
const STATE_SHUT = 1;
const STATE_CLOSING = 2;
const STATE_CLOSED = 3;

// How bytes reach the sink.
const RECEIVE_NOTHING = 0;
const RECEIVE_CHUNKS = 1;
const RECEIVE_NEWS = 2;

export class Endpoint implements CompletionTarget {
  readonly loop: LoopCore;
  readonly index: number;
  readonly generation: number;
  /** Why the connection broke, if it did. */
  error: Error | null = null;
  // Set by whoever it is made for, before it can hear of anything.
  #sink!: EndpointSink;
  #state = STATE_OPEN;
  #reception = RECEIVE_NOTHING;
  #isEnded = false;
  #isReferenced = true;
  // Bytes that native holds because the kernel did not take them.
  #backlogBytes = 0;
  // Native was asked to say when the socket is writable again.
  #isBlocked = false;
  // Bytes submitted by the entry at #lastSend and before it, since the last drain.
  #unflushedBytes = 0;
  #lastSend = 0;
  #queue: Deque<Uint8Array> | null = null;
  #queuedBytes = 0;
  #localAddress: SocketAddress | null = null;
  #peerAddress: SocketAddress | null = null;

  constructor(loop: LoopCore, slot: SlotRef) {
    this.loop = loop;
    this.index = slot.index;
    this.generation = slot.generation;
    loop._attach(slot.index, this);
    loop._reference(1);
    if (loop.debug) recordOrigin(this);
  }

  set sink(sink: EndpointSink) {
    this.#sink = sink;
  }

  // Receiving

  startReceiving(): void {
    this.#start(RECEIVE_CHUNKS);
  }

  awaitReadable(): void {
    this.#start(RECEIVE_NEWS);
  }

  #start(reception: number): void {
    if (this.#reception === reception || this.#isEnded || this.#state >= STATE_CLOSING) return;
    this.#reception = reception;
    const isNews = reception === RECEIVE_NEWS ? 1 : 0;
    this.loop._rings.submit(abi.OP_RECEIVE_START, this.index, this.generation, isNews, 0);
  }

  receiveInto(bytes: Uint8Array): number {
    if (this.#isEnded || this.#state >= STATE_CLOSING) return -1;
    const result = this.loop._native.receive(this.index, this.generation, bytes);
    if (result >= 0) {
      this.#isEnded = result === 0;
      return result;
    }
    if (result !== -constants.errno.EAGAIN) this.#fail(systemError(result, 'recv'));
    return -1;
  }

  stopReceiving(): void {
    if (this.#reception === RECEIVE_NOTHING) return;
    this.#reception = RECEIVE_NOTHING;
    if (this.#state < STATE_CLOSING) {
      this.loop._rings.submit(abi.OP_RECEIVE_STOP, this.index, this.generation, 0, 0);
    }
  }

  // Sending

  /** Bytes written and not yet taken by the kernel. */
  get bufferedBytes(): number {
    return this.#backlogBytes + this.#queuedBytes + this.#unflushed();
  }

  /** Whether writes can still be taken. */
  get isWritable(): boolean {
    return this.#state === STATE_OPEN && this.error === null;
  }

  get isClosing(): boolean {
    return this.#state >= STATE_CLOSING;
  }

  get isClosed(): boolean {
    return this.#state === STATE_CLOSED;
  }

  /** Sends what waits only for the end of the turn; afterwards {@link Endpoint.bufferedBytes} is exact. */
  flush(): void {
    const backlogBytes = this.loop._native.backlog(this.index, this.generation);
    this.#unflushedBytes = 0;
    if (backlogBytes >= 0) this.#backlogBytes = backlogBytes;
  }

  /** How many bytes these were. */
  write(data: Writable): number {
    if (typeof data !== 'string') return this.#writeBytes(toBytes('data', data));
    if (this.#mustQueue() || data.length * UTF8_BYTES_PER_UNIT > COPY_LIMIT_BYTES) {
      return this.#writeBytes(Buffer.from(data), true);
    }
    const offset = this.#reserve(data.length * UTF8_BYTES_PER_UNIT);
    return this.#submitSend(offset, this.loop._rings.sendSlab.write(data, offset));
  }

  writeOwned(bytes: Uint8Array): void {
    const { byteLength } = bytes;
    this.#writeBytes(bytes, true);
    if (byteLength < FREE_MINIMUM_BYTES || this.#queuedBytes > 0) return;
    // Others may have parts of memory that is more than this.
    if (byteLength === bytes.buffer.byteLength) this.loop._native.free(bytes);
  }

  /** As {@link Endpoint.write}, of a text in which each unit is a byte. */
  writeLatin1(text: string): number {
    if (this.#mustQueue() || text.length > COPY_LIMIT_BYTES) {
      return this.#writeBytes(Buffer.from(text, 'latin1'), true);
    }
    const offset = this.#reserve(text.length);
    return this.#submitSend(offset, this.loop._rings.sendSlab.write(text, offset, 'latin1'));
  }

  /** Whether the kernel has not taken what was written: all but what waits for the end of the turn. */
  get isBacklogged(): boolean {
    return this.#mustQueue() || this.#queuedBytes > 0;
  }

  // `isOwned`: nobody else changes these bytes.
  #writeBytes(bytes: Uint8Array, isOwned = false): number {
    const length = bytes.byteLength;
    if (length === 0) return 0;
    if (this.#mustQueue()) {
      // A small write may be changed by its owner as soon as write() returns.
      this.#enqueue(isOwned || length > COPY_LIMIT_BYTES ? bytes : Buffer.from(bytes));
    } else if (length <= COPY_LIMIT_BYTES) {
      const offset = this.#reserve(length);
      this.loop._rings.sendSlab.set(bytes, offset);
      this.#submitSend(offset, length);
    } else {
      this.#sendNow(bytes);
    }
    return length;
  }

  sendFile(file: number, offset: number, count: number): number {
    const result = this.loop._native.sendFile(this.index, this.generation, file, offset, count);
    if (result !== -constants.errno.EAGAIN) return result;
    this.#isBlocked = true;
    // As in #sendNow().
    this.loop._wantTurn();
    return result;
  }

  // Later bytes must not overtake those that wait.
  #mustQueue(): boolean {
    return this.#isBlocked || this.#backlogBytes > 0;
  }

  // Room in the send slab.
  #reserve(length: number): number {
    const control = this.loop._rings.control;
    if (control[abi.CTL_SEND_USED]! + length > abi.SEND_SLAB_BYTES) this.flush();
    return control[abi.CTL_SEND_USED]!;
  }

  #submitSend(offset: number, length: number): number {
    const rings = this.loop._rings;
    this.#unflushedBytes = this.#unflushed() + length;
    if (!rings.extendSend(abi.OP_SEND, this.index, this.generation, offset, length)) {
      this.#lastSend = rings.submit(abi.OP_SEND, this.index, this.generation, offset, length);
    }
    // Last, because submitting may have made room in the ring, which empties the slab.
    rings.control[abi.CTL_SEND_USED] = offset + length;
    return length;
  }

  #unflushed(): number {
    if (this.#unflushedBytes === 0) return 0;
    const control = this.loop._rings.control;
    const head = control[abi.CTL_SUBMISSION_HEAD]!;
    const pending = (control[abi.CTL_SUBMISSION_TAIL]! - head) >>> 0;
    if ((this.#lastSend - head) >>> 0 >= pending) this.#unflushedBytes = 0;
    return this.#unflushedBytes;
  }

  #sendNow(bytes: Uint8Array): void {
    const sent = this.loop._native.send(this.index, this.generation, bytes, 0);
    this.#unflushedBytes = 0;
    // A negative result means that the slot is closed, which its completion tells.
    if (sent < 0 || sent === bytes.byteLength) return;
    this.#isBlocked = true;
    this.#enqueue(bytes.subarray(sent));
    // A waiter thread that sleeps does not know yet that this socket is to be watched for room.
    this.loop._wantTurn();
  }

  #enqueue(bytes: Uint8Array): void {
    this.#queue ??= new Deque<Uint8Array>();
    this.#queue.push(bytes);
    this.#queuedBytes += bytes.byteLength;
  }

  // Sends what waits here until the kernel takes no more.
  #pump(): void {
    while (!this.#isBlocked && this.#queuedBytes > 0) {
      const bytes = this.#dequeue();
      this.#queuedBytes -= bytes.byteLength;
      const sent = this.loop._native.send(this.index, this.generation, bytes, 0);
      if (sent < 0) return this.#discard();
      if (sent === bytes.byteLength) continue;
      this.#isBlocked = true;
      this.#queue!.unshift(bytes.subarray(sent));
      this.#queuedBytes += bytes.byteLength - sent;
    }
    if (this.#queuedBytes === 0) this.#finishSending();
  }

  // The next queued write, joined with the small ones behind it.
  #dequeue(): Uint8Array {
    const queue = this.#queue!;
    const first = queue.shift()!;
    if (first.byteLength > COPY_LIMIT_BYTES || queue.size === 0) return first;
    const parts = [first];
    let length = first.byteLength;
    for (let next = queue.at(0); next !== undefined; next = queue.at(0)) {
      if (length + next.byteLength > JOIN_LIMIT_BYTES) break;
      length += next.byteLength;
      parts.push(queue.shift()!);
    }
    return parts.length === 1 ? first : Buffer.concat(parts, length);
  }

  #discard(): void {
    this.#queue = null;
    this.#queuedBytes = 0;
    this.#backlogBytes = 0;
    this.#isBlocked = false;
  }

  // Closing

  /** Sends FIN after what was written. */
  shutdown(): void {
    if (this.#state !== STATE_OPEN) return;
    this.#state = STATE_SHUT;
    this.#finishSending();
  }

  /** Closes after what was written; idempotent. */
  close(): void {
    if (this.#state >= STATE_CLOSING) return;
    this.stopReceiving();
    this.#state = STATE_CLOSING;
    if (this.error !== null) this.#discard();
    this.#finishSending();
  }

  /** Closes now: what waits is dropped, the peer sees a reset. */
  reset(): void {
    if (this.#state === STATE_CLOSED) return;
    this.#reception = RECEIVE_NOTHING;
    this.#state = STATE_CLOSING;
    this.#discard();
    this.#rememberAddresses();
    this.loop._rings.submit(abi.OP_RESET, this.index, this.generation, 0, 0);
  }

  /** Closes now: what the kernel has not taken is dropped, and it sends the rest. */
  abandon(): void {
    if (this.#state === STATE_CLOSED) return;
    this.stopReceiving();
    this.#state = STATE_CLOSING;
    this.#discard();
    this.#rememberAddresses();
    this.loop._rings.submit(abi.OP_CLOSE, this.index, this.generation, 1, 0);
  }

  // Native sends what it holds before it carries these out.
  #finishSending(): void {
    if (this.#queuedBytes > 0 || this.#isBlocked) return;
    if (this.#state === STATE_CLOSING) {
      this.#rememberAddresses();
      this.loop._rings.submit(abi.OP_CLOSE, this.index, this.generation, 0, 0);
    } else if (this.#state === STATE_SHUT) {
      this.loop._rings.submit(abi.OP_SHUTDOWN, this.index, this.generation, 0, 0);
    }
  }

  // Completions

  complete(kind: number, result: number, a: number, b: number): void {
    switch (kind) {
      case abi.CQ_RECEIVE:
        this.#onReceive(result, a, b);
        return;
      case abi.CQ_READABLE:
        this.#onReadable();
        return;
      case abi.CQ_SEND:
        this.#onSend(result);
        return;
      case abi.CQ_CLOSED:
        this.#onClosed(result);
        return;
    }
  }

  #onReceive(result: number, slot: number, offset: number): void {
    // Bytes that were on their way when the owner closed are not delivered.
    if (this.#state >= STATE_CLOSING) return;
    if (result > 0) {
      this.#sink.onData(receivedBytes(this.loop._slab(slot), offset, result));
      return;
    }
    this.#reception = RECEIVE_NOTHING;
    this.#isEnded = true;
    if (result === 0) this._onEnd();
    else this.#fail(systemError(result, 'recv'));
  }

  /** The peer sends no more. @internal */
  protected _onEnd(): void {
    this.#sink.onEnd();
  }

  #onReadable(): void {
    if (this.#reception !== RECEIVE_NEWS) return;
    this.#reception = RECEIVE_NOTHING;
    this.#sink.onReadable?.();
  }

  #onSend(result: number): void {
    if (result < 0) return this.#fail(systemError(result, 'send'));
    this.#backlogBytes = result;
    if (result === 0) {
      this.#isBlocked = false;
      if (this.#queuedBytes > 0) this.#pump();
    }
    if (this.error === null) this.#sink.onDrain();
  }

  #fail(error: Error): void {
    this.#discard();
    if (this.error !== null) return;
    this.error = error;
    if (this.#state < STATE_CLOSING) {
      this.#sink.onError(error);
      this.close();
    } else {
      this.#finishSending();
    }
  }

  #onClosed(result: number): void {
    if (this.#state === STATE_CLOSED) return;
    if (this.#state < STATE_CLOSING) this.#onLoopClosed();
    this.#state = STATE_CLOSED;
    if (result < 0) this.error ??= systemError(result, 'send');
    this.#discard();
    this.loop._detach(this.index, this);
    if (this.#isReferenced) this.loop._reference(-1);
    this.#sink.onClosed();
  }

  // No collection closes what somebody has forgotten; this is where it shows.
  #onLoopClosed(): void {
    this.#rememberAddresses();
    if (!this.loop.debug) return;
    this.loop.callExceptionHandler({
      message: 'A connection was open when its loop was closed',
      transport: this.#sink,
      sourceTraceback: originOf(this),
    });
  }

  // Properties of the socket

  get localAddress(): SocketAddress | null {
    return (this.#localAddress ??= this.#address(false));
  }

  get peerAddress(): SocketAddress | null {
    return (this.#peerAddress ??= this.#address(true));
  }

  #address(ofPeer: boolean): SocketAddress | null {
    if (this.loop.isClosed()) return null;
    return toSocketAddress(this.loop._native.address(this.index, this.generation, ofPeer));
  }

  // They can still be asked for when the descriptor is gone.
  #rememberAddresses(): void {
    void this.localAddress;
    void this.peerAddress;
  }

  setNoDelay(on: boolean): void {
    validateBoolean('on', on);
    this.#check(this.loop._native.setNoDelay(this.index, this.generation, on), 'setsockopt');
  }

  setKeepAlive(on: boolean, delayMs: number): void {
    validateBoolean('on', on);
    validateInteger('delayMs', delayMs, 0, 2 ** 31 - 1);
    const delaySeconds = Math.ceil(delayMs / 1000);
    this.#check(this.loop._native.setKeepAlive(this.index, this.generation, on, delaySeconds), 'setsockopt');
  }

  #check(status: number, call: string): void {
    if (status < 0) throw systemError(status, call);
  }

  ref(): void {
    if (this.#isReferenced) return;
    this.#isReferenced = true;
    if (this.#state !== STATE_CLOSED) this.loop._reference(1);
  }

  unref(): void {
    if (!this.#isReferenced) return;
    this.#isReferenced = false;
    if (this.#state !== STATE_CLOSED) this.loop._reference(-1);
  }

  hasRef(): boolean {
    return this.#isReferenced;
  }
}

/** Native's form of an address, or null when there is none. @internal */
export function toSocketAddress(address: NativeAddress | number): SocketAddress | null {
  if (typeof address === 'number') return null;
  const [family, text, port] = address;
  if (family === FAMILY_UNIX) return Object.freeze({ family: 'Unix', path: text });
  return Object.freeze({ family: family === 6 ? 'IPv6' : 'IPv4', address: text, port });
}
