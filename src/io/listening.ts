// Opens listening sockets.
import { constants } from 'node:os';
import { invalidArgType, outOfRange, systemError } from '../base/errors.js';
import {
  refuseNextTo,
  validateBoolean,
  validateDescriptor,
  validateInteger,
  validateObject,
} from '../base/validate.js';
import type { LoopCore } from '../core/loop.js';
import { abi } from '../native/abi.js';
import { SOCKET_IPV6_ONLY, SOCKET_REUSE_PORT, SOCKET_UNIX, type SlotRef } from '../native/binding.js';
import { toSocketAddress, type SocketAddress } from './endpoint.js';
import { validateStreamOptions, type StreamOptions } from './limits.js';
import { resolveOn } from './resolve.js';
import {
  keepAliveSeconds,
  TCP_OPTIONS,
  tcpFlags,
  validateTcpOptions,
  type TcpOptions,
} from './tcp-options.js';
import type { TlsServerOptions } from './tls-options.js';
import { removeStaleFile, SocketFile, validatePath } from './unix.js';

/** How to serve over TLS. */
export interface TlsListenOptions {
  /**
   * Serves over TLS, with options as of Node's `tls.createServer()`: at least a key and a certificate. A handshake
   * that fails closes the connection, and is reported in debug mode only. @defaultValue no TLS
   */
  tls?: TlsServerOptions;
}

/** Where and how to listen on TCP. */
export interface TcpListenOptions extends StreamOptions, TcpOptions, TlsListenOptions {
  /** A name or numeric address, or several of them. @defaultValue every address, IPv4 and IPv6 */
  host?: string | readonly string[];
  /** 0 ... 65535; 0 picks a free one. @defaultValue 0 */
  port?: number;
  path?: undefined;
  fd?: undefined;
  /** With port 0 all addresses get the same port; false: each one its own, as in asyncio. @defaultValue true */
  samePort?: boolean;
  /** Connections the kernel may hold until they are accepted, 1 ... 65535. @defaultValue 511 */
  backlog?: number;
  /** Lets several sockets share the port (SO_REUSEPORT). @defaultValue false */
  reusePort?: boolean;
  /**
   * False: an IPv6 address that stands for all takes IPv4 connections too, whose addresses look like
   * `::ffff:127.0.0.1`; it is the default host then. @defaultValue true
   */
  ipv6Only?: boolean;
}

/** Where and how to listen on a Unix socket. */
export interface UnixListenOptions extends StreamOptions, TlsListenOptions {
  /**
   * Where the socket is put; a name that begins with NUL is an abstract one. At most 107 bytes. A socket
   * that a server has left there is replaced, but nothing else; closing the server removes the file.
   */
  path: string;
  host?: undefined;
  port?: undefined;
  fd?: undefined;
  /** Connections the kernel may hold until they are accepted, 1 ... 65535. @defaultValue 511 */
  backlog?: number;
}

/** How to serve a socket that listens already. */
export interface DescriptorListenOptions extends StreamOptions, TcpOptions, TlsListenOptions {
  /** Its descriptor; see {@link listenFds}. The server owns it from then on, and closes it. */
  fd: number;
  host?: undefined;
  port?: undefined;
  path?: undefined;
}

/** Where and how to listen. */
export type ListenOptions = TcpListenOptions | UnixListenOptions | DescriptorListenOptions;

/** A socket that listens. @internal */
export interface Listening {
  readonly slot: SlotRef;
  readonly address: SocketAddress;
  /** The file that goes with it. */
  readonly file: SocketFile | null;
}

const ANY_ADDRESSES: readonly string[] = ['0.0.0.0', '::'];
const ANY_ADDRESS_OF_BOTH: readonly string[] = ['::'];
const DEFAULT_BACKLOG = 511;
// Ports that are tried until one is free on every address.
const PORT_ATTEMPTS = 16;
const { EADDRINUSE } = constants.errno;

const nothing = (): void => undefined;

const ADDRESS_OPTIONS = ['host', 'port', 'samePort', 'reusePort', 'ipv6Only'];

/** @throws TypeError `ERR_INVALID_ARG_TYPE`, RangeError `ERR_OUT_OF_RANGE` @internal */
export function validateListenOptions(options: ListenOptions): void {
  validateObject('options', options);
  validateStreamOptions(options);
  if (options.fd !== undefined) {
    validateDescriptor('options.fd', options.fd);
    validateTcpOptions(options);
    refuseNextTo('fd', options, [...ADDRESS_OPTIONS, 'path', 'backlog']);
    return;
  }
  if (options.backlog !== undefined) validateInteger('options.backlog', options.backlog, 1, 65535);
  if (options.path !== undefined) {
    validatePath(options.path);
    refuseNextTo('path', options, [...ADDRESS_OPTIONS, ...TCP_OPTIONS]);
    return;
  }
  validateTcpOptions(options);
  validateAddressOptions(options);
}

function validateAddressOptions({ host, port, samePort, reusePort, ipv6Only }: TcpListenOptions): void {
  if (host !== undefined) validateHosts(host);
  if (port !== undefined) validateInteger('options.port', port, 0, 65535);
  if (samePort !== undefined) validateBoolean('options.samePort', samePort);
  if (reusePort !== undefined) validateBoolean('options.reusePort', reusePort);
  if (ipv6Only !== undefined) validateBoolean('options.ipv6Only', ipv6Only);
}

