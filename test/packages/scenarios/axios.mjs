// axios over node:http: agents, streams, progress, timeouts and errors.
import http, { createServer } from 'node:http';
import axios from 'axios';
import { bytesOf, close, digest, HOST, listen, tell, textOf } from './support.mjs';

const server = createServer((incoming, response) => {
  const { pathname, searchParams } = new URL(incoming.url ?? '', 'http://a');
  if (pathname === '/echo') incoming.pipe(response);
  else if (pathname === '/json') response.end(JSON.stringify({ query: Object.fromEntries(searchParams) }));
  else if (pathname === '/large') response.end(textOf(3_000_000));
  else if (pathname === '/redirect') response.writeHead(301, { location: '/json?moved=1' }).end();
  else if (pathname === '/reset') incoming.socket.resetAndDestroy();
  else if (pathname !== '/silent') response.writeHead(404).end('no such thing');
});
const baseURL = `http://${HOST}:${await listen(server)}`;
const httpAgent = new http.Agent({ keepAlive: true, maxSockets: 5 });
const client = axios.create({ baseURL, httpAgent });

/** @param {Promise<unknown>} promise */
async function failure(promise) {
  try {
    await promise;
  } catch (error) {
    const { code, message, response } = /** @type {import('axios').AxiosError} */ (error);
    return [code, message, response?.status ?? null];
  }
}

tell('query', (await client.get('/json', { params: { a: 1, b: 'two words' } })).data);
tell('post', (await client.post('/echo', { list: [1, 2, 3] })).data);
const uploaded = await client.post('/echo', bytesOf(5_000_000), { responseType: 'arraybuffer' });
tell('5 MB both ways', digest(uploaded.data));
const { data: stream } = await client.get('/large', { responseType: 'stream' });
const chunks = [];
for await (const chunk of stream) chunks.push(chunk);
tell('stream', digest(Buffer.concat(chunks)));
let loaded = 0;
await client.get('/large', { onDownloadProgress: (event) => (loaded = event.loaded) });
tell('progress', loaded);
tell('redirect', (await client.get('/redirect')).data);
tell('404', await failure(client.get('/nowhere')));
tell('too large', await failure(client.get('/large', { maxContentLength: 1000 })));
tell('timeout', await failure(client.get('/silent', { timeout: 100 })));
tell('reset', await failure(client.get('/reset')));
const abort = new AbortController();
const aborted = failure(client.get('/silent', { signal: abort.signal }));
abort.abort();
tell('aborted', await aborted);
const answers = await Promise.all(
  Array.from({ length: 100 }, async (_, n) => (await client.get('/json', { params: { n } })).data.query.n),
);
tell('a hundred over five connections', answers);
httpAgent.destroy();
server.closeAllConnections();
await close(server);
