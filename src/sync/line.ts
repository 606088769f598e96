// Those who wait at a primitive, first come, first served. Leaving takes constant time, from wherever, so
// that waiting with a time limit again and again gathers nothing.

/** What can stand in a {@link Line}; done with `T`. @internal */
export interface InLine<T> {
  _line: object | null;
  _ahead: InLine<T> | null;
  _behind: InLine<T> | null;
  _settleResult(value: T): void;
  _settleFailed(error: unknown): void;
}

/** By itself a place where one that is cancelled leaves, and nobody is given anything. @internal */
export class Line<T = void, W extends InLine<T> = InLine<T>> {
  #first: InLine<T> | null = null;
  #last: InLine<T> | null = null;
  #size = 0;

  /** How many wait. */
  get size(): number {
    return this.#size;
  }

  /** The one whose turn is next. */
  get first(): W | null {
    return this.#first as W | null;
  }

  push<V extends W>(waiter: V): V {
    const last = this.#last;
    waiter._line = this;
    waiter._ahead = last;
    if (last === null) this.#first = waiter;
    else last._behind = waiter;
    this.#last = waiter;
    this.#size++;
    return waiter;
  }

  /** Idempotent. */
  remove(waiter: InLine<T>): void {
    if (waiter._line !== this) return;
    const { _ahead: ahead, _behind: behind } = waiter;
    if (ahead === null) this.#first = behind;
    else ahead._behind = behind;
    if (behind === null) this.#last = ahead;
    else behind._ahead = ahead;
    waiter._line = null;
    waiter._ahead = null;
    waiter._behind = null;
    this.#size--;
  }

  /** Returns whether there was one. */
  wakeNext(value: T): boolean {
    const first = this.#first;
    if (first === null) return false;
    this.remove(first);
    first._settleResult(value);
    return true;
  }

  wakeAll(value: T): void {
    while (this.wakeNext(value));
  }

  /** Ends the waits of those that `concerns` is true of. */
  fail(makeError: () => Error, concerns: (waiter: W) => boolean): void {
    for (let waiter = this.#first, next; waiter !== null; waiter = next) {
      next = waiter._behind;
      if (!concerns(waiter as W)) continue;
      this.remove(waiter);
      waiter._settleFailed(makeError());
    }
  }

  _onCancelled(waiter: InLine<T>): void {
    this.remove(waiter);
  }

  _onLost(): void {
    // There is nothing to hand on, or whoever drives the wait does.
  }
}
