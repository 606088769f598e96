// Sockets of the caller's own, by the number of their descriptor: each call is tried, and where it would block,
// tried again once the descriptor is ready.
import { closeSync } from 'node:fs';
import { isIP } from 'node:net';
import { constants } from 'node:os';
import { invalidArgType, outOfRange, systemError } from '../base/errors.js';
import {
  validateDescriptor,
  validateInteger,
  validateObject,
  validateOneOf,
  validateString,
} from '../base/validate.js';
import type { LoopCore } from '../core/loop.js';
import { FAMILY_UNIX, SOCKET_UNIX, type NativeAddress, type RawAddress } from '../native/binding.js';
import { binding } from '../native/load.js';
import type { Awaitable } from '../task/awaitable.js';
import { operate, type Steps } from '../task/operation.js';
import type { AddressAndPort } from './address-query.js';
import { toBytes, type Writable } from './bytes.js';
import { toSocketAddress, type SocketAddress } from './endpoint.js';
import { notifyClosing, waitUntilReady } from './watch.js';

/** Where to send or connect to: a numeric address, or the path of a Unix socket. */
export type SocketTarget = AddressAndPort | { readonly path: string };

/** What {@link RawSockets.create} makes. */
export interface RawSocketOptions {
  /** @defaultValue 'IPv4' */
  family?: 'IPv4' | 'IPv6' | 'Unix';
  /** @defaultValue 'stream' */
  type?: 'stream' | 'datagram';
}

const { EAGAIN, EINPROGRESS } = constants.errno;
const FAMILIES = { IPv4: 4, IPv6: 6, Unix: FAMILY_UNIX } as const;
const TYPES = ['stream', 'datagram'] as const;
const LAST_PORT = 65535;
const LAST_COUNT = 2 ** 30;
const LAST_BACKLOG = 2 ** 31 - 1;

/** `loop.sock`: system calls on non-blocking sockets that stay the caller's. */
export class RawSockets {
  readonly #loop: LoopCore;

  /** @internal */
  constructor(loop: LoopCore) {
    this.#loop = loop;
  }

  // What makes them; none of these waits.

  /**
   * A new socket, non-blocking and close-on-exec.
   *
   * Suspends: never.
   *
   * @throws TypeError `ERR_INVALID_ARG_TYPE`, RangeError `ERR_OUT_OF_RANGE` - an option is wrong.
   * @throws {@link SystemError} `EMFILE`, `EAFNOSUPPORT` and the like.
   * @source CPython 3.13 `socket.socket`
   */
  create(options: RawSocketOptions = {}): number {
    validateObject('options', options);
    const { family = 'IPv4', type = 'stream' } = options;
    validateOneOf('options.family', family, Object.keys(FAMILIES) as (keyof typeof FAMILIES)[]);
    validateOneOf('options.type', type, TYPES);
    return checked(binding.rawOpen(FAMILIES[family], type === 'datagram'), 'socket');
  }

  /**
   * Two Unix sockets that are connected to each other, non-blocking and close-on-exec.
   *
   * Suspends: never.
   *
   * @throws RangeError `ERR_OUT_OF_RANGE`, TypeError `ERR_INVALID_ARG_TYPE` - `type` is wrong.
   * @throws {@link SystemError} `EMFILE` and the like.
   * @source CPython 3.13 `socket.socketpair`
   */
  pair(type: 'stream' | 'datagram' = 'stream'): [number, number] {
    validateOneOf('type', type, TYPES);
    return checked(binding.rawPair(type === 'datagram'), 'socketpair');
  }

  /**
   * Gives a socket its address.
   *
   * Suspends: never.
   *
   * @throws As {@link connect}.
   * @source CPython 3.13 `socket.bind`
   */
  bind(fd: number, address: SocketTarget): void {
    validateDescriptor('fd', fd);
    checked(binding.rawBind(fd, ...toRaw(address)), 'bind', address);
  }

  /**
   * Makes a socket listen.
   *
   * Suspends: never.
   *
   * @param backlog - How many connections may wait to be accepted, 0 or more.
   * @throws TypeError `ERR_INVALID_ARG_TYPE`, RangeError `ERR_OUT_OF_RANGE` - an argument is wrong.
   * @throws {@link SystemError} `EADDRINUSE`, `EBADF` and the like.
   * @source CPython 3.13 `socket.listen`
   */
  listen(fd: number, backlog = 128): void {
    validateDescriptor('fd', fd);
    validateInteger('backlog', backlog, 0, LAST_BACKLOG);
    checked(binding.rawListen(fd, backlog), 'listen');
  }

  /**
   * The address of this end.
   *
   * Suspends: never.
   *
   * @throws As {@link listen}.
   * @source CPython 3.13 `socket.getsockname`
   */
  address(fd: number): SocketAddress {
    validateDescriptor('fd', fd);
    return toSocketAddress(checked(binding.rawAddress(fd), 'getsockname'))!;
  }

