// The stream that tasks read and write: one object for both directions.
import { inspect } from 'node:util';
import { InvalidStateError, connectionLost, invalidArgType, outOfRange } from '../base/errors.js';
import { validateBoolean, validateInteger, validateObject } from '../base/validate.js';
import type { Awaitable } from '../task/awaitable.js';
import { isSteppingGenerator } from '../task/current.js';
import { Future } from '../task/future.js';
import { operate, type Steps } from '../task/operation.js';
import { sleepOn } from '../task/sleep.js';
import { NO_BYTES, toBytes, type Writable } from './bytes.js';
import type { Carrier } from './carrier.js';
import { Exactly, Line, Until, type Demand } from './demand.js';
import { StreamDuplex, type DuplexOptions } from './duplex.js';
import type { ConnectionInfo, ConnectionOwner, EndpointSink } from './endpoint.js';
import { CloseLimit } from './close-limit.js';
import type { BufferLimits } from './limits.js';
import { PieceRead, Pieces } from './pieces.js';
import { Read, StepRead, type Reader } from './read.js';
import { FileSender, validateSendFile, type OpenFile, type SendFileOptions } from './send-file.js';
import { UnreadBytes } from './unread.js';
import { TlsEndpoint, type TlsInfo } from './tls-endpoint.js';
import { tlsSide, type StartTlsOptions, type TlsSide } from './tls-options.js';
import { Once, Waiters } from './waiters.js';
import { webStreamsOf, type WebStreams } from './web-streams.js';

// A writer that never has to wait still lets others run once in so many drains.
const DRAINS_PER_YIELD = 128;
const WRITES_AFTER_CLOSE_BEFORE_WARNING = 5;

