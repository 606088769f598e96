// A UDP socket: turns completions into calls of one sink, and datagrams into submissions.
import { constants } from 'node:os';
import { systemError } from '../base/errors.js';
import type { CompletionTarget, LoopCore } from '../core/loop.js';
import { abi } from '../native/abi.js';
import type { SlotRef } from '../native/binding.js';
import { receivedBytes } from './bytes.js';
import { AddressBook, type KnownAddress } from './datagram-address.js';
import { toSocketAddress, type SocketAddress } from './endpoint.js';

/** Hears what happens on an endpoint, while completions are reaped: it must not call user code. */
export interface DatagramSink {
  /** A datagram arrived; the bytes are the sink's. */
  onDatagram(data: Buffer, address: KnownAddress): void;
  /** All that arrived together has been told. */
  onBatch(): void;
  /** A datagram was not sent, or did not reach anybody; the socket goes on. */
  onFailure(error: Error): void;
  /** Fewer bytes wait to be sent than before. */
  onDrain(): void;
  /** The descriptor is closed: the last call. */
  onClosed(): void;
}

// The system's own share of each, which is counted so that empty ones are not free.
const COST_BYTES = 8;
const HEADER_BYTES: number = abi.DATAGRAM_HEADER_BYTES;
const SIZE_WORD = 6;
const SEGMENT_WORD = 7;
const ALIGN = 8;
// No datagram can be larger.
const LARGEST_BYTES = 65535;
const NO_ADDRESS = new Uint32Array(SIZE_WORD);

const aligned = (offset: number): number => (offset + ALIGN - 1) & -ALIGN;

export class DatagramEndpoint implements CompletionTarget {
  readonly loop: LoopCore;
  readonly index: number;
  readonly generation: number;
  readonly addresses: AddressBook;
  /** Whether it is connected. */
  readonly isConnected: boolean;
  #sink!: DatagramSink;
  #isClosing = false;
  #isClosed = false;
  #isReceiving = false;
  #isReferenced = true;
  // Bytes that native holds because the kernel did not take them.
  #backlogBytes = 0;
  // Bytes submitted by the entry at #lastSend and before it, since the last drain.
  #unflushedBytes = 0;
  #lastSend = 0;
  // The slab that was read last.
  #slab: ArrayBuffer | null = null;
  #words = new Uint32Array(0);
  readonly #headers: Uint32Array;
  #localAddress: SocketAddress | null = null;
  #peerAddress: SocketAddress | null = null;

  constructor(loop: LoopCore, slot: SlotRef, family: 4 | 6, isConnected: boolean) {
    this.loop = loop;
    this.index = slot.index;
    this.generation = slot.generation;
    this.addresses = new AddressBook(family);
    this.isConnected = isConnected;
    this.#headers = new Uint32Array(loop._rings.sendSlab.buffer);
    loop._attach(slot.index, this);
    loop._reference(1);
  }

  set sink(sink: DatagramSink) {
    this.#sink = sink;
  }

