import { once } from 'node:events';
import http from 'node:http';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { serve, type Servable, type ServeOptions, type Service } from '../../../src/index.js';

const services: Service[] = [];

async function start(app: Servable, options: ServeOptions = {}): Promise<Service> {
  const service = await serve(app, { host: '127.0.0.1', signals: [], ...options });
  services.push(service);
  return service;
}

afterEach(async () => {
  for (const service of services.splice(0)) {
    service.abort();
    await service.closed;
  }
});

const hello: http.RequestListener = (_request, response) => void response.end('hello');

async function get(service: Service): Promise<string> {
  const response = await fetch(`http://127.0.0.1:${service.port}/`);
  return `${response.status} ${await response.text()}`;
}

describe('what is served', () => {
  test('a request listener, on a socket of the loop', async () => {
    const service = await start(hello);
    expect(await get(service)).toBe('200 hello');
    const { _handle: handle } = service.server as unknown as { _handle: object };
    expect(handle.constructor.name).toBe('TcpServerHandle');
  });

  test('an http.Server', async () => {
    const server = http.createServer(hello);
    const service = await start(server);
    expect(service.server).toBe(server);
    expect(await get(service)).toBe('200 hello');
  });

  test('what has a callback(), as an application of Koa has', async () => {
    expect(await get(await start({ callback: () => hello }))).toBe('200 hello');
  });

  test('what has a server, ready() and close(), as an instance of Fastify has: it is told of the end', async () => {
    const told: string[] = [];
    const app = {
      server: http.createServer(hello),
      ready: async () => void told.push('ready'),
      close: async () => void told.push('close'),
    };
    const service = await start(app);
    expect(await get(service)).toBe('200 hello');
    await service.shutdown({ lameDuck: 0 });
    expect(told).toEqual(['ready', 'close']);
  });

  test('a Unix socket', async () => {
    const file = path.join(tmpdir(), `evloop-serve-${process.pid}`);
    const service = await serve(hello, { path: file, signals: [] });
    services.push(service);
    const request = http.get({ socketPath: file });
    const [response] = (await once(request, 'response')) as [http.IncomingMessage];
    expect(response.statusCode).toBe(200);
    response.resume();
    expect(service.port).toBe(0);
  });

  test('what listens already is refused', async () => {
    const server = http.createServer(hello).listen(0, '127.0.0.1');
    await once(server, 'listening');
    await expect(serve(server)).rejects.toMatchObject({ code: 'ERR_INVALID_STATE' });
    server.close();
  });

  test('an address that is taken rejects', async () => {
    const { port } = await start(hello);
    await expect(serve(hello, { host: '127.0.0.1', port })).rejects.toMatchObject({ code: 'EADDRINUSE' });
  });
});

describe('the end', () => {
  test('a lame duck is not ready, still accepts, and its responses close their connections', async () => {
    const service = await start(hello);
    expect(service.isReady()).toBe(true);
    const closed = service.shutdown({ lameDuck: 60_000 });
    expect(service.isReady()).toBe(false);
    expect(service.state).toBe('lameDuck');
    const response = await fetch(`http://127.0.0.1:${service.port}/`);
    expect(response.headers.get('connection')).toBe('close');
    service.abort();
    await closed;
    expect(service.state).toBe('closed');
  });

  test('a request that is under way is answered, and its connection closed', async () => {
    let answer = (): void => undefined;
    const asked = new Promise<void>((resolve) => {
      answer = resolve;
    });
    const release: (() => void)[] = [];
    const service = await start((_request, response) => {
      release.push(() => void response.end('late'));
      answer();
    });
    const response = get(service);
    await asked;
    const closed = service.shutdown({ lameDuck: 0, drain: 60_000 });
    await vi.waitFor(() => expect(service.state).toBe('draining'));
    release[0]!();
    expect(await response).toBe('200 late');
    await closed;
  });

  test('what is not through in time is cut off', async () => {
    const service = await start(() => undefined);
    const request = http.get({ host: '127.0.0.1', port: service.port });
    const failed = once(request, 'error');
    await once(service.server, 'request');
    await service.shutdown({ lameDuck: 0, drain: 0 });
    expect((await failed)[0]).toMatchObject({ code: 'ECONNRESET' });
  });

  test('connections that are no HTTP any more are cut off as well', async () => {
    const server = http.createServer(hello);
    server.on('upgrade', (_request, socket) => void socket.write('HTTP/1.1 101 Switching Protocols\r\n\r\n'));
    const service = await start(server);
    const socket = net.connect(service.port, '127.0.0.1');
    socket.write('GET / HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n');
    await once(socket, 'data');
    await service.shutdown({ lameDuck: 0, drain: 0 });
    if (!socket.closed) await once(socket, 'close');
  });

  test('the end of a scope shuts it down', async () => {
    const service = await start(hello);
    await service[Symbol.asyncDispose]();
    expect(service.state).toBe('closed');
    await service.shutdown();
  });

  test('a signal shuts it down', async () => {
    const service = await start(hello, { signals: ['SIGUSR2'], lameDuck: 0 });
    process.kill(process.pid, 'SIGUSR2');
    await service.closed;
    expect(process.listenerCount('SIGUSR2')).toBe(0);
  });
});

// Everything else that is refused stands in test/unit/bad-input.test.ts.
test.each([[{ path: '/x', port: 1 }, 'ERR_INVALID_ARG_TYPE']])(
  'serve(app, %o) is refused',
  async (options, code) => {
    expect(() => serve(hello, options as never)).toThrow(expect.objectContaining({ code }));
  },
);
