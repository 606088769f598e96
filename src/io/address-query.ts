// Questions about names and addresses: what users ask, as native takes it, and what it answers.
import { isIP } from 'node:net';
import { domainToASCII } from 'node:url';
import { invalidArgType, outOfRange } from '../base/errors.js';
import {
  validateArray,
  validateInteger,
  validateObject,
  validateOneOf,
  validateString,
} from '../base/validate.js';
import * as native from '../native/binding.js';
import type { AddressQuery, LookupAnswer, NameQuery } from '../native/binding.js';

const TYPES = {
  stream: native.SOCKET_STREAM,
  datagram: native.SOCKET_DATAGRAM,
  raw: native.SOCKET_RAW,
  seqpacket: native.SOCKET_SEQUENCE,
} as const;
const ADDRESS_FLAGS = {
  passive: native.LOOKUP_PASSIVE,
  canonicalName: native.LOOKUP_CANONICAL_NAME,
  numericHost: native.LOOKUP_NUMERIC_HOST,
  numericService: native.LOOKUP_NUMERIC_SERVICE,
  addressConfig: native.LOOKUP_ADDRESS_CONFIG,
  v4Mapped: native.LOOKUP_V4_MAPPED,
  all: native.LOOKUP_ALL,
} as const;
const NAME_FLAGS = {
  numericHost: native.LOOKUP_NUMERIC_HOST,
  numericService: native.LOOKUP_NUMERIC_SERVICE,
  nameRequired: native.LOOKUP_NAME_REQUIRED,
  datagram: native.LOOKUP_DATAGRAM,
  shortName: native.LOOKUP_SHORT_NAME,
} as const;
const NUMERIC = native.LOOKUP_NUMERIC_HOST | native.LOOKUP_NUMERIC_SERVICE;
// In the order of the libc; what it makes of the others depends on the system.
const COMMON_TYPES = [
  { type: 'stream', protocol: 6 },
  { type: 'datagram', protocol: 17 },
  { type: 'raw', protocol: 0 },
] as const;
const TYPE_NAMES = Object.keys(TYPES) as SocketType[];
const WORDS_PER_ADDRESS = 6;

/** A kind of socket. */
export type SocketType = keyof typeof TYPES;

/** What `getAddrInfo()` heeds, see getaddrinfo(3). */
export type AddressFlag = keyof typeof ADDRESS_FLAGS;

/** What `getNameInfo()` heeds, see getnameinfo(3). */
export type NameFlag = keyof typeof NAME_FLAGS;

/** What addresses are wanted. */
export interface AddressOptions {
  /** 4 or 6 for IPv4 or IPv6 only, 0 for both. @defaultValue 0 */
  family?: 0 | 4 | 6;
  /** @defaultValue every type that there is, each in an entry of its own */
  type?: SocketType;
  /** A protocol's number, 0 ... 65535; 0 for any. @defaultValue 0 */
  protocol?: number;
  /** @defaultValue none */
  flags?: readonly AddressFlag[];
}

/** An address that a name has. */
export interface AddressInfo {
  readonly family: 4 | 6;
  readonly type: SocketType;
  /** The protocol's number: 6 is TCP, 17 UDP. */
  readonly protocol: number;
  /** In the first entry, with the flag `canonicalName`; else empty. */
  readonly canonicalName: string;
  /** Numeric. */
  readonly address: string;
  readonly port: number;
}

/** A numeric address, as sockets have it. */
export interface AddressAndPort {
  /** IPv4 or IPv6. */
  readonly address: string;
  /** 0 ... 65535 */
  readonly port: number;
}

/** The names of an address and a port. */
export interface NameInfo {
  /** Of the address; numeric when it has none. */
  readonly host: string;
  /** Of the port. */
  readonly service: string;
}

// Names -> addresses

const IS_NUMBER = /^\d+$/;
const LAST_PORT = 65535;
// eslint-disable-next-line no-control-regex -- all of ASCII but NUL
const IS_ASCII = /^[\x01-\x7f]*$/;

/** @throws TypeError `ERR_INVALID_ARG_TYPE`, RangeError `ERR_OUT_OF_RANGE` - an argument is wrong. @internal */
export function toAddressQuery(
  host: string | null,
  port: number | string | null,
  options: AddressOptions,
): AddressQuery {
  if (host !== null && typeof host !== 'string') throw invalidArgType('host', 'a string or null', host);
  validateObject('options', options);
  const { family = 0, type, protocol = 0, flags = [] } = options;
  validateOneOf('options.family', family, [0, 4, 6]);
  if (type !== undefined) validateOneOf('options.type', type, TYPE_NAMES);
  validateInteger('options.protocol', protocol, 0, 65535);
  const typeNumber = type === undefined ? 0 : TYPES[type];
  return [host, toService(port), family, typeNumber, protocol, sum('options.flags', flags, ADDRESS_FLAGS)];
}

