// A process that has no descriptor left.
import { once } from 'node:events';
import type { ChildProcess } from 'node:child_process';
import net from 'node:net';
import { expect, test } from 'vitest';
import { runChild } from '../support/child.js';

const HOST = '127.0.0.1';
// Node itself needs about 20, and loads all modules of the package at once.
const DESCRIPTOR_LIMIT = 256;
const CONNECTIONS = 270;

interface Report {
  messages: string[];
  codes: string[];
  atMs: number[];
  connections: number;
  cpuShare: number;
}

// An echo server which is asked for its figures by message, and ends when it is told to.
const SERVER = `
  const report = { messages: [], codes: [], atMs: [] };
  await run(async () => {
    const loop = EventLoop.running();
    loop.setExceptionHandler((_, { message, exception }) => {
      report.messages.push(message);
      report.codes.push(exception?.code);
      report.atMs.push(performance.now());
    });
    const server = await listen(async (stream) => {
      for await (const chunk of stream) stream.write(chunk);
    }, { host: '${HOST}' });
    const over = loop.createFuture();
    let begin = performance.now();
    let cpu = process.cpuUsage();
    process.on('message', (order) => {
      if (order === 'end') return over.setResult();
      const { user, system } = process.cpuUsage(cpu);
      const cpuShare = (user + system) / 1000 / (performance.now() - begin);
      process.send({ ...report, connections: server.connectionCount, cpuShare });
      begin = performance.now();
      cpu = process.cpuUsage();
    });
    process.send(server.port);
    await over;
    server.closeClients();
    await server.close();
    process.disconnect();
  });
`;

/** A client that knows whether it was answered. */
class Client {
  readonly socket: net.Socket;
  answer = '';

  private constructor(socket: net.Socket) {
    this.socket = socket;
    socket.setEncoding('utf8').on('data', (text: string) => (this.answer += text));
    socket.on('error', () => undefined);
  }

  static async open(port: number): Promise<Client> {
    const socket = net.connect(port, HOST);
    await once(socket, 'connect');
    return new Client(socket);
  }
}

const delay = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

async function until(isSo: () => boolean): Promise<void> {
  for (let tries = 0; !isSo() && tries < 500; tries++) await delay(10);
}

async function ask(child: ChildProcess): Promise<Report> {
  const answer = once(child, 'message');
  child.send('report');
  return ((await answer) as [Report])[0];
}

test('C-87 without descriptors a server pauses, keeps what it has, and accepts the rest later', async () => {
  let child!: ChildProcess;
  const result = runChild(SERVER, {
    descriptorLimit: DESCRIPTOR_LIMIT,
    onStart: (started) => (child = started),
  });
  const clients: Client[] = [];
  try {
    const [port] = (await once(child, 'message')) as [number];
    // All of them connect: the kernel holds those that are not accepted.
    for (let i = 0; i < CONNECTIONS; i++) clients.push(await Client.open(port));
    for (const [i, { socket }] of clients.entries()) socket.write(`first ${String(i)}`);
    await delay(200);
    await ask(child);

    await delay(1500);
    const during = await ask(child);
    expect(new Set(during.messages)).toEqual(new Set(['Accepting connections pauses']));
    expect(new Set(during.codes)).toEqual(new Set(['EMFILE']));
    expect(during.connections).toBeGreaterThan(5);
    expect(during.connections).toBeLessThan(DESCRIPTOR_LIMIT);
    expect(during.cpuShare).toBeLessThan(0.3);

    // The open ones are served, and nobody else.
    const served = clients.filter(({ answer }) => answer !== '');
    expect(served).toHaveLength(during.connections);
    for (const { socket } of served) socket.write(', second');
    await until(() => served.every(({ answer }) => answer.endsWith(', second')));
    for (const client of served) {
      expect(client.answer).toBe(`first ${String(clients.indexOf(client))}, second`);
    }

    // They make room, with nothing that tells the server but the end of its pause.
    const waiting = clients.filter((client) => !served.includes(client));
    expect(waiting.length).toBeGreaterThan(0);
    for (const { socket } of served.slice(0, waiting.length)) socket.destroy();
    await until(() => waiting.every(({ answer }) => answer !== ''));
    for (const client of waiting) expect(client.answer).toBe(`first ${String(clients.indexOf(client))}`);

    // About one report a second, never more.
    const { atMs } = await ask(child);
    for (let i = 1; i < atMs.length; i++) expect(atMs[i]! - atMs[i - 1]!).toBeGreaterThan(900);
  } finally {
    for (const { socket } of clients) socket.destroy();
    if (child.connected) child.send('end');
  }
  expect(await result).toEqual({ code: 0, signal: null, stdout: '', stderr: '' });
});
