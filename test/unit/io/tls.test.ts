import { once } from 'node:events';
import http from 'node:http';
import type net from 'node:net';
import tls from 'node:tls';
import { describe, expect, test } from 'vitest';
import { InvalidStateError } from '../../../src/base/errors.js';
import type { EventLoop } from '../../../src/event-loop.js';
import { connect, listen, streamPair } from '../../../src/io/open.js';
import type { Protocol, Transport } from '../../../src/io/protocol.js';
import type { TcpListenOptions } from '../../../src/io/listening.js';
import type { ConnectionHandler, Server } from '../../../src/io/server.js';
import type { Stream } from '../../../src/io/stream.js';
import type { TlsClientOptions, TlsServerOptions } from '../../../src/io/tls-options.js';
import { makeCertificate } from '../../support/certificates.js';
import { forms, outcome } from '../../support/forms.js';
import { Digest, netConnect, NetServer, pattern, settled, until, withEventLoop } from '../../support/net.js';

const mine = makeCertificate('localhost');
const other = makeCertificate('other.example');
const client = makeCertificate('client.example');
const HOST = '127.0.0.1';
const trusting: TlsClientOptions = { ca: mine.cert };

/** A server with `handler`, which is closed at the end. */
async function withServer(
  handler: ConnectionHandler,
  options: TlsServerOptions,
  body: (server: Server, loop: EventLoop) => unknown,
  listenOptions: TcpListenOptions = {},
): Promise<void> {
  await withEventLoop(async (loop) => {
    const server = await listen(handler, { host: HOST, tls: { ...mine, ...options }, ...listenOptions });
    try {
      await body(server, loop);
    } finally {
      server.abortClients();
      await server.close();
    }
  });
}

async function* echo(stream: Stream): AsyncGenerator<never, void> {
  for await (const chunk of stream) await stream.send(chunk);
}
const echoing: ConnectionHandler = async (stream) => void (await echo(stream).next());

/** A stream that waits for whoever asked for it, and is not closed before that says so. */
function streams(): { handler: ConnectionHandler; next: () => Promise<Stream> } {
  const waiting: ((stream: Stream) => void)[] = [];
  const ready: Stream[] = [];
  return {
    handler: async (stream) => {
      const take = waiting.shift();
      if (take === undefined) ready.push(stream);
      else take(stream);
      await stream.closed;
    },
    next: () => {
      const stream = ready.shift();
      return stream === undefined ? new Promise((resolve) => waiting.push(resolve)) : Promise.resolve(stream);
    },
  };
}

/** A client of Node. */
async function nodeClient(port: number, options: tls.ConnectionOptions = {}): Promise<tls.TLSSocket> {
  const socket = tls.connect({ port, host: HOST, ca: mine.cert, servername: 'localhost', ...options });
  await once(socket, 'secureConnect');
  return socket;
}

