// Sockets and servers that go to another process, with plain Node and on evloop.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { distUrl } from '../support/dist.js';

const directory = mkdtempSync(path.join(tmpdir(), 'evloop-hand-over-'));
afterAll(() => rmSync(directory, { recursive: true }));

function runNode(args: readonly string[]): Promise<string> {
  const child = spawn(process.execPath, args);
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => (output += text));
  }
  return new Promise((resolve) => child.on('close', (code) => resolve(`${output}exit ${String(code)}`)));
}

async function runBoth(name: string, body: string): Promise<string> {
  const file = path.join(directory, name);
  writeFileSync(file, body);
  const plain = await runNode([file]);
  expect(await runNode(['--import', distUrl('register'), file])).toBe(plain);
  return plain;
}

test('a connection that is sent to a child is served there', async () => {
  const output = await runBoth(
    'socket.cjs',
    `const net = require('node:net');
    const { fork } = require('node:child_process');
    if (process.argv[2] === 'child') {
      process.once('message', (_, socket) => {
        socket.end('from the child');
        setImmediate(() => process.disconnect());
      });
    } else {
      const child = fork(__filename, ['child']);
      const server = net.createServer({ pauseOnConnect: true }, (socket) => child.send('socket', socket));
      server.listen(0, '127.0.0.1', () => {
        const client = net.connect(server.address().port, '127.0.0.1').setEncoding('utf8');
        client.on('data', (text) => console.log(text)).on('close', () => server.close());
      });
    }`,
  );
  expect(output).toBe('from the child\nexit 0');
});

test('a server that is sent to a child accepts there as well', async () => {
  const output = await runBoth(
    'server.cjs',
    `const net = require('node:net');
    const { fork } = require('node:child_process');
    if (process.argv[2] === 'child') {
      process.once('message', (_, server) => {
        server.on('connection', (socket) => {
          socket.end('from the child');
          server.close();
          process.disconnect();
        });
        process.send('ready');
      });
    } else {
      const child = fork(__filename, ['child']);
      const server = net.createServer((socket) => socket.end('from the parent'));
      server.listen(0, '127.0.0.1', () => {
        const { port } = server.address();
        child.send('server', server);
        child.once('message', () => {
          server.close();
          const client = net.connect(port, '127.0.0.1').setEncoding('utf8');
          client.on('data', (text) => console.log(text));
        });
      });
    }`,
  );
  expect(output).toBe('from the child\nexit 0');
});

test('a connection is a standard stream of a child', async () => {
  const output = await runBoth(
    'stdio.cjs',
    `const net = require('node:net');
    const { spawn } = require('node:child_process');
    const server = net.createServer({ pauseOnConnect: true }, (socket) => {
      const child = spawn(process.execPath, ['-p', '1 + 1'], { stdio: ['ignore', socket, 'inherit'] });
      child.on('exit', () => socket.destroy());
    });
    server.listen(0, '127.0.0.1', () => {
      const client = net.connect(server.address().port, '127.0.0.1').setEncoding('utf8');
      client.on('data', (text) => console.log(text.trim())).on('close', () => server.close());
    });`,
  );
  expect(output).toBe('2\nexit 0');
});
