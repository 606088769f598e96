// @ts-nocheck
// What program.mjs does with anything but connections over TCP: bytes in pieces, datagrams, Unix sockets, pipes, sockets
// of the caller, look-ups and threads.
import { once } from 'node:events';
import dgram from 'node:dgram';
import { closeSync, constants, mkdtempSync, openSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import process from 'node:process';

const HOST = '127.0.0.1';
// Those that are moved a byte at a time; more than is copied, so that the second is sent by reference.
const FEW_BYTES = 3000;
const MANY_BYTES = 20_000;
const { O_NONBLOCK, O_RDONLY, O_RDWR } = constants;

const pattern = (size) => Buffer.from(Uint8Array.from({ length: size }, (_, i) => i * 7 + (i >> 8)));

/** @param {any} evloop the package @param {any} tools of program.mjs */
export function otherOperations(evloop, { ending, openPair, until, fate }) {
  const { EventLoop, connect, listen, udp } = evloop;
  const loop = () => EventLoop.running();

  /** What reading all of it comes to. */
  async function reading(stream, expected) {
    let bytes;
    const rejection = await ending(
      'read()',
      (async () => (bytes = await stream.readExactly(expected.length)))(),
    );
    if (rejection !== null) return rejection;
    return bytes.equals(expected) ? 'all bytes arrive' : 'other bytes arrive';
  }

  async function openDatagrams() {
    const socket = await udp({ local: { host: HOST } });
    const told = [];
    socket.onError = (error) => told.push(error.code);
    const peer = dgram.createSocket('udp4');
    const received = [];
    peer.on('message', (data) => received.push(String(data)));
    await once(peer.bind(0, HOST), 'listening');
    return {
      socket,
      peer,
      told,
      received,
      to: { address: HOST, port: peer.address().port },
      close: async () => {
        socket.abort();
        await socket.closed;
        peer.close();
        await once(peer, 'close');
      },
    };
  }

  const summary = ({ told }, got, count) =>
    `${told.length === 0 ? '' : `onError is told ${told.join(', ')}, `}` +
    (got.length === count
      ? 'all datagrams arrive'
      : `${String(got.length)} of ${String(count)} datagrams arrive`);

  /** A way to begin that fails or not, in one call. */
  const attempt = (name, work, end = async () => undefined) => ({
    begin: async () => (await ending(name, work())) ?? 'it works',
    end,
  });

  async function openUnix() {
    const directory = mkdtempSync(path.join(tmpdir(), 'evloop-faults-'));
    const where = path.join(directory, 'socket');
    return { where, remove: () => rmSync(directory, { recursive: true }) };
  }

  const datagramCount = 20;
  const names = Array.from({ length: datagramCount }, (_, i) => `number ${String(i)}`);

  return {
    async receiveBytes() {
      const pair = await openPair();
      const bytes = pattern(FEW_BYTES);
      return {
        begin: () => {
          pair.peer.write(bytes);
          return reading(pair.stream, bytes);
        },
        end: pair.close,
      };
    },
    async sendBytes() {
      const pair = await openPair();
      const bytes = pattern(MANY_BYTES);
      return {
        begin: () => {
          pair.stream.write(bytes);
          return fate(pair, MANY_BYTES, bytes);
        },
        end: pair.close,
      };
    },
    async receiveUnix() {
      const { where, remove } = await openUnix();
      const accepted = loop().createFuture();
      const over = loop().createFuture();
      const server = await listen(
        async (stream) => {
          accepted.setResult(stream);
          await over;
        },
        { path: where },
      );
      const peer = net.connect(where);
      peer.on('error', () => undefined);
      const stream = await accepted;
      const bytes = pattern(FEW_BYTES);
      return {
        begin: async () => {
          peer.write(bytes);
          const outcome = await reading(stream, bytes);
          if (outcome === 'all bytes arrive') return outcome;
          await stream.closed;
          return `${outcome}, the connection is closed`;
        },
        end: async () => {
          over.setResult();
          stream.abort();
          peer.destroy();
          await server.close();
          remove();
        },
      };
    },
    async connectUnix() {
      const { where, remove } = await openUnix();
      const server = net.createServer((socket) => socket.on('error', () => undefined).resume());
      await once(server.listen(where), 'listening');
      let stream;
      return attempt(
        'connect()',
        async () => (stream = await connect({ path: where })),
        async () => {
          await stream?.close();
          server.close();
          await once(server, 'close');
          remove();
        },
      );
    },
    async listenUnix() {
      const { where, remove } = await openUnix();
      let server;
      return attempt(
        'listen()',
        async () => (server = await listen(async () => undefined, { path: where })),
        async () => {
          await server?.close();
          remove();
        },
      );
    },
    async bindDatagrams() {
      let socket;
      return attempt(
        'udp()',
        async () => (socket = await udp({ local: { host: HOST }, broadcast: true })),
        async () => await socket?.close(),
      );
    },
    async connectDatagrams() {
      let socket;
      return attempt(
        'udp()',
        async () => (socket = await udp({ remote: { host: HOST, port: 9 } })),
        async () => await socket?.close(),
      );
    },
    async sendDatagrams() {
      const pair = await openDatagrams();
      return {
        begin: async () => {
          // Different sizes, so that none are joined to one.
          names.forEach((name, i) => pair.socket.send(name + '.'.repeat(i), pair.to));
          await until(() => pair.received.length + pair.told.length >= datagramCount);
          return summary(pair, pair.received, datagramCount);
        },
        end: pair.close,
      };
    },
    async receiveDatagrams() {
      const pair = await openDatagrams();
      const { port } = pair.socket.info.local;
      return {
        begin: async () => {
          for (const name of names) pair.peer.send(name, port, HOST);
          const got = [];
          for (const name of names) {
            const datagram = await pair.socket.receive();
            if (String(datagram.data) === name) got.push(name);
          }
          return summary(pair, got, datagramCount);
        },
        end: pair.close,
      };
    },
    async readPipe() {
      const writeEnd = openSync(process.env.EVLOOP_FAULTS_PIPE, O_RDWR | O_NONBLOCK);
      const stream = loop().readPipe(openSync(process.env.EVLOOP_FAULTS_PIPE, O_RDONLY | O_NONBLOCK));
      const bytes = pattern(FEW_BYTES);
      return {
        begin: async () => {
          writeSync(writeEnd, bytes);
          return reading(stream, bytes);
        },
        end: async () => {
          stream.abort();
          await stream.closed;
          closeSync(writeEnd);
        },
      };
    },
    async writePipe() {
      const readEnd = openSync(process.env.EVLOOP_FAULTS_PIPE, O_RDWR | O_NONBLOCK);
      const stream = loop().writePipe(openSync(process.env.EVLOOP_FAULTS_PIPE, O_RDWR | O_NONBLOCK));
      const pipe = new net.Socket({ fd: readEnd, readable: true, writable: false });
      const chunks = [];
      pipe.on('data', (chunk) => chunks.push(chunk)).on('error', () => undefined);
      const bytes = pattern(FEW_BYTES);
      return {
        begin: async () => {
          stream.write(bytes);
          const received = () => Buffer.concat(chunks);
          await until(() => received().length === FEW_BYTES || stream.isClosing());
          if (received().equals(bytes)) return 'all bytes arrive';
          return `${await ending('drain()', stream.drain())}, the pipe is closed`;
        },
        end: async () => {
          stream.abort();
          await stream.closed;
          pipe.destroy();
          await once(pipe, 'close');
        },
      };
    },
    async openPipe() {
      const fd = openSync(process.env.EVLOOP_FAULTS_PIPE, O_RDWR);
      let stream;
      return {
        begin: async () =>
          (await ending('readPipe()', (async () => (stream = loop().readPipe(fd)))())) ?? 'it works',
        end: async () => {
          stream?.abort();
          await stream?.closed;
          if (stream === undefined) closeSync(fd);
        },
      };
    },
    async adopt() {
      const [one, other] = loop().sock.pair();
      let stream;
      return {
        begin: async () =>
          (await ending('adoptSocket()', (async () => (stream = loop().adoptSocket(one)))())) ?? 'it works',
        end: async () => {
          stream?.abort();
          await stream?.closed;
          if (stream === undefined) closeSync(one);
          closeSync(other);
        },
      };
    },
    async serveDescriptor() {
      const fd = loop().sock.create();
      loop().sock.bind(fd, { address: HOST, port: 0 });
      loop().sock.listen(fd);
      let server;
      return attempt(
        'listen()',
        async () => (server = await listen(async () => undefined, { fd })),
        async () => {
          if (server === undefined) closeSync(fd);
          else await server.close();
        },
      );
    },
    async watch() {
      const [one, other] = loop().sock.pair();
      return {
        begin: async () =>
          (await ending('addReader()', (async () => loop().addReader(one, () => undefined))())) ?? 'it works',
        end: async () => {
          loop().removeReader(one);
          closeSync(one);
          closeSync(other);
        },
      };
    },
    async sockCreate() {
      let fd;
      return attempt(
        'sock.create()',
        async () => (fd = loop().sock.create()),
        async () => fd === undefined || closeSync(fd),
      );
    },
    async sockPair() {
      let fds = [];
      return attempt(
        'sock.pair()',
        async () => (fds = loop().sock.pair()),
        async () => fds.forEach((fd) => closeSync(fd)),
      );
    },
    async sockBind() {
      const fd = loop().sock.create();
      return attempt(
        'sock.bind()',
        async () => loop().sock.bind(fd, { address: HOST, port: 0 }),
        async () => closeSync(fd),
      );
    },
    async sockListen() {
      const fd = loop().sock.create();
      return attempt(
        'sock.listen()',
        async () => loop().sock.listen(fd),
        async () => closeSync(fd),
      );
    },
    async sockAddress() {
      const fd = loop().sock.create();
      return attempt(
        'sock.address()',
        async () => loop().sock.address(fd),
        async () => closeSync(fd),
      );
    },
    async sockConnect() {
      const server = net.createServer((socket) => socket.on('error', () => undefined).resume());
      await once(server.listen(0, HOST), 'listening');
      const fd = loop().sock.create();
      return attempt(
        'sock.connect()',
        async () => await loop().sock.connect(fd, { address: HOST, port: server.address().port }),
        async () => {
          closeSync(fd);
          server.close();
          await once(server, 'close');
        },
      );
    },
    async sockAccept() {
      const listener = loop().sock.create();
      loop().sock.bind(listener, { address: HOST, port: 0 });
      loop().sock.listen(listener);
      const client = net.connect(loop().sock.address(listener).port, HOST);
      client.on('error', () => undefined);
      await once(client, 'connect');
      let accepted;
      return attempt(
        'sock.accept()',
        async () => (accepted = (await loop().sock.accept(listener)).fd),
        async () => {
          if (accepted !== undefined) closeSync(accepted);
          client.destroy();
          closeSync(listener);
        },
      );
    },
    async sockReceive() {
      const [one, other] = loop().sock.pair();
      writeSync(other, 'x');
      return attempt(
        'sock.recv()',
        async () => await loop().sock.recv(one, 10),
        async () => {
          closeSync(one);
          closeSync(other);
        },
      );
    },
    async sockSend() {
      const [one, other] = loop().sock.pair();
      return attempt(
        'sock.sendAll()',
        async () => await loop().sock.sendAll(one, 'x'),
        async () => {
          closeSync(one);
          closeSync(other);
        },
      );
    },
    async lookUp() {
      return attempt('getAddrInfo()', async () => await loop().getAddrInfo('localhost'));
    },
    async sendSmallFile() {
      const pair = await openPair();
      const directory = mkdtempSync(path.join(tmpdir(), 'evloop-faults-'));
      const file = path.join(directory, 'file');
      const bytes = pattern(FEW_BYTES);
      writeFileSync(file, bytes);
      const fd = openSync(file, 'r');
      return {
        begin: async () => {
          const rejection = await ending('sendFile()', pair.stream.sendFile(fd));
          if (rejection !== null) return rejection;
          return await fate(pair, FEW_BYTES, bytes);
        },
        end: async () => {
          closeSync(fd);
          rmSync(directory, { recursive: true });
          await pair.close();
        },
      };
    },
  };
}
