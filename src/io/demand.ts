// What a read waits for when any bytes will not do.
import { IncompleteReadError, LimitOverrunError } from '../base/errors.js';
import type { UnreadBytes } from './unread.js';

/** @internal */
export interface Demand {
  /** What it asks for, or null while that is not there. @throws {@link LimitOverrunError} It never will be. */
  takeFrom(unread: UnreadBytes): Buffer | null;
  /** What it gets when no more bytes will come. @throws {@link IncompleteReadError} That is not enough. */
  takeRest(unread: UnreadBytes): Buffer;
}

/** Exactly so many bytes. @internal */
export class Exactly implements Demand {
  readonly #sizeBytes: number;

  constructor(sizeBytes: number) {
    this.#sizeBytes = sizeBytes;
  }

  takeFrom(unread: UnreadBytes): Buffer | null {
    return unread.sizeBytes < this.#sizeBytes ? null : unread.take(this.#sizeBytes);
  }

  takeRest(unread: UnreadBytes): never {
    throw new IncompleteReadError(unread.take(unread.sizeBytes), this.#sizeBytes);
  }
}

/** Bytes up to a separator, and that. @internal */
export class Until implements Demand {
  readonly #separators: readonly Uint8Array[];
  readonly #longest: number;
  readonly #limit: number;
  // No separator begins in front of this.
  #searched = 0;

  constructor(separators: readonly Uint8Array[], limit: number) {
    this.#separators = separators;
    this.#longest = Math.max(...separators.map(({ length }) => length));
    this.#limit = limit;
  }

  takeFrom(unread: UnreadBytes): Buffer | null {
    const [start, end] = this.#find(unread);
    if (end !== Infinity) {
      if (start > this.#limit) throw this.tooLong(unread, start, end);
      return unread.take(end);
    }
    this.#searched = Math.max(0, unread.sizeBytes + 1 - this.#longest);
    if (this.#searched > this.#limit) throw this.tooLong(unread, this.#searched, null);
    return null;
  }

  // The separator that ends first.
  #find(unread: UnreadBytes): [start: number, end: number] {
    let [start, end] = [Infinity, Infinity];
    for (const separator of this.#separators) {
      const found = unread.indexOf(separator, this.#searched);
      if (found === -1 || found + separator.length >= end) continue;
      start = found;
      end = found + separator.length;
    }
    return [start, end];
  }

  /** The error for more than the limit; `endBytes` is where the separator ends, if there is one. */
  protected tooLong(_unread: UnreadBytes, consumed: number, endBytes: number | null): LimitOverrunError {
    const what =
      endBytes === null
        ? 'Separator is not found, and chunk exceeds'
        : 'Separator is found, but chunk exceeds';
    return new LimitOverrunError(`${what} the limit of ${String(this.#limit)} bytes`, consumed);
  }

  takeRest(unread: UnreadBytes): Buffer {
    throw new IncompleteReadError(unread.take(unread.sizeBytes), null);
  }
}

const LINE_ENDS: readonly Uint8Array[] = [Buffer.from('\n')];

/** A line; what has no end is one too. @internal */
export class Line extends Until {
  constructor(limit: number) {
    super(LINE_ENDS, limit);
  }

  // Reading on finds the next line, or what comes of it.
  protected override tooLong(
    unread: UnreadBytes,
    consumed: number,
    endBytes: number | null,
  ): LimitOverrunError {
    unread.take(endBytes ?? unread.sizeBytes);
    return super.tooLong(unread, consumed, endBytes);
  }

  override takeRest(unread: UnreadBytes): Buffer {
    return unread.take(unread.sizeBytes);
  }
}