describe.each(forms)('in a $name', (form) => {
  test('TLS: bytes go both ways between our ends', () =>
    withServer(echoing, {}, async ({ port }) => {
      const bytes = pattern(3_000_000);
      await form.start(function* () {
        const stream: Stream = yield connect({ host: HOST, port, tls: trusting });
        const reader = form.start(function* () {
          return (yield stream.readExactly(bytes.length)) as Buffer;
        });
        for (let i = 0; i < bytes.length; i += 70_000) {
          stream.write(bytes.subarray(i, i + 70_000));
          yield stream.drain();
        }
        stream.write('');
        const back: Buffer = yield reader;
        expect(String(new Digest().add(back))).toBe(String(new Digest().add(bytes)));
        expect(stream.tls).toMatchObject({ protocol: 'TLSv1.3', authorized: true, alpnProtocol: null });
        expect(stream.info.peer).toMatchObject({ address: HOST, port });
        yield stream.close();
      });
    }));

  test('TLS: few bytes may be changed as soon as they are written', () =>
    withServer(echoing, {}, async ({ port }) => {
      await form.start(function* () {
        const stream: Stream = yield connect({ host: HOST, port, tls: trusting });
        const bytes = Buffer.from('mine ');
        for (let i = 0; i < 3; i++) {
          bytes.write(String(i), 4);
          stream.write(bytes);
        }
        bytes.fill(0);
        expect(String(yield stream.readExactly(15))).toBe('mine0mine1mine2');
        yield stream.close();
      });
    }));

  test('TLS: a certificate that is not trusted, or for somebody else, rejects', () =>
    withServer(echoing, {}, async ({ port }) => {
      const failure = async (options: TlsClientOptions | true): Promise<unknown> =>
        (
          (await outcome(
            form.call(() => connect({ host: HOST, port, tls: options })),
          )) as NodeJS.ErrnoException
        ).code;
      expect(await failure(true)).toBe('DEPTH_ZERO_SELF_SIGNED_CERT');
      expect(await failure({ ...trusting, servername: 'other.example' })).toBe(
        'ERR_TLS_CERT_ALTNAME_INVALID',
      );
    }));

  test('TLS: rejectUnauthorized: false connects, and says what is wrong', () =>
    withServer(echoing, {}, async ({ port }) => {
      const stream = await form.call(() => connect({ host: HOST, port, tls: { rejectUnauthorized: false } }));
      expect(stream.tls).toMatchObject({
        authorized: false,
        authorizationError: 'DEPTH_ZERO_SELF_SIGNED_CERT',
      });
      await form.call(() => stream.close());
      expect(stream.tls?.protocol).toBe('TLSv1.3');
    }));

  test('TLS: the servername is the host, unless that is an address', () => {
    const { handler, next } = streams();
    return withServer(handler, {}, async ({ port }) => {
      for (const [host, asked] of [
        ['localhost', 'localhost'],
        [HOST, null],
      ] as const) {
        const stream = await form.call(() => connect({ host, port, tls: trusting }));
        const accepted = await next();
        expect(accepted.tls?.servername).toBe(asked);
        await form.call(() => stream.close());
      }
    });
  });

  test('TLS: SNICallback chooses the certificate', () => {
    const context = tls.createSecureContext(other);
    const SNICallback: TlsServerOptions['SNICallback'] = (name, done) =>
      setImmediate(() => done(null, name === 'other.example' ? context : undefined));
    return withServer(echoing, { SNICallback }, async ({ port }) => {
      const options = { ca: other.cert, servername: 'other.example' };
      const stream = await form.call(() => connect({ host: HOST, port, tls: options }));
      expect(stream.tls?.peerCertificate?.subject.CN).toBe('other.example');
      await form.call(() => stream.close());
    });
  });

  test('TLS: ALPN is what both sides have', () =>
    withServer(echoing, { ALPNProtocols: ['b', 'c'] }, async ({ port }) => {
      const options = { ...trusting, ALPNProtocols: ['a', 'c'] };
      const stream = await form.call(() => connect({ host: HOST, port, tls: options }));
      expect(stream.tls?.alpnProtocol).toBe('c');
      await form.call(() => stream.close());
    }));

  test('TLS: a client that has to have a certificate is refused without', () => {
    const { handler, next } = streams();
    const options = { requestCert: true, rejectUnauthorized: true, ca: client.cert };
    return withServer(handler, options, async (server) => {
      const { port } = server;
      const stream = await form.call(() => connect({ host: HOST, port, tls: { ...trusting, ...client } }));
      const accepted = await next();
      expect(accepted.tls).toMatchObject({ authorized: true });
      expect(accepted.tls?.peerCertificate?.subject.CN).toBe('client.example');
      await form.call(() => stream.close());
      const refused = await outcome(
        form.start(function* () {
          const without: Stream = yield connect({ host: HOST, port, tls: trusting });
          return yield without.read();
        }),
      );
      expect(refused).toBeInstanceOf(Error);
      await until('nobody is left', () => server.connectionCount === 0);
    });
  });

  test('TLS: a session can be resumed', () =>
    withServer(echoing, {}, async ({ port }) => {
      const sessions: Buffer[] = [];
      const options = { ...trusting, onSession: (session: Buffer) => void sessions.push(session) };
      const first = await form.call(() => connect({ host: HOST, port, tls: options }));
      first.write('x');
      await form.call(() => first.read());
      await until('a session came', () => sessions.length > 0);
      expect(first.tls).toMatchObject({ isSessionReused: false, session: sessions.at(-1) });
      await form.call(() => first.close());
      const session = first.tls!.session!;
      const again = await form.call(() => connect({ host: HOST, port, tls: { ...trusting, session } }));
      expect(again.tls?.isSessionReused).toBe(true);
      await form.call(() => again.close());
    }));

  test('TLS: a handshake that takes too long rejects and closes', () =>
    withEventLoop(async () => {
      const silent = await NetServer.open();
      const accepted = silent.next();
      const tlsOptions = { ...trusting, handshakeTimeout: 30 };
      const failure = await outcome(
        form.call(() => connect({ host: HOST, port: silent.port, tls: tlsOptions })),
      );
      expect(failure).toMatchObject({ name: 'TimeoutError', code: 'ETIMEDOUT' });
      const peer = await accepted;
      peer.resume();
      await until('the socket is closed', () => peer.destroyed || peer.readableEnded);
      await silent.close();
    }));

  test('TLS: cancelling during the handshake closes the socket', () =>
    withEventLoop(async () => {
      const silent = await NetServer.open();
      const accepted = silent.next();
      const connecting = form.call(() => connect({ host: HOST, port: silent.port, tls: trusting }));
      const peer = await accepted;
      await once(peer, 'data');
      connecting.cancel();
      expect(await outcome(connecting)).toMatchObject({ name: 'CancelledError' });
      await until('the socket is closed', () => peer.destroyed || peer.readableEnded);
      await silent.close();
    }));

  test('TLS: a peer that speaks no TLS is an error', () =>
    withEventLoop(async () => {
      const plain = await NetServer.open();
      void plain.next().then((socket) => socket.end('220 hello\r\n'));
      const failure = await outcome(
        form.call(() => connect({ host: HOST, port: plain.port, tls: trusting })),
      );
      expect((failure as NodeJS.ErrnoException).code).toMatch(/^ERR_SSL_/);
      await plain.close();
    }));

  test('TLS: unclean EOF is an error, behind the bytes that came', () => {
    const { handler, next } = streams();
    return withServer(handler, {}, async ({ port }) => {
      const raw = await netConnect(port);
      const socket = tls.connect({ socket: raw, ca: mine.cert, servername: 'localhost' });
      socket.on('error', () => undefined);
      await once(socket, 'secureConnect');
      socket.write('cut');
      const stream = await next();
      expect(String(await form.call(() => stream.readExactly(3)))).toBe('cut');
      raw.end();
      const failure = await outcome(form.call(() => stream.read()));
      expect(failure).toMatchObject({ code: 'ERR_TLS_CUT_OFF' });
      await form.call(() => stream.closed);
      raw.destroy();
    });
  });

  test('TLS: unclean EOF while nobody reads is an error behind the bytes as well', () => {
    const { handler, next } = streams();
    return withServer(
      handler,
      {},
      async ({ port }) => {
        const raw = await netConnect(port);
        const socket = tls.connect({ socket: raw, ca: mine.cert, servername: 'localhost' });
        socket.on('error', () => undefined);
        await once(socket, 'secureConnect');
        const bytes = pattern(200_000);
        socket.write(bytes, () => raw.end());
        const stream = await next();
        await settled(() => raw.bytesWritten);
        expect((await form.call(() => stream.readExactly(bytes.length))).equals(bytes)).toBe(true);
        expect(await outcome(form.call(() => stream.read()))).toMatchObject({ code: 'ERR_TLS_CUT_OFF' });
        raw.destroy();
      },
      { limit: 1000 },
    );
  });

  test('C-77 over TLS the end of the peer closes, its bytes first', () => {
    const { handler, next } = streams();
    return withServer(handler, {}, async ({ port }) => {
      const socket = await nodeClient(port);
      socket.end('bye');
      const stream = await next();
      expect(String(await form.call(() => stream.read(-1)))).toBe('bye');
      await form.call(() => stream.closed);
      expect(await outcome(form.call(() => stream.drain()))).toMatchObject({ code: 'ECONNRESET' });
      await until('the peer has closed', () => socket.destroyed);
    });
  });

  test('half close: TLS has none', () =>
    withServer(echoing, {}, async ({ port }) => {
      const stream = await form.call(() => connect({ host: HOST, port, tls: trusting }));
      expect(() => stream.closeWrite()).toThrow(InvalidStateError);
      await form.call(() => stream.close());
    }));

  test('close/abort: close() sends everything, and then that this is all', () => {
    const bytes = pattern(4_000_000);
    const handler: ConnectionHandler = async (stream) => {
      stream.write(bytes);
      await stream.close();
    };
    return withServer(handler, {}, async ({ port }) => {
      const stream = await form.call(() => connect({ host: HOST, port, tls: trusting }));
      const all = await form.call(() => stream.read(-1));
      expect(all.equals(bytes)).toBe(true);
      await form.call(() => stream.close());
    });
  });

  test('close/abort: a peer that does not end its side is reset after the shutdown timeout', () => {
    const { handler, next } = streams();
    return withServer(handler, { shutdownTimeout: 30 }, async ({ port }) => {
      const raw = await netConnect(port);
      const socket = tls.connect({ socket: raw, ca: mine.cert, servername: 'localhost' });
      socket.on('error', () => undefined);
      await once(socket, 'secureConnect');
      const stream = await next();
      socket.pause();
      raw.pause();
      await form.call(() => stream.close());
      expect(stream.isClosing()).toBe(true);
      raw.destroy();
    });
  });

  test('read limit/pause: a peer is slowed down through TLS', () => {
    const { handler, next } = streams();
    return withServer(handler, {}, async ({ port }) => {
      const socket = await nodeClient(port);
      const bytes = pattern(16_000_000);
      socket.write(bytes);
      const stream = await next();
      await settled(() => socket.bytesWritten);
      expect(socket.writableLength).toBeGreaterThan(0);
      const back = await form.call(() => stream.readExactly(bytes.length));
      expect(String(new Digest().add(back))).toBe(String(new Digest().add(bytes)));
      socket.destroy();
    });
  });

  test('write/drain: a peer that does not read slows the writer down through TLS', () => {
    const { handler, next } = streams();
    return withServer(handler, {}, async ({ port }) => {
      const socket = await nodeClient(port);
      socket.pause();
      const stream = await next();
      const bytes = pattern(16_000_000);
      let written = 0;
      const writer = form.start(function* () {
        for (let i = 0; i < bytes.length; i += 50_000) {
          stream.write(bytes.subarray(i, i + 50_000));
          written = i;
          yield stream.drain();
        }
        yield stream.close();
      });
      await settled(() => written);
      expect(written).toBeLessThan(bytes.length - 100_000);
      const digest = new Digest();
      socket.on('data', (chunk: Buffer) => digest.add(chunk));
      socket.resume();
      await once(socket, 'end');
      await writer;
      expect(String(digest)).toBe(String(new Digest().add(bytes)));
    });
  });

  test('startTls() upgrades both ends in place', () =>
    withEventLoop(async () => {
      const [one, two] = streamPair();
      await form.start(function* () {
        const server = form.start(function* () {
          expect(String(yield two.readLine())).toBe('STARTTLS\n');
          two.write('go\n');
          yield two.startTls({ ...mine, isServer: true });
          expect(String(yield two.readLine())).toBe('secret\n');
          two.write('known\n');
        });
        one.write('STARTTLS\n');
        expect(String(yield one.readLine())).toBe('go\n');
        yield one.startTls({ ...trusting, servername: 'localhost' });
        expect(one.tls?.authorized).toBe(true);
        one.write('secret\n');
        expect(String(yield one.readLine())).toBe('known\n');
        yield server;
        yield one.close();
        yield two.closed;
      });
    }));

  test('startTls() takes what was received already for the handshake', () =>
    withEventLoop(async () => {
      const [one, two] = streamPair();
      const upgrading = form.call(() => one.startTls({ ...trusting, servername: 'localhost' }));
      await until('the greeting of TLS is there', () => /unread=[1-9]/.test(inspectOf(two)));
      await form.call(() => two.startTls({ ...mine, isServer: true }));
      await upgrading;
      one.write('hello\n');
      expect(String(await form.call(() => two.readLine()))).toBe('hello\n');
      await form.call(() => one.close());
      await form.call(() => two.closed);
    }));

  test('startTls() never lets bytes through that came unencrypted', () =>
    withEventLoop(async () => {
      const [one, two] = streamPair();
      two.write('injected\n');
      await until('it is there', () => /unread=[1-9]/.test(inspectOf(one)));
      const failure = await outcome(form.call(() => one.startTls({ ...trusting, servername: 'localhost' })));
      expect((failure as NodeJS.ErrnoException).code).toMatch(/^ERR_SSL_/);
      expect(await outcome(form.call(() => one.read()))).toBe(failure);
      await form.call(() => one.closed);
      two.abort();
      await form.call(() => two.closed);
    }));

  test('startTls() refuses while somebody reads, and writes until TLS is there', () =>
    withEventLoop(async () => {
      const [one, two] = streamPair();
      const reading = form.call(() => one.read());
      await until('it reads', () => true);
      expect(await outcome(form.call(() => one.startTls(trusting)))).toBeInstanceOf(InvalidStateError);
      reading.cancel();
      await outcome(reading);
      const upgrading = form.call(() => one.startTls(trusting));
      await until('the greeting of TLS is there', () => /unread=[1-9]/.test(inspectOf(two)));
      expect(() => one.write('too early')).toThrow(InvalidStateError);
      upgrading.cancel();
      expect(await outcome(upgrading)).toMatchObject({ name: 'CancelledError' });
      await form.call(() => one.closed);
      two.abort();
      await form.call(() => two.closed);
    }));

  test('startTls() of a connection that has ended rejects', () =>
    withEventLoop(async () => {
      const [one, two] = streamPair();
      await form.call(() => two.close());
      const failure = await outcome(form.call(() => one.startTls(trusting)));
      expect(failure).toMatchObject({ code: 'ECONNRESET' });
      await form.call(() => one.closed);
    }));

  test('loop.startTls() hands the connection to another protocol', () =>
    withEventLoop(async (loop) => {
      const events: string[] = [];
      let upgrade: PromiseLike<unknown> | undefined;
      const after: Protocol = {
        connectionMade: () => void events.push('made again'),
        dataReceived: (chunk) => void events.push(String(chunk)),
        connectionLost: (error) => void events.push(`lost ${String(error)}`),
      };
      let transport!: Transport;
      const server = await loop.createServer(
        () => ({
          connectionMade: (made) => void (transport = made),
          dataReceived: () => {
            transport.write('go\n');
            upgrade = form.call(() => loop.startTls(transport, after, { ...mine, isServer: true }));
          },
        }),
        { host: HOST },
      );
      await form.start(function* () {
        const stream: Stream = yield connect({ host: HOST, port: server.port });
        stream.write('STARTTLS\n');
        expect(String(yield stream.readLine())).toBe('go\n');
        yield stream.startTls({ ...trusting });
        stream.write('secret');
        yield stream.close();
      });
      expect(await upgrade).toBe(transport);
      expect(transport.tls?.protocol).toBe('TLSv1.3');
      await until('it is lost', () => events.length === 2);
      expect(events).toEqual(['secret', 'lost null']);
      await form.call(() => server.close());
    }));
});

