// The TLS echo server a Node user writes: node echo-tls.mjs HOST PORT DIRECTORY
import { readFileSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import tls from 'node:tls';

const [host, port, directory = ''] = process.argv.slice(2);
const [key, cert] = ['key.pem', 'cert.pem'].map((file) => readFileSync(path.join(directory, file)));
const server = tls.createServer({ key, cert, noDelay: true }, (socket) => {
  socket.on('data', (chunk) => {
    if (!socket.write(chunk)) socket.pause();
  });
  socket.on('drain', () => socket.resume());
  // A client that resets the connection is no reason to end.
  socket.on('error', () => socket.destroy());
});
server.listen({ host, port: Number(port) });