  /**
   * Closes a descriptor. Who waits for it wakes with a {@link ClosedResourceError}.
   *
   * Suspends: never.
   *
   * @throws TypeError `ERR_INVALID_ARG_TYPE`, RangeError `ERR_OUT_OF_RANGE` - `fd` is no descriptor.
   * @throws Error `EBADF` - it is not open.
   * @source CPython 3.13 `socket.close`
   */
  close(fd: number): void {
    notifyClosing(this.#loop, fd);
    closeSync(fd);
  }

  // What waits.

  /**
   * Receives up to `count` bytes; none at the end.
   *
   * Suspends: while there are none. A cancel point; cancelling ends the watch.
   *
   * @param count - 0 ... 2^30
   * @throws TypeError `ERR_INVALID_ARG_TYPE`, RangeError `ERR_OUT_OF_RANGE` - an argument is wrong.
   * @throws {@link SystemError} (rejects) `ECONNRESET`, `ENOTSOCK` and the like.
   * @throws {@link InvalidStateError} (rejects) `ERR_INVALID_STATE` - somebody else waits to read it.
   * @throws {@link ClosedResourceError} (rejects) `ERR_CLOSED_RESOURCE` - {@link close} was called.
   * @source CPython 3.13 `loop.sock_recv`
   */
  recv(fd: number, count: number): Awaitable<Buffer> {
    const bytes = bufferOf(count);
    return this.#receive(fd, bytes, (received) => bytes.subarray(0, received));
  }

  /**
   * Receives into `bytes`; how many, 0 at the end.
   *
   * Suspends: as {@link recv}.
   *
   * @throws As {@link recv}.
   * @source CPython 3.13 `loop.sock_recv_into`
   */
  recvInto(fd: number, bytes: Uint8Array): Awaitable<number> {
    validateBytes(bytes);
    return this.#receive(fd, bytes, (received) => received);
  }

  /**
   * Receives a datagram, of which what is longer than `count` is lost, and whom it is from: null where the system
   * does not tell.
   *
   * Suspends: as {@link recv}.
   *
   * @throws As {@link recv}.
   * @source CPython 3.13 `loop.sock_recvfrom`
   */
  recvFrom(fd: number, count: number): Awaitable<{ data: Buffer; address: SocketAddress | null }> {
    const bytes = bufferOf(count);
    return this.#receive(fd, bytes, (received, address) => ({ data: bytes.subarray(0, received), address }));
  }

  /**
   * As {@link recvFrom}, into `bytes`.
   *
   * Suspends: as {@link recv}.
   *
   * @throws As {@link recv}.
   * @source CPython 3.13 `loop.sock_recvfrom_into`
   */
  recvFromInto(fd: number, bytes: Uint8Array): Awaitable<{ count: number; address: SocketAddress | null }> {
    validateBytes(bytes);
    return this.#receive(fd, bytes, (count, address) => ({ count, address }));
  }

  /**
   * Sends everything. After an error or a cancellation nobody knows how much was sent. Binary data must not
   * change until then.
   *
   * Suspends: while the system takes no more. A cancel point; cancelling ends the watch.
   *
   * @throws TypeError `ERR_INVALID_ARG_TYPE`, RangeError `ERR_OUT_OF_RANGE` - an argument is wrong.
   * @throws {@link SystemError} (rejects) `EPIPE`, `ECONNRESET`, `ENOTSOCK` and the like.
   * @throws {@link InvalidStateError} (rejects) `ERR_INVALID_STATE` - somebody else waits to write it.
   * @throws {@link ClosedResourceError} (rejects) `ERR_CLOSED_RESOURCE` - {@link close} was called.
   * @source CPython 3.13 `loop.sock_sendall`
   */
  sendAll(fd: number, data: Writable): Awaitable<void> {
    validateDescriptor('fd', fd);
    return operate(this.#loop, this.#sendSteps(fd, bytesOf(data)));
  }

  /**
   * Sends a datagram; how many bytes of it.
   *
   * Suspends: as {@link sendAll}.
   *
   * @throws As {@link sendAll}.
   * @source CPython 3.13 `loop.sock_sendto`
   */
  sendTo(fd: number, data: Writable, address: SocketTarget): Awaitable<number> {
    validateDescriptor('fd', fd);
    const bytes = bytesOf(data);
    const target = toRaw(address);
    return operate(
      this.#loop,
      this.#attempt(fd, 'writer', 'sendto', () => binding.rawSend(fd, bytes, ...target), address),
    );
  }

  /**
   * Connects a socket.
   *
   * Suspends: until it is connected. A cancel point; cancelling ends the watch, and the socket must be closed.
   *
   * @param address - Numeric, for names ask `loop.getAddrInfo()` before.
   * @throws TypeError `ERR_INVALID_ARG_TYPE`, RangeError `ERR_OUT_OF_RANGE` - an argument is wrong.
   * @throws {@link SystemError} (rejects) `ECONNREFUSED` and the like; `EINVAL` - the descriptor is blocking; `EAGAIN`
   *   - the backlog of a Unix socket is full.
   * @throws {@link ClosedResourceError} (rejects) `ERR_CLOSED_RESOURCE` - {@link close} was called.
   * @source CPython 3.13 `loop.sock_connect`. Differs: it asks for no names.
   */
  connect(fd: number, address: SocketTarget): Awaitable<void> {
    validateDescriptor('fd', fd);
    return operate(this.#loop, this.#connectSteps(fd, address, toRaw(address)));
  }

  /**
   * Accepts a connection: a new descriptor, non-blocking and close-on-exec, and whom it is from.
   *
   * Suspends: until there is one. A cancel point; cancelling ends the watch.
   *
   * @throws As {@link recv}; `EINVAL` - the descriptor does not listen, or is blocking.
   * @source CPython 3.13 `loop.sock_accept`
   */
  accept(fd: number): Awaitable<{ fd: number; address: SocketAddress | null }> {
    validateDescriptor('fd', fd);
    return operate(this.#loop, this.#acceptSteps(fd));
  }

  #receive<T>(
    fd: number,
    bytes: Uint8Array,
    use: (count: number, from: SocketAddress | null) => T,
  ): Awaitable<T> {
    validateDescriptor('fd', fd);
    return operate(this.#loop, this.#receiveSteps(fd, bytes, use));
  }

  *#receiveSteps<T>(
    fd: number,
    bytes: Uint8Array,
    use: (count: number, from: SocketAddress | null) => T,
  ): Steps<T> {
    const [count, from] = yield* this.#attempt(fd, 'reader', 'recvfrom', () => binding.rawReceive(fd, bytes));
    return use(count, toAddress(from));
  }

  *#acceptSteps(fd: number): Steps<{ fd: number; address: SocketAddress | null }> {
    const [accepted, from] = yield* this.#attempt(fd, 'reader', 'accept', () => binding.rawAccept(fd));
    return { fd: accepted, address: toAddress(from) };
  }

  *#sendSteps(fd: number, bytes: Uint8Array): Steps<void> {
    let rest = bytes;
    while (rest.length > 0) {
      const piece = rest;
      const sent = yield* this.#attempt(fd, 'writer', 'send', () => binding.rawSend(fd, piece));
      rest = rest.subarray(sent);
    }
  }

  *#connectSteps(fd: number, address: SocketTarget, target: RawAddress): Steps<void> {
    let status = binding.rawConnect(fd, ...target);
    while (status === -EINPROGRESS) {
      yield* waitUntilReady(this.#loop, fd, 'writer');
      status = binding.rawConnectResult(fd);
    }
    checked(status, 'connect', address);
  }

  // Until the call does not say that it would block.
  *#attempt<T>(
    fd: number,
    direction: 'reader' | 'writer',
    name: string,
    call: () => T | number,
    address?: SocketTarget,
  ): Steps<T> {
    for (;;) {
      const result = call();
      if (result !== -EAGAIN) return checked(result, name, address);
      yield* waitUntilReady(this.#loop, fd, direction);
    }
  }
}

function checked<T>(result: T | number, call: string, address?: SocketTarget): T {
  if (typeof result !== 'number' || result >= 0) return result as T;
  if (address === undefined) throw systemError(result, call);
  throw systemError(result, call, 'path' in address ? { address: address.path } : address);
}

function toRaw(address: SocketTarget): RawAddress {
  validateObject('address', address);
  if ('path' in address && (address.path as string | undefined) !== undefined) {
    validateString('address.path', address.path);
    return [address.path, 0, SOCKET_UNIX];
  }
  const { address: text, port } = address as AddressAndPort;
  validateString('address.address', text);
  if (isIP(text) === 0) throw outOfRange('address.address', 'a numeric address', text);
  validateInteger('address.port', port, 0, LAST_PORT);
  return [text, port, 0];
}

function toAddress(address: NativeAddress | undefined): SocketAddress | null {
  return address === undefined ? null : toSocketAddress(address);
}

function bufferOf(count: number): Buffer {
  validateInteger('count', count, 0, LAST_COUNT);
  return Buffer.allocUnsafe(count);
}

function validateBytes(bytes: unknown): void {
  if (!(bytes instanceof Uint8Array)) throw invalidArgType('bytes', 'a Uint8Array', bytes);
}

function bytesOf(data: Writable): Uint8Array {
  return typeof data === 'string' ? Buffer.from(data) : toBytes('data', data);
}
