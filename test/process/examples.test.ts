// Every program in examples/ and `npm start`, run as a user runs them.
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import net from 'node:net';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, test } from 'vitest';

const examples = fileURLToPath(new URL('../../examples/', import.meta.url));
const scripts = fileURLToPath(new URL('../../scripts/', import.meta.url));
const HOST = '127.0.0.1';

const children = new Set<ChildProcess>();

afterEach(() => {
  for (const child of children) child.kill('SIGKILL');
  children.clear();
});

class Program {
  output = '';
  readonly child: ChildProcess;
  readonly #closed: Promise<unknown[]>;

  constructor(file: string, ...args: string[]) {
    this.child = spawn(process.execPath, [file, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
    children.add(this.child);
    for (const stream of [this.child.stdout!, this.child.stderr!]) {
      stream.setEncoding('utf8').on('data', (text: string) => (this.output += text));
    }
    this.#closed = once(this.child, 'close');
  }

  async exitCode(): Promise<unknown> {
    return (await this.#closed)[0];
  }

  /** The first group of `pattern`, once the program has printed it. */
  async printed(pattern: RegExp): Promise<string> {
    for (;;) {
      const match = pattern.exec(this.output);
      if (match !== null) return match[1] ?? '';
      await Promise.race([once(this.child.stdout!, 'data'), this.#closed]);
      if (this.child.exitCode !== null && !pattern.test(this.output)) throw new Error(this.output);
    }
  }
}

const example = (name: string, ...args: string[]): Program => new Program(`${examples}${name}.mjs`, ...args);

async function outputOf(program: Program): Promise<string> {
  expect(await program.exitCode(), program.output).toBe(0);
  return program.output;
}

test('every example has a test here', () => {
  const tested = [
    'echo-client.mjs',
    'echo-server.mjs',
    'express-app.mjs',
    'tasks.mjs',
    'timers.mjs',
    'worker-remote.mjs',
  ];
  const programs = readdirSync(examples).filter((name) => name.endsWith('.mjs'));
  expect(programs.sort()).toEqual(tested);
});

describe('echo-server', () => {
  test.each(['generator', 'async', 'protocol'])('form %s echoes and ends on SIGTERM', async (form) => {
    const server = example('echo-server', HOST, '0', '--form', form);
    const port = Number(await server.printed(/listening on 127\.0\.0\.1:(\d+)/));
    const sent = Buffer.alloc(1_000_000, 'evloop ');
    const socket = net.connect(port, HOST);
    const received: Buffer[] = [];
    socket.on('data', (chunk) => received.push(chunk));
    socket.end(sent);
    await once(socket, 'end');
    expect(Buffer.concat(received).equals(sent)).toBe(true);

    const open = net.connect(port, HOST);
    await once(open, 'connect');
    const closed = once(open.resume(), 'close');
    server.child.kill('SIGTERM');
    expect(await server.exitCode(), server.output).toBe(0);
    await closed;
  });

  test('ends on SIGINT', async () => {
    const server = example('echo-server', HOST, '0');
    await server.printed(/listening on (.*)/);
    server.child.kill('SIGINT');
    expect(await outputOf(server)).toMatch(/^listening on 127\.0\.0\.1:\d+\n$/);
  });

  test.each([[[]], [[HOST]], [[HOST, '0', '--form', 'other']]])(
    'arguments %j give the usage',
    async (args) => {
      const server = example('echo-server', ...args);
      expect(await server.exitCode()).toBe(2);
      expect(server.output).toMatch(/^usage: /);
    },
  );
});

test('echo-client prints what the server sends back', async () => {
  const server = example('echo-server', HOST, '0');
  const port = await server.printed(/listening on 127\.0\.0\.1:(\d+)/);
  expect(await outputOf(example('echo-client', HOST, port, 'hello', 'there'))).toBe('hello\nthere\n');
});

test('timers', async () => {
  const lines = (await outputOf(example('timers'))).trimEnd().split('\n');
  expect(lines.map((line) => line.replace(/ after \d+ ms$/, ''))).toEqual([
    'in the next turn',
    'a timer',
    'another one with the same deadline',
    'at a time of the clock',
    'idle for 30 ms',
  ]);
});

test('tasks', async () => {
  expect((await outputOf(example('tasks'))).trimEnd().split('\n')).toEqual([
    'soup is ready',
    'rice is ready',
    'some plates are clean',
    'nobody washes any more',
  ]);
});

test('worker-remote', async () => {
  const lines = (await outputOf(example('worker-remote'))).trimEnd().split('\n');
  expect(lines).toHaveLength(6);
  expect(lines.at(-1)).toBe('the worker found 5133 primes');
});

describe('npm start', () => {
  const start = (...args: string[]): Program => new Program(`${scripts}start.mjs`, ...args);
  const served = /An Express application on evloop: http:\/\/127\.0\.0\.1:(\d+)\//;

  test('takes a free port when its own is taken, serves, and stops on SIGINT', async () => {
    const other = net.createServer().listen(0, HOST);
    await once(other, 'listening');
    const { port } = other.address() as net.AddressInfo;
    const server = start('--port', String(port));
    const actual = Number(await server.printed(served));
    expect(server.output).toContain(`Port ${String(port)} is taken.`);
    const response = await fetch(`http://${HOST}:${actual}/api/items/7`);
    expect(await response.json()).toEqual({ id: 7, name: 'item 7' });
    await server.printed(/^1 connections, \d+ requests\/s, \d+ turns\/s, loop utilisation \d+ %$/m);
    server.child.kill('SIGINT');
    expect(await outputOf(server)).toContain('Stopped.');
    other.close();
  });

  test('--self-test drives every route', async () => {
    const output = await outputOf(start('--port', '0', '--self-test', '0.2'));
    for (const route of [
      'GET /',
      'GET /api/items/:id',
      'POST /api/items',
      'GET /stream',
      'GET /slow',
      'WebSocket /echo',
    ]) {
      expect(output).toMatch(new RegExp(`Self-test ok.* ${route} [1-9]`));
    }
  });

  test('a wrong argument gives the usage', async () => {
    const server = start('--port', 'x');
    expect(await server.exitCode()).toBe(2);
    expect(server.output).toMatch(/^--port: expected .*, got 'x'\nusage: npm start/);
  });
});

test('the Express application on its own', async () => {
  const program = example('express-app', '0');
  const port = await program.printed(/http:\/\/127\.0\.0\.1:(\d+)\//);
  expect((await fetch(`http://${HOST}:${port}/`)).headers.get('content-type')).toContain('text/html');
  program.child.kill('SIGTERM');
  await outputOf(program);
});

describe('npm run start:echo', () => {
  const start = (...args: string[]): Program => new Program(`${scripts}start-echo.mjs`, ...args);

  test('takes a free port when its own is taken, and stops on SIGINT', async () => {
    const other = net.createServer().listen(0, HOST);
    await once(other, 'listening');
    const { port } = other.address() as net.AddressInfo;
    const server = start('--port', String(port));
    const actual = Number(await server.printed(/evloop echoes on 127\.0\.0\.1:(\d+)/));
    expect(server.output).toContain(`Port ${String(port)} is taken.`);
    expect(actual).not.toBe(port);

    const socket = net.connect(actual, HOST);
    socket.write('hello');
    expect(String((await once(socket, 'data'))[0])).toBe('hello');
    const ended = once(socket, 'end');
    server.child.kill('SIGINT');
    await ended;
    expect(await outputOf(server)).toContain('Stopped after 1 connections, 1 round trips and 5 bytes.');
    other.close();
  });

  test('a client that does not read is cut off', async () => {
    const server = start('--port', '0');
    const port = Number(await server.printed(/evloop echoes on 127\.0\.0\.1:(\d+)/));
    const socket = net.connect(port, HOST).pause();
    socket.on('error', () => undefined);
    // More than the kernel holds between the two.
    socket.write(Buffer.alloc(64 << 20));
    await new Promise((resolve) => setTimeout(resolve, 200));
    server.child.kill('SIGTERM');
    const begin = performance.now();
    await outputOf(server);
    expect(performance.now() - begin).toBeGreaterThan(900);
    socket.destroy();
  });

  test('the self-test drives the server and succeeds', async () => {
    const output = await outputOf(start('--port', '0', '--self-test', '1'));
    expect(output).toMatch(/Self-test ok: 8 connections, [\d,]+ exchanges .* every byte came back right\./);
  });

  test('a self-test that exchanges nothing fails', async () => {
    const server = start('--port', '0', '--self-test', '0.000001');
    expect(await server.exitCode(), server.output).toBe(1);
    expect(server.output).toContain('Self-test FAILED: the time was over before anything was exchanged.');
  });

  test.each([
    ['--self-test', 'abc'],
    ['--self-test', '0'],
    ['--self-test', '-1'],
    ['--self-test', ''],
    ['--self-test', 'Infinity'],
    ['--port', '80.5'],
    ['--port', '65536'],
  ])('%s %j is refused', async (name, value) => {
    const server = start(`${name}=${value}`);
    expect(await server.exitCode()).toBe(2);
    expect(server.output).toMatch(
      new RegExp(`^${name}: expected .*, got '${value}'\nusage: npm run start:echo`),
    );
  });

  test('an unknown argument gives the usage', async () => {
    const server = start('--other');
    expect(await server.exitCode()).toBe(2);
    expect(server.output).toMatch(/^Unknown option '--other'.*\nusage: npm run start:echo/s);
  });

  test('the status is told every second, also when there is no terminal', async () => {
    const server = start('--port', '0');
    const status = /^0 connections, 0 round trips\/s, [\d,]+ turns\/s, loop utilisation \d+ %$/m;
    await server.printed(/evloop echoes/);
    const begin = performance.now();
    await server.printed(status);
    expect(performance.now() - begin).toBeLessThan(5000);
    server.child.kill('SIGTERM');
    await outputOf(server);
  });

  test('the self-test notices a wrong byte', async () => {
    let bytes = 0;
    const liar = net.createServer((socket) => {
      socket.on('error', () => undefined);
      socket.on('data', (chunk) => {
        bytes += chunk.length;
        if (bytes > 1_000_000) chunk[0]! ^= 1;
        socket.write(chunk);
      });
    });
    liar.listen(0, HOST);
    await once(liar, 'listening');
    const { port } = liar.address() as net.AddressInfo;
    const driver = new Program(`${scripts}lib/echo-driver.mjs`, String(port), '5');
    expect(await driver.exitCode()).toBe(1);
    expect(driver.output).toContain('wrong bytes came back');
    liar.close();
  });
});
