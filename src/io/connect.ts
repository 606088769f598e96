// Opens connections.
import { ExceptionGroup } from '../base/exception-group.js';
import { validateFunction } from '../base/validate.js';
import { captureContext } from '../core/context.js';
import type { LoopCore } from '../core/loop.js';
import type { TimerHandle } from '../core/timers.js';
import { abi } from '../native/abi.js';
import type { SlotRef } from '../native/binding.js';
import type { State } from '../task/future-state.js';
import type { Future } from '../task/future.js';
import { awaitNatively } from '../task/native-await.js';
import { Acquisition } from './acquisition.js';
import { Attempt, type ConnectPlan } from './attempt.js';
import { familyOf, planOf, validateConnectOptions, type ConnectOptions } from './connect-options.js';
import { Endpoint } from './endpoint.js';
import { interleave } from './interleave.js';
import { bufferLimits } from './limits.js';
import { makeProtocol, Transport, type AnyProtocol } from './protocol.js';
import { resolveOn } from './resolve.js';
import { Stream } from './stream.js';
import { clientSide, type TlsSide } from './tls-options.js';

/** What is made of a connection. */
interface Making<T> {
  make(slot: SlotRef): T;
  connectionOf(made: T): Stream | Transport;
  /** Called when it is ready, also with TLS. */
  begin?(made: T): void;
}

const DEFAULT_DELAY_MS = 250;
// A Unix socket whose server has too many connections waiting is tried again after that.
const FULL_RETRY_MS = 5;

/**
 * A connection that is being opened, by attempts that run next to each other: the first to connect wins,
 * and the sockets of the others are closed. So they are when it is cancelled.
 */
class Connecting<T> extends Acquisition<T> {
  readonly #plan: ConnectPlan;
  readonly #making: Making<T>;
  readonly #side: TlsSide | null;
  // What waits for its handshake.
  #made: T | null = null;
  readonly #delayMs: number;
  readonly #isGrouping: boolean;
  #addresses: readonly string[] = [];
  /** How many of the addresses had their turn. */
  #begun = 0;
  #failed = 0;
  /** Those that are under way, and some that are over. */
  readonly #attempts: Attempt[] = [];
  /** In the order of the addresses, not of the failures. */
  readonly #errors: unknown[] = [];
  #timer: TimerHandle | null = null;

  static {
    awaitNatively(this.prototype);
  }

  constructor(loop: LoopCore, options: ConnectOptions, making: Making<T>) {
    super(loop, (made) => making.connectionOf(made).abort());
    this.#making = making;
    this.#plan = planOf(options);
    this.#side = tlsSideOf(options);
    if (options.path !== undefined) {
      this.#delayMs = FULL_RETRY_MS;
      this.#isGrouping = false;
      this.#addresses = [options.path];
      this.#beginNext();
      return;
    }
    const { host = 'localhost', interleave: firstFamilyCount = 1 } = options;
    this.#delayMs = options.happyEyeballsDelay ?? DEFAULT_DELAY_MS;
    this.#isGrouping = options.allErrors ?? false;
    this._stop = resolveOn(
      loop,
      host,
      (addresses) => {
        this.#addresses = interleave(addresses, firstFamilyCount);
        this.#beginNext();
      },
      (error) => void (this.done() || this.setException(error)),
      familyOf(options),
    );
  }

  // Begins with one more address, and with those after it as long as the system refuses at once.
  #beginNext(): void {
    this.#stopTimer();
    while (!this.done() && this.#begun < this.#addresses.length) {
      const place = this.#begun++;
      if (!this.#begin(place)) continue;
      if (this.#begun === this.#addresses.length) return;
      this.#timer = this._loop.callLater(this.#delayMs, (connecting) => connecting.#beginNext(), this);
      return;
    }
  }

  #begin(place: number): boolean {
    try {
      const attempt = new Attempt(this._loop, this.#addresses[place]!, this.#plan, (error, slot) => {
        if (error === null) this.#deliver(slot);
        else this.#onFailed(place, error);
      });
      this.#attempts.push(attempt);
      return true;
    } catch (error) {
      if (this.#isFull(error)) {
        this.#begun--;
        return true;
      }
      this.#note(place, error);
      return false;
    }
  }

  // The kernel lets TCP wait for room by itself, but a Unix socket only when it may block.
  #isFull(error: unknown): boolean {
    return this.#plan.port === 0 && (error as NodeJS.ErrnoException).code === 'EAGAIN';
  }

  #onFailed(place: number, error: Error): void {
    this.#note(place, error);
    // While a later one is under way, its timer says when to go on.
    if (place === this.#begun - 1) this.#beginNext();
  }

  #note(place: number, error: unknown): void {
    this.#errors[place] = error;
    if (++this.#failed < this.#addresses.length) return;
    this.setException(this.#isGrouping ? group(this.#errors) : combine(this.#errors));
  }

  #deliver(slot: SlotRef): void {
    // The others end before anybody's code runs.
    this.#end();
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
    if (this.#made !== null) this._dispose(this.#made);
    return true;
  }

  #end(): void {
    this.#stopTimer();
    for (const attempt of this.#attempts) attempt.abandon();
  }

  #stopTimer(): void {
    this.#timer?.cancel();
    this.#timer = null;
  }

  // Whoever ends it, and how: nothing stays open.
  override _settle(state: State, value: unknown): void {
    super._settle(state, value);
    this.#end();
  }
}

function tlsSideOf({ tls, host = 'localhost' }: ConnectOptions): TlsSide | null {
  return tls === undefined ? null : clientSide(tls, host);
}

function combine(errors: readonly unknown[]): unknown {
  if (errors.length === 1) return errors[0];
  const code = (errors[0] as NodeJS.ErrnoException).code;
  return Object.assign(new AggregateError(errors, describe(errors)), { code });
}

function group(errors: readonly unknown[]): ExceptionGroup {
  return new ExceptionGroup(describe(errors), errors);
}

function describe(errors: readonly unknown[]): string {
  return `Every address failed: ${errors.map((error) => (error as Error).message).join('; ')}`;
}

/** See `connect` of the package. @internal */
export function connectStream(loop: LoopCore, options: ConnectOptions): Future<Stream> {
  validateConnectOptions(options);
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
  validateConnectOptions(options);
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
