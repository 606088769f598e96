// Where datagrams come from and go to. A socket hears from the same few peers again and again, so that
// their addresses are made once, and can be sent to without being read anew.
import { outOfRange } from '../base/errors.js';
import { validateInteger, validateObject, validateString } from '../base/validate.js';
import { binding } from '../native/load.js';
import type { InternetAddress } from './endpoint.js';

/** Bytes of an address in native's form: what a header begins with. */
const ADDRESS_BYTES = 24;
const ADDRESS_WORDS = ADDRESS_BYTES / 4;
const PORT_OFFSET = 20;
const FAMILY_OFFSET = 22;
// Places of the received addresses; a power of two.
const CACHE_SIZE = 1024;

/** The numeric address of a datagram's sender or receiver. */
export interface DatagramAddress {
  /** Of link-local IPv6 addresses with the interface: `'fe80::1%eth0'`. */
  readonly address: string;
  readonly port: number;
}

/** An address with native's form of it. @internal */
export class KnownAddress implements InternetAddress {
  readonly family: 'IPv4' | 'IPv6';
  readonly address: string;
  readonly port: number;
  readonly #bytes: Uint8Array;

  private constructor(bytes: Uint8Array, address: string, port: number) {
    this.#bytes = bytes;
    this.family = bytes[FAMILY_OFFSET] === 6 ? 'IPv6' : 'IPv4';
    this.address = address;
    this.port = port;
    Object.freeze(this);
  }

  /** Null when `address` is not numeric, or its interface does not exist. */
  static parse(address: string, port: number): KnownAddress | null {
    const bytes = new Uint8Array(ADDRESS_BYTES);
    return binding.parseDatagramAddress(address, port, bytes) < 0
      ? null
      : new KnownAddress(bytes, address, port);
  }

  static ofBytes(bytes: Uint8Array): KnownAddress {
    const port = bytes[PORT_OFFSET]! | (bytes[PORT_OFFSET + 1]! << 8);
    return new KnownAddress(bytes, binding.formatDatagramAddress(bytes), port);
  }

  /** Native's form of an address that was given out here; undefined for others. */
  static bytesOf(address: object): Uint8Array | undefined {
    return #bytes in address ? address.#bytes : undefined;
  }
}

// As native leaves it there: the mapped form of an IPv4 address, for sockets of IPv6.
const MAPPED = '::ffff:';

/** Addresses of one socket. @internal */
export class AddressBook {
  readonly #family: 4 | 6;
  #words: (Uint32Array | undefined)[] | null = null;
  readonly #received: KnownAddress[] = [];
  readonly #given = new Map<string, Uint8Array>();

  constructor(family: 4 | 6) {
    this.#family = family;
  }

  /** The address at the beginning of a received datagram. */
  received(words: Uint32Array, at: number): KnownAddress {
    const ports = words[at + ADDRESS_WORDS - 1]!;
    const hash = words[at]! ^ words[at + 2]! ^ words[at + 3]! ^ Math.imul(ports, 0x9e3779b1);
    const place = (hash ^ (hash >>> 16)) & (CACHE_SIZE - 1);
    const known = (this.#words ??= [])[place];
    if (known !== undefined && isSame(known, words, at)) return this.#received[place]!;
    const own = words.slice(at, at + ADDRESS_WORDS);
    this.#words[place] = own;
    return (this.#received[place] = KnownAddress.ofBytes(new Uint8Array(own.buffer)));
  }

  /**
   * Native's form of where to send.
   *
   * @throws TypeError `ERR_INVALID_ARG_TYPE`, RangeError `ERR_OUT_OF_RANGE`
   */
  bytesOf(to: DatagramAddress): Uint8Array {
    validateObject('address', to);
    const known = KnownAddress.bytesOf(to);
    if (known !== undefined && known[FAMILY_OFFSET] === this.#family) return known;
    const { address, port } = to;
    validateString('address.address', address);
    validateInteger('address.port', port, 1, 65535);
    const key = `${String(port)} ${address}`;
    return this.#given.get(key) ?? this.#parse(key, address, port);
  }

  #parse(key: string, address: string, port: number): Uint8Array {
    const text = this.#family === 6 && !address.includes(':') ? MAPPED + address : address;
    const known = KnownAddress.parse(text, port);
    const bytes = known === null ? undefined : KnownAddress.bytesOf(known);
    if (bytes?.[FAMILY_OFFSET] !== this.#family) {
      throw outOfRange('address.address', `a numeric IPv${String(this.#family)} address`, address);
    }
    if (this.#given.size === CACHE_SIZE) this.#given.clear();
    this.#given.set(key, bytes);
    return bytes;
  }
}

function isSame(known: Uint32Array, words: Uint32Array, at: number): boolean {
  for (let i = ADDRESS_WORDS - 1; i >= 0; i--) if (known[i] !== words[at + i]) return false;
  return true;
}
