// A thousand requests a second go on while one of two instances ends by SIGTERM: none is lost.
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import http from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, expect, test } from 'vitest';
import { distUrl } from '../support/dist.js';

const HOST = '127.0.0.1';
const TICK_MS = 10;
const REQUESTS_PER_TICK = 10;
const TICKS = 250;
const SIGNAL_AT_TICK = 100;
const PROBE_MS = 100;

// As long as the balancer may take to notice, on a busy machine as well.
const SERVER = `
  import http from 'node:http';
  import { serve } from ${JSON.stringify(distUrl('index'))};
  const server = http.createServer((request, response) => {
    if (request.url === '/ready') response.writeHead(service.isReady() ? 200 : 503).end();
    else setTimeout(() => response.end('ok'), Math.random() * 20);
  });
  const service = await serve(server, { host: '${HOST}', lameDuck: 3000, drain: 10_000 });
  process.send(service.port);
  process.channel.unref();
  await service.closed;`;

const children: ChildProcess[] = [];

afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});

async function start(): Promise<{ child: ChildProcess; port: number }> {
  const args = ['--input-type=module', '--eval', SERVER];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  children.push(child);
  const [port] = (await once(child, 'message')) as [number];
  return { child, port };
}

interface Answer {
  status: number;
  isLast: boolean;
}

function request(agent: http.Agent, port: number, path: string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    http
      .get({ agent, host: HOST, port, path }, (response) => {
        response.resume().on('error', reject);
        response.on('end', () =>
          resolve({ status: response.statusCode!, isLast: response.headers.connection === 'close' }),
        );
      })
      .on('error', reject);
  });
}

test(
  'no request of clients that keep their connections is lost when one of two instances ends',
  { timeout: 60_000 },
  async () => {
    const [first, second] = [await start(), await start()];
    const agent = new http.Agent({ keepAlive: true, maxSockets: 100 });
    const outcomes: Record<string, number> = {};
    const count = (what: string): void => void (outcomes[what] = (outcomes[what] ?? 0) + 1);
    let { port } = first;
    const ended = once(first.child, 'exit');
    // What a load balancer does: it sends requests elsewhere as soon as it finds an instance that is not ready.
    const probe = async (): Promise<void> => {
      while (port === first.port) {
        if ((await request(agent, first.port, '/ready')).status !== 200) port = second.port;
        await delay(PROBE_MS);
      }
    };
    const probing = probe();
    const pending: Promise<void>[] = [];
    const send = async (): Promise<void> => {
      const isFirst = port === first.port;
      try {
        const { status, isLast } = await request(agent, port, '/');
        count(String(status));
        if (isLast) count('told to close');
        if (!isFirst) count('by the second');
      } catch (error) {
        count((error as NodeJS.ErrnoException).code ?? String(error));
      }
    };
    for (let tick = 0; tick < TICKS; tick++) {
      if (tick === SIGNAL_AT_TICK) first.child.kill('SIGTERM');
      for (let n = 0; n < REQUESTS_PER_TICK; n++) pending.push(send());
      await delay(TICK_MS);
    }
    await Promise.all(pending);
    await probing;
    expect(await ended).toEqual([0, null]);
    agent.destroy();
    const { 'told to close': told, 'by the second': bySecond, ...statuses } = outcomes;
    expect(statuses).toEqual({ 200: TICKS * REQUESTS_PER_TICK });
    expect(told).toBeGreaterThan(0);
    expect(bySecond).toBeGreaterThan(0);
  },
);
