// Peers that misbehave, in a process of their own, against a server in another one.
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import net from 'node:net';
import { describe, expect, test } from 'vitest';
import { runChild } from '../support/child.js';

const HOST = '127.0.0.1';
const MEBIBYTE = 2 ** 20;

/** What the server tells of itself; times in milliseconds, memory in bytes. */
interface Report {
  /** Connections that are open. */
  open: number;
  /** How handlers ended: an error's code, or `end`. */
  outcomes: Record<string, number>;
  /** What nobody caught. */
  unhandled: string[];
  /** How often a timer of 10 ms came, and the most processor time the process used between two of them. */
  ticks: number;
  busiestMs: number;
  residentBytes: number;
}

// Echoes what comes; a connection that begins with "G" gets bytes without end instead.
const SERVER = `
  const fresh = () => ({ outcomes: {}, unhandled: [], ticks: 0, busiestMs: 0 });
  let report = fresh();
  const piece = Buffer.alloc(65536);
  async function give(stream) {
    for (;;) {
      stream.write(piece);
      await stream.drain();
    }
  }
  async function serve(stream) {
    let outcome = 'end';
    try {
      for await (const chunk of stream) {
        if (chunk[0] === 0x47) await give(stream);
        stream.write(chunk);
        await stream.drain();
      }
    } catch (error) {
      outcome = error.code ?? error.message;
    }
    report.outcomes[outcome] = (report.outcomes[outcome] ?? 0) + 1;
  }
  const cpuMs = () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1000;
  };
  await run(async () => {
    const loop = EventLoop.running();
    loop.setExceptionHandler((_, { message, exception }) => {
      report.unhandled.push(message + ': ' + String(exception));
    });
    let last = cpuMs();
    const tick = () => {
      const now = cpuMs();
      report.ticks++;
      report.busiestMs = Math.max(report.busiestMs, now - last);
      last = now;
      timer = loop.callLater(10, tick);
    };
    let timer = loop.callLater(10, tick);
    const server = await listen(serve, { host: '${HOST}', backlog: 4096 });
    const over = loop.createFuture();
    process.on('message', (order) => {
      if (order === 'end') return over.setResult();
      process.send({ ...report, open: server.connectionCount, residentBytes: process.memoryUsage.rss() });
      if (order === 'begin') report = fresh();
    });
    process.send(server.port);
    await over;
    timer.cancel();
    server.abortClients();
    await server.close();
    process.disconnect();
  });
`;

// What all peers have: connections by number, and a way to say that everybody is ready.
const PEERS = `
  const net = require('node:net');
  const [port, count] = process.argv.slice(1).map(Number);
  const open = (options = {}) => {
    const socket = net.connect({ port, host: '${HOST}', noDelay: true, ...options });
    socket.on('error', () => undefined);
    return socket;
  };
  const tell = (what) => console.log(what);
  process.stdin.on('end', () => process.exit());
  process.stdin.resume();
`;

const delay = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

class Arena {
  readonly port: number;
  readonly #server: ChildProcess;
  readonly #peers: ChildProcess[] = [];

  constructor(server: ChildProcess, port: number) {
    this.#server = server;
    this.port = port;
  }

  /** Starts `count` peers and waits until their program prints a line. */
  async send(count: number, program: string): Promise<void> {
    const args = ['--eval', PEERS + program, String(this.port), String(count)];
    const peers = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#peers.push(peers);
    await once(peers.stdout, 'data');
  }

