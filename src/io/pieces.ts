// What `for await` over a stream steps through: an iterator of our own, as an async generator makes three promises
// more for each piece.
import type { LoopCore } from '../core/loop.js';
import { Future } from '../task/future.js';
import { awaitNatively } from '../task/native-await.js';
import { bytesOf, type Reader, type ReadSource } from './read.js';

type Step = IteratorResult<Buffer, void>;

const END: Step = Object.freeze({ done: true, value: undefined });

/** The next piece, or the end. @internal */
export class PieceRead extends Future<Step> implements Reader<Step> {
  declare readonly _source: ReadSource;

  static {
    awaitNatively(this.prototype);
  }

  constructor(loop: LoopCore, source: ReadSource) {
    super(loop);
    this._source = source;
  }

  deliver(bytes: Buffer): void {
    this.setResult(bytes.length === 0 ? END : { done: false, value: bytes });
  }

  override _lose(): void {
    super._lose();
    if (!this.done() || this.cancelled()) return;
    this._source._giveBack(bytesOf(this.exception() ?? this.result().value));
  }
}

/** Pieces until the end of a stream's bytes; `read` begins to wait for the next one. @internal */
export class Pieces implements AsyncGenerator<Buffer, void, undefined> {
  readonly #read: () => PieceRead;
  #isOver = false;

  constructor(read: () => PieceRead) {
    this.#read = read;
  }

  next(): Promise<Step> {
    if (this.#isOver) return Promise.resolve(END);
    try {
      return this.#read() as unknown as Promise<Step>;
    } catch (error) {
      return Promise.reject(error);
    }
  }

  return(): Promise<Step> {
    this.#isOver = true;
    return Promise.resolve(END);
  }

  throw(error: unknown): Promise<Step> {
    this.#isOver = true;
    return Promise.reject(error);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }
}
