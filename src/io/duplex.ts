// A stream as packages of Node expect one.
import { Duplex } from 'node:stream';
import {
  LONGEST_TIMEOUT_MS,
  validateBoolean,
  validateFunction,
  validateInteger,
  validateNumber,
} from '../base/validate.js';
import type { LoopCore } from '../core/loop.js';
import type { Awaitable } from '../task/awaitable.js';
import { runUntracked } from '../task/tracking.js';
import type { ConnectionInfo } from './endpoint.js';
import { openOn, type LoopBound } from './open-on.js';

type Done = (error?: Error | null) => void;

/** What is needed of a stream. @internal */
export interface DuplexSource {
  readonly closed: Awaitable<void>;
  readonly info: ConnectionInfo;
  /** Why it broke, if it did. */
  readonly _error: Error | null;
  /** Hands what is written to the kernel; how many bytes that did not take. */
  _flush(): number;
  /** Waits until the kernel has taken everything. */
  _flushed(): Awaitable<void>;
  isClosing(): boolean;
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
 * It belongs to no task: cancelling the one that made it leaves it alone.
 *
 * @source Node `stream.Duplex`, `net.Socket`
 */
export class StreamDuplex extends Duplex implements LoopBound {
  readonly #loop: LoopCore;
  #stream: DuplexSource | null = null;
  // What is to be done with the stream once it is there.
  readonly #settings: ((stream: DuplexSource) => unknown)[] = [];
  #isReading = false;
  // Says that it is destroyed, once the stream is closed.
  #endDestroying: (() => void) | null = null;
  #idleTimer: NodeJS.Timeout | null = null;
  #timeoutMs = 0;

  /** @internal */
  constructor(loop: LoopCore, stream: DuplexSource | null, options: DuplexOptions = {}) {
    super({ allowHalfOpen: options.allowHalfOpen ?? true });
    this.#loop = loop;
    openOn(loop).add(this);
    if (stream !== null) this._attach(stream);
  }

