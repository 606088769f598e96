// Middleware in layers, streams and errors of Koa.
import { createServer } from 'node:http';
import { Readable } from 'node:stream';
import Koa from 'koa';
import { bytesOf, close, digest, HOST, listen, tell, tellResponse, textOf } from './support.mjs';

const app = new Koa();
app.on('error', (error) => tell('application heard', error.message));
app.use(async (context, next) => {
  tell('in', context.path);
  await next();
  tell('out', [context.path, context.status]);
});
app.use(async (context, next) => {
  try {
    await next();
  } catch (error) {
    if (context.path !== '/caught') throw error;
    context.status = 503;
    context.body = { caught: /** @type {Error} */ (error).message };
  }
});
app.use(async (context) => {
  switch (context.path) {
    case '/json':
      context.body = { query: context.query, method: context.method };
      break;
    case '/stream':
      context.type = 'application/octet-stream';
      context.body = Readable.from([bytesOf(3), bytesOf(400_000)]);
      break;
    case '/large':
      context.body = textOf(3_000_000);
      break;
    case '/upload': {
      const chunks = [];
      for await (const chunk of context.req) chunks.push(chunk);
      context.body = digest(Buffer.concat(chunks));
      break;
    }
    case '/cookie':
      context.cookies.set('seen', context.cookies.get('seen') === undefined ? 'once' : 'twice');
      context.body = 'cookie';
      break;
    case '/caught':
    case '/thrown':
      return context.throw(400, 'thrown on purpose');
    case '/broken':
      throw new Error('broken on purpose');
  }
});

const server = createServer(app.callback());
const url = `http://${HOST}:${await listen(server)}`;
await tellResponse('JSON', await fetch(`${url}/json?a=1`));
await tellResponse('stream', await fetch(`${url}/stream`));
await tellResponse('3 MB down', await fetch(`${url}/large`));
await tellResponse('HEAD', await fetch(`${url}/large`, { method: 'HEAD' }));
await tellResponse('5 MB up', await fetch(`${url}/upload`, { method: 'PUT', body: bytesOf(5_000_000) }));
await tellResponse('cookie', await fetch(`${url}/cookie`));
await tellResponse('cookie again', await fetch(`${url}/cookie`, { headers: { cookie: 'seen=once' } }));
for (const path of ['/caught', '/thrown', '/broken', '/nowhere']) {
  await tellResponse(path, await fetch(`${url}${path}`));
}
const sizes = await Promise.all(
  Array.from({ length: 30 }, async () => (await (await fetch(`${url}/large`)).arrayBuffer()).byteLength),
);
tell(
  'thirty times 3 MB at once',
  sizes.reduce((sum, size) => sum + size, 0),
);
server.closeIdleConnections();
await close(server);
