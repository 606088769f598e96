// Web-standard requests, streams and server-sent events of Hono.
import { serve } from '@hono/node-server';
import { Blob, File } from 'node:buffer';
import { once } from 'node:events';
import { Hono } from 'hono';
import { HTTPException } from 'hono/http-exception';
import { streamSSE, streamText } from 'hono/streaming';
import { bytesOf, close, digest, HOST, tell, tellResponse, textOf } from './support.mjs';

const app = new Hono();
app.use('*', async (context, next) => {
  await next();
  tell('served', [context.req.method, context.req.path, context.res.status]);
});
app.get('/hello/:name', (context) => context.json({ hello: context.req.param('name') }));
app.post('/json', async (context) => context.json({ back: await context.req.json() }, 201));
app.post('/raw', async (context) => context.text(digest(new Uint8Array(await context.req.arrayBuffer()))));
app.post('/form', async (context) => {
  const { name, file } = await context.req.parseBody();
  return context.json({ name, file: file instanceof File ? [file.name, file.size] : null });
});
app.get('/large', (context) => context.text(textOf(3_000_000)));
app.get('/text', (context) =>
  streamText(context, async (stream) => {
    for (let n = 0; n < 50; n++) await stream.write(textOf(10_000));
  }),
);
app.get('/events', (context) =>
  streamSSE(context, async (stream) => {
    for (let id = 0; id < 5; id++) await stream.writeSSE({ data: `event ${id}`, id: String(id) });
  }),
);
app.get('/refused', () => {
  throw new HTTPException(403, { message: 'refused on purpose' });
});
app.onError((error, context) =>
  error instanceof HTTPException ? error.getResponse() : context.text(error.message, 500),
);

const server = /** @type {import('node:http').Server} */ (
  serve({ fetch: app.fetch, port: 0, hostname: HOST })
);
await once(server, 'listening');
const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
const url = `http://${HOST}:${port}`;

await tellResponse('parameter', await fetch(`${url}/hello/world`));
await tellResponse('JSON', await fetch(`${url}/json`, { method: 'POST', body: '{"a":[1,2]}' }));
await tellResponse('no JSON', await fetch(`${url}/json`, { method: 'POST', body: '{' }));
await tellResponse('5 MB up', await fetch(`${url}/raw`, { method: 'POST', body: bytesOf(5_000_000) }));
const form = new globalThis.FormData();
form.set('name', 'evloop');
form.set('file', new Blob([bytesOf(200_000)]), 'bytes.bin');
await tellResponse('form', await fetch(`${url}/form`, { method: 'POST', body: form }));
await tellResponse('3 MB down', await fetch(`${url}/large`));
await tellResponse('streamed text', await fetch(`${url}/text`));
await tellResponse('events', await fetch(`${url}/events`));
await tellResponse('refused', await fetch(`${url}/refused`));
await tellResponse('no route', await fetch(`${url}/nowhere`));
const answers = await Promise.all(
  Array.from({ length: 50 }, async (_, n) => (await fetch(`${url}/hello/${n}`)).json()),
);
answers.sort((a, b) => a.hello - b.hello);
tell('fifty at once', answers);
server.closeIdleConnections();
await close(server);
