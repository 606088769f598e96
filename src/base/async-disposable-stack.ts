// Resources that are released together: the engine's own class from Node 24 on, else the same here.
import { invalidArgType, InvalidStateError } from './errors.js';
import { validateFunction } from './validate.js';

const engine = globalThis as {
  SuppressedError?: SuppressedErrorConstructor;
  AsyncDisposableStack?: AsyncDisposableStackConstructor;
};

// The later of two errors, which would hide the earlier.
class OwnSuppressedError extends Error {
  static {
    Object.defineProperty(this.prototype, 'name', {
      value: 'SuppressedError',
      writable: true,
      configurable: true,
    });
  }

  constructor(
    readonly error: unknown,
    readonly suppressed: unknown,
  ) {
    super();
  }
}
const SuppressedError = engine.SuppressedError ?? OwnSuppressedError;

type Release = () => unknown;

// Null where there is nothing to release.
function releaseOf(value: unknown): Release | null {
  if (value === null || value === undefined) return null;
  const { [Symbol.asyncDispose]: later, [Symbol.dispose]: now } = value as Partial<
    AsyncDisposable & Disposable
  >;
  const release: unknown = later ?? now;
  if (typeof release !== 'function') throw invalidArgType('value', 'a disposable, null or undefined', value);
  return () => (release as Release).call(value);
}

class OwnStack implements AsyncDisposable {
  #releases: Release[] = [];
  #isDisposed = false;

  /** Whether it was disposed of, or moved. */
  get disposed(): boolean {
    return this.#isDisposed;
  }

  /**
   * Releases `value` in the end, by its `Symbol.asyncDispose` or else `Symbol.dispose`.
   *
   * Suspends: never.
   *
   * @returns `value`.
   * @throws TypeError `ERR_INVALID_ARG_TYPE` - it has neither.
   * @throws {@link InvalidStateError} `ERR_INVALID_STATE` - the stack is disposed.
   */
  use<T extends AsyncDisposable | Disposable | null | undefined>(value: T): T {
    this.#checkOpen();
    const release = releaseOf(value);
    if (release !== null) this.#releases.push(release);
    return value;
  }

  /** Releases `value` in the end by `onDispose(value)`. */
  adopt<T>(value: T, onDispose: (value: T) => unknown): T {
    this.#checkOpen();
    validateFunction('onDispose', onDispose);
    this.#releases.push(() => onDispose(value));
    return value;
  }

  /** Calls `onDispose()` in the end. */
  defer(onDispose: () => unknown): void {
    this.#checkOpen();
    validateFunction('onDispose', onDispose);
    this.#releases.push(onDispose);
  }

  /** Hands everything over to a new stack; this one is disposed then, and nothing is released. */
  move(): OwnStack {
    this.#checkOpen();
    const moved = new OwnStack();
    moved.#releases = this.#releases;
    this.#releases = [];
    this.#isDisposed = true;
    return moved;
  }

  #checkOpen(): void {
    if (this.#isDisposed) throw new InvalidStateError('The stack is disposed');
  }

  /**
   * Releases everything, the last first, each when the one before it is through. None is left out because
   * another failed.
   *
   * Suspends: while releasing does.
   *
   * @throws What a release threw; of several the last one as a SuppressedError, with those before in `suppressed`.
   */
  async disposeAsync(): Promise<void> {
    if (this.#isDisposed) return;
    this.#isDisposed = true;
    const releases = this.#releases;
    this.#releases = [];
    const errors: unknown[] = [];
    for (let release = releases.pop(); release !== undefined; release = releases.pop()) {
      try {
        await release();
      } catch (error) {
        errors.push(error);
      }
    }
    if (errors.length > 0) throw errors.reduce((suppressed, error) => new SuppressedError(error, suppressed));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.disposeAsync();
  }

  get [Symbol.toStringTag](): string {
    return 'AsyncDisposableStack';
  }
}

/**
 * Resources that are released together, in reverse order, however the code that uses them ends.
 *
 * The engine's own class where there is one. Releasing waits, and a task that was cancelled may be cancelled
 * again while it does: within {@link cleanup} it comes to its end.
 *
 * @example
 * ```ts
 * const stack = new AsyncDisposableStack();
 * try {
 *   const name = stack.adopt('one', async () => await sleep(1));
 *   console.log(name);
 * } finally {
 *   await cleanup(1000, async () => await stack.disposeAsync());
 * }
 * ```
 * @source ECMAScript, explicit resource management; CPython 3.13 `contextlib.AsyncExitStack`
 */
export const AsyncDisposableStack: AsyncDisposableStackConstructor = engine.AsyncDisposableStack ?? OwnStack;
export type AsyncDisposableStack = InstanceType<AsyncDisposableStackConstructor>;
