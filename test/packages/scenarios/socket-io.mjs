// Both transports of Socket.IO, with rooms, acknowledgements and binary events.
import { once } from 'node:events';
import { createServer } from 'node:http';
import { Server } from 'socket.io';
import { io } from 'socket.io-client';
import { bytesOf, digest, HOST, listen, tell } from './support.mjs';

const httpServer = createServer();
const server = new Server(httpServer, { maxHttpBufferSize: 4e6 });
server.use((socket, next) => {
  next(socket.handshake.auth['name'] === 'nobody' ? new Error('not welcome') : undefined);
});
server.on('connection', (socket) => {
  const { name } = socket.handshake.auth;
  socket.on('sum', (a, b, done) => done(a + b));
  socket.on('bytes', (bytes, done) => done({ size: bytes.length, bytes }));
  socket.on('join', async (room, done) => {
    await socket.join(room);
    done();
  });
  socket.on('say', (room, text) => socket.to(room).emit('said', name, text));
  socket.on('disconnect', (reason) => tell('server: disconnect', [name, reason]));
});
const port = await listen(httpServer);

/**
 * @param {string} name
 * @param {string[]} transports
 */
async function connect(name, transports) {
  const socket = io(`http://${HOST}:${port}`, {
    auth: { name },
    transports,
    forceNew: true,
    reconnection: false,
  });
  await new Promise((resolve, reject) => {
    socket.on('connect', () => resolve(null));
    socket.on('connect_error', reject);
  });
  return socket;
}

for (const transports of [['polling'], ['websocket'], ['polling', 'websocket']]) {
  const label = transports.join(' and ');
  const [ann, bob, cat] = await Promise.all(
    ['ann', 'bob', 'cat'].map((name) => connect(`${name} by ${label}`, transports)),
  );
  if (ann === undefined || bob === undefined || cat === undefined) throw new Error('nobody came');
  tell(label, await ann.emitWithAck('sum', 40, 2));
  for (const size of [0, 1, 1000, 100_000, 2_000_000]) {
    const { bytes } = await ann.emitWithAck('bytes', bytesOf(size));
    tell('bytes', digest(bytes));
  }
  await Promise.all([ann, bob].map((socket) => socket.emitWithAck('join', 'room')));
  const heard = once(/** @type {any} */ (bob), 'said');
  cat.on('said', () => tell('somebody outside heard it'));
  ann.emit('say', 'room', 'hello');
  tell('heard', await heard);
  const sums = await Promise.all(Array.from({ length: 200 }, (_, n) => bob.emitWithAck('sum', n, 1)));
  tell(
    'two hundred at once',
    sums.every((sum, n) => sum === n + 1),
  );
  for (const socket of [ann, bob, cat]) {
    const there = [...server.sockets.sockets.values()].find(({ id }) => id === socket.id);
    const gone = once(/** @type {any} */ (there), 'disconnect');
    socket.disconnect();
    await gone;
  }
}
await connect('nobody', ['websocket']).catch((error) => tell('refused', error.message));
await server.close();
tell('closed', httpServer.listening);