// More than any chunk holds, and small enough to be no object to the engine.
const ANY_SIZE = 2 ** 30;
const ALL = -1;

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
  #endpoint: Carrier;
  readonly #limits: BufferLimits;
  // Null while nothing is unread: most bytes go to a task that waits for them already.
  #unread: UnreadBytes | null = null;
  #isEnded = false;
  #isPaused = false;
  // The read that waits, and for what.
  #reader: Reader<unknown> | null = null;
  #wanted: number | Demand = ANY_SIZE;
  #drainers: Waiters | null = null;
  #flushers: Waiters | null = null;
  #drainCount = 0;
  #lateWrites = 0;
  #isSendingFile = false;
  #closed: Once | null = null;
  #closeLimit: CloseLimit | null = null;
  readonly #owner: ConnectionOwner | null;

  /** @internal */
  constructor(carrier: Carrier, limits: BufferLimits, owner: ConnectionOwner | null = null) {
    this.#limits = limits;
    this.#owner = owner;
    this.#endpoint = carrier;
    carrier.sink = this;
    carrier.startReceiving();
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
    if (size === undefined) return this.#start('read', ANY_SIZE);
    validateInteger('size', size, ALL, Number.MAX_SAFE_INTEGER);
    return this.#start('read', Math.min(size, ANY_SIZE));
  }

  /**
   * Reads exactly so many bytes.
   *
   * Suspends: while fewer are there. A cancel point then; no byte is lost by cancelling.
   *
   * @param size - How many bytes, 0 or more; it may be more than the stream's limit.
   * @throws TypeError `ERR_INVALID_ARG_TYPE`, RangeError `ERR_OUT_OF_RANGE` - `size` is no integer of 0 or more.
   * @throws {@link InvalidStateError} `ERR_INVALID_STATE` - somebody else waits for bytes already.
   * @throws {@link IncompleteReadError} (rejects) `ERR_INCOMPLETE_READ` - the peer's bytes ended before; it has them.
   * @throws SystemError (rejects) `ECONNRESET` ... - the connection broke.
   * @source CPython 3.13 `StreamReader.readexactly`
   */
  readExactly(size: number): Awaitable<Buffer> {
    validateInteger('size', size, 0, Number.MAX_SAFE_INTEGER);
    return this.#start('readExactly', size === 0 ? 0 : new Exactly(size));
  }

  /**
   * Reads a line with the newline at its end. The last line may have none; behind it comes an empty Buffer.
   *
   * Suspends: while there is no whole line. A cancel point then; no byte is lost by cancelling.
   *
   * @throws {@link InvalidStateError} `ERR_INVALID_STATE` - somebody else waits for bytes already.
   * @throws {@link LimitOverrunError} (rejects) `ERR_LIMIT_OVERRUN` - the line is longer than the stream's limit; it is
   *   dropped, or what has come of it.
   * @throws SystemError (rejects) `ECONNRESET` ... - the connection broke.
   * @source CPython 3.13 `StreamReader.readline`. Differs: the error is no ValueError.
   */
  readLine(): Awaitable<Buffer> {
    return this.#start('readLine', new Line(this.#limits.limit));
  }

  /**
   * Reads up to a separator, and that with it.
   *
   * Suspends: while no separator is there. A cancel point then; no byte is lost by cancelling.
   *
   * @param separator - A string, which is looked for as UTF-8, or bytes; of several the one that ends first counts.
   * @throws TypeError `ERR_INVALID_ARG_TYPE`, RangeError `ERR_OUT_OF_RANGE` - there is no separator, or an empty one.
   * @throws {@link InvalidStateError} `ERR_INVALID_STATE` - somebody else waits for bytes already.
   * @throws {@link LimitOverrunError} (rejects) `ERR_LIMIT_OVERRUN` - more bytes than the stream's limit are in front of
   *   it; they stay where they are.
   * @throws {@link IncompleteReadError} (rejects) `ERR_INCOMPLETE_READ` - the peer's bytes ended before; it has them.
   * @throws SystemError (rejects) `ECONNRESET` ... - the connection broke.
   * @source CPython 3.13 `StreamReader.readuntil`
   */
  readUntil(separator: string | Uint8Array | readonly (string | Uint8Array)[]): Awaitable<Buffer> {
    return this.#start('readUntil', new Until(separatorsOf(separator), this.#limits.limit));
  }

  #start(method: string, wanted: number | Demand): Awaitable<Buffer> {
    const { loop } = this.#endpoint;
    const read = isSteppingGenerator(loop) ? new StepRead(loop, this) : new Read(loop, this);
    this.#begin(read, method, wanted);
    return read;
  }

  #nextPiece(method: string, wanted: number | Demand): PieceRead {
    const read = new PieceRead(this.#endpoint.loop, this);
    this.#begin(read, method, wanted);
    return read;
  }

  #begin(read: Reader<unknown>, method: string, wanted: number | Demand): void {
    if (this.#satisfy(read, wanted)) return;
    if (this.#reader !== null && !this.#reader.done()) {
      throw new InvalidStateError(`${method}() was called while another task waits for bytes of this stream`);
    }
    this.#reader = read;
    this.#wanted = wanted;
    this.#resume();
  }

  // Settles a read with what is there; false when it has to wait.
  #satisfy(read: Reader<unknown>, wanted: number | Demand): boolean {
    try {
      const bytes = this.#take(wanted);
      if (bytes === null) return false;
      read.deliver(bytes);
    } catch (error) {
      read.setException(error);
    }
    return true;
  }

  // What a read gets, or null while it has to wait. What has arrived comes before the news of an error.
  #take(wanted: number | Demand): Buffer | null {
    if (wanted === 0) return NO_BYTES;
    const isDemand = typeof wanted === 'object';
    const unread = this.#unread;
    if (unread !== null && unread.sizeBytes > 0 && wanted !== ALL) {
      try {
        const bytes = isDemand ? wanted.takeFrom(unread) : unread.takeSome(wanted);
        if (bytes !== null) return bytes;
      } finally {
        this.#afterTaking(unread);
      }
    }
    const { error, isClosing } = this.#endpoint;
    if (error !== null) throw error;
    if (!this.#isEnded && !isClosing) return null;
    const rest = unread ?? new UnreadBytes();
    try {
      return isDemand ? wanted.takeRest(rest) : rest.take(rest.sizeBytes);
    } finally {
      this.#afterTaking(rest);
    }
  }

  #afterTaking(unread: UnreadBytes): void {
    if (unread.isDisposable()) this.#unread = null;
    if (this.#isPaused && unread.sizeBytes <= this.#limits.limit) this.#resume();
  }

  /** Takes back what a cancelled reader did not get to see. @internal */
  _giveBack(bytes: Buffer): void {
    if (bytes.length === 0) return;
    (this.#unread ??= new UnreadBytes()).unshift(bytes);
    this.#serveReader();
  }

  /** @internal */
  _replaceReader(step: StepRead, future: Read): void {
    if (this.#reader === step) this.#reader = future;
  }

  #resume(): void {
    if (this.#isEnded) return;
    this.#isPaused = false;
    this.#endpoint.startReceiving();
  }

  get #unreadBytes(): number {
    return this.#unread === null ? 0 : this.#unread.sizeBytes;
  }

  /** Whether the peer's bytes have ended and all were read. */
  atEof(): boolean {
    return this.#isEnded && this.#unreadBytes === 0;
  }

  /** Chunks until the end of the peer's bytes; leaving the loop early does not close the stream. */
  [Symbol.asyncIterator](): AsyncIterator<Buffer, void, undefined> {
    return new Pieces(() => this.#nextPiece('read', ANY_SIZE));
  }

  /**
   * Lines until the end of the peer's bytes, each as {@link Stream.readLine} gives it.
   *
   * @example
   * ```ts
   * async function greet(stream: Stream) {
   *   for await (const line of stream.lines()) stream.write(`Hello ${line.toString().trim()}\n`);
   * }
   * ```
   */
  lines(): AsyncGenerator<Buffer, void, undefined> {
    return new Pieces(() => this.#nextPiece('readLine', new Line(this.#limits.limit)));
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
    if (!endpoint.isWritable || this.#isSendingFile) return this.#writeLate();
    endpoint.write(data);
    return endpoint.bufferedBytes <= this.#limits.high;
  }

  #writeLate(): boolean {
    const endpoint = this.#endpoint;
    if (!endpoint.isClosing && endpoint.error === null) {
      throw new InvalidStateError(
        `write() was called ${this.#isSendingFile ? 'during sendFile()' : 'after closeWrite(), or before TLS was there'}`,
      );
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

  /**
   * Writes several pieces, one behind the other, as {@link Stream.write} does; none if one of them is wrong.
   *
   * Suspends: never.
   *
   * @returns Whether less than the high water mark is unsent.
   * @throws As {@link Stream.write}.
   * @source CPython 3.13 `StreamWriter.writelines`
   */
  writev(pieces: Iterable<Writable>): boolean {
    const valid = listOfPieces(pieces);
    let isBelowMark = this.#endpoint.bufferedBytes <= this.#limits.high;
    for (const piece of valid) isBelowMark = this.write(piece);
    return isBelowMark;
  }

  /**
   * Writes, and waits until few enough bytes are unsent to write on.
   *
   * Suspends: as {@link Stream.drain}.
   *
   * @param data - As for {@link Stream.write}.
   * @throws As {@link Stream.write}, and (rejects) as {@link Stream.drain}.
   */
  send(data: Writable): Awaitable<void> {
    this.write(data);
    return this.drain();
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
    if (endpoint.bufferedBytes > this.#limits.high) return this.#waitForRoom();
    if (++this.#drainCount % DRAINS_PER_YIELD === 0) return sleepOn(endpoint.loop, 0, undefined);
    return DRAINED;
  }

  #waitForRoom(): Future<void> {
    return (this.#drainers ??= new Waiters(this.#endpoint.loop)).add();
  }

  /** Hands what is written to the kernel; how many bytes that did not take. @internal */
  _flush(): number {
    const endpoint = this.#endpoint;
    if (endpoint.bufferedBytes > 0) endpoint.flush();
    return endpoint.bufferedBytes;
  }

  /** Waits, after `_flush()`, until the kernel has taken everything. @internal */
  _flushed(): Awaitable<void> {
    return (this.#flushers ??= new Waiters(this.#endpoint.loop)).add();
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
   * Sends a file behind what was written; the kernel does it without a copy where it can. Until it is through, nothing
   * else can be written. The position of the file is behind what was sent afterwards, however it ends.
   *
   * Suspends: always. A cancel point; what was sent by then stays sent.
   *
   * @param file - A descriptor, or an object that has one as `fd`; it stays open. A pipe or device is read from where it is.
   * @param options - Which part of it; all by default.
   * @returns How many bytes were sent.
   * @throws TypeError `ERR_INVALID_ARG_TYPE`, RangeError `ERR_OUT_OF_RANGE` - an argument is wrong.
   * @throws {@link InvalidStateError} `ERR_INVALID_STATE` - after `closeWrite()`, or while another file is sent.
   * @throws Error `EBADF` - there is no such descriptor.
   * @throws SystemError (rejects) `ECONNRESET` ... - the connection broke or was closed, or the file cannot be read.
   * @example
   * ```ts
   * async function download(stream: Stream) {
   *   const file = await open('package.json');
   *   await stream.sendFile(file);
   *   await file.close();
   * }
   * ```
   * @source CPython 3.13 `loop.sendfile`, sendfile(2)
   */
  sendFile(file: OpenFile, options: SendFileOptions = {}): Awaitable<number> {
    const fd = validateSendFile(file, options);
    const endpoint = this.#endpoint;
    if (this.#isSendingFile) throw new InvalidStateError('sendFile() was called while it sends another file');
    if (!endpoint.isWritable && !endpoint.isClosing && endpoint.error === null) {
      throw new InvalidStateError('sendFile() was called after closeWrite(), or before TLS was there');
    }
    const sender = new FileSender(endpoint, () => this.#waitForRoom(), fd, options);
    return operate(endpoint.loop, this.#lendTo(sender));
  }

  *#lendTo(sender: FileSender): Steps<number> {
    this.#isSendingFile = true;
    try {
      return yield* sender.steps();
    } finally {
      this.#isSendingFile = false;
    }
  }

  /**
   * Ends this side: the peer sees the end of the bytes after all that was written. Idempotent.
   *
   * Suspends: never.
   *
   * @throws {@link InvalidStateError} `ERR_INVALID_STATE` - a file is being sent, or over TLS, which has no half-closed
   *   connections.
   */
  closeWrite(): void {
    if (this.#isSendingFile) throw new InvalidStateError('closeWrite() was called during sendFile()');
    this.#endpoint.shutdown();
  }

  /** As {@link Stream.closeWrite}; over TLS it is the whole stream that ends, which takes time. @internal */
  _endWriting(): Awaitable<void> | null {
    if (this.tls !== null) return this.close();
    this.closeWrite();
    return null;
  }

  // TLS

  /**
   * Goes on over TLS, in place: what is written and read from then on is encrypted. What was received
   * already and not read is taken for the beginning of the handshake. Nobody may write until it is over.
   *
   * Suspends: always. A cancel point; cancelling resets the connection.
   *
   * @param options - What `tls.connect()` of Node takes, or with `isServer` what `tls.createServer()` takes, and
   *   the timeouts. A client has to say as `servername` who it talks to; else the certificate is compared with the
   *   peer's address. Servers should pass the same object for every connection.
   * @throws TypeError `ERR_INVALID_ARG_TYPE`, RangeError `ERR_OUT_OF_RANGE` - an option is wrong; and what Node
   *   throws for those it takes.
   * @throws {@link InvalidStateError} `ERR_INVALID_STATE` - somebody reads, or this side has ended.
   * @throws (rejects) what Node has for a handshake that fails; {@link TimeoutError} `ETIMEDOUT`;
   *   {@link SystemError} `ECONNRESET` - the connection broke.
   * @example
   * ```ts
   * async function submit(stream: Stream) {
   *   stream.write('STARTTLS\r\n');
   *   await stream.readLine();
   *   await stream.startTls({ servername: 'mail.example' });
   *   console.log(stream.tls?.protocol);
   * }
   * ```
   * @source CPython 3.13 `StreamWriter.start_tls`. Differs: unread bytes never come through as if they were
   *   encrypted.
   */
  startTls(options: StartTlsOptions = {}): Awaitable<void> {
    const side = tlsSide(options, this.info.peer?.address ?? '');
    return operate(this.#endpoint.loop, this.#startTls(side));
  }

  *#startTls(side: TlsSide): Steps<void> {
    yield* this.drain();
    if (!this.#endpoint.isWritable) throw new InvalidStateError('startTls() was called after closeWrite()');
    if (this.#isMoreWanted()) {
      throw new InvalidStateError('startTls() was called while a task waits for bytes of this stream');
    }
    const handshake = new Future<void>(this.#endpoint.loop);
    this._secure(side, (error) => {
      if (handshake.done()) return;
      if (error === null) handshake.setResult();
      else handshake.setException(error);
    });
    try {
      yield* handshake;
    } catch (error) {
      this.abort();
      throw error;
    }
  }

  /** Puts TLS around what carries the bytes; `onHandshake` must not call user code. @internal */
  _secure(side: TlsSide, onHandshake: (error: Error | null) => void): void {
    const unread = this.#unread;
    const received = unread === null ? [] : [unread.take(unread.sizeBytes)];
    this.#unread = null;
    this.#isPaused = false;
    const endpoint = new TlsEndpoint(this.#endpoint, side, onHandshake);
    this.#endpoint = endpoint;
    endpoint.sink = this;
    endpoint.startReceiving();
    endpoint.begin(received);
    // The end that came before the handshake is that of the connection.
    if (this.#isEnded) endpoint.onWireEnd();
  }

  /** What the TLS handshake has settled; null without TLS, or before that. Still there after the stream was closed. */
  get tls(): TlsInfo | null {
    return this.#endpoint instanceof TlsEndpoint ? this.#endpoint.info : null;
  }

  // Closing

  /**
   * Closes after everything written is sent; unread bytes are dropped. A peer that takes nothing for the time of option
   * `closeTimeout` is reset. Idempotent.
   *
   * Suspends: never; what it returns does.
   *
   * @returns What {@link Stream.closed} gives.
   */
  close(): Awaitable<void> {
    const endpoint = this.#endpoint;
    endpoint.close();
    const { closeTimeoutMs } = this.#limits;
    const isUnsent = endpoint.bufferedBytes > 0 && !endpoint.isClosed && !endpoint.loop.isClosed();
    if (isUnsent && closeTimeoutMs < Infinity) this.#closeLimit ??= new CloseLimit(endpoint, closeTimeoutMs);
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
    return this._closed;
  }

  /** @internal */
  get _closed(): Once {
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

  /** Why the connection broke, if it did. @internal */
  get _error(): Error | null {
    return this.#endpoint.error;
  }

  /**
   * The stream as a `stream.Duplex`, for packages that want one. It reads and writes from then on.
   *
   * Suspends: never.
   *
   * @param options - `allowHalfOpen`: true.
   * @throws TypeError `ERR_INVALID_ARG_TYPE` - an option is wrong.
   * @example
   * ```ts
   * const server = await listen(async (stream) => void stream.write('hello'), { host: '127.0.0.1' });
   * const stream = await connect({ host: '127.0.0.1', port: server.port });
   * for await (const chunk of stream.toNodeDuplex()) console.log(String(chunk));
   * ```
   */
  toNodeDuplex(options: DuplexOptions = {}): StreamDuplex {
    validateObject('options', options);
    if (options.allowHalfOpen !== undefined) validateBoolean('options.allowHalfOpen', options.allowHalfOpen);
    return new StreamDuplex(this.#endpoint.loop, this, options);
  }

  /**
   * The stream as a pair of web streams of bytes, which read and write from then on; it is closed when both
   * have ended, and reset when the writable one is aborted.
   *
   * Suspends: never.
   *
   * @source WHATWG Streams
   */
  toWebStreams(): WebStreams {
    return webStreamsOf(this);
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
    const reader = this.#reader;
    const wanted = this.#wanted;
    const isForReader =
      reader !== null && typeof wanted === 'number' && wanted >= chunk.length && !reader.done();
    if (isForReader && this.#unread === null) {
      this.#reader = null;
      reader.deliver(chunk);
      return;
    }
    const unread = (this.#unread ??= new UnreadBytes());
    unread.push(chunk);
    this.#serveReader();
    if (unread.sizeBytes === 0) return;
    unread.joinLast();
    if (unread.sizeBytes <= 2 * this.#limits.limit || this.#isPaused || this.#isMoreWanted()) return;
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
    const { bufferedBytes } = this.#endpoint;
    if (bufferedBytes <= this.#limits.low) this.#drainers?.fulfil();
    if (bufferedBytes === 0) this.#flushers?.fulfil();
  }

  /** @internal */
  onError(error: Error): void {
    this.#serveReader();
    this.#drainers?.fail(error);
    this.#flushers?.fail(error);
  }

  /** @internal */
  onClosed(): void {
    this.#closeLimit?.end();
    this.#serveReader();
    if (this.#drainers !== null || this.#flushers !== null) this.#failWriters();
    this.#closed?.happen();
    this.#owner?._onConnectionClosed(this);
  }

  #failWriters(): void {
    const error = this.#endpoint.error ?? connectionLost();
    this.#drainers?.fail(error);
    this.#flushers?.fail(error);
  }

  // Somebody who was cancelled wants nothing any more.
  #isMoreWanted(): boolean {
    return this.#reader !== null && !this.#reader.done();
  }

  #serveReader(): void {
    const reader = this.#reader;
    if (reader !== null && (reader.done() || this.#satisfy(reader, this.#wanted))) this.#reader = null;
  }
}

/** @throws TypeError `ERR_INVALID_ARG_TYPE`, RangeError `ERR_OUT_OF_RANGE` */
function separatorsOf(separator: unknown): Uint8Array[] {
  const separators: unknown[] = Array.isArray(separator) ? separator : [separator];
  if (separators.length === 0) throw outOfRange('separator', 'one or more', separators);
  return separators.map((one) => {
    const bytes = typeof one === 'string' ? Buffer.from(one) : one;
    if (!(bytes instanceof Uint8Array)) {
      throw invalidArgType('separator', 'a string or Uint8Array, or several', one);
    }
    if (bytes.length === 0) throw outOfRange('separator', 'one byte or more', one);
    return bytes;
  });
}

/** @throws TypeError `ERR_INVALID_ARG_TYPE` */
function listOfPieces(pieces: unknown): readonly Writable[] {
  if (
    typeof pieces !== 'object' ||
    pieces === null ||
    !(Symbol.iterator in pieces) ||
    pieces instanceof Uint8Array
  ) {
    throw invalidArgType('pieces', 'an iterable of strings and bytes', pieces);
  }
  const list = [...(pieces as Iterable<Writable>)];
  for (const piece of list) if (typeof piece !== 'string') toBytes('pieces', piece);
  return list;
}

// What drain() gives when there is nothing to wait for: no allocation, no turn, one promise job. A
// shared promise of the engine, so that `await` takes the short way.
const drained = { done: true, value: undefined } as const;
const DRAINED: Awaitable<void> = Object.assign(Promise.resolve(), {
  [Symbol.iterator]: () => ({ next: () => drained }),
});
