// Waits for the datagrams of a socket.
import { ClosedResourceError } from '../base/errors.js';
import type { LoopCore } from '../core/loop.js';
import { Future } from '../task/future.js';
import { awaitNatively } from '../task/native-await.js';
import type { InternetAddress } from './endpoint.js';

/** A datagram and who sent it. */
export interface Datagram {
  /** Its bytes, which are the receiver's; there may be none. */
  readonly data: Buffer;
  readonly address: InternetAddress;
}

/** Whose datagrams are waited for. @internal */
export interface DatagramSource {
  /** Puts back what nobody got to see. */
  _giveBack(datagrams: readonly Datagram[]): void;
}

/** A wait for datagrams; when nobody gets to see them, they go back. @internal */
export abstract class Reception<T> extends Future<T> {
  declare readonly _source: DatagramSource;
  /** How many it takes at the end of a batch; 0 for one that takes the first as soon as it is there. */
  declare readonly _limit: number;

  constructor(loop: LoopCore, source: DatagramSource, limit: number) {
    super(loop);
    this._source = source;
    this._limit = limit;
  }

  /** At most as many as it takes. */
  abstract _give(datagrams: Datagram[]): void;
  /** What its result holds. */
  abstract _taken(result: T): Datagram[];

  /** The socket is closed. */
  _end(): void {
    this.setException(closedError());
  }

  override _lose(): void {
    super._lose();
    if (!this.done() || this.cancelled() || this.exception() !== null) return;
    this._source._giveBack(this._taken(this.result()));
  }
}

/** @internal */
export class OneReception extends Reception<Datagram> {
  static {
    awaitNatively(this.prototype);
  }

  _give([datagram]: Datagram[]): void {
    this.setResult(datagram!);
  }

  _taken(result: Datagram): Datagram[] {
    return [result];
  }
}

/** @internal */
export class ManyReception extends Reception<Datagram[]> {
  static {
    awaitNatively(this.prototype);
  }

  _give(datagrams: Datagram[]): void {
    this.setResult(datagrams);
  }

  _taken(result: Datagram[]): Datagram[] {
    return result;
  }
}

/** What `for await` asks for. @internal */
export type Step = IteratorResult<Datagram, void>;

const LAST: Step = Object.freeze({ done: true, value: undefined });

/** A wait of `for await`, which the end of the socket ends too. @internal */
export class StepReception extends Reception<Step> {
  static {
    awaitNatively(this.prototype);
  }

  _give([value]: Datagram[]): void {
    this.setResult({ done: false, value: value! });
  }

  override _end(): void {
    this.setResult(LAST);
  }

  _taken({ done, value }: Step): Datagram[] {
    return done === true ? [] : [value];
  }
}

/** @internal */
export function closedError(): ClosedResourceError {
  return new ClosedResourceError('The socket is closed');
}