  /** Their process ends, and with it what is left of them. */
  async dismiss(): Promise<void> {
    const gone = this.#peers.map((peers) => once(peers, 'exit'));
    for (const peers of this.#peers.splice(0)) peers.stdin!.end();
    await Promise.all(gone);
  }

  async report(order: 'begin' | 'report' = 'report'): Promise<Report> {
    const answer = once(this.#server, 'message');
    this.#server.send(order);
    return ((await answer) as [Report])[0];
  }

  async until(isSo: (report: Report) => boolean): Promise<Report> {
    for (let tries = 0; tries < 500; tries++) {
      const report = await this.report();
      if (isSo(report)) return report;
      await delay(20);
    }
    throw new Error(`it never happened: ${JSON.stringify(await this.report())}`);
  }

  /** Somebody who behaves is answered. */
  async expectService(): Promise<void> {
    const socket = net.connect(this.port, HOST);
    for (const text of ['one', 'two', 'three']) {
      socket.write(text);
      expect(String((await once(socket, 'data'))[0])).toBe(text);
    }
    socket.end();
    await once(socket, 'close');
  }
}

async function withServer(body: (arena: Arena) => Promise<void>): Promise<void> {
  let child!: ChildProcess;
  const result = runChild(SERVER, { timeoutMs: 60_000, onStart: (started) => (child = started) });
  const [port] = (await once(child, 'message')) as [number];
  const arena = new Arena(child, port);
  try {
    await body(arena);
  } finally {
    await arena.dismiss();
    if (child.connected) child.send('end');
  }
  expect(await result).toEqual({ code: 0, signal: null, stdout: '', stderr: '' });
}

test('5,000 connections at once starve neither a timer of 10 ms nor anybody who is connected', () =>
  withServer(async (arena) => {
    const count = 5000;
    await arena.report('begin');
    const flood = arena.send(
      count,
      `let answered = 0;
       for (let i = 0; i < count; i++) {
         const socket = open();
         socket.write('x');
         socket.on('data', () => ++answered === count && tell('all'));
       }`,
    );
    await arena.expectService();
    await flood;
    const report = await arena.report();
    expect(report.open).toBe(count);
    expect(report.ticks).toBeGreaterThan(5);
    // All of it is some hundreds of milliseconds of work.
    expect(report.busiestMs).toBeLessThan(100);
    await arena.dismiss();
    const after = await arena.until(({ open }) => open === 0);
    expect(after.unhandled).toEqual([]);
    const outcomes = Object.values(after.outcomes).reduce((sum, of) => sum + of, 0);
    // And the one that was served.
    expect(outcomes).toBe(count + 1);
  }));

test('peers that have ended their side and read nothing are served to their end, once each', () =>
  withServer(async (arena) => {
    const count = 300;
    await arena.send(
      count,
      `let ended = 0;
       for (let i = 0; i < count; i++) {
         const socket = open({ allowHalfOpen: true });
         socket.on('connect', () => socket.end('x', () => ++ended === count && tell('all')));
       }`,
    );
    await arena.expectService();
    const report = await arena.until(({ open }) => open === 0);
    expect(report.outcomes).toEqual({ end: count + 1 });
    expect(report.unhandled).toEqual([]);
  }));

test('peers that say nothing, or a byte now and then, keep nobody waiting and cost little', () =>
  withServer(async (arena) => {
    const count = 400;
    const before = await arena.report();
    await arena.send(
      count,
      `let connected = 0;
       const sockets = Array.from({ length: count }, () => open().on('connect', () => ++connected === count && tell('all')));
       setInterval(() => sockets.forEach((socket, i) => i % 2 === 0 && socket.write('x')), 5);
       sockets.forEach((socket) => socket.resume());`,
    );
    for (let i = 0; i < 5; i++) {
      await arena.expectService();
      await delay(50);
    }
    const report = await arena.until(({ open }) => open === count);
    expect(report.outcomes).toEqual({ end: 5 });
    expect(report.residentBytes - before.residentBytes).toBeLessThan(40 * MEBIBYTE);
    await arena.dismiss();
    const after = await arena.until(({ open }) => open === 0);
    expect(Object.values(after.outcomes).reduce((sum, of) => sum + of, 0)).toBe(count + 5);
    expect(after.unhandled).toEqual([]);
  }));

test('readers that never read hold no more memory than their buffers, and fail when they go', () =>
  withServer(async (arena) => {
    const count = 100;
    const before = await arena.report();
    await arena.send(
      count,
      `let asked = 0;
       globalThis.sockets = Array.from({ length: count }, () => {
         const socket = open();
         socket.pause();
         return socket.on('connect', () => socket.write('G', () => ++asked === count && tell('all')));
       });
       process.stdin.on('end', () => sockets.forEach((socket) => socket.resetAndDestroy()));`,
    );
    await arena.until(({ open }) => open === count);
    await arena.expectService();
    await delay(300);
    const report = await arena.report();
    expect(report.outcomes).toEqual({ end: 1 });
    // Two pieces of 64 KiB each, and as much again for the process.
    expect(report.residentBytes - before.residentBytes).toBeLessThan(60 * MEBIBYTE);
    await arena.dismiss();
    const after = await arena.until(({ open }) => open === 0);
    expect(after.outcomes).toEqual({ end: 1, ECONNRESET: count });
    expect(after.unhandled).toEqual([]);
  }));

describe('a reset is one error, whatever the connection was doing', () => {
  /** What a peer does before it resets, and what its handler may see. */
  const states: [name: string, program: string, codes: string[]][] = [
    ['as soon as it is connected', `socket.on('connect', reset)`, ['ECONNRESET']],
    [
      'behind bytes that nobody read yet',
      `socket.on('connect', () => socket.write('x', reset))`,
      ['ECONNRESET'],
    ],
    [
      'after an answer',
      `socket.on('connect', () => socket.write('x')); socket.once('data', reset)`,
      ['ECONNRESET'],
    ],
    [
      'in the middle of an answer',
      `socket.on('connect', () => socket.write('G')); socket.once('data', reset)`,
      // Whether the reset came during a send or before one.
      ['ECONNRESET', 'EPIPE'],
    ],
    [
      'without having read its answer',
      `socket.pause(); socket.on('connect', () => socket.write('G', () => setTimeout(reset, 100)))`,
      ['ECONNRESET', 'EPIPE'],
    ],
    [
      'after it ended its side',
      `socket.on('connect', () => socket.end('G', () => setTimeout(reset, 50)))`,
      ['ECONNRESET', 'EPIPE'],
    ],
  ];

  test.each(states)('%s', (_name, program, codes) =>
    withServer(async (arena) => {
      const count = 100;
      await arena.send(
        count,
        `let gone = 0;
         for (let i = 0; i < count; i++) {
           const socket = open({ allowHalfOpen: true });
           const reset = () => socket.resetAndDestroy();
           socket.on('close', () => ++gone === count && tell('all'));
           ${program};
         }`,
      );
      await arena.expectService();
      const { outcomes, unhandled } = await arena.until(
        (report) =>
          report.open === 0 && Object.values(report.outcomes).reduce((sum, of) => sum + of, 0) > count,
      );
      expect(unhandled).toEqual([]);
      expect(outcomes['end']).toBe(1);
      const failures = Object.entries(outcomes).filter(([code]) => code !== 'end');
      expect(failures.reduce((sum, [, of]) => sum + of, 0)).toBe(count);
      expect(codes).toEqual(expect.arrayContaining(failures.map(([code]) => code)));
    }),
  );
});
