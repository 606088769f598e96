// Everything native exports, typed in this one place. Results are >= 0, or a negated errno.

/** Index and generation of a socket or listener; a slot number is never used twice with one generation. */
export interface SlotRef {
  index: number;
  generation: number;
}

/** [family, address or path, port]; FAMILY_UNIX, 4 or 6. */
export type NativeAddress = readonly [number, string, number];

/** [address or path, port, SOCKET_UNIX or 0]. */
export type RawAddress = readonly [string, number, number];

/** [host, service, family (4, 6 or 0), SOCKET_*, protocol, LOOKUP_*]. */
export type AddressQuery = readonly [string | null, string | null, number, number, number, number];

/** [address, port as text, LOOKUP_*]. */
export type NameQuery = readonly [string, string, number];

/**
 * [id, status], and behind them host and service of a {@link NameQuery}, or family, SOCKET_*, protocol,
 * canonical name, address and port of each address.
 */
export type LookupAnswer = readonly [number, number, ...(number | string)[]];

/** The native side of one loop; methods answer undefined once it is closed. */
export interface NativeLoop {
  /** Names the loop to other threads. */
  readonly notifierId: number;
  start(): void;
  stop(): void;
  /** Asks for a turn soon, which holds the process until it has run; for use outside of turns. */
  wake(): void;
  /** Carries out what was submitted, now. */
  flush(): void;
  close(): void;
  /** The new slot's index, its generation in CTL_RESULT_GENERATION. */
  listen(address: string, port: number, flags: number, keepAliveSeconds: number, backlog: number): number;
  /** As listen(), of a descriptor that listens already; it stays the caller's when that fails. */
  adoptListener(descriptor: number, flags: number, keepAliveSeconds: number): number;
  /** As listen(); `''` and 0 leave the local address and port to the system. */
  connect(
    address: string,
    port: number,
    flags: number,
    keepAliveSeconds: number,
    localAddress: string,
    localPort: number,
  ): number;
  /** Takes a descriptor over as ADOPT_*; it stays the caller's when the answer is an error. */
  adopt(fd: number, adoption: number): number;
  /** Sends `bytes` from `offset` by reference; how many bytes were taken. */
  send(index: number, generation: number, bytes: Uint8Array, offset: number): number;
  /** Frees the memory of `bytes`, all of which is theirs: nobody can look at them any more. */
  free(bytes: Uint8Array): void;
  /** Receives into `bytes`: how many, 0 at the end, or -EAGAIN when there are none. */
  receive(index: number, generation: number, bytes: Uint8Array): number;
  /**
   * Sends up to `count` bytes of a file: how many were taken, 0 at the end of the file, or -EAGAIN, after which a
   * CQ_SEND of 0 says when to go on.
   */
  sendFile(index: number, generation: number, file: number, offset: number, count: number): number;
  /** Sends what was submitted; how many bytes of the socket the kernel did not take. */
  backlog(index: number, generation: number): number;
  setSlab(slot: number, buffer: ArrayBuffer): void;
  address(index: number, generation: number, ofPeer: boolean): NativeAddress | number;
  setNoDelay(index: number, generation: number, on: boolean): number;
  setKeepAlive(index: number, generation: number, on: boolean, delaySeconds: number): number;
  descriptor(index: number, generation: number): number;
  /** As listen(): a datagram socket; addresses in native's form, empty ones are left out. */
  openDatagram(local: Uint8Array, remote: Uint8Array, flags: number): number;
  setDatagramOption(index: number, generation: number, option: number, value: number): number;
  setMembership(
    index: number,
    generation: number,
    group: Uint8Array,
    interfaceNumber: number,
    joins: boolean,
  ): number;
  /**
   * Watches a descriptor of somebody else for WATCH_*, in place of what it was watched for; 0 ends that. Its
   * generation is in CTL_RESULT_GENERATION, and CQ_READY tells of every poll that finds it ready.
   */
  watch(fd: number, interest: number): number;
  /** Comes before the next four; `threads` look-ups at a time. */
  openResolver(threads: number): void;
  /** Starts a look-up; when it is through, CQ_NOTIFY tells. */
  lookUp(id: number, ...query: AddressQuery): number;
  lookUpName(id: number, ...query: NameQuery): number;
  /** Whether it was forgotten before a thread began it. */
  dropLookup(id: number): boolean;
  /** The next that is through, undefined when there is none. */
  takeLookup(): LookupAnswer | undefined;
}

/** Values of native/sys/poller.h. */
export const POLLERS = { epoll: 0, poll: 1, kqueue: 2 } as const;
export const HOST_UV = 0;
export const HOST_THREAD = 1;

