// In which order a queue gives its items.
import { Deque } from '../base/deque.js';

/** What a queue keeps its items in. @internal */
export interface Items<T> {
  readonly size: number;
  push(item: T): void;
  /** Takes the item whose turn is next; there is one. */
  take(): T;
  /** Takes the item that is there longest, where that is known. */
  shift?(): T | undefined;
  clear(): void;
}

/** First in, first out. @internal */
export class Fifo<T> extends Deque<T> implements Items<T> {
  take(): T {
    return this.shift() as T;
  }
}

/** Last in, first out. @internal */
export class Lifo<T> extends Deque<T> implements Items<T> {
  take(): T {
    return this.pop() as T;
  }
}
