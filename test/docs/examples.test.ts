// Runs what the documentation shows: the code blocks of README.md, and every `@example` of the sources.
//
// A block that makes its own loop runs as it is. Any other runs inside a loop, with the names around it that
// such a line would have: `loop`, a connected `stream`, the `url` of a server.
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { BLOCK, figures, type Report } from '../../bench/lib/figures.mjs';
import { systemError } from '../../src/base/errors.js';
import * as evloop from '../../src/index.js';
import { execute, fencedBlocks, type Block } from '../support/blocks.js';

const root = fileURLToPath(new URL('../..', import.meta.url));

// Blocks that throw, and what.
const THROWING: readonly { part: string; message: string }[] = [
  { part: 'throw new FatalError', message: 'The configuration is gone' },
  { part: 'throw systemError', message: 'connect ECONNREFUSED 127.0.0.1:80: connection refused' },
];

// Comments lose their stars but keep their lines, everything else becomes empty.
function commentsOf(source: string): string {
  let isComment = false;
  return source
    .split('\n')
    .map((line) => {
      if (line.trimStart().startsWith('/**')) isComment = true;
      const text = isComment ? line.replace(/^\s*(?:\/\*\*|\*\/|\*) ?/, '') : '';
      if (line.includes('*/')) isComment = false;
      return text;
    })
    .join('\n');
}

function sourceFiles(): string[] {
  return readdirSync(path.join(root, 'src'), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .sort()
    .map((file) => path.join('src', file));
}

const read = (file: string): string => readFileSync(path.join(root, file), 'utf8');

const sourceBlocks = sourceFiles().flatMap((file) => fencedBlocks(file, commentsOf(read(file)), ['ts']));
const readmeBlocks = fencedBlocks('README.md', read('README.md'), ['js', 'ts']);

const modules = new Map<string, object>([
  ['evloop', evloop],
  ['express', { __esModule: true, ...((await import('express')) as object) }],
]);

let webServer: http.Server;
let echoServer: net.Server;
let greeter: net.Server;

const portOf = (server: net.Server): number => (server.address() as net.AddressInfo).port;

async function listening<S extends net.Server>(server: S): Promise<S> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

beforeAll(async () => {
  webServer = await listening(http.createServer((_, response) => response.end('hello')));
  echoServer = await listening(
    net.createServer((socket) => socket.on('error', () => undefined).pipe(socket)),
  );
  // Whoever reads gets something.
  greeter = await listening(net.createServer((socket) => socket.on('error', () => undefined).end('hello')));
});

afterAll(() => {
  webServer.closeAllConnections();
  for (const server of [webServer, echoServer, greeter]) server.close();
});

async function runBlock(block: Block): Promise<void> {
  // A port that is listened on is any free one; one that is connected to is the echo server's.
  const port = /\blisten\(/.test(block.code) ? 0 : portOf(echoServer);
  const code = block.code.replace(/\b4000\b/g, String(port));
  const outside = { ...evloop, systemError, error: new Error('an error in an example') };
  if (/\bnew (?:EventLoop|Runner)\(|^await run\(/m.test(code)) {
    await execute(code, modules, outside);
    return;
  }
  await evloop.run(async () => {
    const loop = evloop.EventLoop.running();
    const stream = await evloop.connect({ host: '127.0.0.1', port: portOf(greeter) });
    const names = {
      ...outside,
      loop,
      stream,
      url: `http://127.0.0.1:${String(portOf(webServer))}/`,
      workerData: { remote: loop.createRemote({ progress: () => undefined }) },
    };
    try {
      await execute(code, modules, names);
    } finally {
      // What the block scheduled, and the tasks it started, come to run.
      await evloop.sleep(0);
      await evloop.sleep(0);
      stream.abort();
    }
  });
}

function testBlocks(blocks: readonly Block[]): void {
  for (const block of blocks) {
    test(block.place, async () => {
      const log = vi.spyOn(console, 'log').mockImplementation(() => undefined);
      const error = vi.spyOn(console, 'error').mockImplementation(() => undefined);
      const expected = THROWING.find(({ part }) => block.code.includes(part))?.message;
      try {
        if (expected === undefined) await runBlock(block);
        else await expect(runBlock(block)).rejects.toThrow(expected);
        // Only the block that shows an error may print one.
        if (!block.code.includes('console.error')) expect(error.mock.calls).toEqual([]);
      } finally {
        log.mockRestore();
        error.mockRestore();
      }
    });
  }
}

describe('examples of the sources', () => {
  testBlocks(sourceBlocks);

  test('every @example is a fenced block', () => {
    const unfenced = sourceFiles().filter((file) => /@example\n(?! *\* ```ts\n)/.test(read(file)));
    expect(unfenced).toEqual([]);
  });
});

describe('README.md', () => {
  testBlocks(readmeBlocks);

  test('shows the two commands, each on a line of its own', () => {
    const lines = fencedBlocks('README.md', read('README.md'), ['sh']).map(({ code }) => code);
    expect(lines).toContain('npm ci && npm start');
    expect(lines).toContain('npm ci && npm test');
  });

  test('names every option of a loop, and nothing else', () => {
    const source = read('src/core/options.ts');
    const body = /export interface LoopOptions \{\n(.*?)\n\}/s.exec(source)![1]!;
    const options = [...body.matchAll(/^ {2}(\w+)\?:/gm)].map(([, name]) => name);
    const table = /\| option \|.*?\n\n/s.exec(read('README.md'))![0];
    expect([...table.matchAll(/^\| `(\w+)` \|/gm)].map(([, name]) => name).sort()).toEqual(options.sort());
  });

  test('shows the figures of the last measurement that is kept', () => {
    const report = JSON.parse(read('bench/reference.json')) as Report;
    expect(BLOCK.exec(read('README.md'))![0]).toBe(figures(report));
  });

  test('links to files that exist', () => {
    const files = ['README.md', 'DESIGN.md', 'CONTRIBUTING.md', 'CHANGELOG.md', 'native/README.md'];
    const guides = readdirSync(path.join(root, 'docs')).filter((file) => file.endsWith('.md'));
    for (const file of [...files, ...guides.map((guide) => path.join('docs', guide))]) {
      for (const [, target] of read(file).matchAll(/\]\(([^)#:]+)(?:#[^)]*)?\)/g)) {
        const place = path.join(root, path.dirname(file), target!);
        expect(ts.sys.fileExists(place) || ts.sys.directoryExists(place), `${file}: ${target!}`).toBe(true);
      }
    }
  });
});