// Types of sockets, and what a look-up heeds: native/sys/names.h.
export const SOCKET_STREAM = 1;
export const SOCKET_DATAGRAM = 2;
export const SOCKET_RAW = 3;
export const SOCKET_SEQUENCE = 4;
export const LOOKUP_PASSIVE = 1;
export const LOOKUP_CANONICAL_NAME = 2;
export const LOOKUP_NUMERIC_HOST = 4;
export const LOOKUP_NUMERIC_SERVICE = 8;
export const LOOKUP_ADDRESS_CONFIG = 16;
export const LOOKUP_V4_MAPPED = 32;
export const LOOKUP_ALL = 64;
export const LOOKUP_NAME_REQUIRED = 128;
export const LOOKUP_DATAGRAM = 256;
export const LOOKUP_SHORT_NAME = 512;

export const WATCH_READ = 1;
export const WATCH_WRITE = 2;

// native/sys/descriptor.h
export const ADOPT_SOCKET = 0;
export const ADOPT_READ_END = 1;
export const ADOPT_WRITE_END = 2;
export const ADOPT_SHARED = 4;

// native/sys/datagram.h
export const DATAGRAM_REUSE_PORT = 1;
export const DATAGRAM_BROADCAST = 2;
export const DATAGRAM_IPV6_ONLY = 4;
export const DATAGRAM_OPTION_BROADCAST = 0;
export const DATAGRAM_OPTION_TTL = 1;
export const DATAGRAM_OPTION_MULTICAST_TTL = 2;
export const DATAGRAM_OPTION_MULTICAST_LOOPBACK = 3;
export const DATAGRAM_OPTION_MULTICAST_INTERFACE = 4;
export const SOCKET_NO_DELAY = 1;
export const SOCKET_REUSE_PORT = 2;
export const SOCKET_IPV6_ONLY = 4;
export const SOCKET_KEEP_ALIVE = 8;
/** The address is a path. */
export const SOCKET_UNIX = 16;

export const FAMILY_UNIX = 1;

/** The addon. */
export interface Binding {
  createLoop(
    poller: number,
    host: number,
    turn: () => void,
    resource: object,
    memory: readonly [ArrayBuffer, ArrayBuffer, ArrayBuffer, ArrayBuffer],
  ): NativeLoop | number;
  /** Whether the runtime has every function of libuv that the uv host needs. */
  readonly hasUvHost: boolean;
  /** Wakes a loop of any thread; false when it is closed. */
  notify(notifierId: number): boolean;
  /**
   * Puts a call into a mailbox and wakes its loop; a PostResult. It takes the mailbox's lock, which a
   * terminated thread must not keep: JavaScript could be interrupted while it held it.
   */
  post(notifierId: number, words: Int32Array, functionId: number, payload: Uint8Array | null): number;
  /** Another descriptor, which is the caller's, of the same file or socket; or a negated errno. */
  duplicate(descriptor: number): number;
  /** Keeps a descriptor from the programs that this one starts; 0 or a negated errno. */
  setCloseOnExec(descriptor: number): number;
  /** Hands an error to Node as an uncaught exception; ends the process unless somebody handles those. */
  raise(error: unknown): void;
  /** Moves the position of a file. */
  seek(file: number, offset: number): number;
  /** A non-blocking socket of FAMILY_UNIX, 4 or 6. */
  rawOpen(family: number, isDatagram: boolean): number;
  rawPair(isDatagram: boolean): [number, number] | number;
  rawBind(fd: number, ...address: RawAddress): number;
  rawListen(fd: number, backlog: number): number;
  rawAddress(fd: number): NativeAddress | number;
  /** The new descriptor and its peer. */
  rawAccept(fd: number): [number, NativeAddress?] | number;
  /** -EINPROGRESS while the outcome is open. */
  rawConnect(fd: number, ...address: RawAddress): number;
  rawConnectResult(fd: number): number;
  /** How many bytes, and of whom. */
  rawReceive(fd: number, bytes: Uint8Array): [number, NativeAddress?] | number;
  /** How many were taken. */
  rawSend(fd: number, bytes: Uint8Array, ...address: RawAddress | []): number;
  /** Writes a numeric address into the first 24 bytes; 0, -EINVAL or -ENODEV. */
  parseDatagramAddress(text: string, port: number, into: Uint8Array): number;
  formatDatagramAddress(bytes: Uint8Array): string;
  /** Monotonic milliseconds. */
  now(): number;
}
