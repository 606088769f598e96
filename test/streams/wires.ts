// The kinds of connections that streams run over. What a stream must do is the same on each of them.
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EventLoop } from '../../src/event-loop.js';
import type { StreamOptions } from '../../src/io/limits.js';
import type { ConnectOptions, TlsConnectOptions } from '../../src/io/connect-options.js';
import { connect, fromNodeSocket, listen, streamPair } from '../../src/io/open.js';
import type { ListenOptions } from '../../src/io/listening.js';
import type { Stream } from '../../src/io/stream.js';
import { makeCertificate, type Certificate } from '../support/certificates.js';
import { descriptors } from '../support/descriptors.js';

/** Both ends of a connection. */
export interface Ends {
  readonly one: Stream;
  readonly other: Stream;
  /** Ends what was needed besides the streams. */
  close(): unknown;
}

export interface Wire {
  readonly name: string;
  /** Whether bytes go from the first end to the other alone. */
  readonly isOneWay?: boolean;
  /** Whether one direction goes on when the other has ended. */
  readonly isHalfOpen: boolean;
  /** Whether the other end can tell an abort from an end. */
  readonly hasResets: boolean;
  /** The most bytes that come at once. */
  readonly pieceSizeBytes: number;
  open(options: StreamOptions): Promise<Ends>;
}

const HOST = '127.0.0.1';
let names = 0;
let certificate: Certificate | null = null;
const RECEIVE_SIZE_BYTES = 262_144;

/** A connection to a server of ours. */
export async function served(
  where: ListenOptions,
  options: StreamOptions,
  client: TlsConnectOptions = {},
): Promise<Ends> {
  let onStream: (stream: Stream) => void;
  const accepted = new Promise<Stream>((resolve) => {
    onStream = resolve;
  });
  const server = await listen(
    function* serve(stream) {
      onStream(stream);
      yield* stream.closed;
    },
    { ...where, ...options },
  );
  const address = server.addresses[0]!;
  const to: ConnectOptions =
    address.family === 'Unix' ? { path: address.path } : { host: address.address, port: address.port };
  const one = await connect({ ...to, ...options, ...client });
  return { one, other: await accepted, close: async () => await server.close() };
}

const tcp: Wire = {
  name: 'TCP',
  isHalfOpen: true,
  hasResets: true,
  pieceSizeBytes: RECEIVE_SIZE_BYTES,
  open: (options) => served({ host: HOST }, options),
};

const tcp6: Wire = {
  ...tcp,
  name: 'TCP over IPv6',
  open: (options) => served({ host: '::1' }, options),
};

const unix: Wire = {
  ...tcp,
  name: 'Unix socket',
  hasResets: false,
  open: async (options) => {
    const directory = mkdtempSync(join(tmpdir(), 'evloop-wires-'));
    const ends = await served({ path: join(directory, 'socket') }, options);
    return {
      ...ends,
      close: async () => {
        await ends.close();
        rmSync(directory, { recursive: true });
      },
    };
  },
};

const abstractUnix: Wire = {
  ...tcp,
  name: 'abstract Unix socket',
  hasResets: false,
  open: (options) => served({ path: `\0evloop-${String(process.pid)}-${String(names++)}` }, options),
};

const tls: Wire = {
  ...tcp,
  name: 'TLS',
  isHalfOpen: false,
  open: (options) => {
    certificate ??= makeCertificate('localhost');
    return served({ host: HOST, tls: certificate }, options, { tls: { ca: certificate.cert } });
  },
};

/** The reference: the same body over sockets that are not ours. */
const nodeNet: Wire = {
  name: 'sockets of node:net',
  isHalfOpen: true,
  hasResets: true,
  pieceSizeBytes: RECEIVE_SIZE_BYTES,
  open: async (options) => {
    const server = net.createServer({ allowHalfOpen: true, noDelay: true });
    await once(server.listen(0, HOST), 'listening');
    const { port } = server.address() as net.AddressInfo;
    const socket = net.connect({ port, host: HOST, allowHalfOpen: true, noDelay: true });
    const [[peer]] = (await Promise.all([once(server, 'connection'), once(socket, 'connect')])) as [
      [net.Socket],
      unknown,
    ];
    server.close();
    return {
      one: fromNodeSocket(socket, options),
      other: fromNodeSocket(peer, options),
      close: async () => {
        if (server.listening) await once(server, 'close');
      },
    };
  },
};

const memory: Wire = {
  name: 'in-memory pair',
  isHalfOpen: true,
  hasResets: true,
  // What is written in one piece comes in one piece.
  pieceSizeBytes: Infinity,
  open: (options) => {
    const [one, other] = streamPair(options);
    return Promise.resolve({ one, other, close: () => undefined });
  },
};

/** Two Unix sockets by the numbers of their descriptors. */
const socketpair: Wire = {
  name: 'socketpair',
  isHalfOpen: true,
  hasResets: false,
  pieceSizeBytes: RECEIVE_SIZE_BYTES,
  open: (options) => {
    const loop = EventLoop.running();
    const [one, other] = descriptors.socketPair();
    return Promise.resolve({
      one: loop.adoptSocket(one, options),
      other: loop.adoptSocket(other, options),
      close: () => undefined,
    });
  },
};

const pipe: Wire = {
  name: 'pipe',
  isOneWay: true,
  isHalfOpen: false,
  hasResets: false,
  pieceSizeBytes: RECEIVE_SIZE_BYTES,
  open: (options) => {
    const loop = EventLoop.running();
    const [readEnd, writeEnd] = descriptors.pipe();
    return Promise.resolve({
      one: loop.writePipe(writeEnd, options),
      other: loop.readPipe(readEnd, options),
      close: () => undefined,
    });
  },
};

/** A Duplex over one stream, and a stream over that. */
const duplexOfStream: Wire = {
  name: 'Duplex over TCP',
  isHalfOpen: true,
  hasResets: true,
  pieceSizeBytes: RECEIVE_SIZE_BYTES,
  open: async (options) => {
    const { one, other, close } = await tcp.open(options);
    return { one: fromNodeSocket(one.toNodeDuplex(), options), other, close };
  },
};

export const wires: readonly Wire[] = [
  tcp,
  tcp6,
  unix,
  abstractUnix,
  tls,
  nodeNet,
  memory,
  socketpair,
  pipe,
  duplexOfStream,
];
