// Servers on node:http and node:net that tell of every event, a line of JSON each: [server, port of the client, event].
import http from 'node:http';
import net from 'node:net';
import process from 'node:process';

const HOST = '127.0.0.1';
const IDLE_MS = 1000;

/** @typedef {(event: string) => void} Tell */

/** The client's port stays known when the socket has forgotten it. @type {WeakMap<object, Tell>} */
const tellers = new WeakMap();

/**
 * @param {string} server
 * @param {net.Socket} socket
 * @returns {Tell}
 */
function tellerOf(server, socket) {
  const known = tellers.get(socket);
  if (known !== undefined) return known;
  const port = socket.remotePort;
  const tell = (/** @type {string} */ event) => void console.log(JSON.stringify([server, port, event]));
  tellers.set(socket, tell);
  return tell;
}

/** @param {unknown} error */
const codeOf = (error) => /** @type {NodeJS.ErrnoException} */ (error).code;

/**
 * @param {http.IncomingMessage} request
 * @param {http.ServerResponse} response
 * @param {Tell} tell
 */
function watch(request, response, tell) {
  const { method, url = '', httpVersion, rawHeaders } = request;
  const path = url.slice(0, 20);
  tell(`request ${method} ${path} HTTP/${httpVersion} ${rawHeaders.length}`);
  request.on('end', () => tell(`${path}: end, ${request.complete}, ${request.rawTrailers.length} trailers`));
  request.on('aborted', () => tell(`${path}: aborted`));
  request.on('error', (error) => tell(`${path}: error ${codeOf(error)}`));
  request.on('close', () => tell(`${path}: close`));
  response.on('finish', () => tell(`${path}: response finish`));
  response.on('error', (error) => tell(`${path}: response error ${codeOf(error)}`));
  response.on('close', () => tell(`${path}: response close, ${response.writableFinished}`));
}

/** @type {http.RequestListener} */
function answer(request, response) {
  const { pathname, searchParams } = new URL(request.url ?? '/', 'http://a');
  const size = Number(searchParams.get('n') ?? 5);
  switch (pathname) {
    case '/echo': {
      let bytes = 0;
      request.on('data', (chunk) => (bytes += chunk.length));
      request.on('end', () => response.end(`got ${bytes}`));
      break;
    }
    case '/pipe':
      request.pipe(response);
      break;
    case '/late':
      setTimeout(() => response.end('late'), 30);
      break;
    case '/large':
      response.end(Buffer.alloc(size, 'x'));
      break;
    case '/stream': {
      let left = size;
      const step = () => {
        response.write(`part ${left}`);
        if (--left > 0) setImmediate(step);
        else response.end();
      };
      step();
      break;
    }
    case '/ignore':
      response.end('ignored');
      break;
    case '/destroy':
      response.writeHead(200, { 'content-length': 100 });
      response.write('only this', () => request.destroy());
      break;
    case '/silent':
      request.resume();
      break;
    default:
      response.end('hello');
  }
}

const httpServer = http.createServer({
  connectionsCheckingInterval: 50,
  headersTimeout: IDLE_MS,
  requestTimeout: 2 * IDLE_MS,
  keepAliveTimeout: IDLE_MS / 2,
});
httpServer.on('connection', (socket) => {
  const tell = tellerOf('http', socket);
  tell('connection');
  socket.on('end', () => tell('end'));
  socket.on('timeout', () => tell('timeout'));
  socket.on('error', (error) => tell(`error ${codeOf(error)}`));
  socket.on('close', (hadError) => tell(`close, ${hadError}`));
});
httpServer.on('request', (request, response) => {
  watch(request, response, tellerOf('http', request.socket));
  answer(request, response);
});
httpServer.on('checkContinue', (request, response) => {
  const tell = tellerOf('http', request.socket);
  tell('checkContinue');
  watch(request, response, tell);
  if (request.url !== '/refuse') response.writeContinue();
  answer(request, response);
});
httpServer.on('checkExpectation', (request, response) => {
  watch(request, response, tellerOf('http', request.socket));
  response.writeHead(417).end();
});
httpServer.on('upgrade', (request, socket, head) => {
  const tell = tellerOf('http', request.socket);
  tell(`upgrade, ${head.length} with it`);
  request.socket.setTimeout(IDLE_MS, () => socket.destroy());
  socket.on('close', () => tell('upgraded close'));
  socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n');
  socket.write(head);
  socket.pipe(socket);
});
httpServer.on('connect', (request, socket) => {
  tellerOf('http', request.socket)(`connect ${request.url}`);
  socket.end('HTTP/1.1 200 Connected\r\n\r\nbye');
});
httpServer.on('clientError', (error, socket) => {
  const { code } = /** @type {NodeJS.ErrnoException} */ (error);
  tellerOf('http', /** @type {net.Socket} */ (socket))(`clientError ${code}, ${socket.writable}`);
  if (code === 'ECONNRESET' || !socket.writable) socket.destroy();
  else socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n');
});

/**
 * @param {string} name
 * @param {boolean} allowHalfOpen
 */
function netServer(name, allowHalfOpen) {
  return net.createServer({ allowHalfOpen }, (socket) => {
    const tell = tellerOf(name, socket);
    let bytes = 0;
    tell('connection');
    socket.setTimeout(IDLE_MS, () => {
      tell('timeout');
      socket.destroy();
    });
    socket.on('data', (chunk) => {
      if (bytes === 0) tell('first data');
      bytes += chunk.length;
      // What a client says decides what becomes of it.
      if (chunk.includes('!')) socket.end('ended');
      else if (chunk.includes('?')) socket.destroy();
      else if (chunk.includes('#')) socket.resetAndDestroy();
      else if (socket.writable) socket.write(chunk);
    });
    socket.on('end', () => {
      tell(`end after ${bytes}`);
      if (allowHalfOpen) socket.end('bye');
    });
    socket.on('finish', () => tell('finish'));
    socket.on('error', (error) => tell(`error ${codeOf(error)}`));
    socket.on('close', (hadError) => tell(`close, ${hadError}`));
  });
}

/** @type {Record<string, net.Server>} */
const servers = { http: httpServer, net: netServer('net', false), open: netServer('open', true) };
/** @type {Record<string, number>} */
const ports = {};
for (const [name, server] of Object.entries(servers)) {
  await new Promise((resolve) => server.listen(0, HOST, () => resolve(null)));
  ports[name] = /** @type {net.AddressInfo} */ (server.address()).port;
}
console.log(JSON.stringify({ ports }));
process.on('uncaughtException', (error) => console.log(JSON.stringify({ uncaught: error.stack })));
