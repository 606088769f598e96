// Two ends of a connection that exists in memory alone.
import { connectionLost } from '../base/errors.js';
import { Deque } from '../base/deque.js';
import { validateBoolean, validateInteger } from '../base/validate.js';
import { Handle, KIND_CALLBACK } from '../core/handle.js';
import type { LoopCore } from '../core/loop.js';
import { ownBytes, type Writable } from './bytes.js';
import { NOBODY, type Carrier } from './carrier.js';
import type { EndpointSink } from './endpoint.js';

const STATE_OPEN = 0;
const STATE_SHUT = 1;
const STATE_CLOSING = 2;
const STATE_CLOSED = 3;

/**
 * One end. What it has to tell its sink it tells as a handle of the loop, as a socket does in the next turn.
 * It keeps no process alive: nothing from outside could wake who waits for it.
 *
 * @internal
 */
export class MemoryEndpoint extends Handle implements Carrier {
  readonly loop: LoopCore;
  error: Error | null = null;
  readonly localAddress = null;
  readonly peerAddress = null;
  #peer!: MemoryEndpoint;
  #sink: EndpointSink = NOBODY;
  #state = STATE_OPEN;
  // What the peer wrote and this end has not taken.
  readonly #incoming = new Deque<Buffer>();
  #incomingBytes = 0;
  #isReceiving = false;
  #isEndTold = false;
  #isDrainDue = false;
  #isScheduled = false;

  private constructor(loop: LoopCore) {
    super(KIND_CALLBACK, null);
    this.loop = loop;
  }

  static pair(loop: LoopCore): [MemoryEndpoint, MemoryEndpoint] {
    const [one, other] = [new MemoryEndpoint(loop), new MemoryEndpoint(loop)];
    one.#peer = other;
    other.#peer = one;
    return [one, other];
  }

  set sink(sink: EndpointSink) {
    this.#sink = sink;
  }

  // Receiving

  startReceiving(): void {
    this.#isReceiving = true;
    if (this.#incomingBytes > 0 || this.#peer.#state !== STATE_OPEN) this.#schedule();
  }

  stopReceiving(): void {
    this.#isReceiving = false;
  }

  // Sending

  get bufferedBytes(): number {
    return this.#peer.#incomingBytes;
  }

  get isWritable(): boolean {
    return this.#state === STATE_OPEN && this.error === null;
  }

  write(data: Writable): void {
    const bytes = ownBytes(data);
    const peer = this.#peer;
    if (bytes.length === 0) return;
    if (peer.isClosing) return this.#fail(connectionLost());
    peer.#incoming.push(bytes);
    peer.#incomingBytes += bytes.length;
    if (peer.#isReceiving) peer.#schedule();
  }

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
    this.#peer.#schedule();
  }

  close(): void {
    if (this.isClosing) return;
    this.#state = STATE_CLOSING;
    this.#dropIncoming();
    this.#schedule();
    this.#peer.#schedule();
  }

  reset(): void {
    if (this.isClosed) return;
    this.#state = STATE_CLOSING;
    this.#dropIncoming();
    this.#schedule();
    this.#peer.#dropIncoming();
    if (!this.#peer.isClosing) this.#peer.#fail(connectionLost('read'));
  }

  #fail(error: Error): void {
    this.error ??= error;
    this.close();
  }

  #dropIncoming(): void {
    this.#incoming.clear();
    this.#incomingBytes = 0;
  }

  // Telling

  #schedule(): void {
    if (this.#isScheduled || this.isClosed || this.loop.isClosed()) return;
    this.#isScheduled = true;
    this.loop._push(this);
  }

  _run(): void {
    this.#isScheduled = false;
    if (this.#state === STATE_CLOSING) return this.#finish();
    if (this.#isDrainDue) {
      this.#isDrainDue = false;
      this.#sink.onDrain();
    }
    this.#receive();
  }

  #receive(): void {
    const peer = this.#peer;
    const isSome = this.#isReceiving && this.#incomingBytes > 0;
    while (this.#isReceiving && this.#incomingBytes > 0) {
      const chunk = this.#incoming.shift()!;
      this.#incomingBytes -= chunk.length;
      this.#sink.onData(chunk);
    }
    if (isSome && !peer.isClosed) {
      peer.#isDrainDue = true;
      peer.#schedule();
    }
    if (peer.#state === STATE_OPEN || this.#incomingBytes > 0 || this.#isEndTold) return;
    this.#isEndTold = true;
    this.#sink.onEnd();
  }

  #finish(): void {
    this.#state = STATE_CLOSED;
    if (this.error !== null) this.#sink.onError(this.error);
    this.#sink.onClosed();
  }

  _describe(): string {
    return 'news of a connection in memory';
  }

  // Properties of a socket, which this has not

  setNoDelay(on: boolean): void {
    validateBoolean('on', on);
  }

  setKeepAlive(on: boolean, delayMs: number): void {
    validateBoolean('on', on);
    validateInteger('delayMs', delayMs, 0, 2 ** 31 - 1);
  }

  ref(): void {
    // It keeps no process alive.
  }

  unref(): void {
    // Nor did it before.
  }

  hasRef(): boolean {
    return false;
  }
}
