// The other side of a connection: sockets of node:net, which know nothing of us.
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync, readdirSync } from 'node:fs';
import net from 'node:net';
import { inspect } from 'node:util';
import { EventLoop } from '../../src/event-loop.js';
import type { LoopOptions } from '../../src/core/loop.js';
import type { ConnectionInfo, SocketAddress } from '../../src/io/endpoint.js';
import { connect, listen } from '../../src/io/open.js';
import type { Server } from '../../src/io/server.js';
import type { TcpListenOptions } from '../../src/io/listening.js';
import type { StreamOptions } from '../../src/io/limits.js';
import type { Stream } from '../../src/io/stream.js';
import { nodeTurn, withLoop, type TestLoopOptions } from './loop.js';

const PATIENCE_MS = 5_000;
const HANG_MS = 10_000;

/** As withLoop(), with a loop that has futures, tasks and connections. */
export function withEventLoop(
  body: (loop: EventLoop) => unknown,
  options: TestLoopOptions<EventLoop> = {},
): Promise<void> {
  return withLoop<EventLoop>((loop) => inTime(body(loop)), {
    make: (loopOptions: LoopOptions) => new EventLoop(loopOptions),
    ...options,
  });
}

// A test that hangs must not keep the next ones from running a loop.
async function inTime(work: unknown): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('The test hangs')), HANG_MS);
  });
  try {
    await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Waits, turn by turn of Node's loop, until something is so. */
export async function until(what: string, isSo: () => boolean): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS;
  while (!isSo()) {
    if (performance.now() > deadline) throw new Error(`It never happened: ${what}`);
    await nodeTurn();
  }
}

/** Waits until a number has not changed for a while, which is as near to "for ever" as a test gets. */
export async function settled(measure: () => number): Promise<number> {
  let last = measure();
  for (let calm = 0; calm < 20; calm++) {
    await new Promise((resolve) => setTimeout(resolve, 1));
    for (let turn = 0; turn < 5; turn++) await nodeTurn();
    const now = measure();
    if (now !== last) calm = 0;
    last = now;
  }
  return last;
}

/** Bytes that are different at every place, and the same in every run. */
export function pattern(sizeBytes: number, seed = 1): Buffer {
  const bytes = Buffer.allocUnsafe(sizeBytes);
  let state = seed | 0 || 1;
  for (let i = 0; i < sizeBytes; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    bytes[i] = state;
  }
  return bytes;
}

/** A digest of everything that was fed to it. */
export class Digest {
  readonly #hash = createHash('sha1');
  sizeBytes = 0;

  add(bytes: Uint8Array): this {
    this.#hash.update(bytes);
    this.sizeBytes += bytes.byteLength;
    return this;
  }

  /** Size and hash, to be compared. */
  toString(): string {
    return `${String(this.sizeBytes)} bytes ${this.#hash.copy().digest('hex')}`;
  }
}

/** Everything a socket receives up to the end. */
export async function received(socket: net.Socket): Promise<Buffer> {
  const chunks: Buffer[] = [];
  socket.on('data', (chunk) => chunks.push(chunk));
  socket.resume();
  await once(socket, 'end');
  return Buffer.concat(chunks);
}

/** A digest of everything a socket receives up to the end. */
export async function digested(socket: net.Socket): Promise<Digest> {
  const digest = new Digest();
  socket.on('data', (chunk) => digest.add(chunk));
  socket.resume();
  await once(socket, 'end');
  return digest;
}

/** What a stream says about itself. */
export function unreadBytes(stream: Stream): number {
  return Number(/unread=(\d+)/.exec(inspect(stream))?.[1]);
}

/** Seconds until the kernel probes an idle IPv4 connection; null when it never does. */
export function keepAliveTimer({ local, peer }: ConnectionInfo): number | null {
  const port = (address: SocketAddress | null): string => (address?.port ?? 0).toString(16).padStart(4, '0');
  const ends = new RegExp(`:${port(local)} \\S+:${port(peer)} \\S+ \\S+ (\\d+):(\\S+)`, 'i');
  const [, timer, ticks] = ends.exec(readFileSync('/proc/net/tcp', 'latin1')) ?? [];
  // 2 is the timer of probes; it counts in hundredths of a second.
  return timer === '02' ? parseInt(ticks!, 16) / 100 : null;
}

/** Open descriptors of this process. */
export function descriptorCount(): number {
  return readdirSync('/proc/self/fd').length;
}

/** A server of node:net; it does not keep errors of its sockets from anybody who listens for them. */
export class NetServer {
  readonly sockets: net.Socket[] = [];
  readonly #server: net.Server;

  private constructor(server: net.Server) {
    this.#server = server;
    server.on('connection', (socket) => {
      this.sockets.push(socket);
      socket.on('error', () => undefined);
    });
  }

  static async open(options: net.ServerOpts = {}, host = '127.0.0.1'): Promise<NetServer> {
    const server = net.createServer({ allowHalfOpen: true, noDelay: true, ...options });
    const opened = new NetServer(server);
    server.listen(0, host);
    await once(server, 'listening');
    return opened;
  }

  get port(): number {
    return (this.#server.address() as net.AddressInfo).port;
  }

  /** The next connection. */
  async next(): Promise<net.Socket> {
    const [socket] = (await once(this.#server, 'connection')) as [net.Socket];
    return socket;
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }
}

/** A connected socket of node:net. */
export async function netConnect(
  port: number,
  host = '127.0.0.1',
  options: Partial<net.TcpSocketConnectOpts & net.SocketConstructorOpts> = {},
): Promise<net.Socket> {
  const socket = net.connect({ port, host, allowHalfOpen: true, noDelay: true, ...options });
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  return socket;
}

/** One connection: our end and that of node:net. */
export interface Pair {
  stream: Stream;
  peer: net.Socket;
  /** Closes both ends and everything that was needed for them. */
  close(): Promise<void>;
}

/** Our end has connected. */
export async function clientPair(options: StreamOptions = {}): Promise<Pair> {
  const server = await NetServer.open();
  const accepted = server.next();
  const stream = await connect({ host: '127.0.0.1', port: server.port, ...options });
  const peer = await accepted;
  return {
    stream,
    peer,
    close: async () => {
      stream.abort();
      await stream.closed;
      await server.close();
    },
  };
}

/** Our end was accepted. */
export async function serverPair(options: TcpListenOptions = {}): Promise<Pair> {
  let onStream: (stream: Stream) => void;
  const accepted = new Promise<Stream>((resolve) => {
    onStream = resolve;
  });
  const server: Server = await listen(
    function* serve(stream) {
      onStream(stream);
      yield* stream.closed;
    },
    { host: '127.0.0.1', ...options },
  );
  const peer = await netConnect(server.port);
  const stream = await accepted;
  return {
    stream,
    peer,
    close: async () => {
      server.abortClients();
      await server.close();
      peer.destroy();
    },
  };
}

/** Runs `body` with a connection, on a loop of its own. */
export function withPair(
  make: (options: StreamOptions) => Promise<Pair>,
  options: StreamOptions,
  body: (pair: Pair, loop: EventLoop) => unknown,
): Promise<void> {
  return withEventLoop(async (loop) => {
    const pair = await make(options);
    try {
      await body(pair, loop);
    } finally {
      await pair.close();
    }
  });
}