function toService(port: unknown): string | null {
  if (port === null) return null;
  if (typeof port === 'string') {
    if (port.includes('\0') || (IS_NUMBER.test(port) && Number(port) > LAST_PORT)) {
      throw outOfRange('port', `the name of a service or an integer from 0 to ${String(LAST_PORT)}`, port);
    }
    return port;
  }
  if (typeof port !== 'number') throw invalidArgType('port', 'a number, a string or null', port);
  validateInteger('port', port, 0, LAST_PORT);
  return String(port);
}

function sum<F extends string>(name: string, flags: readonly F[], numbers: Record<F, number>): number {
  validateArray(name, flags);
  const names = Object.keys(numbers) as F[];
  let result = 0;
  for (const flag of flags) {
    validateOneOf(name, flag, names);
    result |= numbers[flag];
  }
  return result;
}

// The number of a service that needs no look-up.
function portOf(service: string | null): number | null {
  return service === null ? 0 : IS_NUMBER.test(service) ? Number(service) : null;
}

/**
 * The query as the system takes it: the host in ASCII, and without a port that is known, so that
 * questions which differ in nothing else are the same. Null when no host can have such a name.
 *
 * @internal
 */
export function toSystemQuery([host, service, ...rest]: AddressQuery): AddressQuery | null {
  // A host or a service is needed.
  if (host === null) return [host, service, ...rest];
  const isAscii = IS_ASCII.test(host);
  const ascii = isAscii ? host : host.includes('\0') ? '' : domainToASCII(host);
  if (ascii === '' && !isAscii) return null;
  return [ascii, portOf(service) === null ? service : null, ...rest];
}

/**
 * What the system would answer when there is nothing to look up: a numeric host, which may have no address
 * of the family that is asked for. Null when only the system knows.
 *
 * @internal
 */
export function answerNumeric(query: AddressQuery): AddressInfo[] | null {
  const [host, service, wanted, type, protocol, flags] = query;
  const port = portOf(service);
  if (host === null || port === null) return null;
  const family = isIP(host);
  const isCommon =
    protocol === 0 && type <= native.SOCKET_DATAGRAM && (flags & native.LOOKUP_V4_MAPPED) === 0;
  // Whether there is an interface of the name behind "%" is for the system to say.
  if (family === 0 || !isCommon || host.includes('%')) return null;
  if (wanted !== 0 && wanted !== family) return [];
  const entries = type === 0 ? COMMON_TYPES : COMMON_TYPES.slice(type - 1, type);
  const isNamed = (flags & native.LOOKUP_CANONICAL_NAME) !== 0;
  return entries.map((entry, i) => ({
    family: family as 4 | 6,
    ...entry,
    canonicalName: isNamed && i === 0 ? host : '',
    address: host,
    port,
  }));
}

/** @internal */
export function toAddresses([, service]: AddressQuery, answer: LookupAnswer): AddressInfo[] {
  const known = portOf(service);
  const found: AddressInfo[] = [];
  for (let i = 2; i < answer.length; i += WORDS_PER_ADDRESS) {
    const [family, type, protocol, canonicalName, address, port] = answer.slice(i) as [
      4 | 6,
      number,
      number,
      string,
      string,
      number,
    ];
    found.push({
      family,
      type: TYPE_NAMES[type - 1]!,
      protocol,
      canonicalName,
      address,
      port: known ?? port,
    });
  }
  return found;
}

// Addresses -> names

/** @throws TypeError `ERR_INVALID_ARG_TYPE`, RangeError `ERR_OUT_OF_RANGE` - an argument is wrong. @internal */
export function toNameQuery(where: AddressAndPort, flags: readonly NameFlag[]): NameQuery {
  validateObject('where', where);
  const { address, port } = where;
  validateString('where.address', address);
  if (isIP(address) === 0) throw outOfRange('where.address', 'a numeric address', address);
  validateInteger('where.port', port, 0, LAST_PORT);
  return [address, String(port), sum('flags', flags, NAME_FLAGS)];
}

/** What the system would answer when there is nothing to look up; null when only the system knows. @internal */
export function answerNumericName([host, service, flags]: NameQuery): NameInfo | null {
  const isNumeric = (flags & NUMERIC) === NUMERIC && (flags & native.LOOKUP_NAME_REQUIRED) === 0;
  return isNumeric ? { host, service } : null;
}

/** @internal */
export function toNames(answer: LookupAnswer): NameInfo {
  const [, , host, service] = answer as [number, number, string, string];
  return { host, service };
}