  startReceiving(): void {
    if (this.#isReceiving || this.#isClosing) return;
    this.#isReceiving = true;
    this.loop._rings.submit(abi.OP_RECEIVE_START, this.index, this.generation, 0, 0);
  }

  // Sending

  /** What was sent and not yet taken by the kernel, with 8 bytes for each datagram. */
  get bufferedBytes(): number {
    return this.#backlogBytes + this.#unflushed();
  }

  get isClosing(): boolean {
    return this.#isClosing;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Sends what waits only for the end of the turn; afterwards {@link bufferedBytes} is exact. */
  flush(): void {
    const backlogBytes = this.loop._native.backlog(this.index, this.generation);
    this.#unflushedBytes = 0;
    if (backlogBytes >= 0) this.#backlogBytes = backlogBytes;
  }

  /** @param to - In native's form; null for the peer of a connected socket. */
  send(data: Uint8Array | string, to: Uint32Array | null): void {
    const size = typeof data === 'string' ? Buffer.byteLength(data) : data.byteLength;
    if (size > LARGEST_BYTES) return this.#tellTooLarge();
    const { _rings: rings } = this.loop;
    const record = HEADER_BYTES + aligned(size);
    if (aligned(rings.control[abi.CTL_SEND_USED]!) + record > abi.SEND_SLAB_BYTES) this.flush();
    const offset = aligned(rings.control[abi.CTL_SEND_USED]!);
    const slab = rings.sendSlab;
    const headers = this.#headers;
    const address = to ?? NO_ADDRESS;
    const word = offset >> 2;
    for (let i = 0; i < SIZE_WORD; i++) headers[word + i] = address[i]!;
    headers[word + SIZE_WORD] = size;
    if (typeof data === 'string') slab.write(data, offset + HEADER_BYTES);
    else slab.set(data, offset + HEADER_BYTES);
    this.#unflushedBytes = this.#unflushed() + size + COST_BYTES;
    if (!rings.extendSend(abi.OP_DATAGRAM_SEND, this.index, this.generation, offset, record)) {
      this.#lastSend = rings.submit(abi.OP_DATAGRAM_SEND, this.index, this.generation, offset, record);
    }
    // Last, because submitting may have made room in the ring, which empties the slab.
    rings.control[abi.CTL_SEND_USED] = offset + record;
  }

  // What the system would say, which never gets to see it.
  #tellTooLarge(): void {
    const error = systemError(-constants.errno.EMSGSIZE, 'send');
    this.loop.callSoon(() => this.#sink.onFailure(error));
  }

  #unflushed(): number {
    if (this.#unflushedBytes === 0) return 0;
    const control = this.loop._rings.control;
    const head = control[abi.CTL_SUBMISSION_HEAD]!;
    const pending = (control[abi.CTL_SUBMISSION_TAIL]! - head) >>> 0;
    if ((this.#lastSend - head) >>> 0 >= pending) this.#unflushedBytes = 0;
    return this.#unflushedBytes;
  }

  // Closing

  /** Closes after what was sent; idempotent. */
  close(): void {
    this.#end(abi.OP_CLOSE);
  }

  /** Closes now: what waits is dropped. */
  abort(): void {
    if (!this.#isClosed) this.#end(abi.OP_RESET, true);
  }

  #end(op: number, isUrgent = false): void {
    if (this.#isClosing && !isUrgent) return;
    this.#isClosing = true;
    this.#rememberAddresses();
    this.loop._rings.submit(op, this.index, this.generation, 0, 0);
  }

  // Completions

  complete(kind: number, result: number, a: number, b: number): void {
    switch (kind) {
      case abi.CQ_DATAGRAMS:
        this.#onDatagrams(this.loop._slab(a), b, result);
        return;
      case abi.CQ_DATAGRAM_ERROR:
        if (!this.#isClosing) this.#sink.onFailure(systemError(result, 'udp', this.#place()));
        return;
      case abi.CQ_SEND:
        this.#backlogBytes = result;
        this.#sink.onDrain();
        return;
      case abi.CQ_CLOSED:
        this.#onClosed();
        return;
    }
  }

  #place(): { address: string; port: number } | undefined {
    const peer = this.isConnected ? this.peerAddress : null;
    return peer?.address === undefined ? undefined : { address: peer.address, port: peer.port };
  }

  #onDatagrams(slab: ArrayBuffer, begin: number, length: number): void {
    // What was on its way when the owner closed is not delivered.
    if (this.#isClosing) return;
    if (this.#slab !== slab) {
      this.#slab = slab;
      this.#words = new Uint32Array(slab);
    }
    const words = this.#words;
    const sink = this.#sink;
    const end = begin + length;
    for (let at = begin; at < end;) {
      const word = at >> 2;
      const size = words[word + SIZE_WORD]!;
      const segment = words[word + SEGMENT_WORD]!;
      const address = this.addresses.received(words, word);
      const bytes = at + HEADER_BYTES;
      if (segment === 0 || segment >= size) {
        sink.onDatagram(receivedBytes(slab, bytes, size), address);
      } else {
        // The kernel has joined several.
        for (let from = 0; from < size; from += segment) {
          sink.onDatagram(receivedBytes(slab, bytes + from, Math.min(segment, size - from)), address);
        }
      }
      at = bytes + aligned(size);
    }
    sink.onBatch();
  }

  #onClosed(): void {
    if (this.#isClosed) return;
    if (!this.#isClosing) this.#rememberAddresses();
    this.#isClosing = true;
    this.#isClosed = true;
    this.#backlogBytes = 0;
    this.#slab = null;
    this.loop._detach(this.index, this);
    if (this.#isReferenced) this.loop._reference(-1);
    this.#sink.onClosed();
  }

  // Properties of the socket

  get localAddress(): SocketAddress | null {
    return (this.#localAddress ??= this.#address(false));
  }

  get peerAddress(): SocketAddress | null {
    return (this.#peerAddress ??= this.#address(true));
  }

  #address(ofPeer: boolean): SocketAddress | null {
    if (this.loop.isClosed() || this.#isClosed) return null;
    return toSocketAddress(this.loop._native.address(this.index, this.generation, ofPeer));
  }

  // They can still be asked for when the descriptor is gone.
  #rememberAddresses(): void {
    void this.localAddress;
    void this.peerAddress;
  }

  /** @throws SystemError */
  setOption(option: number, value: number): void {
    const status = this.loop._native.setDatagramOption(this.index, this.generation, option, value);
    if (status < 0) throw systemError(status, 'setsockopt');
  }

  /** @throws SystemError */
  setMembership(group: Uint8Array, interfaceNumber: number, joins: boolean): void {
    const native = this.loop._native;
    const status = native.setMembership(this.index, this.generation, group, interfaceNumber, joins);
    if (status < 0) throw systemError(status, 'setsockopt');
  }

  ref(): void {
    if (this.#isReferenced) return;
    this.#isReferenced = true;
    if (!this.#isClosed) this.loop._reference(1);
  }

  unref(): void {
    if (!this.#isReferenced) return;
    this.#isReferenced = false;
    if (!this.#isClosed) this.loop._reference(-1);
  }

  hasRef(): boolean {
    return this.#isReferenced;
  }
}
