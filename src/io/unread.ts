// Bytes that have arrived and that nobody has read yet.
import { Deque } from '../base/deque.js';
import { NO_BYTES } from './bytes.js';
import { Joiner, SMALL_CHUNK_BYTES } from './joiner.js';

/** Chunks in the order of their arrival. @internal */
export class UnreadBytes {
  sizeBytes = 0;
  #first: Buffer | null = null;
  // Those behind the first one.
  #rest: Deque<Buffer> | null = null;
  #joiner: Joiner | null = null;

  push(chunk: Buffer): void {
    this.sizeBytes += chunk.length;
    if (this.#first === null) this.#first = chunk;
    else (this.#rest ??= new Deque<Buffer>()).push(chunk);
  }

  /** Puts bytes in front of all others, where they were taken from. */
  unshift(bytes: Buffer): void {
    this.sizeBytes += bytes.length;
    const next = this.#first;
    if (next === null) {
      this.#first = bytes;
    } else if (next.buffer === bytes.buffer && next.byteOffset === bytes.byteOffset + bytes.length) {
      // The rest of the chunk they were cut from.
      this.#first = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length + next.length);
    } else {
      (this.#rest ??= new Deque<Buffer>()).unshift(next);
      this.#first = bytes;
    }
  }

  /** Takes 1 ... `mostBytes` bytes, without copying; some must be there. */
  takeSome(mostBytes: number): Buffer {
    const chunk = this.#first!;
    const taken = chunk.length <= mostBytes ? chunk : chunk.subarray(0, mostBytes);
    this.sizeBytes -= taken.length;
    this.#first = taken === chunk ? (this.#rest?.shift() ?? null) : chunk.subarray(mostBytes);
    if (this.#first === null && this.#joiner !== null) this.#joiner = this.#joiner.orNull();
    return taken;
  }

  /** Takes exactly `sizeBytes` bytes; so many must be there. */
  take(sizeBytes: number): Buffer {
    if (sizeBytes === 0) return NO_BYTES;
    const parts = [this.takeSome(sizeBytes)];
    for (let left = sizeBytes - parts[0]!.length; left > 0;) {
      const part = this.takeSome(left);
      parts.push(part);
      left -= part.length;
    }
    return parts.length === 1 ? parts[0]! : Buffer.concat(parts, sizeBytes);
  }

  /** Where `separator` is for the first time at or behind `from`, or -1. */
  indexOf(separator: Uint8Array, from: number): number {
    const overlap = separator.length - 1;
    // The last bytes in front of the chunk: a separator may begin in them.
    let before: Buffer = NO_BYTES;
    let start = 0;
    for (const chunk of this.#chunks()) {
      if (start + chunk.length > from) {
        const seamStart = start - before.length;
        const seam = before.length === 0 ? before : Buffer.concat([before, chunk.subarray(0, overlap)]);
        const inSeam = seam.indexOf(separator, Math.max(0, from - seamStart));
        if (inSeam !== -1) return seamStart + inSeam;
        const inChunk = chunk.indexOf(separator, Math.max(0, from - start));
        if (inChunk !== -1) return start + inChunk;
      }
      start += chunk.length;
      if (overlap > 0) before = tailOf(before, chunk, overlap);
    }
    return -1;
  }

  *#chunks(): Generator<Buffer, void> {
    if (this.#first !== null) yield this.#first;
    if (this.#rest !== null) yield* this.#rest;
  }

  /** Copies the chunk that came last, if it is small: it keeps no slab then, and joins the one before it. */
  joinLast(): void {
    const rest = this.#rest;
    const last = rest?.pop();
    if (rest === null || last === undefined) {
      if (this.#first!.length <= SMALL_CHUNK_BYTES) this.#first = this.#join(null, this.#first!);
      return;
    }
    if (last.length > SMALL_CHUNK_BYTES) {
      rest.push(last);
      return;
    }
    const previous = rest.at(rest.size - 1);
    const joined = this.#join(previous ?? this.#first, last);
    if (joined.length === last.length) {
      rest.push(joined);
    } else if (previous === undefined) {
      this.#first = joined;
    } else {
      rest.pop();
      rest.push(joined);
    }
  }

  #join(previous: Buffer | null, chunk: Buffer): Buffer {
    return (this.#joiner ??= new Joiner()).join(previous, chunk);
  }

  /** Whether nothing is kept here, be it only for bytes to come. */
  isDisposable(): boolean {
    return this.#first === null && this.#joiner === null;
  }
}

// The last `size` bytes of two buffers.
function tailOf(before: Buffer, chunk: Buffer, size: number): Buffer {
  if (chunk.length >= size) return chunk.subarray(chunk.length - size);
  const both = Buffer.concat([before, chunk]);
  return both.subarray(Math.max(0, both.length - size));
}
