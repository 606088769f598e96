// A carrier as the duplex stream that Node's TLS works on: what goes through it is encrypted.
import { Duplex } from 'node:stream';
import type { Carrier } from './carrier.js';
import type { EndpointSink } from './endpoint.js';

type Done = (error?: Error | null) => void;

/** Hears of what concerns more than bytes. @internal */
export interface WireOwner {
  onWireEnd(): void;
  onWireError(error: Error): void;
  onWireClosed(): void;
}

// So much is read ahead, and may be unsent before TLS has to wait.
const HIGH_WATER_MARK_BYTES = 65536;

/** @internal */
export class Wire extends Duplex implements EndpointSink {
  readonly #carrier: Carrier;
  readonly #owner: WireOwner;
  // Tells TLS that it may go on writing.
  #onSent: Done | null = null;

  constructor(carrier: Carrier, owner: WireOwner) {
    super({ highWaterMark: HIGH_WATER_MARK_BYTES });
    this.#carrier = carrier;
    this.#owner = owner;
    carrier.sink = this;
  }

  override _read(): void {
    this.#carrier.startReceiving();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: Done): void {
    this.#carrier.write(chunk);
    this.#awaitRoom(done);
  }

  override _writev(pieces: { chunk: Buffer }[], done: Done): void {
    for (const { chunk } of pieces) this.#carrier.write(chunk);
    this.#awaitRoom(done);
  }

  #awaitRoom(done: Done): void {
    const carrier = this.#carrier;
    if (carrier.bufferedBytes > HIGH_WATER_MARK_BYTES) carrier.flush();
    if (carrier.bufferedBytes > HIGH_WATER_MARK_BYTES) this.#onSent = done;
    else done();
  }

  override _final(done: Done): void {
    this.#carrier.shutdown();
    done();
  }

  override _destroy(error: Error | null, done: Done): void {
    this.#carrier.close();
    done(error);
  }

  // What the carrier tells

  onData(chunk: Buffer): void {
    try {
      if (!this.push(chunk)) this.#carrier.stopReceiving();
    } catch (error) {
      // Of a function among the options of TLS.
      this.#owner.onWireError(error as Error);
    }
  }

  onEnd(): void {
    this.#owner.onWireEnd();
    this.push(null);
  }

  onDrain(): void {
    const done = this.#onSent;
    if (done === null || this.#carrier.bufferedBytes > HIGH_WATER_MARK_BYTES) return;
    this.#onSent = null;
    done();
  }

  onError(error: Error): void {
    this.#owner.onWireError(error);
  }

  onClosed(): void {
    this.destroy();
    this.#owner.onWireClosed();
  }
}
