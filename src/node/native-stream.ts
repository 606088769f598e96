// The side of a connection's handle that native code of Node sees. TLS on a socket that is there already, and HTTP/2,
// read and write by way of the handle, without the socket.
import { AsyncResource } from 'node:async_hooks';
import { isContextTracked, type ContextSnapshot } from '../core/context.js';
import { JSStream, type OnRead } from './internals.js';

/**
 * A stream to native code. That calls the methods whose names begin with `on`.
 *
 * @source Node `JSStream`
 * @internal
 */
export abstract class NativeStream extends JSStream {
  /** What a socket sets as `onread`. */
  protected _onRead: OnRead | null = null;
  /** Whether native code gets what arrives. */
  protected _isConsumed = false;
  readonly #type: string;
  // Made when somebody could tell the difference from the loop's own context.
  #resource: AsyncResource | null;

  /** @param type - As Node names this kind of handle. */
  constructor(type: string) {
    super();
    this.#type = type;
    this.#resource = isContextTracked() ? new AsyncResource(type) : null;
  }

  /** The context for an event. */
  get context(): ContextSnapshot | null {
    return this.#resource;
  }

  override getAsyncId(): number {
    return this.#resource?.asyncId() ?? super.getAsyncId();
  }

  /** The handle serves something new, which is begun right now. */
  override asyncReset(resource?: object): void {
    super.asyncReset(resource);
    this.#resource?.emitDestroy();
    this.#resource = isContextTracked() ? new AsyncResource(this.#type) : null;
  }

  // Native code has its own copy: it is who hears what nobody consumes.
  override get onread(): OnRead | null {
    return this._onRead;
  }

  override set onread(call: OnRead | null) {
    this._onRead = call;
    super.onread = call;
  }

  /** Asked for by whoever is about to let native code read. */
  get isStreamBase(): boolean {
    this._isConsumed = true;
    return true;
  }

  /** An HTTP/1 server asks for this as well, and does not read natively from a handle that is taken: sockets are faster. */
  get _consumed(): boolean {
    this._isConsumed = false;
    return true;
  }

  abstract isClosing(): boolean;
  abstract onreadstart(): number;
  abstract onreadstop(): number;
  abstract onwrite(request: object, chunks: readonly Uint8Array[]): number;
  abstract onshutdown(request: object): number;
}
