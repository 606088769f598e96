// A stream of Node as what carries a stream of ours.
import type { Duplex } from 'node:stream';
import { connectionLost } from '../base/errors.js';
import { validateBoolean, validateInteger } from '../base/validate.js';
import { CallbackHandle, noArgs } from '../core/handle.js';
import type { LoopCore } from '../core/loop.js';
import { ownBytes, type Writable } from './bytes.js';
import { NOBODY, type Carrier } from './carrier.js';
import type { EndpointSink, SocketAddress } from './endpoint.js';
import { openOn, type LoopBound } from './open-on.js';

/** What sockets have and other duplex streams may have. */
interface SocketParts {
  readonly allowHalfOpen?: boolean;
  readonly localAddress?: string;
  readonly localPort?: number;
  readonly localFamily?: string;
  readonly remoteAddress?: string;
  readonly remotePort?: number;
  readonly remoteFamily?: string;
  setNoDelay?(on: boolean): unknown;
  setKeepAlive?(on: boolean, delayMs: number): unknown;
  resetAndDestroy?(): unknown;
  ref?(): unknown;
  unref?(): unknown;
}

const STATE_OPEN = 0;
const STATE_SHUT = 1;
const STATE_CLOSING = 2;
const STATE_CLOSED = 3;

/** @internal */
export class NodeEndpoint implements Carrier, LoopBound {
  readonly loop: LoopCore;
  error: Error | null = null;
  readonly #duplex: Duplex & SocketParts;
  #sink: EndpointSink = NOBODY;
  #state = STATE_OPEN;
  #isEnded = false;
  #isReferenced = true;
  #localAddress: SocketAddress | null = null;
  #peerAddress: SocketAddress | null = null;

  /** @param duplex - Nobody may be reading it. */
  constructor(loop: LoopCore, duplex: Duplex) {
    this.loop = loop;
    this.#duplex = duplex;
    if (duplex.writableEnded) this.#state = STATE_SHUT;
    loop._reference(1);
    openOn(loop).add(this);
    // A listener for bytes would start them.
    duplex.pause();
    duplex.on('data', (chunk: Buffer) => this.#onData(chunk));
    duplex.on('end', () => this.#onEnd());
    duplex.on('error', (error) => this.#fail(error));
    duplex.on('finish', () => this.#onFinish());
    duplex.on('close', () => this.#onClosed());
    if (duplex.readableEnded) loop._push(new CallbackHandle(() => this.#onEnd(), noArgs, null));
  }

  set sink(sink: EndpointSink) {
    this.#sink = sink;
  }

  // Receiving

  startReceiving(): void {
    if (this.#state < STATE_CLOSING) this.#duplex.resume();
  }

  stopReceiving(): void {
    if (this.#state < STATE_CLOSING) this.#duplex.pause();
  }

  #onData(chunk: Buffer): void {
    if (this.#state < STATE_CLOSING) this.#sink.onData(chunk);
  }

  #onEnd(): void {
    this.#isEnded = true;
    if (this.#state >= STATE_CLOSING) return;
    this.#sink.onEnd();
    // Node ends the other direction of such a stream by itself.
    if (this.#duplex.allowHalfOpen === false) this.close();
  }

  // Sending

  get bufferedBytes(): number {
    return this.#duplex.writableLength;
  }

  get isWritable(): boolean {
    return this.#state === STATE_OPEN && this.error === null;
  }

  write(data: Writable): void {
    this.#duplex.write(ownBytes(data), this.#onWritten);
  }

  readonly #onWritten = (error?: Error | null): void => {
    // An error is told by its event.
    if ((error ?? null) === null && this.#state !== STATE_CLOSED) this.#sink.onDrain();
  };

  flush(): void {
    // Nothing waits for the end of a turn.
  }

  // Closing

  get isClosing(): boolean {
    return this.#state >= STATE_CLOSING;
  }

  get isClosed(): boolean {
    return this.#state === STATE_CLOSED;
  }

  shutdown(): void {
    if (this.#state !== STATE_OPEN) return;
    this.#state = STATE_SHUT;
    this.#duplex.end();
  }

  close(): void {
    if (this.#state >= STATE_CLOSING) return;
    this.#state = STATE_CLOSING;
    if (this.#duplex.writableFinished) this.#duplex.destroy();
    else this.#duplex.end();
  }

  #onFinish(): void {
    if (this.#state === STATE_CLOSING) this.#duplex.destroy();
  }

  reset(): void {
    if (this.#state === STATE_CLOSED) return;
    this.#state = STATE_CLOSING;
    if (this.#duplex.resetAndDestroy === undefined) this.#duplex.destroy();
    else this.#duplex.resetAndDestroy();
  }

  #fail(error: Error): void {
    if (this.error !== null || this.#state === STATE_CLOSED) return;
    this.error = error;
    if (this.#state >= STATE_CLOSING) return;
    this.#state = STATE_CLOSING;
    this.#sink.onError(error);
    // Not every stream closes after an error.
    this.#duplex.destroy();
  }

  #onClosed(): void {
    if (this.#state === STATE_CLOSED) return;
    // Somebody else destroyed it.
    if (this.#state < STATE_CLOSING && !this.#isEnded) this.#fail(connectionLost());
    this.#state = STATE_CLOSED;
    openOn(this.loop).delete(this);
    if (this.#isReferenced) this.loop._reference(-1);
    this.#sink.onClosed();
  }

  _onLoopClosed(): void {
    this.#state = STATE_CLOSING;
    this.#duplex.destroy();
    this.#onClosed();
  }

  // Properties of the socket

  get localAddress(): SocketAddress | null {
    const { localAddress, localFamily, localPort } = this.#duplex;
    return (this.#localAddress ??= addressOf(localAddress, localFamily, localPort));
  }

  get peerAddress(): SocketAddress | null {
    const { remoteAddress, remoteFamily, remotePort } = this.#duplex;
    return (this.#peerAddress ??= addressOf(remoteAddress, remoteFamily, remotePort));
  }

  setNoDelay(on: boolean): void {
    validateBoolean('on', on);
    this.#duplex.setNoDelay?.(on);
  }

  setKeepAlive(on: boolean, delayMs: number): void {
    validateBoolean('on', on);
    validateInteger('delayMs', delayMs, 0, 2 ** 31 - 1);
    this.#duplex.setKeepAlive?.(on, delayMs);
  }

  ref(): void {
    if (this.#isReferenced) return;
    this.#isReferenced = true;
    this.#duplex.ref?.();
    if (this.#state !== STATE_CLOSED) this.loop._reference(1);
  }

  unref(): void {
    if (!this.#isReferenced) return;
    this.#isReferenced = false;
    this.#duplex.unref?.();
    if (this.#state !== STATE_CLOSED) this.loop._reference(-1);
  }

  hasRef(): boolean {
    return this.#isReferenced;
  }
}

function addressOf(
  address: string | undefined,
  family: string | undefined,
  port: number | undefined,
): SocketAddress | null {
  if (address === undefined || port === undefined) return null;
  return Object.freeze({ family: family === 'IPv6' ? 'IPv6' : 'IPv4', address, port });
}
