// Who waits at a primitive, in order. Leaving takes constant time, from wherever.

/** What can stand in a {@link Line}. @internal */
export interface InLine {
  _line: object | null;
  _ahead: InLine | null;
  _behind: InLine | null;
}

/** @internal */
export class Line<T extends InLine> {
  #first: InLine | null = null;
  #last: InLine | null = null;
  #size = 0;

  get first(): T | null {
    return this.#first as T | null;
  }

  get size(): number {
    return this.#size;
  }

  push(item: T): void {
    const last = this.#last;
    item._line = this;
    item._ahead = last;
    if (last === null) this.#first = item;
    else last._behind = item;
    this.#last = item;
    this.#size++;
  }

  /** Idempotent. */
  remove(item: T): void {
    if (item._line !== this) return;
    const { _ahead: ahead, _behind: behind } = item;
    if (ahead === null) this.#first = behind;
    else ahead._behind = behind;
    if (behind === null) this.#last = ahead;
    else behind._ahead = ahead;
    item._line = null;
    item._ahead = null;
    item._behind = null;
    this.#size--;
  }

  shift(): T | null {
    const first = this.first;
    if (first !== null) this.remove(first);
    return first;
  }
}
