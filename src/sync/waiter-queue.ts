// Those who wait for their turn, first come, first served. One that is cancelled leaves at once, so that
// waiting with a time limit again and again gathers nothing.
import type { LoopCore } from '../core/loop.js';
import { StepFuture } from '../task/step-future.js';

/** Where somebody waits. */
interface Waiting {
  remove(waiter: Waiter): void;
}

/** One that waits; in the list until it is woken, fails or is cancelled. @internal */
export class Waiter extends StepFuture<void> {
  readonly _list: Waiting;
  _previous: this | null = null;
  _next: this | null = null;

  constructor(loop: LoopCore, list: Waiting) {
    super(loop);
    this._list = list;
  }

  override cancel(reason?: unknown): boolean {
    if (!super.cancel(reason)) return false;
    this._list.remove(this);
    return true;
  }
}

/** @internal */
export class WaiterQueue<W extends Waiter = Waiter> {
  #first: W | null = null;
  #last: W | null = null;
  #size = 0;

  /** How many wait. */
  get size(): number {
    return this.#size;
  }

  /** The one whose turn is next. */
  get first(): W | null {
    return this.#first;
  }

  add(waiter: W): W {
    const last = this.#last;
    waiter._previous = last;
    if (last === null) this.#first = waiter;
    else last._next = waiter;
    this.#last = waiter;
    this.#size++;
    return waiter;
  }

  /** Takes out one that is in the list. */
  remove(waiter: W): void {
    const { _previous: previous, _next: next } = waiter;
    if (previous === null) this.#first = next;
    else previous._next = next;
    if (next === null) this.#last = previous;
    else next._previous = previous;
    waiter._previous = null;
    waiter._next = null;
    this.#size--;
  }

  wake(waiter: W): void {
    this.remove(waiter);
    waiter.setResult();
  }

  wakeNext(): void {
    if (this.#first !== null) this.wake(this.#first);
  }

  wakeAll(): void {
    while (this.#first !== null) this.wake(this.#first);
  }

  /** Ends the waits of those that `concerns` is true of. */
  fail(makeError: () => Error, concerns: (waiter: W) => boolean): void {
    let waiter = this.#first;
    while (waiter !== null) {
      const next: W | null = waiter._next;
      if (concerns(waiter)) {
        this.remove(waiter);
        waiter.setException(makeError());
      }
      waiter = next;
    }
  }
}
