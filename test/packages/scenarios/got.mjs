// got: retries, hooks, pagination, streams, phases of timeouts, and sockets on a path.
import { once } from 'node:events';
import { createServer } from 'node:http';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { PassThrough } from 'node:stream';
import got from 'got';
import {
  bytesOf,
  close,
  digest,
  failureOf,
  HOST,
  listen,
  tell,
  temporaryDirectory,
  textOf,
} from './support.mjs';

let attempts = 0;
/** @type {import('node:http').RequestListener} */
const serve = (incoming, response) => {
  const { pathname, searchParams } = new URL(incoming.url ?? '', 'http://a');
  const page = Number(searchParams.get('page') ?? 1);
  if (pathname === '/echo') incoming.pipe(response);
  else if (pathname === '/flaky') response.writeHead(attempts++ < 2 ? 503 : 200).end(`attempt ${attempts}`);
  else if (pathname === '/large') response.end(textOf(3_000_000));
  else if (pathname === '/pages') {
    if (page < 4) response.setHeader('link', `</pages?page=${page + 1}>; rel="next"`);
    response.end(JSON.stringify([page * 10, page * 10 + 1]));
  } else if (pathname === '/half') {
    response.writeHead(200, { 'content-length': 1000 });
    response.write('half', () => incoming.socket.destroy());
  } else if (pathname !== '/silent') response.writeHead(404).end();
};
const server = createServer(serve);
const prefixUrl = `http://${HOST}:${await listen(server)}`;
const file = path.join(temporaryDirectory(), 'socket');
const unixServer = createServer(serve).listen(file);
await once(unixServer, 'listening');
const client = got.extend({
  prefixUrl,
  retry: { limit: 3, calculateDelay: ({ computedValue }) => computedValue && 1 },
});
const once_ = client.extend({ retry: { limit: 0 } });

tell('post', await client.post('echo', { json: { a: [1, 2] } }).json());
tell('5 MB both ways', digest(await client.post('echo', { body: bytesOf(5_000_000) }).buffer()));
tell('retried', await client('flaky').text());
tell('pages', await client.paginate.all('pages'));
const through = new PassThrough();
const [, bytes] = await Promise.all([pipeline(client.stream('large'), through), collect(through)]);
tell('stream', digest(bytes));
const { timings } = await client('large');
tell(
  'phases',
  Object.values(timings.phases).every((phase) => phase === undefined || phase >= 0),
);
tell('404', await failureOf(client('nowhere')));
tell('half a body', await failureOf(once_('half')));
tell('timeout', await failureOf(once_('silent', { timeout: { response: 100 } })));
const unix = got.extend({ enableUnixSockets: true });
tell(
  'on a path',
  await unix
    .post(`http://unix:${file}:/echo`, { body: textOf(100_000) })
    .text()
    .then(digest),
);

/** @param {AsyncIterable<Uint8Array>} stream */
async function collect(stream) {
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
}

for (const each of [server, unixServer]) {
  each.closeAllConnections();
  await close(each);
}
