// The waits at primitives, each a future of its own: a cancelled task cancels what it waits for, and
// must not cancel that of the others.
import { Handle, KIND_STEP } from '../core/handle.js';
import type { LoopCore } from '../core/loop.js';
import { waitingFrame, type AwaitingTask } from '../task/await.js';
import { State } from '../task/future-state.js';
import type { Resolve } from '../task/native-half.js';
import { StepFuture } from '../task/step-future.js';
import type { InLine } from './line.js';

/** Where somebody waits. @internal */
export interface WaitingPlace<W> {
  /** `waiter` was cancelled. */
  _onCancelled(waiter: W): void;
  /** `waiter` was woken, but its task was cancelled before it could go on. */
  _onLost(waiter: W): void;
}

/** @internal */
export class Waiter<T = void, C = undefined> extends StepFuture<T> implements InLine<T> {
  declare readonly _place: WaitingPlace<Waiter<T, C>>;
  /** What it waits for: how many, or for whom. */
  declare readonly _claim: C;
  declare _line: object | null;
  declare _ahead: InLine<T> | null;
  declare _behind: InLine<T> | null;

  constructor(loop: LoopCore, place: WaitingPlace<Waiter<T, C>>, claim: C) {
    super(loop);
    this._place = place;
    this._claim = claim;
    this._line = null;
    this._ahead = null;
    this._behind = null;
  }

  override _settle(state: State, value: unknown): void {
    if (state === State.CANCELLED) this._place._onCancelled(this);
    super._settle(state, value);
  }

  override _lose(): void {
    super._lose();
    if (this._state === State.FULFILLED) this._place._onLost(this);
  }

  // One that was woken before the engine came to look goes on in the next turn like all the others.
  override _awaitBy(task: AwaitingTask | null, resolve: Resolve, reject: Resolve): void {
    if (this.done() && (task === null || task._loop === this._loop)) {
      this._beginAwait(task, task === null ? null : waitingFrame(task), resolve, reject);
    } else {
      super._awaitBy(task, resolve, reject);
    }
  }

  // The wait is given up, whether it was cancelled or not.

  override throw(error: unknown): never {
    this.cancel();
    throw error;
  }

  override return(value: T): IteratorResult<unknown, T> {
    this.cancel();
    return { done: true, value };
  }
}

/** Where {@link Turn}s are waited for. @internal */
export interface TurnPlace<T, C> extends WaitingPlace<Turn<T, C>> {
  /** The task of `turn` goes on, woken or cancelled. */
  _onArrived(turn: Turn<T, C>): void;
}

/**
 * A wait after which the primitive changes at the moment the task goes on, as in asyncio: between that
 * and the wake-up it is nobody's.
 *
 * @internal
 */
export class Turn<T, C> extends Waiter<T, C> {
  declare readonly _place: TurnPlace<T, C>;
  declare _hasArrived: boolean;

  constructor(loop: LoopCore, place: TurnPlace<T, C>, claim: C) {
    super(loop, place, claim);
    this._hasArrived = false;
  }

  override _settle(state: State, value: unknown): void {
    // A generator says itself when it goes on.
    const isWaitedForByGenerator = this._first?.kind === KIND_STEP && this._rest === null;
    if (!isWaitedForByGenerator && !this._loop.isClosed()) this._loop._push(new Arrival(this));
    super._settle(state, value);
  }

  _arrive(): void {
    if (this._hasArrived) return;
    this._hasArrived = true;
    this._place._onArrived(this);
  }

  override _lose(): void {
    this._arrive();
    super._lose();
  }

  override next(): IteratorResult<unknown, T> {
    if (this.done()) this._arrive();
    return super.next();
  }

  override throw(error: unknown): never {
    this._giveUp();
    throw error;
  }

  override return(value: T): IteratorResult<unknown, T> {
    this._giveUp();
    return { done: true, value };
  }

  _giveUp(): void {
    this.cancel();
    if (this._hasArrived) return;
    if (this._state === State.FULFILLED) this._lose();
    else this._arrive();
  }
}

interface Arriving {
  _arrive(): void;
  _describe(): string;
}

// Runs right before whoever awaits the turn does.
class Arrival extends Handle {
  readonly #turn: Arriving;

  constructor(turn: Arriving) {
    super(KIND_STEP, null);
    this.#turn = turn;
  }

  _run(): void {
    this.#turn._arrive();
  }

  _describe(): string {
    return `wake-up of ${this.#turn._describe()}`;
  }
}
