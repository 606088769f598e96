// A reverse proxy: requests, bodies, WebSockets, and targets that fail.
import { once } from 'node:events';
import { createServer } from 'node:http';
import httpProxy from 'http-proxy';
import { WebSocket, WebSocketServer } from 'ws';
import { bytesOf, close, digest, HOST, listen, tell, tellResponse, textOf } from './support.mjs';

const target = createServer((incoming, response) => {
  switch (incoming.url) {
    case '/echo':
      incoming.pipe(response);
      break;
    case '/large':
      response.end(textOf(3_000_000));
      break;
    case '/reset':
      incoming.socket.resetAndDestroy();
      break;
    default:
      response.setHeader('x-forwarded', String(incoming.headers['x-forwarded-proto']));
      response.end(`${incoming.method} ${incoming.url}`);
  }
});
const webSockets = new WebSocketServer({ server: target });
webSockets.on('connection', (socket) => {
  socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }));
});
const targetPort = await listen(target);

const proxy = httpProxy.createProxyServer({ target: { host: HOST, port: targetPort }, ws: true, xfwd: true });
proxy.on('error', (error, _request, response) => {
  tell('proxy: error', /** @type {NodeJS.ErrnoException} */ (error).code);
  if ('writeHead' in response && !response.headersSent) response.writeHead(502);
  response.end('bad gateway');
});
const front = createServer((incoming, response) => proxy.web(incoming, response));
front.on('upgrade', (incoming, socket, head) => proxy.ws(incoming, socket, head));
const port = await listen(front);
const url = `http://${HOST}:${port}`;

await tellResponse('plain', await fetch(`${url}/a/b?c=d`));
await tellResponse(
  '5 MB both ways',
  await fetch(`${url}/echo`, { method: 'POST', body: bytesOf(5_000_000) }),
);
await tellResponse('3 MB down', await fetch(`${url}/large`));
await tellResponse('reset', await fetch(`${url}/reset`));
const bodies = await Promise.all(
  Array.from({ length: 100 }, async (_, n) => (await fetch(`${url}/${n}`)).text()),
);
tell('a hundred at once', bodies);

const socket = new WebSocket(`ws://${HOST}:${port}/ws`);
await once(socket, 'open');
for (const size of [0, 10, 1000, 100_000, 1_000_000]) {
  socket.send(bytesOf(size));
  tell('WebSocket', digest((await once(socket, 'message'))[0]));
}
const closed = once(socket, 'close');
socket.close(4000, 'done');
tell('WebSocket closed', (await closed)[0]);

webSockets.close();
target.closeAllConnections();
await close(target);
await tellResponse('nobody there', await fetch(`${url}/gone`));
proxy.close();
front.closeAllConnections();
await close(front);
