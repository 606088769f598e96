// The echo server a Node user writes: node echo-net.mjs HOST PORT
import net from 'node:net';
import process from 'node:process';

const [host, port] = process.argv.slice(2);
const server = net.createServer({ noDelay: true }, (socket) => {
  socket.on('data', (chunk) => {
    if (!socket.write(chunk)) socket.pause();
  });
  socket.on('drain', () => socket.resume());
  // A client that resets the connection is no reason to end.
  socket.on('error', () => socket.destroy());
});
server.listen(host?.startsWith('/') ? { path: host } : { host, port: Number(port) });
