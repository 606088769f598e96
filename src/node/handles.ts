// The kinds of handles: connections and servers, by TCP and on Unix sockets.
import { chmodSync, statSync } from 'node:fs';
import { isIP } from 'node:net';
import { constants } from 'node:os';
import type { CompletionTarget, LoopCore } from '../core/loop.js';
import { captureContext } from '../core/context.js';
import { abi } from '../native/abi.js';
import { SOCKET_IPV6_ONLY, SOCKET_REUSE_PORT, SOCKET_UNIX, type SlotRef } from '../native/binding.js';
import { toSocketAddress, type SocketAddress } from '../io/endpoint.js';
import { SocketFile } from '../io/unix.js';
import { AsyncIdentity } from './async-identity.js';
import { ConnectionHandle, socketCounts, type NodeRequest } from './connection-handle.js';
import { FaceCall } from './face-loop.js';

const { EADDRINUSE, EBADF, EINVAL, ENOTCONN } = constants.errno;

/** Where Node wants an address. */
type AddressOut = Record<string, unknown>;

function writeAddress(address: SocketAddress | null, out: AddressOut, missing: number): number {
  if (address === null) return -missing;
  if (address.family === 'Unix') return -EINVAL;
  out['address'] = address.address;
  out['family'] = address.family;
  out['port'] = address.port;
  return 0;
}

/** A TCP connection. @source Node `TCPWrap` @internal */
export class TcpHandle extends ConnectionHandle {
  #local: { address: string; port: number } | null = null;
  #noDelay: boolean | null = null;
  #keepAlive: { on: boolean; delaySeconds: number } | null = null;

  constructor(loop: LoopCore, slot: SlotRef | null = null) {
    super('TCPWRAP', loop, slot);
  }

  bind(address: string, port: number): number {
    if (isIP(address) === 0) return -EINVAL;
    this.#local = { address, port };
    return 0;
  }

  bind6(address: string, port: number): number {
    return this.bind(address, port);
  }

  connect(request: NodeRequest, address: string, port: number): number {
    const { address: localAddress = '', port: localPort = 0 } = this.#local ?? {};
    const plan = { port, flags: 0, keepAliveSeconds: 0, localAddress, localPort };
    const status = this._connect(request, address, plan);
    if (status === 0) this.#applyOptions();
    return status;
  }

  connect6(request: NodeRequest, address: string, port: number): number {
    return this.connect(request, address, port);
  }

  getsockname(out: AddressOut): number {
    const slot = this._slot;
    if (slot === null && this.#local !== null) {
      const { address, port } = this.#local;
      return writeAddress({ family: isIP(address) === 6 ? 'IPv6' : 'IPv4', address, port }, out, EBADF);
    }
    if (this._endpoint !== null) return writeAddress(this._endpoint.localAddress, out, EBADF);
    if (slot === null) return -EBADF;
    return writeAddress(
      toSocketAddress(this._loop._native.address(slot.index, slot.generation, false)),
      out,
      EBADF,
    );
  }

  getpeername(out: AddressOut): number {
    return writeAddress(this._endpoint?.peerAddress ?? null, out, ENOTCONN);
  }

  setNoDelay(on: boolean): number {
    this.#noDelay = on;
    return this.#applyNoDelay();
  }

  setKeepAlive(on: boolean, delaySeconds: number): number {
    this.#keepAlive = { on, delaySeconds };
    return this.#applyKeepAlive();
  }

  // What was set before there was a socket.
  #applyOptions(): void {
    if (this.#noDelay !== null) this.#applyNoDelay();
    if (this.#keepAlive !== null) this.#applyKeepAlive();
  }

  #applyNoDelay(): number {
    const slot = this._slot;
    if (slot === null) return 0;
    return this._loop._native.setNoDelay(slot.index, slot.generation, this.#noDelay === true);
  }

  #applyKeepAlive(): number {
    const slot = this._slot;
    if (slot === null) return 0;
    const { on, delaySeconds } = this.#keepAlive!;
    return this._loop._native.setKeepAlive(slot.index, slot.generation, on, delaySeconds);
  }

  reset(callback?: () => void): number {
    this._reset(callback);
    return 0;
  }
}

/** A connection to a Unix socket. @source Node `PipeWrap` @internal */
export class PipeHandle extends ConnectionHandle {
  constructor(loop: LoopCore, slot: SlotRef | null = null) {
    super('PIPEWRAP', loop, slot);
  }

  connect(request: NodeRequest, path: string): number {
    const plan = { port: 0, flags: SOCKET_UNIX, keepAliveSeconds: 0, localAddress: '', localPort: 0 };
    const status = this._connect(request, path, plan);
    // libuv tells of it later, whatever it is.
    if (status < 0) this._endRequest(request, status, captureContext());
    return 0;
  }
}

type OnConnection = (this: object, status: number, client: ConnectionHandle | undefined) => void;

// How long a server rests when the process has no descriptor or memory left.
const SHORTAGE_PAUSE_MS = 1000;

/** A listening socket. @internal */
export abstract class ServerHandle extends AsyncIdentity implements CompletionTarget {
  // Set by Node's servers.
  onconnection: OnConnection | null = null;
  reading = false;
  [key: symbol]: unknown;

  index = -1;
  generation = 0;
  protected readonly _loop: LoopCore;
  #status = -EINVAL;
  #isReferenced = true;
  #isClosed = false;
  #pause: NodeJS.Timeout | null = null;

  constructor(type: string, loop: LoopCore) {
    super(type);
    this._loop = loop;
  }

  protected abstract _makeClient(slot: SlotRef): ConnectionHandle;

