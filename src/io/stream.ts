// The stream that tasks read and write: one object for both directions.
import { inspect } from 'node:util';
import { Deque } from '../base/deque.js';
import { InvalidStateError, connectionLost } from '../base/errors.js';
import { validateInteger } from '../base/validate.js';
import type { LoopCore } from '../core/loop.js';
import type { SlotRef } from '../native/binding.js';
import type { Awaitable } from '../task/awaitable.js';
import { isSteppingGenerator } from '../task/current.js';
import { Future } from '../task/future.js';
import { sleepOn } from '../task/sleep.js';
import { NO_BYTES, type Writable } from './bytes.js';
import { Endpoint, type ConnectionOwner, type EndpointSink, type SocketAddress } from './endpoint.js';
import { Joiner, SMALL_CHUNK_BYTES } from './joiner.js';
import type { BufferLimits } from './limits.js';
import { Read, StepRead, type Reader } from './read.js';
import { Once, Waiters } from './waiters.js';

// A writer that never has to wait still lets others run once in so many drains.
const DRAINS_PER_YIELD = 128;
const WRITES_AFTER_CLOSE_BEFORE_WARNING = 5;

/** Both ends of a connection. */
export interface ConnectionInfo {
  /** This end; null for a socket that was never connected. */
  readonly local: SocketAddress | null;
  /** The other end. */
  readonly peer: SocketAddress | null;
}

/**
 * A full-duplex byte stream over a socket.
 *
 * One task may read and another write at the same time; two may not read at once. The end of the
 * peer's bytes leaves the write side open.
 *
 * @example
 * ```ts
 * async function echo(stream: Stream) {
 *   for await (const chunk of stream) {
 *     stream.write(chunk);
 *     await stream.drain();
 *   }
 * }
 * ```
 * @source CPython 3.13 asyncio/streams.py `StreamReader`, `StreamWriter`. Differs: one object.
 */
export class Stream implements EndpointSink, AsyncIterable<Buffer> {
  readonly #endpoint: Endpoint;
  readonly #limits: BufferLimits;
  // Unread bytes: #chunk first, then #chunks.
  #chunk: Buffer | null = null;
  #chunks: Deque<Buffer> | null = null;
  #unreadBytes = 0;
  #joiner: Joiner | null = null;
  #isEnded = false;
  #isPaused = false;
  // The read that waits, and for how many bytes.
  #reader: Reader | null = null;
  #readerWants = 0;
  #drainers: Waiters | null = null;
  #drainCount = 0;
  #lateWrites = 0;
  #closed: Once | null = null;
  readonly #owner: ConnectionOwner | null;

  /** @internal */
  constructor(loop: LoopCore, slot: SlotRef, limits: BufferLimits, owner: ConnectionOwner | null = null) {
    this.#limits = limits;
    this.#owner = owner;
    this.#endpoint = new Endpoint(loop, slot, this);
    this.#endpoint.startReceiving();
  }

  // Reading

