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
export interface Releasable<C> {
  release(claim: C): void;
}

/** Releases `claim` of something. @internal */
export class ClaimReleaser<C> implements Releaser {
  readonly #of: Releasable<C>;
  readonly #claim: C;

  constructor(of: Releasable<C>, claim: C) {
    this.#of = of;
    this.#claim = claim;
  }

  release(): void {
    this.#of.release(this.#claim);
  }

  [Symbol.dispose](): void {
    this.release();
  }
}
