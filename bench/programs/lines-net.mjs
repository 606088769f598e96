// Answers each line by a write of its own: node lines-net.mjs HOST PORT [cork]
//
// With `cork` the answers to one chunk are joined, as Node's documentation advises.
import net from 'node:net';
import process from 'node:process';
import { Lines } from './lines.mjs';

const [host, port, mode] = process.argv.slice(2);
const isCorked = mode === 'cork';

const server = net.createServer({ noDelay: true }, (socket) => {
  const lines = new Lines();
  const answer = (/** @type {Buffer} */ line) => void socket.write(line);
  socket.on('data', (chunk) => {
    if (isCorked) socket.cork();
    lines.push(chunk, answer);
    if (isCorked) socket.uncork();
    if (socket.writableNeedDrain) socket.pause();
  });
  socket.on('drain', () => socket.resume());
  socket.on('error', () => socket.destroy());
});
server.listen({ host, port: Number(port) });
