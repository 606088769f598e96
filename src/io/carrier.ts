// What carries the bytes of a stream or transport: a socket of the loop, or anything that behaves like one.
import type { LoopCore } from '../core/loop.js';
import type { Writable } from './bytes.js';
import type { EndpointSink, SocketAddress } from './endpoint.js';

/**
 * One end of a connection. It calls its sink never from within one of these methods, and with `onClosed`
 * exactly once.
 *
 * @internal
 */
export interface Carrier {
  readonly loop: LoopCore;
  /** Why the connection broke, if it did. */
  error: Error | null;
  /** Who hears of it. */
  set sink(sink: EndpointSink);

  /** Gives the sink what arrives, until it is stopped. */
  startReceiving(): void;
  stopReceiving(): void;
  /** Lets the sink know, once, when there is something to receive; where bytes can go into memory of the caller. */
  awaitReadable?(): void;
  /** Receives into memory of the caller: how many bytes, 0 at the end of them, or -1 while there are none. */
  receiveInto?(bytes: Uint8Array): number;

  /** Bytes written and not yet taken from here. */
  readonly bufferedBytes: number;
  /** Whether writes can still be taken. */
  readonly isWritable: boolean;
  write(data: Writable): void;
  /** Writes bytes that nobody else has; where nothing of them has to wait, their memory is freed at once. */
  writeOwned?(bytes: Uint8Array): void;
  /** Sends what waits only for the end of the turn. */
  flush(): void;

  /**
   * Sends up to `count` bytes of a file, when nothing waits to be sent: how many were taken, 0 at the end of the
   * file, or a negated errno. After `-EAGAIN` the sink hears of a drain when to go on.
   */
  sendFile?(file: number, offset: number, count: number): number;

  readonly isClosing: boolean;
  readonly isClosed: boolean;
  /** Ends this side after what was written. Idempotent. */
  shutdown(): void;
  /** Closes after what was written. Idempotent. */
  close(): void;
  /** Closes now: what waits is dropped. */
  reset(): void;

  readonly localAddress: SocketAddress | null;
  readonly peerAddress: SocketAddress | null;
  setNoDelay(on: boolean): void;
  setKeepAlive(on: boolean, delayMs: number): void;
  ref(): void;
  unref(): void;
  hasRef(): boolean;
}

const ignore = (): void => undefined;

/** The sink of an end that belongs to nobody yet. @internal */
export const NOBODY: EndpointSink = {
  onData: ignore,
  onEnd: ignore,
  onDrain: ignore,
  onError: ignore,
  onClosed: ignore,
};