function validateHosts(host: unknown): void {
  const hosts: readonly unknown[] = Array.isArray(host) ? host : [host];
  if (hosts.length === 0) throw outOfRange('options.host', 'one host or more', host);
  const isWrong = hosts.some((one) => typeof one !== 'string');
  if (isWrong) throw invalidArgType('options.host', 'a string or an array of strings', host);
}

/**
 * Finds the addresses to listen on, each once; none for what needs none.
 *
 * @returns Gives the look-ups up: nothing is said any more.
 * @internal
 */
export function findAddresses(
  loop: LoopCore,
  options: ListenOptions,
  onAddresses: (addresses: readonly string[]) => void,
  onError: (error: unknown) => void,
): () => void {
  if (options.path !== undefined || options.fd !== undefined) {
    onAddresses([]);
    return nothing;
  }
  if (options.host === undefined) {
    onAddresses(options.ipv6Only === false ? ANY_ADDRESS_OF_BOTH : ANY_ADDRESSES);
    return nothing;
  }
  const hosts = typeof options.host === 'string' ? [options.host] : options.host;
  const found: string[][] = [];
  const stops: (() => void)[] = [];
  // Below 0 once nobody wants to hear of them any more.
  let missing = hosts.length;
  const end = (): void => {
    missing = -1;
    for (const stop of stops) stop();
  };
  // The first failure gives up what is still looked for.
  const fail = (error: unknown): void => {
    if (missing < 0) return;
    end();
    onError(error);
  };
  for (const [place, host] of hosts.entries()) {
    if (missing < 0) break;
    const note = (addresses: string[]): void => {
      found[place] = addresses;
      if (--missing === 0) onAddresses([...new Set(found.flat())]);
    };
    stops.push(resolveOn(loop, host, note, fail));
  }
  return end;
}

/**
 * Opens the sockets of a server, all or none.
 *
 * @param addresses - From {@link findAddresses}.
 * @throws SystemError
 * @internal
 */
export function openSockets(
  loop: LoopCore,
  options: ListenOptions,
  addresses: readonly string[],
): readonly Listening[] {
  if (options.path !== undefined) return [openPath(loop, options.path, options)];
  if (options.fd !== undefined) return [adopt(loop, options.fd, options)];
  // A port that is free on the first address may be taken on the next: then another one is picked.
  const canRetry = (options.port ?? 0) === 0 && options.samePort !== false && addresses.length > 1;
  for (let attempts = canRetry ? PORT_ATTEMPTS : 1; ; attempts--) {
    try {
      return openAll(loop, addresses, options);
    } catch (error) {
      if (attempts === 1 || (error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
    }
  }
}

// One address that this machine does not have is left out where there are others.
function openAll(loop: LoopCore, addresses: readonly string[], options: TcpListenOptions): Listening[] {
  const { samePort = true, backlog = DEFAULT_BACKLOG } = options;
  const flags = listenFlags(options);
  const opened: Listening[] = [];
  let port = options.port ?? 0;
  let missing: unknown = null;
  for (const address of addresses) {
    try {
      const index = loop._native.listen(address, port, flags, keepAliveSeconds(options), backlog);
      const socket = listening(loop, index, { address, port });
      opened.push(socket);
      if (samePort && socket.address.family !== 'Unix') port = socket.address.port;
    } catch (error) {
      missing = error;
      if (isMissingHere(error)) continue;
      for (const { slot } of opened) closeSlot(loop, slot);
      throw error;
    }
  }
  if (opened.length === 0) throw missing;
  return opened;
}

function isMissingHere(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === 'EAFNOSUPPORT' || code === 'EADDRNOTAVAIL';
}

function listenFlags({ reusePort, ipv6Only, ...options }: TcpListenOptions): number {
  return (
    tcpFlags(options) |
    (reusePort === true ? SOCKET_REUSE_PORT : 0) |
    (ipv6Only === false ? 0 : SOCKET_IPV6_ONLY)
  );
}

function openPath(loop: LoopCore, path: string, { backlog = DEFAULT_BACKLOG }: UnixListenOptions): Listening {
  const open = (): number => loop._native.listen(path, 0, SOCKET_UNIX, 0, backlog);
  let index = open();
  if (index === -EADDRINUSE && removeStaleFile(loop, path)) index = open();
  const socket = listening(loop, index, { address: path });
  return { ...socket, file: SocketFile.of(path) };
}

function adopt(loop: LoopCore, fd: number, options: DescriptorListenOptions): Listening {
  const index = loop._native.adoptListener(fd, tcpFlags(options), keepAliveSeconds(options));
  return listening(loop, index, { address: `descriptor ${String(fd)}` });
}

/** @param index - Of the new slot, or why there is none. */
function listening(loop: LoopCore, index: number, where: { address: string; port?: number }): Listening {
  if (index < 0) throw systemError(index, 'listen', where);
  const slot = { index, generation: loop._rings.control[abi.CTL_RESULT_GENERATION]! };
  const bound = loop._native.address(index, slot.generation, false);
  if (typeof bound !== 'number') return { slot, address: toSocketAddress(bound)!, file: null };
  closeSlot(loop, slot);
  throw systemError(bound, 'getsockname', where);
}

function closeSlot(loop: LoopCore, { index, generation }: SlotRef): void {
  loop._rings.submit(abi.OP_CLOSE, index, generation, 0, 0);
}
