// Servers as Node's users write them, without a word of evloop: node drop-in.mjs HOST PORT KIND
import http from 'node:http';
import { createRequire } from 'node:module';
import process from 'node:process';

const [host, port, kind = ''] = process.argv.slice(2);
const require = createRequire(new URL('../../test/packages/package.json', import.meta.url));
const LARGE = Buffer.alloc(100_000, 'x');
const address = { host, port: Number(port) };

/** @param {http.RequestListener} listener */
function serve(listener) {
  // Idle connections stay as long as the load does.
  http.createServer({ keepAliveTimeout: 0, requestTimeout: 0 }, listener).listen(address);
}

/** @type {Record<string, () => void>} */
const servers = {
  http: () => serve((_request, response) => void response.end('hello')),
  response: () => serve((_request, response) => void response.end(LARGE)),
  json: () =>
    serve((request, response) => {
      let text = '';
      request.setEncoding('utf8');
      request.on('data', (chunk) => (text += chunk));
      request.on('end', () => {
        const { items } = JSON.parse(text);
        const body = JSON.stringify({ count: items.length, first: items[0] });
        response.writeHead(200, {
          'Content-Type': 'application/json',
          'Content-Length': Buffer.byteLength(body),
        });
        response.end(body);
      });
    }),
  upload: () =>
    serve((request, response) => {
      let size = 0;
      request.on('data', (chunk) => (size += chunk.length));
      request.on('end', () => response.end(String(size)));
    }),
  express() {
    const app = require('express')();
    app.get('/', (/** @type {unknown} */ _request, /** @type {{ json(value: unknown): void }} */ response) =>
      response.json({ hello: 'world' }),
    );
    http.createServer({ keepAliveTimeout: 0 }, app).listen(address);
  },
  fastify() {
    const app = require('fastify')({ keepAliveTimeout: 0 });
    app.get('/', async () => ({ hello: 'world' }));
    app.listen(address);
  },
  ws() {
    const { WebSocketServer } = require('ws');
    const server = new WebSocketServer({ ...address, perMessageDeflate: false });
    server.on('connection', (/** @type {any} */ socket) => {
      socket.on('message', (/** @type {Buffer} */ data, /** @type {boolean} */ isBinary) =>
        socket.send(data, { binary: isBinary }),
      );
      socket.on('error', () => socket.terminate());
    });
  },
};
servers[kind]?.();
