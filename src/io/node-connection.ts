// A connection that is opened in the way of `net.Socket`, for packages that connect by themselves.
import { InvalidStateError } from '../base/errors.js';
import { validateFunction, validateObject } from '../base/validate.js';
import type { LoopCore } from '../core/loop.js';
import type { Future } from '../task/future.js';
import type { ConnectOptions } from './connect-options.js';
import { connectStream } from './connect.js';
import { StreamDuplex } from './duplex.js';
import type { Stream } from './stream.js';

type Done = (error?: Error | null) => void;

/**
 * A `stream.Duplex` that connects when `connect()` is called, as a `net.Socket` does. What is written or set before
 * waits until then; `'connect'` and `'ready'` tell of it.
 *
 * @source Node `net.Socket`
 */
export class NodeConnection extends StreamDuplex {
  readonly #loop: LoopCore;
  readonly #defaults: Partial<ConnectOptions>;
  #connecting: Future<Stream> | null = null;
  // Lets Node begin to read and write.
  #onThere: Done | null = null;
  #isThere = false;

  /** @internal */
  constructor(loop: LoopCore, defaults: Partial<ConnectOptions>) {
    // As every socket that Node makes.
    super(loop, null, { allowHalfOpen: false });
    this.#loop = loop;
    this.#defaults = defaults;
  }

  /** Whether a connection is being opened. */
  get connecting(): boolean {
    return this.#connecting !== null;
  }

  /** Whether no connection was opened yet. */
  get pending(): boolean {
    return !this.#isThere;
  }

  /**
   * Opens the connection; an error destroys this. Once only.
   *
   * Suspends: never; emits `'connect'`.
   *
   * @param where - The port, the path of a Unix socket, or options of the package's `connect()`, over those that were given before.
   * @param host - Where `where` is a port; this machine by default.
   * @param listener - Hears of `'connect'`.
   * @throws {@link InvalidStateError} `ERR_INVALID_STATE` - it was called before, or this is destroyed; and as the
   *   package's `connect()`, where an argument is wrong.
   * @source Node `net.Socket.connect`
   */
  connect(
    where: number | string | Partial<ConnectOptions>,
    host?: string | (() => void),
    listener?: () => void,
  ): this {
    if (this.#connecting !== null || this.#isThere) {
      throw new InvalidStateError('connect() was called before');
    }
    const place =
      typeof where === 'object' ? where : typeof where === 'string' ? { path: where } : { port: where };
    validateObject('where', place);
    const onConnect = typeof host === 'function' ? host : listener;
    if (onConnect !== undefined) validateFunction('listener', onConnect);
    const hostPart = host === undefined || typeof host === 'function' ? {} : { host };
    this.#connecting = connectStream(this.#loop, {
      ...this.#defaults,
      ...place,
      ...hostPart,
    } as ConnectOptions);
    if (onConnect !== undefined) this.once('connect', onConnect);
    this.#connecting.then(
      (stream) => this.#onConnected(stream),
      (error: unknown) => this.destroy(error as Error),
    );
    return this;
  }

  #onConnected(stream: Stream): void {
    this.#connecting = null;
    if (this.destroyed) return stream.abort();
    this._attach(stream);
    this.#begin();
    this.emit('connect');
    this.emit('ready');
  }

  /** @internal */
  override _construct(done: Done): void {
    this.#onThere = done;
    if (this.#isThere) this.#begin();
  }

  #begin(): void {
    this.#isThere = true;
    const onThere = this.#onThere;
    this.#onThere = null;
    onThere?.();
  }

  /** As of every stream; a connection that is being opened is given up. @internal */
  override destroy(error?: Error): this {
    this.#connecting?.cancel();
    this.#connecting = null;
    super.destroy(error);
    // Until it is there Node does not end it either.
    this.#begin();
    return this;
  }
}
