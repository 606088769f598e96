// An API with bodies, files, streams and errors on Express.
import { EventEmitter, once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import net from 'node:net';
import path from 'node:path';
import { Readable } from 'node:stream';
import express from 'express';
import {
  bytesOf,
  close,
  digest,
  HOST,
  listen,
  tell,
  tellResponse,
  temporaryDirectory,
  textOf,
} from './support.mjs';

const bus = new EventEmitter();
const files = temporaryDirectory();
writeFileSync(path.join(files, 'page.html'), `<p>${textOf(100_000)}</p>`);

const app = express();
app.use((request, response, next) => {
  response.on('finish', () => tell('finished', [request.method, request.path, response.statusCode]));
  next();
});
app.use('/files', express.static(files, { lastModified: false, etag: false }));
app.use(express.json({ limit: '2mb' }));
app.get('/users/:id', (request, response) => {
  response.json({ id: Number(request.params.id), query: request.query, ip: request.ip });
});
app.post('/json', (request, response) => {
  response.status(201).json({ size: JSON.stringify(request.body).length, last: request.body.at(-1) });
});
app.post('/raw', express.raw({ type: '*/*', limit: '20mb' }), (request, response) => {
  response.type('text').send(digest(request.body));
});
app.get('/stream', (_request, response) => {
  response.type('application/octet-stream');
  Readable.from([bytesOf(10), bytesOf(300_000), bytesOf(1)]).pipe(response);
});
app.get('/large', (_request, response) => response.send(textOf(3_000_000)));
app.get('/redirect', (_request, response) => response.redirect('/users/7?from=redirect'));
app.get('/broken', async () => {
  throw new Error('broken on purpose');
});
app.get('/endless', (request, response) => {
  const source = new Readable({ read: () => source.push(bytesOf(50_000)) });
  request.on('close', () => {
    tell('endless response closed', { finished: response.writableFinished });
    source.destroy();
    bus.emit('gone');
  });
  source.pipe(response);
});
app.use((/** @type {Error} */ error, _request, response, _next) => {
  response.status(/** @type {any} */ (error).status ?? 500).json({ error: error.message });
});

const server = createServer(app);
const port = await listen(server);
const url = `http://${HOST}:${port}`;
const binary = { 'content-type': 'application/octet-stream' };

await tellResponse('parameters', await fetch(`${url}/users/42?a=1&b=two`));
await tellResponse('HEAD', await fetch(`${url}/users/42`, { method: 'HEAD' }));
const list = Array.from({ length: 30_000 }, (_, n) => ({ n, name: `item ${n}` }));
await tellResponse(
  'JSON of a megabyte',
  await fetch(`${url}/json`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(list),
  }),
);
await tellResponse(
  'JSON that is none',
  await fetch(`${url}/json`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{"a":',
  }),
);
await tellResponse(
  '10 MB up',
  await fetch(`${url}/raw`, { method: 'POST', headers: binary, body: bytesOf(10_000_000) }),
);
await tellResponse(
  'chunked up',
  await fetch(`${url}/raw`, {
    method: 'POST',
    headers: binary,
    duplex: 'half',
    body: Readable.toWeb(Readable.from([bytesOf(5), bytesOf(700_000), bytesOf(9)])),
  }),
);
await tellResponse('file', await fetch(`${url}/files/page.html`));
await tellResponse('part', await fetch(`${url}/files/page.html`, { headers: { range: 'bytes=10-59' } }));
await tellResponse('no file', await fetch(`${url}/files/none.html`));
await tellResponse('stream', await fetch(`${url}/stream`));
await tellResponse('3 MB down', await fetch(`${url}/large`));
await tellResponse('redirect', await fetch(`${url}/redirect`));
await tellResponse('error', await fetch(`${url}/broken`));
await tellResponse('no route', await fetch(`${url}/nowhere`));

const answers = await Promise.all(
  Array.from({ length: 100 }, async (_, n) => (await fetch(`${url}/json`, jsonOf([n]))).json()),
);
tell(
  'a hundred at once',
  answers.map(({ last }) => last),
);

/** @param {unknown} value */
function jsonOf(value) {
  return {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(value),
  };
}

const impatient = net.connect(port, HOST);
impatient.write('GET /endless HTTP/1.1\r\nHost: a\r\n\r\n');
await once(impatient, 'data');
const gone = once(bus, 'gone');
impatient.destroy();
await gone;

server.closeIdleConnections();
await close(server);
tell('closed', server.listening);
