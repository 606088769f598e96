// What acquiring gives: for those who release with `using`.

/**
 * What {@link Lock.acquire} and its like give; disposing of it releases. One object serves all
 * acquisitions of a primitive, so it is disposed of once per acquisition.
 */
export interface Releaser extends Disposable {
  /** Releases what was acquired. */
  release(): void;
}

/** Something that can be released. @internal */
export interface Releasable {
  release(amount: number): void;
}

/** @internal */
export class AmountReleaser implements Releaser {
  readonly #of: Releasable;
  readonly #amount: number;

  constructor(of: Releasable, amount: number) {
    this.#of = of;
    this.#amount = amount;
  }

  release(): void {
    this.#of.release(this.#amount);
  }

  [Symbol.dispose](): void {
    this.#of.release(this.#amount);
  }
}
