// TLS around anything that carries bytes. The protocol itself is Node's.
//
//   kHandshake --secure--> kOpen --close, end of the peer--> kClosing --the carrier is closed--> kClosed
import type { PeerCertificate, TLSSocket } from 'node:tls';
import { connectionLost, InvalidStateError, TimeoutError } from '../base/errors.js';
import type { LoopCore } from '../core/loop.js';
import type { TimerHandle } from '../core/timers.js';
import { ownBytes, toBytes, type Writable } from './bytes.js';
import { NOBODY, type Carrier } from './carrier.js';
import type { EndpointSink, SocketAddress } from './endpoint.js';
import type { Handshake, TlsSide } from './tls-options.js';
import { Wire, type WireOwner } from './wire.js';

/** What a handshake has settled. */
export interface TlsInfo {
  /** `'TLSv1.3'`, `'TLSv1.2'`. */
  readonly protocol: string;
  readonly cipher: { readonly name: string; readonly standardName: string; readonly version: string };
  /** What both sides have chosen of `ALPNProtocols`. */
  readonly alpnProtocol: string | null;
  /** The name that the client asked for. */
  readonly servername: string | null;
  /** Whether the peer's certificate was asked for, and is valid. */
  readonly authorized: boolean;
  /** Why it is not valid: a code of OpenSSL. */
  readonly authorizationError: string | null;
  /** The peer's certificate, if it has sent one; to be asked for while the stream is open. */
  readonly peerCertificate: PeerCertificate | null;
  /** Whether an earlier session was resumed. */
  readonly isSessionReused: boolean;
  /** What a later connection can resume with the option `session`; of a server null. The newest there is. */
  readonly session: Buffer | null;
}

class Info implements TlsInfo {
  readonly protocol: string;
  readonly cipher: TlsInfo['cipher'];
  readonly alpnProtocol: string | null;
  readonly servername: string | null;
  readonly authorized: boolean;
  readonly authorizationError: string | null;
  readonly isSessionReused: boolean;
  session: Buffer | null = null;
  readonly #socket: TLSSocket;

  constructor(socket: TLSSocket) {
    this.#socket = socket;
    this.protocol = String(socket.getProtocol());
    this.cipher = socket.getCipher();
    this.alpnProtocol = nameOf(socket.alpnProtocol);
    this.servername = nameOf((socket as { servername?: unknown }).servername);
    this.authorized = socket.authorized;
    this.authorizationError = nameOf(socket.authorizationError);
    this.isSessionReused = socket.isSessionReused();
  }

  get peerCertificate(): PeerCertificate | null {
    const certificate = this.#socket.getPeerCertificate() as PeerCertificate | null;
    return certificate === null || Object.keys(certificate).length === 0 ? null : certificate;
  }
}

// Node says null or false where there is none.
function nameOf(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}

const STATE_HANDSHAKE = 0;
const STATE_OPEN = 1;
const STATE_CLOSING = 2;
const STATE_CLOSED = 3;

/** @internal */
export class TlsEndpoint implements Carrier, Handshake, WireOwner {
  readonly loop: LoopCore;
  error: Error | null = null;
  info: Info | null = null;
  readonly #carrier: Carrier;
  readonly #side: TlsSide;
  readonly #wire: Wire;
  #onHandshake: ((error: Error | null) => void) | null;
  #socket: TLSSocket | null = null;
  #sink: EndpointSink = NOBODY;
  #state = STATE_HANDSHAKE;
  #isReceiving = false;
  #isWireEnded = false;
  #isEndNotified = false;
  // Ends a handshake or a shutdown that takes too long.
  #timer: TimerHandle | null;

  /** @param onHandshake - Called when the handshake is over; must not call user code. */
  constructor(carrier: Carrier, side: TlsSide, onHandshake: (error: Error | null) => void) {
    this.loop = carrier.loop;
    this.#carrier = carrier;
    this.#side = side;
    this.#onHandshake = onHandshake;
    this.#timer = this.loop.callLater(side.handshakeTimeoutMs, () => this.#onHandshakeTimeout());
    this.#wire = new Wire(carrier, this);
  }

  /** Begins the handshake; `received` are bytes of it that have arrived already. */
  begin(received: readonly Buffer[]): void {
    this.#side.begin(this.#wire, this);
    for (const chunk of received) this.receive(chunk);
  }

  /** Takes encrypted bytes that came by another way than the carrier. */
  receive(chunk: Buffer): void {
    this.#wire.onData(chunk);
  }

  set sink(sink: EndpointSink) {
    this.#sink = sink;
  }

  // The handshake