function inspectOf(stream: Stream): string {
  return (stream as unknown as Record<symbol, () => string>)[Symbol.for('nodejs.util.inspect.custom')]!();
}

test('TLS: a protocol hears of a connection after its handshake', () =>
  withEventLoop(async (loop) => {
    const events: string[] = [];
    const protocol = (name: string): Protocol => ({
      connectionMade: (transport) => {
        events.push(`${name} made ${String(transport.tls?.protocol)}`);
        transport.write(`from ${name}`);
      },
      dataReceived: (chunk) => void events.push(`${name} got ${String(chunk)}`),
      connectionLost: (error) => void events.push(`${name} lost ${String(error)}`),
    });
    const server = await loop.createServer(() => protocol('server'), { host: HOST, tls: mine });
    const [transport] = await loop.createConnection(() => protocol('client'), {
      host: HOST,
      port: server.port,
      tls: trusting,
    });
    await until('both got something', () => events.length === 4);
    transport.close();
    await until('both are gone', () => events.length === 6);
    expect(events.sort()).toEqual([
      'client got from server',
      'client lost null',
      'client made TLSv1.3',
      'server got from client',
      'server lost null',
      'server made TLSv1.3',
    ]);
    await server.close();
  }));

test('TLS: a handshake that fails ends its connection and no other, without a report', () =>
  withServer(echoing, { handshakeTimeout: 200 }, async (server) => {
    const noise = await netConnect(server.port);
    noise.resume();
    noise.write('GET / HTTP/1.0\r\n\r\n');
    const silent = await netConnect(server.port);
    silent.resume();
    const gone = await netConnect(server.port);
    gone.end();
    const stream = await connect({ host: HOST, port: server.port, tls: trusting });
    await until('the others are gone', () => server.connectionCount === 1);
    stream.write('here');
    expect(String(await stream.read())).toBe('here');
    await stream.close();
    for (const socket of [noise, silent, gone]) socket.destroy();
  }));

