// @ts-nocheck
// Does on command what the tests of faults need: node program.mjs URL-OF-THE-PACKAGE [PARTIAL]
//
// A line of stdin names an operation, which is then prepared; the next line begins it, and the one after that asks how
// the loop is. Every line is answered by one of JSON. With partial.c, compiled and preloaded, the second line may name the
// call that is made partial; the answer then is [outcome, transfers].
import { once } from 'node:events';
import { closeSync, openSync, readdirSync, writeFileSync, mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { otherOperations } from './operations.mjs';

const evloop = await import(process.argv[2]);
const { EventLoop, connect, listen, run } = evloop;
const partial = process.argv[3] === undefined ? null : createRequire(import.meta.url)(process.argv[3]);

const HOST = '127.0.0.1';
const LARGE_BYTES = 200_000;
const PATIENCE_MS = partial === null ? 3000 : 15_000;

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const nextLine = async () => (await lines.next()).value;
const answer = (value) => process.stdout.write(`${JSON.stringify(value)}\n`);

/** What an operation ends with, in words. */
async function ending(name, work) {
  try {
    await work;
    return null;
  } catch (error) {
    return `${name} rejects with ${error.code ?? error.name}`;
  }
}

async function until(isSo) {
  const deadline = performance.now() + PATIENCE_MS;
  while (!isSo()) {
    if (performance.now() > deadline) return false;
    await delay(1);
  }
  return true;
}

/** A connection: our end was accepted, the other is a socket of Node. */
async function openPair() {
  const over = withResolvers();
  const accepted = withResolvers();
  const server = await listen(
    async (stream) => {
      accepted.resolve(stream);
      await over.promise;
    },
    { host: HOST },
  );
  const peer = net.connect(server.port, HOST);
  const pair = { peer, received: 0, chunks: [], isEnded: false, isClosed: false };
  peer.on('data', (chunk) => {
    pair.received += chunk.length;
    pair.chunks.push(chunk);
  });
  peer.on('end', () => (pair.isEnded = true));
  peer.on('close', () => (pair.isClosed = true));
  peer.on('error', () => undefined);
  pair.stream = await accepted.promise;
  pair.close = async () => {
    over.resolve();
    pair.stream.abort();
    peer.destroy();
    await server.close();
    await until(() => pair.isClosed);
  };
  return pair;
}

function withResolvers() {
  const made = {};
  made.promise = new Promise((resolve, reject) => Object.assign(made, { resolve, reject }));
  return made;
}

/** What writes come to: they arrive, or the stream breaks and says why. */
async function fate(pair, sizeBytes, bytes = null) {
  await until(() => pair.received >= sizeBytes || pair.stream.isClosing());
  if (pair.received === sizeBytes) {
    return bytes === null || Buffer.concat(pair.chunks).equals(bytes)
      ? 'all bytes arrive'
      : 'other bytes arrive';
  }
  const error = await ending('drain()', pair.stream.drain());
  const later = await ending('read()', pair.stream.read());
  await pair.stream.closed;
  await until(() => pair.isClosed);
  const isSame = later?.split(' ').at(-1) === error?.split(' ').at(-1);
  return `${error}${isSame ? '' : ` (and ${later})`}, the connection is closed`;
}

/** Each prepares something, and gives what to do and how to clean up. */
const operations = {
  async connect() {
    const server = net.createServer((socket) => socket.on('error', () => undefined));
    await once(server.listen(0, HOST), 'listening');
    let stream;
    return {
      begin: async () => {
        const rejection = await ending(
          'connect()',
          (async () => {
            stream = await connect({ host: HOST, port: server.address().port });
          })(),
        );
        return rejection ?? 'connects';
      },
      end: async () => {
        await stream?.close();
        server.close();
        await once(server, 'close');
      },
    };
  },
  async listen() {
    let server;
    return {
      begin: async () => {
        const rejection = await ending(
          'listen()',
          (async () => {
            server = await listen(async () => undefined, { host: HOST });
          })(),
        );
        return rejection ?? (server.port > 0 ? 'listens' : 'listens, and does not know where');
      },
      end: async () => await server?.close(),
    };
  },
  async create() {
    return {
      begin: async () => {
        try {
          new EventLoop().close();
          return 'is made';
        } catch (error) {
          return `new EventLoop() throws ${error.code}`;
        }
      },
      end: async () => undefined,
    };
  },
  async accept() {
    const server = await listen(
      async (stream) => {
        for await (const chunk of stream) stream.write(chunk);
      },
      { host: HOST },
    );
    const told = [];
    const loop = EventLoop.running();
    let client;
    return {
      begin: async () => {
        loop.setExceptionHandler((_, { exception }) => told.push(exception.code));
        client = net.connect(server.port, HOST);
        client.on('error', () => undefined);
        let received = 0;
        client.on('data', (chunk) => (received += chunk.length));
        client.write('x');
        const isServed = await until(() => received === 1);
        const report =
          told.length === 0 ? '' : `${told.join(', ')} is told, accepting pauses for a second, then `;
        return `${report}${isServed ? 'the connection is served' : 'nobody is served'}`;
      },
      end: async () => {
        loop.setExceptionHandler(null);
        client.destroy();
        await server.close();
      },
    };
  },
  async receive() {
    const pair = await openPair();
    return {
      begin: async () => {
        const reading = pair.stream.read();
        pair.peer.write('hello');
        const rejection = await ending('read()', reading);
        if (rejection === null) return 'all bytes arrive';
        await pair.stream.closed;
        await until(() => pair.isClosed);
        return `${rejection}, the connection is closed`;
      },
      end: pair.close,
    };
  },
  async send() {
    const pair = await openPair();
    return {
      begin: () => {
        pair.stream.write('hello');
        return fate(pair, 5);
      },
      end: pair.close,
    };
  },
  async sendLarge() {
    const pair = await openPair();
    return {
      begin: () => {
        pair.stream.write(Buffer.alloc(LARGE_BYTES));
        return fate(pair, LARGE_BYTES);
      },
      end: pair.close,
    };
  },
  async sendPieces() {
    const [pair, other] = [await openPair(), await openPair()];
    return {
      begin: async () => {
        // What is between them makes pieces of the writes to each.
        for (const { stream } of [pair, other, pair]) stream.write('hello');
        const outcome = await fate(pair, 10);
        return (await until(() => other.received === 5)) ? outcome : `${outcome}; so is another one`;
      },
      end: async () => {
        await pair.close();
        await other.close();
      },
    };
  },
  async sendFile() {
    const pair = await openPair();
    const directory = mkdtempSync(path.join(tmpdir(), 'evloop-faults-'));
    const file = path.join(directory, 'file');
    writeFileSync(file, Buffer.alloc(LARGE_BYTES));
    const fd = openSync(file, 'r');
    return {
      begin: async () => {
        const rejection = await ending('sendFile()', pair.stream.sendFile(fd));
        if (rejection !== null) return `${rejection}, the connection goes on`;
        await until(() => pair.received === LARGE_BYTES);
        return pair.received === LARGE_BYTES ? 'all bytes arrive' : `${String(pair.received)} bytes arrive`;
      },
      end: async () => {
        closeSync(fd);
        rmSync(directory, { recursive: true });
        await pair.close();
      },
    };
  },
  async closeWrite() {
    const pair = await openPair();
    return {
      begin: async () => {
        pair.stream.closeWrite();
        await until(() => pair.isEnded || pair.isClosed || pair.stream.isClosing());
        const whatPeerSees = pair.isEnded ? 'the peer sees the end' : 'the peer sees no end';
        if (!pair.stream.isClosing()) return `${whatPeerSees}, the other direction goes on`;
        return `${await ending('read()', pair.stream.read())}, the connection is closed`;
      },
      end: pair.close,
    };
  },
  async close() {
    const pair = await openPair();
    return {
      begin: async () => {
        await pair.stream.close();
        return 'the stream is closed';
      },
      end: pair.close,
    };
  },
  async echo() {
    return {
      begin: async () => {
        for (let i = 0; i < 5; i++) if (!(await isHealthy())) return 'nothing goes on';
        return 'all goes on';
      },
      end: async () => undefined,
    };
  },
  async wake() {
    const loop = EventLoop.running();
    return {
      begin: async () => {
        await new Promise((resolve) => loop.callSoonThreadsafe(resolve));
        return 'the loop wakes up';
      },
      end: async () => undefined,
    };
  },
};

Object.assign(operations, otherOperations(evloop, { ending, openPair, until, fate }));

let healthy;

/** Whether a connection that nothing was done to still echoes. */
async function isHealthy() {
  const before = healthy.received;
  healthy.stream.write('ping');
  return until(() => healthy.received === before + 4);
}

await run(async () => {
  const loop = EventLoop.running();
  const wrap = (promise) => loop.wrap(promise);
  healthy = await wrap(openPair());
  for (;;) {
    const name = await wrap(nextLine());
    if (name === undefined) break;
    const baseline = { sockets: loop.statistics().sockets, descriptors: readdirSync('/proc/self/fd').length };
    const operation = await operations[name]();
    answer('ready');
    const order = await wrap(nextLine());
    const call = order.split(' ')[1];
    if (call === undefined) {
      answer(await operation.begin());
    } else {
      partial.limit(call);
      const outcome = await operation.begin();
      answer([outcome, partial.transfers()]);
      partial.limit('');
    }
    await wrap(nextLine());
    await operation.end();
    await wrap(until(() => loop.statistics().sockets === baseline.sockets));
    const isAlive = await wrap(isHealthy());
    const { turns } = loop.statistics();
    await wrap(delay(20));
    answer({
      isAlive,
      sockets: loop.statistics().sockets - baseline.sockets,
      descriptors: readdirSync('/proc/self/fd').length - baseline.descriptors,
      turns: loop.statistics().turns - turns,
    });
  }
  await wrap(healthy.close());
});