  onSocket(socket: TLSSocket): void {
    this.#socket = socket;
    socket.on('error', (error: Error) => this.onTlsError(error));
    socket.on('close', () => this.#carrier.close());
    const push = socket.push.bind(socket);
    socket.push = (chunk: Buffer | null, encoding?: BufferEncoding) => {
      // To Node a connection that was cut off ends as one that the peer has ended; only the order tells.
      if (chunk === null) this.#isEndNotified = !this.#isWireEnded;
      else if (this.#isReceiving && this.#state === STATE_OPEN && socket.readableLength === 0) {
        // Nobody needs the queue of a Readable unless something waits in it.
        this.#sink.onData(chunk);
        return true;
      }
      return push(chunk, encoding);
    };
  }

  onSecure(socket: TLSSocket): void {
    if (this.#state !== STATE_HANDSHAKE) return;
    this.#state = STATE_OPEN;
    this.#timer!.cancel();
    this.info = new Info(socket);
    socket.pause();
    socket.on('data', (chunk: Buffer) => this.#onData(chunk));
    socket.on('end', () => this.#onEnd());
    socket.on('finish', () => this.#checkOver());
    if (this.#isReceiving) socket.resume();
    this.#endHandshake(null);
  }

  #endHandshake(error: Error | null): void {
    const onHandshake = this.#onHandshake;
    this.#onHandshake = null;
    onHandshake?.(error);
  }

  #onHandshakeTimeout(): void {
    this.#fail(
      new TimeoutError(`The TLS handshake took longer than ${String(this.#side.handshakeTimeoutMs)} ms`),
    );
    this.#carrier.reset();
  }

  onSession(session: Buffer, listener?: (session: Buffer) => void): void {
    if (this.info === null || this.loop.isClosed()) return;
    this.info.session = session;
    if (listener !== undefined) this.loop.callSoon(listener, session);
  }

  // Receiving

  startReceiving(): void {
    this.#isReceiving = true;
    if (this.#state === STATE_OPEN) this.#socket!.resume();
  }

  stopReceiving(): void {
    this.#isReceiving = false;
    if (this.#state === STATE_OPEN) this.#socket!.pause();
  }

  #onData(chunk: Buffer): void {
    if (this.#state === STATE_OPEN) this.#sink.onData(chunk);
  }

  #onEnd(): void {
    if (this.#state === STATE_CLOSING) return this.#checkOver();
    if (this.#state !== STATE_OPEN) return;
    if (!this.#isEndNotified) return this.#fail(cutOff());
    this.#sink.onEnd();
    this.close();
  }

  // Sending

  get bufferedBytes(): number {
    return this.#socket === null ? 0 : this.#socket.writableLength;
  }

  get isWritable(): boolean {
    return this.#state === STATE_OPEN;
  }

  write(data: Writable): void {
    const socket = this.#socket!;
    // What does not have to wait is encrypted before write() returns.
    const isNow = typeof data !== 'string' && socket.writableLength === 0;
    socket.write(isNow ? toBytes('data', data) : ownBytes(data), this.#onWritten);
  }

  readonly #onWritten = (error?: Error | null): void => {
    // An error is told by its event.
    if ((error ?? null) === null && this.#state !== STATE_CLOSED) this.#sink.onDrain();
  };

  flush(): void {
    // Nothing of it waits for the end of a turn here.
  }

  // Closing

  get isClosing(): boolean {
    return this.#state >= STATE_CLOSING;
  }

  get isClosed(): boolean {
    return this.#state === STATE_CLOSED;
  }

  shutdown(): never {
    throw new InvalidStateError('TLS has no half-closed connections: use close()');
  }

  close(): void {
    if (this.#state === STATE_HANDSHAKE) return this.reset();
    if (this.#state !== STATE_OPEN) return;
    this.#beginClosing();
    const socket = this.#socket!;
    socket.end();
    // To the peer's end; what comes before it is dropped.
    socket.resume();
    this.#checkOver();
  }

  #beginClosing(): void {
    this.#state = STATE_CLOSING;
    this.#timer?.cancel();
    this.#timer = this.loop.callLater(this.#side.shutdownTimeoutMs, () => this.#carrier.reset());
  }

  // Both sides have ended.
  #checkOver(): void {
    const socket = this.#socket!;
    if (this.#state === STATE_CLOSING && socket.writableFinished && socket.readableEnded) socket.destroy();
  }

  reset(): void {
    if (this.#state === STATE_CLOSED) return;
    if (this.#state !== STATE_CLOSING) this.#beginClosing();
    this.#carrier.reset();
  }

  #fail(error: Error): void {
    if (this.error !== null || this.#state >= STATE_CLOSING) return;
    this.error = error;
    this.#beginClosing();
    this.#sink.onError(error);
    this.#endHandshake(error);
    // An alert may be on its way to the peer.
    this.#wire.destroy();
  }

  // What Node and the carrier tell

  onTlsError(error: Error): void {
    this.#fail(error);
  }

  onWireEnd(): void {
    this.#isWireEnded = true;
    if (this.#state !== STATE_HANDSHAKE) return;
    // An alert that came before has its turn first.
    setImmediate(() => this.#state === STATE_HANDSHAKE && this.#fail(connectionLost('read')));
  }

  onWireError(error: Error): void {
    this.#fail(error);
  }

  onWireClosed(): void {
    this.#state = STATE_CLOSED;
    this.#timer?.cancel();
    this.#socket?.destroy();
    this.error ??= this.#carrier.error;
    this.#endHandshake(this.error ?? connectionLost('read'));
    this.#sink.onClosed();
  }

  // Properties of the socket

  get localAddress(): SocketAddress | null {
    return this.#carrier.localAddress;
  }

  get peerAddress(): SocketAddress | null {
    return this.#carrier.peerAddress;
  }

  setNoDelay(on: boolean): void {
    this.#carrier.setNoDelay(on);
  }

  setKeepAlive(on: boolean, delayMs: number): void {
    this.#carrier.setKeepAlive(on, delayMs);
  }

  ref(): void {
    this.#carrier.ref();
  }

  unref(): void {
    this.#carrier.unref();
  }

  hasRef(): boolean {
    return this.#carrier.hasRef();
  }
}

function cutOff(): Error {
  const error = new Error('The connection was cut off: the peer did not end its side of TLS');
  return Object.assign(error, { code: 'ERR_TLS_CUT_OFF' });
}