  /** Takes the stream that is read and written from then on. @internal */
  _attach(stream: DuplexSource): void {
    this.#stream = stream;
    // Nobody may be reading when the connection ends.
    settle(stream.closed, () => this.destroy(stream._error ?? undefined));
    for (const set of this.#settings) set(stream);
    this.#settings.length = 0;
  }

  #set(setting: (stream: DuplexSource) => unknown): this {
    if (this.#stream === null) this.#settings.push(setting);
    else setting(this.#stream);
    return this;
  }

  // A socket that is being closed has no options any more.
  #setOption(option: (stream: DuplexSource) => unknown): this {
    return this.#set((stream) => stream.isClosing() || option(stream));
  }

  /** The peer's address, as of `net.Socket`; still there after the end. */
  get remoteAddress(): string | undefined {
    return this.#stream?.info.peer?.address;
  }

  /** As of `net.Socket`. */
  get remotePort(): number | undefined {
    return this.#stream?.info.peer?.port;
  }

  /** As of `net.Socket`. */
  get remoteFamily(): string | undefined {
    return this.#stream?.info.peer?.family;
  }

  /** As of `net.Socket`. */
  get localAddress(): string | undefined {
    return this.#stream?.info.local?.address;
  }

  /** As of `net.Socket`. */
  get localPort(): number | undefined {
    return this.#stream?.info.local?.port;
  }

  /** As `Stream.setNoDelay`. @throws As that does. */
  setNoDelay(on = true): this {
    validateBoolean('on', on);
    return this.#setOption((stream) => stream.setNoDelay(on));
  }

  /** As `Stream.setKeepAlive`. @throws As that does. */
  setKeepAlive(on = false, delayMs = 0): this {
    validateBoolean('on', on);
    validateInteger('delayMs', delayMs, 0, LONGEST_TIMEOUT_MS);
    return this.#setOption((stream) => stream.setKeepAlive(on, delayMs));
  }

  /**
   * Emits `'timeout'` whenever nothing was read or written for so long; nothing else happens then.
   *
   * @param timeoutMs - Milliseconds; 0 ends it.
   * @param listener - Hears of the next timeout; with 0 it hears of none any more.
   * @throws TypeError `ERR_INVALID_ARG_TYPE`, RangeError `ERR_OUT_OF_RANGE` - an argument is wrong.
   * @source Node `net.Socket.setTimeout`
   */
  setTimeout(timeoutMs: number, listener?: () => void): this {
    validateNumber('timeoutMs', timeoutMs, 0, LONGEST_TIMEOUT_MS);
    if (listener !== undefined) validateFunction('listener', listener);
    this.#timeoutMs = timeoutMs;
    if (this.#idleTimer !== null) clearTimeout(this.#idleTimer);
    this.#idleTimer = null;
    if (timeoutMs === 0) {
      if (listener !== undefined) this.removeListener('timeout', listener);
      return this;
    }
    if (listener !== undefined) this.once('timeout', listener);
    if (!this.destroyed) this.#idleTimer = setTimeout(() => this.emit('timeout'), timeoutMs).unref();
    return this;
  }

  /** Milliseconds, as set by {@link StreamDuplex.setTimeout}; 0 without. */
  get timeout(): number {
    return this.#timeoutMs;
  }

  /** Ends this side, and destroys it once everything written is sent, whether or not the peer has ended. */
  destroySoon(): void {
    if (this.writable) this.end();
    if (this.writableFinished) this.destroy();
    else this.once('finish', () => this.destroy());
  }

  /** Closes at once: what was not sent is dropped, and the peer sees a reset. */
  resetAndDestroy(): this {
    this.#stream?.abort();
    return this.destroy();
  }

  /** Lets the connection keep the process alive, as it does from the start. */
  ref(): this {
    return this.#set((stream) => stream.ref());
  }

  /** Lets the process exit while the connection is open. */
  unref(): this {
    return this.#set((stream) => stream.unref());
  }

  /** @internal */
  override _read(): void {
    if (this.#isReading) return;
    this.#isReading = true;
    runUntracked(() => {
      this.#stream!.read().then(
        (chunk) => {
          this.#isReading = false;
          this.#idleTimer?.refresh();
          // What arrives while nobody wants it stays in the stream, which slows the peer down.
          if (!this.destroyed) this.push(chunk.length === 0 ? null : chunk);
        },
        (error: unknown) => this.destroy(error as Error),
      );
    });
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
    const stream = this.#stream!;
    this.#idleTimer?.refresh();
    try {
      if (stream.writev(chunks)) return done();
    } catch (error) {
      return done(error as Error);
    }
    settle(stream.drain(), done);
  }

  /** @internal */
  override _final(done: Done): void {
    const stream = this.#stream!;
    const ended = stream._endWriting();
    if (ended !== null) settle(ended, () => done());
    // Once it is finished it may be destroyed, which must not cost the last bytes.
    else if (stream._flush() === 0) done();
    else settle(stream._flushed(), done);
  }

  /** @internal */
  override _destroy(error: Error | null, done: Done): void {
    const stream = this.#stream;
    if (this.#idleTimer !== null) clearTimeout(this.#idleTimer);
    const end = (): void => {
      openOn(this.#loop).delete(this);
      done(error);
    };
    if (stream === null) return end();
    this.#endDestroying = end;
    // Whoever destroys does not wait for a peer that takes nothing.
    if (error === null && stream._flush() === 0) void stream.close();
    else stream.abort();
    settle(stream.closed, end);
  }

  /** @internal */
  _onLoopClosed(): void {
    this.destroy();
    this.#endDestroying?.();
  }
}

// Apart from the task that runs now, whose end would else be that of the wait.
function settle(wait: Awaitable<void>, done: Done): void {
  runUntracked(() => void wait.then(() => done(), done));
}
