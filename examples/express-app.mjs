// An Express application served on evloop: JSON, files, a stream, a slow answer and a WebSocket.
//
//   node examples/express-app.mjs [PORT]
//
// Everything but the call of serve() is as it would be without evloop. SIGTERM and Ctrl-C end it in order.
import { createServer } from 'node:http';
import process from 'node:process';
import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import express from 'express';
import { WebSocketServer } from 'ws';
import { serve } from 'evloop';

const HOST = '127.0.0.1';
const MOST_LINES = 10_000;
const LONGEST_MS = 10_000;

/**
 * @param {unknown} text
 * @param {number} otherwise
 * @param {number} most
 */
function numberFrom(text, otherwise, most) {
  const value = Number(text ?? otherwise);
  return Number.isFinite(value) ? Math.min(Math.max(value, 0), most) : otherwise;
}

/** @param {number} count */
async function* lines(count) {
  for (let line = 1; line <= count; line++) {
    yield `line ${line} of ${count}\n`;
    await sleep(1);
  }
}

/** The application, without a port. */
export function createApplication() {
  const app = express();
  app.disable('x-powered-by');
  app.use(express.static(fileURLToPath(new URL('public', import.meta.url))));
  app.get('/api/items/:id', (request, response) => {
    response.json({ id: Number(request.params.id), name: `item ${request.params.id}` });
  });
  let added = 0;
  app.post('/api/items', express.json(), (request, response) => {
    response.status(201).json({ id: ++added, ...request.body });
  });
  app.get('/stream', (request, response) => {
    response.type('text');
    Readable.from(lines(numberFrom(request.query['lines'], 10, MOST_LINES))).pipe(response);
  });
  app.get('/slow', async (request, response) => {
    const ms = numberFrom(request.query['ms'], 500, LONGEST_MS);
    await sleep(ms);
    response.json({ waitedMs: ms });
  });
  const server = createServer(app);
  const sockets = new WebSocketServer({ noServer: true });
  server.on('upgrade', (request, socket, head) => {
    if (request.url !== '/echo') return void socket.destroy();
    sockets.handleUpgrade(request, socket, head, (client) => {
      client.on('message', (data, isBinary) => client.send(data, { binary: isBinary }));
    });
  });
  return server;
}

/**
 * Serves it.
 *
 * @param {number} port
 * @param {import('evloop').ServeOptions} [options]
 */
export function serveApplication(port, options = {}) {
  return serve(createApplication(), { host: HOST, port, lameDuck: 500, ...options });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const service = await serveApplication(Number(process.argv[2] ?? 4000));
  console.log(`http://${HOST}:${service.port}/`);
  await service.closed;
}
