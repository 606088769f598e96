// Opens TCP connections.
import { systemError } from '../base/errors.js';
import {
  validateBoolean,
  validateFunction,
  validateInteger,
  validateObject,
  validateString,
} from '../base/validate.js';
import { captureContext } from '../core/context.js';
import type { CompletionTarget, LoopCore } from '../core/loop.js';
import { abi } from '../native/abi.js';
import { SOCKET_NO_DELAY, type SlotRef } from '../native/binding.js';
import type { Future } from '../task/future.js';
import { awaitNatively } from '../task/native-await.js';
import { Acquisition } from './acquisition.js';
import { Endpoint } from './endpoint.js';
import { makeProtocol, Transport, type AnyProtocol } from './protocol.js';
import { resolveOn } from './resolve.js';
import { bufferLimits, validateStreamOptions, type StreamOptions } from './limits.js';
import { Stream } from './stream.js';
import { clientSide, type TlsClientOptions, type TlsSide } from './tls-options.js';

/** Where and how to connect. */
export interface ConnectOptions extends StreamOptions {
  /** A name or numeric address. @defaultValue `'localhost'` */
  host?: string;
  /** 1 ... 65535 */
  port: number;
  /** Sends small writes at once (TCP_NODELAY). @defaultValue true */
  noDelay?: boolean;
  /** Connects over TLS: with the defaults of Node's `tls.connect()`, or with these options. @defaultValue no TLS */
  tls?: true | TlsClientOptions;
}

/** What is made of a connection. */
interface Making<T> {
  make(slot: SlotRef): T;
  connectionOf(made: T): Stream | Transport;
  /** Called when it is ready, also with TLS. */
  begin?(made: T): void;
}

/** One attempt; its slot belongs to whoever takes the connection. */
class Attempt implements CompletionTarget {
  readonly generation: number;
  readonly #loop: LoopCore;
  readonly #index: number;
  readonly #settle: (error: Error | null, slot: SlotRef) => void;
  readonly #where: { address: string; port: number };
  #isOver = false;

  constructor(
    loop: LoopCore,
    where: { address: string; port: number },
    flags: number,
    settle: (error: Error | null, slot: SlotRef) => void,
  ) {
    this.#loop = loop;
    this.#where = where;
    this.#settle = settle;
    loop._openSlabs();
    const index = loop._native.connect(where.address, where.port, flags);
    if (index < 0) throw systemError(index, 'connect', where);
    this.#index = index;
    this.generation = loop._rings.control[abi.CTL_RESULT_GENERATION]!;
    loop._attach(index, this);
    loop._reference(1);
  }

