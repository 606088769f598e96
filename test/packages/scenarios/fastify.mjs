// Schemas, hooks, streams and limits of Fastify.
import { Readable } from 'node:stream';
import Fastify from 'fastify';
import { bytesOf, digest, HOST, tell, tellResponse, textOf } from './support.mjs';

const app = Fastify({ bodyLimit: 1_000_000, keepAliveTimeout: 500 });
app.addHook('onRequest', async (request) => tell('onRequest', [request.method, request.url]));
app.addHook('onResponse', async (request, reply) => tell('onResponse', [request.url, reply.statusCode]));
app.addHook('onClose', async () => tell('onClose'));
app.get(
  '/sum/:a/:b',
  {
    schema: {
      params: { type: 'object', properties: { a: { type: 'integer' }, b: { type: 'integer' } } },
      response: { 200: { type: 'object', properties: { sum: { type: 'integer' } } } },
    },
  },
  async (request) => {
    const { a, b } = /** @type {{ a: number, b: number }} */ (request.params);
    return { sum: a + b, hidden: true };
  },
);
app.post('/echo', async (request) => request.body);
app.get('/large', async () => textOf(3_000_000));
app.get('/stream', async (_request, reply) => {
  reply.type('application/octet-stream');
  return Readable.from([bytesOf(1), bytesOf(500_000)]);
});
app.get('/late', async () => {
  await new Promise((resolve) => setImmediate(resolve));
  throw Object.assign(new Error('no tea'), { statusCode: 418 });
});
app.addContentTypeParser('application/octet-stream', { bodyLimit: 20_000_000 }, async (_request, payload) => {
  const chunks = [];
  for await (const chunk of payload) chunks.push(chunk);
  return Buffer.concat(chunks);
});
app.post('/raw', async (request) => digest(/** @type {Buffer} */ (request.body)));

const url = await app.listen({ port: 0, host: HOST });
/** @param {unknown} value */
const jsonOf = (value) => ({
  method: 'POST',
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify(value),
});

await tellResponse('schema', await fetch(`${url}/sum/40/2`));
await tellResponse('schema, refused', await fetch(`${url}/sum/forty/2`));
await tellResponse('echo', await fetch(`${url}/echo`, jsonOf({ a: [1, 'two', null] })));
await tellResponse('echo, large', await fetch(`${url}/echo`, jsonOf(textOf(900_000))));
await tellResponse('no JSON', await fetch(`${url}/echo`, { ...jsonOf(null), body: 'null,' }));
await tellResponse('3 MB down', await fetch(`${url}/large`));
await tellResponse('stream', await fetch(`${url}/stream`));
await tellResponse('error', await fetch(`${url}/late`));
await tellResponse('no route', await fetch(`${url}/nowhere`));
await tellResponse(
  '10 MB up',
  await fetch(`${url}/raw`, {
    method: 'POST',
    headers: { 'content-type': 'application/octet-stream' },
    body: bytesOf(10_000_000),
  }),
);
for (let round = 0; round < 3; round++) {
  const answers = await Promise.all(
    Array.from({ length: 20 }, async (_, n) => (await fetch(`${url}/sum/${n}/${round}`)).json()),
  );
  tell('twenty at once', answers);
}
tell('injected', (await app.inject('/sum/1/2')).json());
await app.close();
tell('listening', app.server.listening);
