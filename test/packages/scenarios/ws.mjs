// WebSocket echoes in all frame sizes, fragments, control frames, close codes and broken frames.
import { once } from 'node:events';
import { createServer } from 'node:http';
import net from 'node:net';
import { WebSocket, WebSocketServer } from 'ws';
import { bytesOf, close, digest, HOST, listen, tell, textOf } from './support.mjs';

const EDGES = [0, 1, 2, 16, 64, 124, 125, 126, 127, 128, 129, 255, 256, 1000, 1024, 4096, 8191, 8192, 16_383];
const LARGE = [16_384, 32_768, 65_535, 65_536, 65_537, 131_072, 262_144, 524_288, 1_048_575, 1_048_576];

const httpServer = createServer();
const server = new WebSocketServer({
  server: httpServer,
  maxPayload: 4_000_000,
  perMessageDeflate: { threshold: 0 },
});
server.on('connection', (socket, request) => {
  socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }));
  socket.on('ping', (data) => tell('server: ping', String(data)));
  socket.on('error', (error) => tell('server: error', [request.url, error.message]));
  socket.on('close', (code, reason) => tell('server: close', [request.url, code, String(reason)]));
});
const port = await listen(httpServer);
const url = `ws://${HOST}:${port}`;

/**
 * @param {string} path
 * @param {import('ws').ClientOptions} [options]
 */
async function open(path, options = {}) {
  const socket = new WebSocket(`${url}${path}`, { maxPayload: 4_000_000, ...options });
  await once(socket, 'open');
  return socket;
}

/** @param {WebSocket} socket */
async function end(socket) {
  const closed = once(socket, 'close');
  const closedThere = once(/** @type {WebSocket} */ ([...server.clients].at(-1)), 'close');
  socket.close(1000, 'done');
  const [code, reason] = await closed;
  await closedThere;
  tell('client: close', [code, String(reason)]);
}

for (const perMessageDeflate of [false, true]) {
  const socket = await open(`/echo-${perMessageDeflate ? 'compressed' : 'plain'}`, { perMessageDeflate });
  tell('extensions', socket.extensions);
  for (const size of [...EDGES, ...LARGE]) {
    for (const message of [textOf(size), bytesOf(size)]) {
      socket.send(message);
      const [back, isBinary] = await once(socket, 'message');
      tell('echo', [size, isBinary, Buffer.compare(back, Buffer.from(message)) === 0]);
    }
  }
  await end(socket);
}

{
  const socket = await open('/fragments', { perMessageDeflate: false });
  for (const size of [1, 7, 125, 4096, 65_536]) {
    for (const parts of [1, 2, 5, 50]) {
      for (let n = 0; n < parts; n++) socket.send(bytesOf(size), { fin: n === parts - 1 });
      const [back] = await once(socket, 'message');
      tell('fragments', [size, parts, digest(back)]);
    }
    socket.send('half', { fin: false });
    socket.ping(`between ${size}`);
    const [pong] = await once(socket, 'pong');
    socket.send(' whole', { fin: true });
    const [back, isBinary] = await once(socket, 'message');
    tell('ping between fragments', [String(pong), String(back), isBinary]);
  }
  /** @type {string[]} */
  const backs = [];
  const all = new Promise((resolve) => {
    socket.on('message', (data) => backs.push(String(data)) === 500 && resolve(null));
  });
  for (let n = 0; n < 500; n++) socket.send(`${n}:${textOf(n)}`);
  await all;
  tell(
    'five hundred in a row',
    backs.every((back, n) => back === `${n}:${textOf(n)}`),
  );
  await end(socket);
}

for (const code of [
  1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4999,
]) {
  const socket = await open(`/close-${code}`);
  const closedThere = once(/** @type {WebSocket} */ ([...server.clients].at(-1)), 'close');
  const closed = once(socket, 'close');
  socket.close(code, `code ${code}`);
  const [own, reason] = await closed;
  await closedThere;
  tell('client: close', [own, String(reason)]);
}

{
  const socket = await open('/terminated');
  const peer = /** @type {WebSocket} */ ([...server.clients].at(-1));
  const closed = once(socket, 'close');
  peer.terminate();
  tell('client: close', (await closed)[0]);
}

/** Frames that no library sends; masked with zeros. @type {Record<string, Buffer>} */
const BROKEN = {
  'reserved bit': Buffer.of(0xc1, 0x80, 0, 0, 0, 0),
  'unknown opcode': Buffer.of(0x83, 0x80, 0, 0, 0, 0),
  'long control frame': Buffer.concat([Buffer.of(0x89, 0xfe, 0, 126, 0, 0, 0, 0), Buffer.alloc(126)]),
  'not masked': Buffer.of(0x81, 0x01, 0x41),
  'no text': Buffer.of(0x81, 0x82, 0, 0, 0, 0, 0xc3, 0x28),
  'continues nothing': Buffer.of(0x80, 0x80, 0, 0, 0, 0),
  'too large': Buffer.of(0x82, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0),
  'bad close code': Buffer.of(0x88, 0x82, 0, 0, 0, 0, 0x03, 0xed),
};
for (const [name, frame] of Object.entries(BROKEN)) {
  const socket = net.connect(port, HOST);
  const connected = once(server, 'connection');
  socket.write(
    `GET /${name.replaceAll(' ', '-')} HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
      'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n',
  );
  const [peer] = await connected;
  const closedThere = once(peer, 'close').catch(() => once(peer, 'close'));
  let answer = Buffer.alloc(0);
  socket.on('data', (chunk) => (answer = Buffer.concat([answer, chunk])));
  socket.write(frame);
  await Promise.all([once(socket, 'close'), closedThere]);
  tell(name, answer.subarray(answer.indexOf('\r\n\r\n') + 4).toString('latin1'));
}

server.close();
await close(httpServer);
