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

// So much may be unsent before TLS has to wait.
const HIGH_WATER_MARK_BYTES = 65536;

// Where encrypted bytes arrive, of all connections: TLS copies them at once. Holds three of the longest records.
const arrival = Buffer.allocUnsafeSlow(65536);

/**
 * The queues of a Duplex would cost a tenth of all that TLS does, and are not needed: TLS starts no write before
 * the last one is through, and takes all that comes until it says stop. So bytes go straight through.
 *
 * @internal
 */
export class Wire extends Duplex implements EndpointSink {
  readonly #carrier: Carrier;
  readonly #owner: WireOwner;
  // What tells TLS that its writes are through, while the carrier has no room.
  #waiting: Done[] = [];
  #isFlowing = false;

  constructor(carrier: Carrier, owner: WireOwner) {
    super();
    this.#carrier = carrier;
    this.#owner = owner;
    carrier.sink = this;
  }

  override resume(): this {
    this.#isFlowing = true;
    this.#receive();
    return this;
  }

  #receive(): void {
    if (this.#carrier.awaitReadable === undefined) this.#carrier.startReceiving();
    else this.#carrier.awaitReadable();
  }

  override pause(): this {
    this.#isFlowing = false;
    this.#carrier.stopReceiving();
    return this;
  }

  override cork(): void {
    // The pieces of one write leave together anyway.
  }

  override uncork(): void {
    // See cork().
  }

  override write(chunk: Buffer, done: unknown): boolean {
    const carrier = this.#carrier;
    if (carrier.isWritable) {
      if (carrier.writeOwned === undefined) carrier.write(chunk);
      else carrier.writeOwned(chunk);
    }
    if (carrier.bufferedBytes > HIGH_WATER_MARK_BYTES) carrier.flush();
    if (carrier.bufferedBytes > HIGH_WATER_MARK_BYTES) this.#waiting.push(done as Done);
    else (done as Done)();
    return true;
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
      this.emit('data', chunk);
    } catch (error) {
      // Of a function among the options of TLS.
      this.#owner.onWireError(error as Error);
    }
  }

  onReadable(): void {
    const size = this.#carrier.receiveInto!(arrival);
    if (size === 0) return this.onEnd();
    if (size > 0) this.onData(arrival.subarray(0, size));
    if (this.#isFlowing) this.#receive();
  }

  onEnd(): void {
    this.#owner.onWireEnd();
    this.emit('end');
  }

  onDrain(): void {
    if (this.#waiting.length === 0 || this.#carrier.bufferedBytes > HIGH_WATER_MARK_BYTES) return;
    for (const done of this.#waiting.splice(0)) done();
  }

  onError(error: Error): void {
    this.#owner.onWireError(error);
  }

  onClosed(): void {
    this.destroy();
    this.#owner.onWireClosed();
  }
}