  /** Takes over a socket that listens, or the negated errno of what kept it from that. */
  protected _open(index: number): number {
    if (index < 0) return (this.#status = index);
    this.index = index;
    this.generation = this._loop._rings.control[abi.CTL_RESULT_GENERATION]!;
    this._loop._attach(index, this);
    this._loop._reference(1);
    this.#submit(abi.OP_ACCEPT_START, 0);
    return (this.#status = 0);
  }

  #submit(op: number, a: number): void {
    this._loop._rings.submit(op, this.index, this.generation, a, 0);
  }

  /** It listens since it was opened; what came of that. */
  listen(_backlog: number): number {
    return this.#status;
  }

  get fd(): number {
    if (this.#status < 0 || this.#isClosed) return -1;
    return this._loop._native.descriptor(this.index, this.generation);
  }

  complete(kind: number, result: number, a: number): void {
    if (kind === abi.CQ_CLOSED) {
      this._loop._detach(this.index, this);
      return;
    }
    if (kind !== abi.CQ_ACCEPT) return;
    if (result < 0) this.#rest();
    else this.#schedule({ index: result, generation: a });
  }

  // Native has stopped accepting. Node's own servers close what they cannot serve; here it waits for its turn.
  #rest(): void {
    if (this.#isClosed) return;
    this.#pause = setTimeout(() => this.#submit(abi.OP_ACCEPT_START, 0), SHORTAGE_PAUSE_MS).unref();
  }

  #schedule(slot: SlotRef): void {
    this._loop._push(new FaceCall(this.context, () => this.#onAccepted(slot)));
  }

  #onAccepted(slot: SlotRef): void {
    if (this.#isClosed || this.onconnection === null) {
      this._loop._rings.submit(abi.OP_RESET, slot.index, slot.generation, 0, 0);
      return;
    }
    socketCounts.accepted++;
    this.onconnection(0, this._makeClient(slot));
  }

  close(callback?: () => void): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    if (this.#pause !== null) clearTimeout(this.#pause);
    if (this.#status === 0) {
      this._removeFile();
      this.#submit(abi.OP_CLOSE, 0);
      // Whoever connects or listens there next finds it closed.
      this._loop._flush();
      if (this.#isReferenced) this._loop._reference(-1);
    }
    if (typeof callback === 'function') {
      this._loop._push(new FaceCall(this.context, () => callback.call(this)));
    }
  }

  protected _removeFile(): void {}

  /** Closes the socket, of which there is a copy that goes on. @internal */
  _release(): void {
    this.close();
  }

  ref(): void {
    this.#setReferenced(true);
  }

  unref(): void {
    this.#setReferenced(false);
  }

  hasRef(): boolean {
    return this.#isReferenced && !this.#isClosed;
  }

  #setReferenced(on: boolean): void {
    if (this.#isReferenced === on) return;
    this.#isReferenced = on;
    if (this.#status === 0 && !this.#isClosed) this._loop._reference(on ? 1 : -1);
  }
}

// Flags of libuv.
const UV_TCP_IPV6ONLY = 1;
const UV_TCP_REUSEPORT = 2;

/** A TCP server. @internal */
export class TcpServerHandle extends ServerHandle {
  constructor(loop: LoopCore) {
    super('TCPSERVERWRAP', loop);
  }

  /** @returns 0, or a negated errno. */
  open(address: string, port: number, backlog: number, flags: number): number {
    const options =
      ((flags & UV_TCP_IPV6ONLY) === 0 ? 0 : SOCKET_IPV6_ONLY) |
      ((flags & UV_TCP_REUSEPORT) === 0 ? 0 : SOCKET_REUSE_PORT);
    return this._open(this._loop._native.listen(address, port, options, 0, backlog));
  }

  protected _makeClient(slot: SlotRef): ConnectionHandle {
    return new TcpHandle(this._loop, slot);
  }

  getsockname(out: AddressOut): number {
    return writeAddress(
      toSocketAddress(this._loop._native.address(this.index, this.generation, false)),
      out,
      EBADF,
    );
  }
}

const UV_READABLE = 1;
const UV_WRITABLE = 2;
const READ_BY_ALL = 0o444;
const WRITE_BY_ALL = 0o222;

/** A server on a Unix socket. @internal */
export class PipeServerHandle extends ServerHandle {
  #path = '';
  #file: SocketFile | null = null;

  constructor(loop: LoopCore) {
    super('PIPESERVERWRAP', loop);
  }

  /** @returns 0, or a negated errno. */
  open(path: string, backlog: number): number {
    const status = this._open(this._loop._native.listen(path, 0, SOCKET_UNIX, 0, backlog));
    if (status < 0) return status;
    this.#path = path;
    this.#file = SocketFile.of(path);
    return 0;
  }

  protected _makeClient(slot: SlotRef): ConnectionHandle {
    return new PipeHandle(this._loop, slot);
  }

  fchmod(mode: number): number {
    const more =
      ((mode & UV_READABLE) === 0 ? 0 : READ_BY_ALL) | ((mode & UV_WRITABLE) === 0 ? 0 : WRITE_BY_ALL);
    try {
      chmodSync(this.#path, (statSync(this.#path).mode & 0o777) | more);
      return 0;
    } catch (error) {
      return (error as NodeJS.ErrnoException).errno ?? -EINVAL;
    }
  }

  override _release(): void {
    this.#file = null;
    super._release();
  }

  protected override _removeFile(): void {
    try {
      this.#file?.remove();
    } catch {
      // As with Node's own servers, nobody hears of a file that cannot be removed.
    }
  }
}

/** Whether another address may be tried after this failure to listen. @internal */
export function isAddressMissing(status: number): boolean {
  return status < 0 && status !== -EADDRINUSE;
}
