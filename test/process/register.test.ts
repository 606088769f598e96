// The preloads and the command line, in processes of their own.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';
import { distUrl } from '../support/dist.js';

const directory = mkdtempSync(path.join(tmpdir(), 'evloop-register-'));
afterAll(() => rmSync(directory, { recursive: true }));

const IMPORT = ['--import', distUrl('register')];
const REQUIRE = ['--require', fileURLToPath(distUrl('register')).replace(/js$/, 'cjs')];
const CLI = fileURLToPath(distUrl('cli'));

interface Outcome {
  code: number | null;
  stdout: string;
  stderr: string;
}

function runNode(args: readonly string[], env: Record<string, string> = {}): Promise<Outcome> {
  const child = spawn(process.execPath, args, { env: { ...process.env, ...env } });
  const outcome: Outcome = { code: null, stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => (outcome.stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (outcome.stderr += text));
  return new Promise((resolve) => child.on('close', (code) => resolve({ ...outcome, code })));
}

function program(name: string, body: string): string {
  const file = path.join(directory, name);
  writeFileSync(file, body);
  return file;
}

// Prints what kind of handle both ends of a connection have, and what came back.
const ECHO = program(
  'echo.cjs',
  `const net = require('node:net');
  const server = net.createServer((socket) => {
    console.log('server', socket._handle.constructor.name);
    socket.pipe(socket);
  });
  server.listen(0, '127.0.0.1', () => {
    const client = net.connect(server.address().port, '127.0.0.1', () => {
      console.log('client', client._handle.constructor.name);
      client.end('hello');
    });
    client.on('data', (bytes) => console.log(String(bytes)));
    client.on('close', () => server.close());
  });`,
);
const ON_LOOP = ['client TcpHandle', 'hello', 'server TcpHandle'];
const ON_NODE = ['client TCP', 'hello', 'server TCP'];

function lines({ stdout }: Outcome): string[] {
  return stdout.trim().split('\n').sort();
}

describe('the preloads', () => {
  test.each([
    ['--import', IMPORT],
    ['--require', REQUIRE],
  ])('%s puts sockets on the loop', async (_name, preload) => {
    const outcome = await runNode([...preload, ECHO]);
    expect(outcome).toMatchObject({ code: 0, stderr: '' });
    expect(lines(outcome)).toEqual(ON_LOOP);
  });

  test('NODE_OPTIONS does, also in the programs that are started', async () => {
    const parent = program(
      'parent.cjs',
      `require('node:child_process').fork(${JSON.stringify(ECHO)}).on('exit', (code) => (process.exitCode = code));`,
    );
    const outcome = await runNode([parent], { NODE_OPTIONS: IMPORT.join(' ') });
    expect(outcome).toMatchObject({ code: 0, stderr: '' });
    expect(lines(outcome)).toEqual(ON_LOOP);
  });

  test('so it is in worker threads', async () => {
    const parent = program(
      'worker.cjs',
      `new (require('node:worker_threads').Worker)(${JSON.stringify(ECHO)});`,
    );
    const outcome = await runNode([...IMPORT, parent]);
    expect(outcome).toMatchObject({ code: 0, stderr: '' });
    expect(lines(outcome)).toEqual(ON_LOOP);
  });

  test('EVLOOP_REGISTER=none leaves everything to Node', async () => {
    expect(lines(await runNode([...IMPORT, ECHO], { EVLOOP_REGISTER: 'none' }))).toEqual(ON_NODE);
  });

  test('a face that there is not is told of', async () => {
    const outcome = await runNode([...IMPORT, ECHO], { EVLOOP_REGISTER: 'net,nett' });
    expect(outcome.stderr).toContain('EVLOOP_REGISTER has "nett"; expected net, none');
    expect(lines(outcome)).toEqual(ON_LOOP);
  });

  test('where Node does not let anybody look at its sockets, it warns, and they stay as they are', async () => {
    const refuse = program('refuse.cjs', `process.binding = () => { throw new Error('refused'); };`);
    const outcome = await runNode(['--require', refuse, ...IMPORT, ECHO]);
    expect(outcome.stderr).toContain('Sockets stay with Node: refused');
    expect(outcome.code).toBe(0);
    expect(lines(outcome)).toEqual(ON_NODE);
  });

  test('EVLOOP_REPORT=1 writes a line at the end', async () => {
    const { stderr } = await runNode([...IMPORT, ECHO], { EVLOOP_REPORT: '1' });
    expect(stderr).toMatch(
      /^evloop: 2 sockets \(1 accepted, 1 connected\), \d+ turns, utilisation [\d.]+ %, longest stall [\d.]+ ms\n$/,
    );
  });

  test('what was written right before process.exit() arrives', async () => {
    const server = program(
      'exit.cjs',
      `const net = require('node:net');
      const server = net.createServer((socket) => { socket.write('last words'); process.exit(); });
      server.listen(0, '127.0.0.1', () => process.send(server.address().port));`,
    );
    const client = program(
      'exit-client.cjs',
      `const child = require('node:child_process').fork(${JSON.stringify(server)}, { execArgv: ${JSON.stringify(IMPORT)} });
      child.on('message', (port) => require('node:net').connect(port, '127.0.0.1').pipe(process.stdout));`,
    );
    expect((await runNode([client])).stdout).toBe('last words');
  });

  test('an error in a listener is an uncaught exception', async () => {
    const thrower = program(
      'thrower.cjs',
      `const net = require('node:net');
      process.on('uncaughtException', (error) => { console.log(error.message); server.close(); });
      const server = net.createServer((socket) => { socket.destroy(); throw new Error('mine'); });
      server.listen(0, '127.0.0.1', () => net.connect(server.address().port, '127.0.0.1').resume().on('error', () => {}));`,
    );
    expect(await runNode([...IMPORT, thrower])).toMatchObject({ code: 0, stdout: 'mine\n' });
  });

  test('TLS keeps handles of Node', async () => {
    const tls = program(
      'tls.cjs',
      `const server = require('node:tls').createServer();
      server.listen(0, '127.0.0.1', () => { console.log(server._handle.constructor.name); server.close(); });`,
    );
    expect((await runNode([...IMPORT, tls])).stdout).toBe('TCP\n');
  });
});

describe('evloop run', () => {
  test('runs a program on the loop', async () => {
    const outcome = await runNode([CLI, 'run', ECHO]);
    expect(outcome).toMatchObject({ code: 0, stderr: '' });
    expect(lines(outcome)).toEqual(ON_LOOP);
  });

  test('--report writes a line at the end', async () => {
    expect((await runNode([CLI, 'run', '--report', ECHO])).stderr).toMatch(/^evloop: 2 sockets /);
  });

  test('hands on arguments and the exit code', async () => {
    const file = program('args.cjs', 'console.log(process.argv.slice(2).join()); process.exit(3);');
    const outcome = await runNode([CLI, 'run', file, '--report', '-x', '1']);
    expect(outcome).toMatchObject({ code: 3, stdout: '--report,-x,1\n', stderr: '' });
  });

  test('without a program it says how it is used', async () => {
    const outcome = await runNode([CLI, 'run']);
    expect(outcome.code).toBe(1);
    expect(outcome.stderr).toContain("missing required argument 'script'");
  });
});
