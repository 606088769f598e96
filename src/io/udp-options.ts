// Where a UDP socket is, and how it buffers.
import {
  validateBoolean,
  validateInteger,
  validateObject,
  validateOneOf,
  validateString,
} from '../base/validate.js';
import { DATAGRAM_BROADCAST, DATAGRAM_IPV6_ONLY, DATAGRAM_REUSE_PORT } from '../native/binding.js';

/** One end of a UDP socket. */
export interface UdpEnd {
  /** A name or numeric address. @defaultValue every address (`local`), or `'localhost'` (`remote`) */
  host?: string;
  /** 0 ... 65535; 0, for a local end, lets the system pick one. @defaultValue 0 */
  port?: number;
}

/** How the low level opens a UDP socket. */
export interface DatagramOptions {
  /** Where it receives. @defaultValue every IPv4 address on a free port, or as the remote end needs it */
  local?: UdpEnd;
  /** Whom it is connected to: it sends to nobody else, and hears of nobody else. */
  remote?: UdpEnd;
  /** 4 or 6 for IPv4 or IPv6 addresses only, 0 for either. @defaultValue 0 */
  family?: 0 | 4 | 6;
  /** Allows to send to broadcast addresses. @defaultValue false */
  broadcast?: boolean;
  /** Lets several sockets share the port (SO_REUSEPORT). @defaultValue false */
  reusePort?: boolean;
  /** An IPv6 socket has no part in IPv4. @defaultValue true */
  ipv6Only?: boolean;
}

/** How to open a UDP socket. */
export interface UdpOptions extends DatagramOptions {
  /** Datagrams to hold until somebody receives them, 1 or more; those that come then are dropped. @defaultValue 1024 */
  receiveQueue?: number;
  /** Unsent bytes above which `drain()` waits; each datagram counts 8 more. @defaultValue 65536 */
  highWaterMark?: number;
  /** Unsent bytes at which `drain()` goes on. @defaultValue a quarter of the high mark */
  lowWaterMark?: number;
}

/** @throws TypeError `ERR_INVALID_ARG_TYPE`, RangeError `ERR_OUT_OF_RANGE` @internal */
export function validateDatagramOptions(options: DatagramOptions): void {
  validateObject('options', options);
  const { local, remote, family, broadcast, reusePort, ipv6Only } = options;
  if (local !== undefined) validateEnd('options.local', local, 0);
  if (remote !== undefined) validateEnd('options.remote', remote, 1);
  if (family !== undefined) validateOneOf('options.family', family, [0, 4, 6]);
  if (broadcast !== undefined) validateBoolean('options.broadcast', broadcast);
  if (reusePort !== undefined) validateBoolean('options.reusePort', reusePort);
  if (ipv6Only !== undefined) validateBoolean('options.ipv6Only', ipv6Only);
}

function validateEnd(name: string, end: UdpEnd, leastPort: number): void {
  validateObject(name, end);
  if (end.host !== undefined) validateString(`${name}.host`, end.host);
  if (end.port !== undefined || leastPort > 0) validateInteger(`${name}.port`, end.port, leastPort, 65535);
}

/** @throws TypeError `ERR_INVALID_ARG_TYPE`, RangeError `ERR_OUT_OF_RANGE` @internal */
export function validateUdpOptions(options: UdpOptions): void {
  validateDatagramOptions(options);
  const { receiveQueue, highWaterMark: high, lowWaterMark: low } = options;
  if (receiveQueue !== undefined) validateInteger('options.receiveQueue', receiveQueue, 1);
  if (high !== undefined) validateInteger('options.highWaterMark', high, 0);
  if (low !== undefined) validateInteger('options.lowWaterMark', low, 0, high);
}

/** @internal */
export function datagramFlags({ broadcast, reusePort, ipv6Only }: DatagramOptions): number {
  return (
    (reusePort === true ? DATAGRAM_REUSE_PORT : 0) |
    (broadcast === true ? DATAGRAM_BROADCAST : 0) |
    (ipv6Only === false ? 0 : DATAGRAM_IPV6_ONLY)
  );
}
