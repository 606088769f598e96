// Where and how to connect.
import { isIP } from 'node:net';
import { outOfRange } from '../base/errors.js';
import {
  refuseNextTo,
  validateBoolean,
  validateInteger,
  validateNumber,
  validateObject,
  validateOneOf,
  validateString,
} from '../base/validate.js';
import { SOCKET_UNIX } from '../native/binding.js';
import type { ConnectPlan } from './attempt.js';
import { validateStreamOptions, type StreamOptions } from './limits.js';
import {
  keepAliveSeconds,
  TCP_OPTIONS,
  tcpFlags,
  validateTcpOptions,
  type TcpOptions,
} from './tcp-options.js';
import type { TlsClientOptions } from './tls-options.js';
import { validatePath } from './unix.js';

/** How to connect over TLS. */
export interface TlsConnectOptions {
  /** Connects over TLS: with the defaults of Node's `tls.connect()`, or with these options. @defaultValue no TLS */
  tls?: true | TlsClientOptions;
}

/** Where and how to connect by TCP. */
export interface TcpConnectOptions extends StreamOptions, TcpOptions, TlsConnectOptions {
  /** A name or numeric address; of link-local IPv6 with the interface: `'fe80::1%eth0'`. @defaultValue `'localhost'` */
  host?: string;
  /** 1 ... 65535 */
  port: number;
  path?: undefined;
  /** A numeric address of this machine to connect from; addresses of the other family are left out. */
  localAddress?: string;
  /** The port to connect from, 0 ... 65535; 0 lets the system pick one. @defaultValue 0 */
  localPort?: number;
  /** 4 or 6 for IPv4 or IPv6 addresses only, 0 for both. @defaultValue the family of `localAddress`, or 0 */
  family?: 0 | 4 | 6;
  /**
   * Milliseconds after which the next address is tried next to those under way, 0 or more; Infinity tries
   * one after the other. When the last attempt fails, the next begins at once. @defaultValue 250
   */
  happyEyeballsDelay?: number;
  /**
   * Address families take turns: this many addresses of the first family, 1 or more, then the other one. 0
   * keeps the resolver's order. @defaultValue 1
   */
  interleave?: number;
  /**
   * Failure of all addresses is an {@link ExceptionGroup} of all errors, in the order of the addresses, even
   * of one; otherwise the only error, or an AggregateError with the `code` of the first. @defaultValue false
   */
  allErrors?: boolean;
}

/** Where and how to connect to a Unix socket. */
export interface UnixConnectOptions extends StreamOptions, TlsConnectOptions {
  /** Where the socket is; a name that begins with NUL is an abstract one. At most 107 bytes. */
  path: string;
  host?: undefined;
  port?: undefined;
}

/** Where and how to connect. */
export type ConnectOptions = TcpConnectOptions | UnixConnectOptions;

/** What the options ask of each attempt. @internal */
export function planOf(options: ConnectOptions): ConnectPlan {
  if (options.path !== undefined) {
    return { port: 0, flags: SOCKET_UNIX, keepAliveSeconds: 0, localAddress: '', localPort: 0 };
  }
  const { port, localAddress = '', localPort = 0 } = options;
  return {
    port,
    flags: tcpFlags(options),
    keepAliveSeconds: keepAliveSeconds(options),
    localAddress,
    localPort,
  };
}

/** The addresses that can be reached. @internal */
export function familyOf({ family = 0, localAddress = '' }: TcpConnectOptions): 0 | 4 | 6 {
  return family === 0 ? (isIP(localAddress) as 0 | 4 | 6) : family;
}

// What a Unix socket does not have.
const TCP_ONLY = [
  ...TCP_OPTIONS,
  'host',
  'port',
  'localAddress',
  'localPort',
  'family',
  'happyEyeballsDelay',
  'interleave',
  'allErrors',
];

/** @throws TypeError `ERR_INVALID_ARG_TYPE`, RangeError `ERR_OUT_OF_RANGE` @internal */
export function validateConnectOptions(options: ConnectOptions): void {
  validateObject('options', options);
  validateStreamOptions(options);
  if (options.path !== undefined) {
    validatePath(options.path);
    refuseNextTo('path', options, TCP_ONLY);
    return;
  }
  validateInteger('options.port', options.port, 1, 65535);
  if (options.host !== undefined) validateString('options.host', options.host);
  validateTcpOptions(options);
  validateAttempts(options);
  validateLocalEnd(options);
}

function validateLocalEnd({ family = 0, localAddress, localPort }: TcpConnectOptions): void {
  if (localPort !== undefined) validateInteger('options.localPort', localPort, 0, 65535);
  if (localAddress === undefined) return;
  validateString('options.localAddress', localAddress);
  const localFamily = isIP(localAddress);
  if (localFamily !== 0 && (family === 0 || family === localFamily)) return;
  const expected = family === 0 ? 'a numeric address' : `an IPv${String(family)} address`;
  throw outOfRange('options.localAddress', expected, localAddress);
}

function validateAttempts(options: TcpConnectOptions): void {
  const { family, happyEyeballsDelay: delayMs, interleave: firstFamilyCount, allErrors } = options;
  if (family !== undefined) validateOneOf('options.family', family, [0, 4, 6]);
  if (delayMs !== undefined) validateNumber('options.happyEyeballsDelay', delayMs, 0);
  if (firstFamilyCount !== undefined) validateInteger('options.interleave', firstFamilyCount, 0);
  if (allErrors !== undefined) validateBoolean('options.allErrors', allErrors);
}