test('TLS: in debug mode a handshake that fails is reported', () =>
  withEventLoop(
    async (loop) => {
      const messages: string[] = [];
      loop.setExceptionHandler((_, context) => messages.push(context.message));
      const server = await listen(echoing, { host: HOST, tls: mine });
      const noise = await netConnect(server.port);
      noise.resume();
      noise.write('GET / HTTP/1.0\r\n\r\n');
      await until('it is reported', () => messages.length > 0);
      expect(messages).toEqual(['A TLS handshake failed']);
      noise.destroy();
      await server.close();
    },
    { debug: true },
  ));

test('TLS: what an option of the user throws ends that connection alone', () =>
  withServer(
    echoing,
    {
      ALPNCallback: () => {
        throw new Error('mine');
      },
    },
    async (server) => {
      const options = { ...trusting, ALPNProtocols: ['a'] };
      expect(await outcome(connect({ host: HOST, port: server.port, tls: options }))).toBeInstanceOf(Error);
      await until('it is gone', () => server.connectionCount === 0);
      const stream = await connect({ host: HOST, port: server.port, tls: trusting });
      await stream.close();
    },
  ));

test('TLS: options that Node refuses are refused at once', () =>
  withEventLoop(() => {
    expect(() => listen(echoing, { tls: { key: 'no key', cert: 'no certificate' } })).toThrow();
    expect(() => connect({ port: 1, tls: { cert: 'no certificate' } })).toThrow();
  }));

test('TLS: an http.Server serves requests over a stream with TLS', () => {
  const app = http.createServer((request, response) => response.end(String(request.url)));
  const handler: ConnectionHandler = async (stream) => {
    const duplex = stream.toNodeDuplex();
    app.emit('connection', duplex);
    await once(duplex, 'close');
  };
  return withServer(handler, {}, async ({ port }) => {
    const stream = await connect({ host: HOST, port, tls: trusting });
    stream.write('GET /path HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
    expect(String(await stream.read(-1))).toMatch(/\r\n\r\n\/path$/);
    await stream.closed;
  });
});

test('TLS: closing the loop closes what is in a handshake and what is past it', async () => {
  let socket: net.Socket | undefined;
  await withServer(streams().handler, {}, async (server) => {
    socket = await nodeClient(server.port);
    socket.on('error', () => undefined);
  });
  socket?.destroy();
});
