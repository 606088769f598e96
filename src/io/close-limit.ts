// The end of a connection that is closed while its peer takes nothing any more.
import type { TimerHandle } from '../core/timers.js';
import type { Carrier } from './carrier.js';

/** Resets a connection whose peer takes none of what is unsent. @internal */
export class CloseLimit {
  readonly #carrier: Carrier;
  readonly #timeoutMs: number;
  #unsentBytes: number;
  #timer: TimerHandle;

  /** @param timeoutMs - Without any progress. */
  constructor(carrier: Carrier, timeoutMs: number) {
    this.#carrier = carrier;
    this.#timeoutMs = timeoutMs;
    this.#unsentBytes = carrier.bufferedBytes;
    this.#timer = this.#start();
  }

  #start(): TimerHandle {
    // The connection itself keeps the process.
    return this.#carrier.loop.callLater(this.#timeoutMs, () => this.#check()).unref();
  }

  #check(): void {
    const carrier = this.#carrier;
    if (carrier.bufferedBytes >= this.#unsentBytes) return carrier.reset();
    this.#unsentBytes = carrier.bufferedBytes;
    this.#timer = this.#start();
  }

  end(): void {
    this.#timer.cancel();
  }
}
