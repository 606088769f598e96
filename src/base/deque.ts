// A queue in a ring: no allocation per item, both ends in constant time.

const FIRST_CAPACITY = 16;
// A burst's memory is given back once the queue has emptied; a small ring is kept.
const LARGEST_KEPT_CAPACITY = 4096;

/** Items in order; taken and added at either end. @internal */
export class Deque<T> {
  // A power of two, so that positions wrap with a mask.
  #items: (T | undefined)[] = new Array<T | undefined>(FIRST_CAPACITY).fill(undefined);
  #mask = FIRST_CAPACITY - 1;
  #head = 0;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  push(item: T): void {
    if (this.#size > this.#mask) this.#grow();
    this.#items[(this.#head + this.#size) & this.#mask] = item;
    this.#size++;
  }

  unshift(item: T): void {
    if (this.#size > this.#mask) this.#grow();
    this.#head = (this.#head - 1) & this.#mask;
    this.#items[this.#head] = item;
    this.#size++;
  }

  /** Takes the first item; undefined when there is none. */
  shift(): T | undefined {
    const size = this.#size;
    if (size === 0) return undefined;
    const head = this.#head;
    const item = this.#items[head];
    this.#items[head] = undefined;
    this.#head = (head + 1) & this.#mask;
    this.#size = size - 1;
    if (size === 1 && this.#mask >= LARGEST_KEPT_CAPACITY) this.clear();
    return item;
  }

  /** Takes the last item; undefined when there is none. */
  pop(): T | undefined {
    const size = this.#size;
    if (size === 0) return undefined;
    const place = (this.#head + size - 1) & this.#mask;
    const item = this.#items[place];
    this.#items[place] = undefined;
    this.#size = size - 1;
    if (size === 1 && this.#mask >= LARGEST_KEPT_CAPACITY) this.clear();
    return item;
  }

  /** The item `index` places behind the first; undefined when there is none. */
  at(index: number): T | undefined {
    return index >= 0 && index < this.#size ? this.#items[(this.#head + index) & this.#mask] : undefined;
  }

  clear(): void {
    this.#items = new Array<T | undefined>(FIRST_CAPACITY).fill(undefined);
    this.#mask = FIRST_CAPACITY - 1;
    this.#head = 0;
    this.#size = 0;
  }

  *[Symbol.iterator](): IterableIterator<T> {
    for (let index = 0; index < this.#size; index++) yield this.at(index) as T;
  }

  #grow(): void {
    const old = this.#items;
    const capacity = old.length * 2;
    const items = new Array<T | undefined>(capacity).fill(undefined);
    for (let index = 0; index < this.#size; index++) items[index] = old[(this.#head + index) & this.#mask];
    this.#items = items;
    this.#mask = capacity - 1;
    this.#head = 0;
  }
}
