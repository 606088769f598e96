// Where datagrams come from and go to. A socket hears from the same few peers again and again, so that
// their addresses are made once, and can be sent to without being read anew.
import { outOfRange } from '../base/errors.js';
import { validateInteger, validateObject, validateString } from '../base/validate.js';
import { binding } from '../native/load.js';
import type { InternetAddress } from './endpoint.js';

/** Words of an address in native's form: what a header begins with. */
const ADDRESS_WORDS = 6;
const PORT_MASK = 0xffff;
const FAMILY_SHIFT = 16;
const FAMILY_MASK = 0xff;
// Places of the received addresses; a power of two.
const CACHE_SIZE = 1024;

/** The numeric address of a datagram's sender or receiver. */
export interface DatagramAddress {
  /** Of link-local IPv6 addresses with the interface: `'fe80::1%eth0'`. */
  readonly address: string;
  readonly port: number;
}

/** An address with native's form of it, as words. @internal */
export class KnownAddress implements InternetAddress {
  readonly family: 'IPv4' | 'IPv6';
  readonly address: string;
  readonly port: number;
  readonly #words: Uint32Array;

  private constructor(words: Uint32Array, address: string, port: number) {
    this.#words = words;
    this.family = familyOf(words) === 6 ? 'IPv6' : 'IPv4';
    this.address = address;
    this.port = port;
    Object.freeze(this);
  }

  /** Null when `address` is not numeric, or its interface does not exist. */
  static parse(address: string, port: number): KnownAddress | null {
    const words = new Uint32Array(ADDRESS_WORDS);
    return binding.parseDatagramAddress(address, port, bytesIn(words)) < 0
      ? null
      : new KnownAddress(words, address, port);
  }

  static ofWords(words: Uint32Array): KnownAddress {
    const port = words[ADDRESS_WORDS - 1]! & PORT_MASK;
    return new KnownAddress(words, binding.formatDatagramAddress(bytesIn(words)), port);
  }

  /** Native's form of an address that was given out here; undefined for others. */
  static wordsOf(address: object): Uint32Array | undefined {
    return #words in address ? address.#words : undefined;
  }

  /** {@link KnownAddress.wordsOf} as bytes. */
  static bytesOf(address: KnownAddress): Uint8Array {
    return bytesIn(address.#words);
  }
}

const bytesIn = (words: Uint32Array): Uint8Array => new Uint8Array(words.buffer);
const familyOf = (words: Uint32Array): number => (words[ADDRESS_WORDS - 1]! >>> FAMILY_SHIFT) & FAMILY_MASK;

// As native leaves it there: the mapped form of an IPv4 address, for sockets of IPv6.
const MAPPED = '::ffff:';

/** Addresses of one socket. @internal */
export class AddressBook {
  readonly #family: 4 | 6;
  #words: (Uint32Array | undefined)[] | null = null;
  readonly #received: KnownAddress[] = [];
  readonly #given = new Map<string, Uint32Array>();

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
    return (this.#received[place] = KnownAddress.ofWords(own));
  }

  /**
   * Native's form of where to send.
   *
   * @throws TypeError `ERR_INVALID_ARG_TYPE`, RangeError `ERR_OUT_OF_RANGE`
   */
  wordsOf(to: DatagramAddress): Uint32Array {
    validateObject('address', to);
    const known = KnownAddress.wordsOf(to);
    if (known !== undefined && familyOf(known) === this.#family) return known;
    const { address, port } = to;
    validateString('address.address', address);
    validateInteger('address.port', port, 1, 65535);
    const key = `${String(port)} ${address}`;
    return this.#given.get(key) ?? this.#parse(key, address, port);
  }

  #parse(key: string, address: string, port: number): Uint32Array {
    const text = this.#family === 6 && !address.includes(':') ? MAPPED + address : address;
    const known = KnownAddress.parse(text, port);
    const words = known === null ? undefined : KnownAddress.wordsOf(known);
    if (words === undefined || familyOf(words) !== this.#family) {
      throw outOfRange('address.address', `a numeric IPv${String(this.#family)} address`, address);
    }
    if (this.#given.size === CACHE_SIZE) this.#given.clear();
    this.#given.set(key, words);
    return words;
  }
}

function isSame(known: Uint32Array, words: Uint32Array, at: number): boolean {
  for (let i = ADDRESS_WORDS - 1; i >= 0; i--) if (known[i] !== words[at + i]) return false;
  return true;
}