  /**
   * Reads bytes.
   *
   * Suspends: only while nothing is buffered. A cancel point then; no byte is lost by cancelling.
   *
   * @param size - Without it: what is there, at least one byte. 0: nothing, at once. n: 1 ... n
   *   bytes. -1: everything up to the end.
   * @returns The bytes; an empty Buffer once the peer's bytes have ended.
   * @throws TypeError `ERR_INVALID_ARG_TYPE`, RangeError `ERR_OUT_OF_RANGE` - `size` is no integer of -1 or more.
   * @throws {@link InvalidStateError} `ERR_INVALID_STATE` - somebody else waits for bytes already.
   * @throws SystemError (rejects) `ECONNRESET` ... - the connection broke.
   * @source CPython 3.13 `StreamReader.read`. Differs: without a size it does not wait for the end.
   */
  read(size?: number): Awaitable<Buffer> {
    if (size !== undefined) validateInteger('size', size, -1, Number.MAX_SAFE_INTEGER);
    const { loop } = this.#endpoint;
    const read: Reader = isSteppingGenerator(loop) ? new StepRead(loop, this) : new Read(loop, this);
    if (this.#satisfy(read, size ?? Infinity)) return read;
    if (this.#reader !== null && !this.#reader.done()) {
      throw new InvalidStateError('read() was called while another task waits for bytes of this stream');
    }
    this.#reader = read;
    this.#readerWants = size ?? Infinity;
    this.#resume();
    return read;
  }

  // Settles a read with what is there; false when it has to wait.
  #satisfy(read: Reader, wants: number): boolean {
    if (wants !== -1 && this.#chunk !== null) {
      read.setResult(wants === 0 ? NO_BYTES : this.#take(this.#chunk, wants));
      return true;
    }
    const { error, isClosing } = this.#endpoint;
    if (wants === 0) read.setResult(NO_BYTES);
    else if (error !== null) read.setException(error);
    else if (this.#isEnded || isClosing) read.setResult(wants === -1 ? this.#takeAll() : NO_BYTES);
    else return false;
    return true;
  }

  /** Takes back what a cancelled reader did not get to see. @internal */
  _giveBack(bytes: Buffer): void {
    if (bytes.length === 0) return;
    const next = this.#chunk;
    if (next === null) {
      this.#chunk = bytes;
    } else if (next.buffer === bytes.buffer && next.byteOffset === bytes.byteOffset + bytes.length) {
      // The rest of the chunk they were cut from.
      this.#chunk = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length + next.length);
    } else {
      (this.#chunks ??= new Deque<Buffer>()).unshift(next);
      this.#chunk = bytes;
    }
    this.#unreadBytes += bytes.length;
    this.#serveReader();
  }

  /** @internal */
  _replaceReader(step: StepRead, future: Read): void {
    if (this.#reader === step) this.#reader = future;
  }

  #take(chunk: Buffer, wants: number): Buffer {
    const taken = chunk.length <= wants ? chunk : chunk.subarray(0, wants);
    this.#unreadBytes -= taken.length;
    if (taken === chunk) this.#chunk = this.#chunks?.shift() ?? null;
    else this.#chunk = chunk.subarray(wants);
    if (this.#chunk === null && this.#joiner !== null) this.#joiner = this.#joiner.orNull();
    if (this.#isPaused && this.#unreadBytes <= this.#limits.limit) this.#resume();
    return taken;
  }

  #takeAll(): Buffer {
    const parts: Buffer[] = [];
    while (this.#chunk !== null) parts.push(this.#take(this.#chunk, Infinity));
    return parts.length === 1 ? parts[0]! : Buffer.concat(parts);
  }

  #resume(): void {
    if (this.#isEnded) return;
    this.#isPaused = false;
    this.#endpoint.startReceiving();
  }

  /** Whether the peer's bytes have ended and all were read. */
  atEof(): boolean {
    return this.#isEnded && this.#unreadBytes === 0;
  }

  /** Chunks until the end of the peer's bytes; leaving the loop early does not close the stream. */
  async *[Symbol.asyncIterator](): AsyncIterator<Buffer, void, undefined> {
    for (;;) {
      const chunk = await this.read();
      if (chunk.length === 0) return;
      yield chunk;
    }
  }

  // Writing

  /**
   * Sends bytes, or queues them when the kernel's buffer is full. Writes of one turn leave together.
   *
   * Suspends: never; `await drain()` after it to be slowed down by a slow peer.
   *
   * @param data - A string goes out as UTF-8. More than 16 KiB of bytes may be sent by reference:
   *   leave them unchanged until `drain()` is through.
   * @returns Whether less than the high water mark is unsent.
   * @throws TypeError `ERR_INVALID_ARG_TYPE` - `data` is neither string nor bytes.
   * @throws {@link InvalidStateError} `ERR_INVALID_STATE` - after `closeWrite()`; in debug mode also after `close()`.
   * @source CPython 3.13 `StreamWriter.write`
   */
  write(data: Writable): boolean {
    const endpoint = this.#endpoint;
    if (!endpoint.isWritable) return this.#writeLate();
    endpoint.write(data);
    return endpoint.bufferedBytes <= this.#limits.high;
  }

  #writeLate(): boolean {
    const endpoint = this.#endpoint;
    if (!endpoint.isClosing && endpoint.error === null) {
      throw new InvalidStateError('write() was called after closeWrite()');
    }
    if (endpoint.loop.debug) throw new InvalidStateError('write() was called on a closed stream');
    if (++this.#lateWrites === WRITES_AFTER_CLOSE_BEFORE_WARNING) {
      endpoint.loop.callExceptionHandler({
        message: 'A closed stream is still being written to',
        transport: this,
      });
    }
    return false;
  }

  /** Bytes written and not yet taken by the kernel. */
  get writeBufferSize(): number {
    return this.#endpoint.bufferedBytes;
  }

  /**
   * Waits until few enough bytes are unsent to write on.
   *
   * Suspends: while more than the high water mark is unsent, until it is at most the low one; and
   * now and then without need, so that one busy writer does not keep the loop. A cancel point then.
   *
   * @throws SystemError (rejects) `ECONNRESET` ... - the connection broke or was closed.
   * @source CPython 3.13 `StreamWriter.drain`
   */
  drain(): Awaitable<void> {
    const endpoint = this.#endpoint;
    if (endpoint.error !== null || endpoint.isClosing) return this.#drainLost();
    // What is only waiting for the end of the turn is not the peer's fault.
    if (endpoint.bufferedBytes > this.#limits.high) endpoint.flush();
    if (endpoint.bufferedBytes > this.#limits.high) {
      return (this.#drainers ??= new Waiters(endpoint.loop)).add();
    }
    if (++this.#drainCount % DRAINS_PER_YIELD === 0) return sleepOn(endpoint.loop, 0, undefined);
    return DRAINED;
  }

  // Takes a turn, so that a writer that ignores the error cannot keep the loop to itself.
  #drainLost(): Awaitable<void> {
    const { loop, error } = this.#endpoint;
    const future = new Future<void>(loop);
    loop.callSoon(() => {
      if (!future.done()) future.setException(error ?? connectionLost());
    });
    return future;
  }

  /**
   * Ends this side: the peer sees the end of the bytes after all that was written. Idempotent.
   *
   * Suspends: never.
   */
  closeWrite(): void {
    this.#endpoint.shutdown();
  }

  // Closing

  /**
   * Closes after everything written is sent; unread bytes are dropped. Idempotent.
   *
   * Suspends: never; what it returns does.
   *
   * @returns What {@link Stream.closed} gives.
   */
  close(): Awaitable<void> {
    this.#endpoint.close();
    this.#serveReader();
    return this.closed;
  }

  /** Closes at once: unsent bytes are dropped and the peer sees a reset. Idempotent. */
  abort(): void {
    this.#endpoint.reset();
    this.#serveReader();
  }

  /**
   * Fulfilled once the socket is closed, no matter why.
   *
   * Suspends: while the socket is open. A cancel point then.
   */
  get closed(): Awaitable<void> {
    if (this.#closed === null) {
      this.#closed = new Once(this.#endpoint.loop);
      if (this.#endpoint.isClosed) this.#closed.happen();
    }
    return this.#closed;
  }

  /** Whether the stream is closed or about to be. */
  isClosing(): boolean {
    return this.#endpoint.isClosing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  // The socket

  /** Both addresses; still there after the stream was closed. */
  get info(): ConnectionInfo {
    return { local: this.#endpoint.localAddress, peer: this.#endpoint.peerAddress };
  }

  /**
   * Turns Nagle's algorithm off (true, as it is from the start) or on.
   *
   * @throws TypeError `ERR_INVALID_ARG_TYPE` - `on` is no boolean.
   * @throws SystemError - the system refuses, as when the stream is closed (`EBADF`).
   */
  setNoDelay(on = true): this {
    this.#endpoint.setNoDelay(on);
    return this;
  }

  /**
   * Turns TCP keep-alive on or off.
   *
   * @param delayMs - Milliseconds of silence before the first probe, rounded up to seconds; 0 is the system's default.
   * @throws TypeError `ERR_INVALID_ARG_TYPE`, RangeError `ERR_OUT_OF_RANGE` - an argument is wrong.
   * @throws SystemError - the system refuses, as when the stream is closed (`EBADF`).
   */
  setKeepAlive(on = true, delayMs = 0): this {
    this.#endpoint.setKeepAlive(on, delayMs);
    return this;
  }

  /** Lets the stream keep the process alive, as it does from the start. */
  ref(): this {
    this.#endpoint.ref();
    return this;
  }

  /** Lets the process exit while the stream is open. */
  unref(): this {
    this.#endpoint.unref();
    return this;
  }

  /** Whether the stream keeps the process alive. */
  hasRef(): boolean {
    return this.#endpoint.hasRef();
  }

  [inspect.custom](): string {
    const { peer } = this.info;
    const where = peer === null ? 'unconnected' : `${peer.address}:${String(peer.port)}`;
    const state = this.#endpoint.isClosed ? 'closed' : this.isClosing() ? 'closing' : 'open';
    return `<Stream ${where} ${state} unread=${String(this.#unreadBytes)} unsent=${String(this.writeBufferSize)}>`;
  }

  // What the endpoint tells

  /** @internal */
  onData(chunk: Buffer): void {
    this.#unreadBytes += chunk.length;
    if (this.#chunk === null) this.#chunk = chunk;
    else (this.#chunks ??= new Deque<Buffer>()).push(chunk);
    this.#serveReader();
    if (this.#unreadBytes === 0) return;
    if (chunk.length <= SMALL_CHUNK_BYTES) this.#joinLast();
    if (this.#unreadBytes <= 2 * this.#limits.limit || this.#isPaused || this.#isAllWanted()) return;
    this.#isPaused = true;
    this.#endpoint.stopReceiving();
  }

  /** @internal */
  onEnd(): void {
    this.#isEnded = true;
    this.#serveReader();
  }

  /** @internal */
  onDrain(): void {
    if (this.#drainers === null || this.#endpoint.bufferedBytes > this.#limits.low) return;
    this.#drainers.fulfil();
  }

  /** @internal */
  onError(error: Error): void {
    this.#serveReader();
    this.#drainers?.fail(error);
  }

  /** @internal */
  onClosed(): void {
    this.#serveReader();
    this.#drainers?.fail(this.#endpoint.error ?? connectionLost());
    this.#closed?.happen();
    this.#owner?._onConnectionClosed(this);
  }

  // Copies the last unread chunk, so that it keeps no slab, and joins it to the one before it.
  #joinLast(): void {
    const joiner = (this.#joiner ??= new Joiner());
    const chunks = this.#chunks;
    const last = chunks?.pop();
    if (chunks === null || last === undefined) {
      this.#chunk = joiner.join(null, this.#chunk!);
      return;
    }
    const previous = chunks.at(chunks.size - 1);
    const joined = joiner.join(previous ?? this.#chunk, last);
    if (joined.length === last.length) {
      chunks.push(joined);
    } else if (previous === undefined) {
      this.#chunk = joined;
    } else {
      chunks.pop();
      chunks.push(joined);
    }
  }

  // Somebody who was cancelled wants nothing any more.
  #isAllWanted(): boolean {
    return this.#readerWants === -1 && this.#reader !== null && !this.#reader.done();
  }

  #serveReader(): void {
    const reader = this.#reader;
    if (reader !== null && (reader.done() || this.#satisfy(reader, this.#readerWants))) this.#reader = null;
  }
}

// What drain() gives when there is nothing to wait for: no allocation, no turn, one promise job. A
// shared promise of the engine, so that `await` takes the short way.
const drained = { done: true, value: undefined } as const;
const DRAINED: Awaitable<void> = Object.assign(Promise.resolve(), {
  [Symbol.iterator]: () => ({ next: () => drained }),
});
