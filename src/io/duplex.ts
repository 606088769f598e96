// A stream as packages of Node expect one.
import { Duplex } from 'node:stream';
import type { Awaitable } from '../task/awaitable.js';
import type { ConnectionInfo } from './endpoint.js';

type Done = (error?: Error | null) => void;

/** What is needed of a stream. @internal */
export interface DuplexSource {
  readonly closed: Awaitable<void>;
  readonly info: ConnectionInfo;
  readonly writeBufferSize: number;
  /** Why it broke, if it did. */
  readonly _error: Error | null;
  read(): Awaitable<Buffer>;
  writev(pieces: Iterable<Uint8Array>): boolean;
  drain(): Awaitable<void>;
  _endWriting(): Awaitable<void> | null;
  close(): unknown;
  abort(): void;
  setNoDelay(on: boolean): unknown;
  setKeepAlive(on: boolean, delayMs: number): unknown;
  ref(): unknown;
  unref(): unknown;
}

/** How a stream behaves for Node. */
export interface DuplexOptions {
  /** Whether this side may go on writing once the peer's bytes have ended. @defaultValue true */
  allowHalfOpen?: boolean;
}

/**
 * A `stream.Duplex` over a stream of this package, with what packages call of `net.Socket`: for
 * `http.Server.emit('connection', …)`, database clients and the like. Only one of the two may be read and written.
 *
 * @source Node `stream.Duplex`, `net.Socket`
 */
export class StreamDuplex extends Duplex {
  readonly #stream: DuplexSource;
  #isReading = false;

  /** @internal */
  constructor(stream: DuplexSource, options: DuplexOptions = {}) {
    super({ allowHalfOpen: options.allowHalfOpen ?? true });
    this.#stream = stream;
    // Nobody may be reading when the connection ends.
    void Promise.resolve(stream.closed).then(() => this.destroy(stream._error ?? undefined));
  }

  /** The peer's address, as of `net.Socket`; still there after the end. */
  get remoteAddress(): string | undefined {
    return this.#stream.info.peer?.address;
  }

  /** As of `net.Socket`. */
  get remotePort(): number | undefined {
    return this.#stream.info.peer?.port;
  }

  /** As of `net.Socket`. */
  get remoteFamily(): string | undefined {
    return this.#stream.info.peer?.family;
  }

  /** As of `net.Socket`. */
  get localAddress(): string | undefined {
    return this.#stream.info.local?.address;
  }

  /** As of `net.Socket`. */
  get localPort(): number | undefined {
    return this.#stream.info.local?.port;
  }

  /** As `Stream.setNoDelay`. @throws As that does. */
  setNoDelay(on = true): this {
    this.#stream.setNoDelay(on);
    return this;
  }

  /** As `Stream.setKeepAlive`. @throws As that does. */
  setKeepAlive(on = false, delayMs = 0): this {
    this.#stream.setKeepAlive(on, delayMs);
    return this;
  }

  /** Closes at once: what was not sent is dropped, and the peer sees a reset. */
  resetAndDestroy(): this {
    this.#stream.abort();
    return this.destroy();
  }

  /** Lets the connection keep the process alive, as it does from the start. */
  ref(): this {
    this.#stream.ref();
    return this;
  }

  /** Lets the process exit while the connection is open. */
  unref(): this {
    this.#stream.unref();
    return this;
  }

  /** @internal */
  override _read(): void {
    if (this.#isReading) return;
    this.#isReading = true;
    this.#stream.read().then(
      (chunk) => {
        this.#isReading = false;
        // What arrives while nobody wants it stays in the stream, which slows the peer down.
        if (!this.destroyed) this.push(chunk.length === 0 ? null : chunk);
      },
      (error: unknown) => this.destroy(error as Error),
    );
  }

  /** @internal */
  override _write(chunk: Buffer, _encoding: BufferEncoding, done: Done): void {
    this.#send([chunk], done);
  }

  /** @internal */
  override _writev(pieces: { chunk: Buffer }[], done: Done): void {
    this.#send(
      pieces.map(({ chunk }) => chunk),
      done,
    );
  }

  #send(chunks: readonly Buffer[], done: Done): void {
    try {
      if (this.#stream.writev(chunks)) return done();
    } catch (error) {
      return done(error as Error);
    }
    this.#stream.drain().then(() => done(), done);
  }

  /** @internal */
  override _final(done: Done): void {
    const ended = this.#stream._endWriting();
    if (ended === null) done();
    else void ended.then(() => done());
  }

  /** @internal */
  override _destroy(error: Error | null, done: Done): void {
    const stream = this.#stream;
    // Whoever destroys does not wait for a peer that takes nothing.
    if (error === null && stream.writeBufferSize === 0) void stream.close();
    else stream.abort();
    void Promise.resolve(stream.closed).then(() => done(error));
  }
}
