// Small chunks that nobody reads yet, copied into one buffer behind each other.
//
// A chunk keeps the whole slab it was received into from being collected, and costs 100 bytes of its
// own: a peer that sends single bytes to a stream that is not read would take 120 times what the
// stream's limit says, and one byte each on many connections a slab each.

/** Chunks up to this size are worth copying, bytes. */
export const SMALL_CHUNK_BYTES = 1024;
const FIRST_BUFFER_BYTES = 256;
const LARGEST_BUFFER_BYTES = 16384;

/** @internal */
export class Joiner {
  #buffer: Buffer | null = null;
  #usedBytes = 0;

  /** A copy of `chunk`; together with `previous` when that is what was copied before it. */
  join(previous: Buffer | null, chunk: Buffer): Buffer {
    const buffer = this.#room(chunk.length);
    const start = this.#usedBytes;
    chunk.copy(buffer, start);
    this.#usedBytes += chunk.length;
    // What was handed out from here is in front of `start` and stays as it is.
    const isBehind = previous?.buffer === buffer.buffer && previous.byteOffset + previous.length === start;
    return buffer.subarray(isBehind ? previous.byteOffset : start, this.#usedBytes);
  }

  /** Itself while it is small enough to be kept for the next chunks. */
  orNull(): this | null {
    return (this.#buffer?.length ?? 0) > FIRST_BUFFER_BYTES ? null : this;
  }

  #room(sizeBytes: number): Buffer {
    const old = this.#buffer;
    if (old !== null && old.length - this.#usedBytes >= sizeBytes) return old;
    const wantedBytes = old === null ? FIRST_BUFFER_BYTES : Math.min(2 * old.length, LARGEST_BUFFER_BYTES);
    this.#buffer = Buffer.allocUnsafeSlow(Math.max(wantedBytes, sizeBytes));
    this.#usedBytes = 0;
    return this.#buffer;
  }
}
