// undici as a client: pools, pipelining, streams, upgrades, aborts and failures.
import { EventEmitter, once } from 'node:events';
import { createServer } from 'node:http';
import net from 'node:net';
import { Readable } from 'node:stream';
import { Agent, Client, fetch, interceptors, Pool, request } from 'undici';
import { bytesOf, close, digest, failureOf, HOST, listen, tell, textOf } from './support.mjs';

const bus = new EventEmitter();
let failures = 0;
const server = createServer(async (incoming, response) => {
  const { pathname, searchParams } = new URL(incoming.url ?? '', 'http://a');
  switch (pathname) {
    case '/echo':
      response.setHeader('x-method', incoming.method ?? '');
      incoming.pipe(response);
      break;
    case '/size':
      response.end(textOf(Number(searchParams.get('n'))));
      break;
    case '/reset':
      incoming.socket.resetAndDestroy();
      break;
    case '/half':
      response.writeHead(200, { 'content-length': 1000 });
      response.write('half', () => incoming.socket.destroy());
      break;
    case '/silent':
      incoming.socket.on('close', () => bus.emit('silent closed'));
      break;
    case '/flaky':
      response.statusCode = failures++ < 2 ? 503 : 200;
      response.end(`attempt ${failures}`);
      break;
    case '/redirect':
      response.writeHead(302, { location: '/size?n=3' }).end();
      break;
    default:
      response.writeHead(404).end();
  }
});
server.on('upgrade', (_incoming, socket) => {
  socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n');
  socket.pipe(socket);
});
server.on('connect', (incoming, socket) => {
  socket.end(`HTTP/1.1 200 Connected\r\n\r\n${incoming.url}`);
});
const port = await listen(server);
const origin = `http://${HOST}:${port}`;

{
  const client = new Client(origin, { pipelining: 10 });
  const answers = await Promise.all(
    Array.from({ length: 100 }, async (_, n) => {
      const { body } = await client.request({ path: `/size?n=${n * 10}`, method: 'GET' });
      return (await body.text()).length;
    }),
  );
  tell('pipelined', answers);
  await client.close();
}
{
  const pool = new Pool(origin, { connections: 8 });
  const answers = await Promise.all(
    Array.from({ length: 100 }, async (_, n) => {
      const bytes = bytesOf(n * 1000);
      const { body } = await pool.request({ path: '/echo', method: 'POST', body: bytes });
      return Buffer.compare(Buffer.from(await body.arrayBuffer()), bytes) === 0;
    }),
  );
  tell('pool', answers.every(Boolean));
  const parts = Readable.from([bytesOf(1), bytesOf(2_000_000), bytesOf(3)]);
  const { body, headers } = await pool.request({ path: '/echo', method: 'PUT', body: parts });
  tell('stream both ways', [headers['x-method'], digest(Buffer.from(await body.arrayBuffer()))]);
  await pool.close();
}
{
  const client = new Client(origin);
  const { socket } = await client.upgrade({ path: '/', protocol: 'echo' });
  socket.write('upgraded');
  tell('upgrade', String((await once(socket, 'data'))[0]));
  socket.destroy();
  await client.destroy();
  const tunnel = new Client(origin);
  const { socket: tunneled, statusCode } = await tunnel.connect({ path: 'there:1' });
  tunneled.setEncoding('utf8');
  let text = '';
  for await (const chunk of tunneled) text += chunk;
  tell('connect', [statusCode, text]);
  await tunnel.destroy();
}
{
  const agent = new Agent({ headersTimeout: 300, bodyTimeout: 300 });
  const options = { dispatcher: agent };
  tell('reset', await failureOf(request(`${origin}/reset`, options)));
  const half = await request(`${origin}/half`, options);
  tell('half a body', await failureOf(half.body.text()));
  tell('silent', await failureOf(request(`${origin}/silent`, options)));
  const abort = new AbortController();
  const aborted = failureOf(request(`${origin}/silent`, { ...options, signal: abort.signal }));
  await once(server, 'request');
  const closed = once(bus, 'silent closed');
  abort.abort();
  tell('aborted', await aborted);
  await closed;
  const free = net.createServer();
  const freePort = await listen(free);
  await close(free);
  tell('nobody listens', await failureOf(request(`http://${HOST}:${freePort}`, options)));
  tell('no name', await failureOf(request('http://nowhere.invalid', options)));
  await agent.close();
}
{
  const agent = new Agent().compose(
    interceptors.redirect({ maxRedirections: 3 }),
    interceptors.retry({ maxRetries: 5, minTimeout: 1 }),
  );
  const flaky = await request(`${origin}/flaky`, { dispatcher: agent });
  tell('retried', await flaky.body.text());
  const redirected = await request(`${origin}/redirect`, { dispatcher: agent });
  tell('redirected', await redirected.body.text());
  const large = await fetch(`${origin}/size?n=5000000`, { dispatcher: agent });
  tell('fetch', digest(await large.text()));
  await agent.destroy();
}
server.closeAllConnections();
await close(server);
