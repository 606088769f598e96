// The slabs that received bytes land in: made here, filled by native, owned by whoever holds a Buffer.
import { markAsUntransferable } from 'node:worker_threads';
import { abi } from '../native/abi.js';
import type { NativeLoop } from '../native/binding.js';

const FIRST_SLABS = 2;
const SLAB_ALL = (1 << abi.RECEIVE_SLAB_COUNT) - 1;

/** The receive slabs of one loop. @internal */
export class ReceiveMemory {
  readonly #native: NativeLoop;
  readonly #control: Uint32Array;
  readonly #slabs: ArrayBuffer[] = [];

  constructor(native: NativeLoop, control: Uint32Array) {
    this.#native = native;
    this.#control = control;
  }

  /** The slab a completion names. */
  slab(slot: number): ArrayBuffer {
    return this.#slabs[slot]!;
  }

  /** Provides the first slabs; called when the first socket is made. */
  open(): void {
    for (let slot = this.#slabs.length; slot < FIRST_SLABS; slot++) this.#supply(slot);
  }

  /** Replaces slabs that are used up. Only while no completion that names one is left. */
  replenish(): void {
    const control = this.#control;
    let mask = control[abi.CTL_SLAB_CONSUMED_MASK]! & SLAB_ALL;
    for (; mask !== 0; mask &= mask - 1) this.#supply(31 - Math.clz32(mask & -mask));
    // Many sockets receive at once: let each turn serve more of them.
    if (control[abi.CTL_SLAB_STARVED]! > this.#slabs.length && this.#slabs.length < abi.RECEIVE_SLAB_COUNT) {
      this.#supply(this.#slabs.length);
    }
  }

  #supply(slot: number): void {
    const sizeBytes = slot < abi.RECEIVE_LARGE_SLOT ? abi.RECEIVE_SLAB_BYTES : abi.RECEIVE_LARGE_SLAB_BYTES;
    // Not zeroed: native writes it before anybody reads it.
    const slab = Buffer.allocUnsafeSlow(sizeBytes).buffer;
    markAsUntransferable(slab);
    this.#slabs[slot] = slab;
    this.#native.setSlab(slot, slab);
  }
}
