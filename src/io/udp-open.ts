// Opens UDP sockets: finds the addresses of both ends, pairs those of one family, and takes the first
// pair that the system takes.
import { isIPv6 } from 'node:net';
import { InvalidStateError, systemError } from '../base/errors.js';
import type { LoopCore } from '../core/loop.js';
import { abi } from '../native/abi.js';
import { awaitNatively } from '../task/native-await.js';
import { Acquisition } from './acquisition.js';
import { KnownAddress } from './datagram-address.js';
import { DatagramEndpoint } from './datagram-endpoint.js';
import { resolveOn } from './resolve.js';
import { datagramFlags, type DatagramOptions, type UdpEnd } from './udp-options.js';

const NO_ADDRESS = new Uint8Array(0);
const ANY_IPV4 = ['0.0.0.0'];
const ANY_IPV6 = ['::'];

interface Pair {
  readonly local: string | null;
  readonly remote: string | null;
}

const isSameFamily = (one: string, other: string): boolean => isIPv6(one) === isIPv6(other);

function pairsOf(locals: readonly string[] | null, remotes: readonly string[] | null): Pair[] {
  if (locals === null) return (remotes ?? []).map((remote) => ({ local: null, remote }));
  if (remotes === null) return locals.map((local) => ({ local, remote: null }));
  return remotes.flatMap((remote) =>
    locals.filter((local) => isSameFamily(local, remote)).map((local) => ({ local, remote })),
  );
}

/** A socket that is being opened; `make` must not fail once it was given the endpoint. @internal */
export class UdpOpening<T> extends Acquisition<T> {
  readonly #options: DatagramOptions;
  readonly #make: (endpoint: DatagramEndpoint) => T;
  #locals: readonly string[] | null = null;
  #remotes: readonly string[] | null = null;
  #missing = 0;
  readonly #stops: (() => void)[] = [];

  static {
    awaitNatively(this.prototype);
  }

  constructor(
    loop: LoopCore,
    options: DatagramOptions,
    make: (endpoint: DatagramEndpoint) => T,
    dispose: (made: T) => void,
  ) {
    super(loop, dispose);
    this.#options = options;
    this.#make = make;
    this._stop = () => this.#stopAll();
    const { local, remote } = options;
    // Both are counted before either may answer at once.
    this.#missing = 1 + Number(local?.host !== undefined) + Number(remote !== undefined);
    if (local?.host !== undefined) this.#resolve(local.host, (found) => (this.#locals = found));
    if (remote !== undefined) this.#resolve(remote.host ?? 'localhost', (found) => (this.#remotes = found));
    this.#onFound();
  }

  #resolve(host: string, onFound: (addresses: string[]) => void): void {
    if (this.done()) return;
    const stop = resolveOn(
      this._loop,
      host,
      (addresses) => {
        onFound(addresses);
        this.#onFound();
      },
      (error) => this.#fail(error),
      this.#options.family ?? 0,
    );
    this.#stops.push(stop);
  }

  #stopAll(): void {
    for (const stop of this.#stops) stop();
  }

  #fail(error: unknown): void {
    if (this.done()) return;
    this.#stopAll();
    this.setException(error);
  }

  #onFound(): void {
    if (--this.#missing > 0 || this.done()) return;
    let made: T;
    try {
      made = this.#make(this.#open());
    } catch (error) {
      this.#fail(error);
      return;
    }
    // A factory may have cancelled what it was called for.
    if (this.done()) this._dispose(made);
    else this.setResult(made);
  }

  #open(): DatagramEndpoint {
    const pairs = pairsOf(this.#localsToTry(), this.#remotes);
    if (pairs.length === 0) {
      throw new InvalidStateError('The local and the remote end have no addresses of one family');
    }
    let first: unknown = null;
    for (const pair of pairs) {
      try {
        return this.#openPair(pair);
      } catch (error) {
        first ??= error;
      }
    }
    throw first;
  }

  // Null leaves them to the system.
  #localsToTry(): readonly string[] | null {
    if (this.#locals !== null) return this.#locals;
    const { local, remote, family } = this.#options;
    if (remote !== undefined && local === undefined) return null;
    if (remote !== undefined) return [...ANY_IPV4, ...ANY_IPV6];
    return family === 6 ? ANY_IPV6 : ANY_IPV4;
  }

  #openPair({ local, remote }: Pair): DatagramEndpoint {
    const loop = this._loop;
    const { local: localEnd, remote: remoteEnd } = this.#options;
    const from = parse(local, localEnd);
    const to = parse(remote, remoteEnd);
    loop._openSlabs();
    const index = loop._native.openDatagram(from, to, datagramFlags(this.#options));
    if (index < 0) {
      const place = { address: (local ?? remote)!, port: (local === null ? remoteEnd : localEnd)?.port ?? 0 };
      throw systemError(index, local === null ? 'connect' : 'bind', place);
    }
    const generation = loop._rings.control[abi.CTL_RESULT_GENERATION]!;
    const family = isIPv6((local ?? remote)!) ? 6 : 4;
    return new DatagramEndpoint(loop, { index, generation }, family, remote !== null);
  }
}

function parse(address: string | null, end: UdpEnd | undefined): Uint8Array {
  if (address === null) return NO_ADDRESS;
  const known = KnownAddress.parse(address, end?.port ?? 0);
  if (known === null) throw systemError(-19, 'bind', { address });
  return KnownAddress.bytesOf(known);
}
