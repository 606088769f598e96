// A binary heap that keeps equal items in the order in which they came.
import type { Items } from './items.js';

interface Entry<T> {
  readonly item: T;
  readonly order: number;
}

/** The least item first. A comparison that throws changes nothing. @internal */
export class Heap<T> implements Items<T> {
  readonly #compare: (a: T, b: T) => number;
  #entries: Entry<T>[] = [];
  #added = 0;

  constructor(compare: (a: T, b: T) => number) {
    this.#compare = compare;
  }

  get size(): number {
    return this.#entries.length;
  }

  push(item: T): void {
    const entries = this.#entries;
    const entry = { item, order: this.#added++ };
    let place = entries.length;
    while (place > 0 && this.#isBefore(entry, entries[parentOf(place)]!)) place = parentOf(place);
    // Who is on the way moves down, the entry comes to the place that has become free.
    let free = entries.length;
    while (free !== place) {
      entries[free] = entries[parentOf(free)]!;
      free = parentOf(free);
    }
    entries[place] = entry;
  }

  take(): T {
    const entries = this.#entries;
    let at = this.#placeFromTop(entries.at(-1)!, entries.length - 1);
    let moving = entries.pop()!;
    if (entries.length === 0) return moving.item;
    // The last entry comes to its new place, and who is on the way moves up; the first is left over.
    for (;;) {
      const found = entries[at]!;
      entries[at] = moving;
      moving = found;
      if (at === 0) return moving.item;
      at = parentOf(at);
    }
  }

  clear(): void {
    this.#entries = [];
  }

  // Where `entry` belongs when the first is gone, among the first `size`.
  #placeFromTop(entry: Entry<T>, size: number): number {
    const entries = this.#entries;
    let place = 0;
    for (;;) {
      let child = 2 * place + 1;
      if (child >= size) return place;
      if (child + 1 < size && this.#isBefore(entries[child + 1]!, entries[child]!)) child++;
      if (this.#isBefore(entry, entries[child]!)) return place;
      place = child;
    }
  }

  #isBefore(a: Entry<T>, b: Entry<T>): boolean {
    const order = this.#compare(a.item, b.item);
    return order < 0 || (!(order > 0) && a.order < b.order);
  }
}

function parentOf(place: number): number {
  return (place - 1) >> 1;
}