  get slot(): SlotRef {
    return { index: this.#index, generation: this.generation };
  }

  complete(kind: number, result: number): void {
    if (kind === abi.CQ_CLOSED) {
      this.#loop._detach(this.#index, this);
      return;
    }
    if (kind !== abi.CQ_CONNECT || this.#isOver) return;
    this.#isOver = true;
    this.#loop._reference(-1);
    if (result < 0) this.#loop._rings.submit(abi.OP_RESET, this.#index, this.generation, 0, 0);
    this.#settle(result < 0 ? systemError(result, 'connect', this.#where) : null, this.slot);
  }

  /** Gives the attempt up. */
  abandon(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#loop._reference(-1);
    this.#loop._rings.submit(abi.OP_RESET, this.#index, this.generation, 0, 0);
  }
}

/** A connection that is being opened; cancelling it closes the socket. */
class Connecting<T> extends Acquisition<T> {
  readonly #addresses: string[] = [];
  readonly #port: number;
  readonly #flags: number;
  readonly #making: Making<T>;
  readonly #side: TlsSide | null;
  // What waits for its handshake.
  #made: T | null = null;
  readonly #errors: Error[] = [];
  #attempt: Attempt | null = null;

  static {
    awaitNatively(this.prototype);
  }

  constructor(loop: LoopCore, options: ConnectOptions, making: Making<T>) {
    super(loop, (made) => making.connectionOf(made).abort());
    this.#port = options.port;
    this.#flags = options.noDelay === false ? 0 : SOCKET_NO_DELAY;
    this.#making = making;
    this.#side = tlsSideOf(options);
    this._stop = resolveOn(
      loop,
      options.host ?? 'localhost',
      (addresses) => {
        this.#addresses.push(...addresses);
        if (!this.done()) this.#next();
      },
      (error) => void (this.done() || this.setException(error)),
    );
  }

  // Tries the addresses one after another.
  #next(): void {
    for (let address = this.#addresses.shift(); address !== undefined; address = this.#addresses.shift()) {
      try {
        const where = { address, port: this.#port };
        this.#attempt = new Attempt(this._loop, where, this.#flags, (error, slot) =>
          this.#onSettled(error, slot),
        );
        return;
      } catch (error) {
        this.#errors.push(error as Error);
      }
    }
    this.#attempt = null;
    this.setException(this.#errors.length === 1 ? this.#errors[0] : combine(this.#errors));
  }

  #onSettled(error: Error | null, slot: SlotRef): void {
    if (this.done()) return;
    if (error === null) return this.#deliver(slot);
    this.#errors.push(error);
    this.#next();
  }

  #deliver(slot: SlotRef): void {
    let made: T;
    try {
      made = this.#making.make(slot);
    } catch (error) {
      this._loop._rings.submit(abi.OP_RESET, slot.index, slot.generation, 0, 0);
      if (!this.done()) this.setException(error);
      return;
    }
    // The factory may have cancelled what it was called for.
    if (this.#side === null || this.done()) this.#settle(made);
    else this.#secure(made, this.#side);
  }

  #settle(made: T): void {
    if (this.done()) return this._dispose(made);
    this.#making.begin?.(made);
    this.setResult(made);
  }

  #secure(made: T, side: TlsSide): void {
    this.#made = made;
    this.#making.connectionOf(made)._secure(side, (error) => {
      this.#made = null;
      if (error === null) this.#settle(made);
      else if (!this.done()) this.setException(error);
    });
  }

  override cancel(reason?: unknown): boolean {
    if (!super.cancel(reason)) return false;
    this.#attempt?.abandon();
    if (this.#made !== null) this._dispose(this.#made);
    return true;
  }
}

function tlsSideOf({ tls, host = 'localhost' }: ConnectOptions): TlsSide | null {
  return tls === undefined ? null : clientSide(tls, host);
}

function combine(errors: Error[]): Error {
  const message = `Every address failed: ${errors.map((error) => error.message).join('; ')}`;
  const combined = new AggregateError(errors, message);
  return Object.assign(combined, { code: (errors[0] as NodeJS.ErrnoException | undefined)?.code });
}

function validate(options: ConnectOptions): void {
  validateObject('options', options);
  validateInteger('options.port', options.port, 1, 65535);
  if (options.host !== undefined) validateString('options.host', options.host);
  if (options.noDelay !== undefined) validateBoolean('options.noDelay', options.noDelay);
  validateStreamOptions(options);
}

/** See `connect` of the package. @internal */
export function connectStream(loop: LoopCore, options: ConnectOptions): Future<Stream> {
  validate(options);
  return new Connecting(loop, options, {
    make: (slot) => new Stream(new Endpoint(loop, slot), bufferLimits(options)),
    connectionOf: (stream) => stream,
  });
}

/** See `EventLoop.createConnection`. @internal */
export function connectProtocol<P extends AnyProtocol>(
  loop: LoopCore,
  factory: () => P,
  options: ConnectOptions,
): Future<[Transport, P]> {
  validateFunction('protocolFactory', factory);
  validate(options);
  const context = captureContext();
  const make = (slot: SlotRef): [Transport, P] => {
    const protocol = makeProtocol(factory, context);
    const transport = new Transport(new Endpoint(loop, slot), protocol, context, bufferLimits(options));
    return [transport, protocol];
  };
  return new Connecting<[Transport, P]>(loop, options, {
    make,
    connectionOf: ([transport]) => transport,
    begin: ([transport]) => transport._begin(),
  });
}
