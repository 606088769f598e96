// Look-ups of names that hang, in the system's own resolver. Each program runs with a network and a
// /etc/resolv.conf of its own, whose name server is the program itself, and answers when it likes to.
//
// Skipped where a process may not have namespaces of its own.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { runChild, type ChildOptions, type ChildResult } from '../support/child.js';
import { distUrl } from '../support/dist.js';

const folder = mkdtempSync(path.join(tmpdir(), 'evloop-dns-'));
const configuration = path.join(folder, 'resolv.conf');
// Longer than any test takes.
writeFileSync(configuration, 'nameserver 127.0.0.1\noptions timeout:30 attempts:5\n');
afterAll(() => rmSync(folder, { recursive: true }));

const ENTER = 'ip link set lo up && mount --bind "$0" /etc/resolv.conf && exec "$@"';
const prefix = ['unshare', '--map-root-user', '--mount', '--net', 'sh', '-c', ENTER, configuration];
const canIsolate = spawnSync(prefix[0]!, [...prefix.slice(1), 'true']).status === 0;

// `asked` has the names that somebody asked for, once each; `refuse()` answers that there are none such.
const NAME_SERVER = `
  import dgram from 'node:dgram';
  import { once } from 'node:events';
  import { setTimeout as delay } from 'node:timers/promises';
  import { Worker } from 'node:worker_threads';
  const asked = new Set();
  let refuse = () => {};
  const isRefused = new Promise((resolve) => { refuse = resolve; });
  const server = dgram.createSocket('udp4');
  server.on('message', (question, from) => {
    asked.add(question.subarray(13, 13 + question[12]).toString());
    const answer = Buffer.from(question);
    answer.writeUInt16BE(0x8183, 2);
    isRefused.then(() => server.send(answer, from.port, from.address));
  });
  server.bind(53, '127.0.0.1');
  await once(server, 'listening');
  const until = async (isSo) => { while (!isSo()) await delay(1); };
  const names = (count) => Array.from({ length: count }, (_, i) => 'name' + i + '.test');
`;

// Starts a module with the package's exports as globals in a thread.
const workerOf = (body: string): string => {
  const program = `import * as evloop from ${JSON.stringify(distUrl('index'))};
    Object.assign(globalThis, evloop);
    ${body}`;
  return `new Worker(new URL(${JSON.stringify(`data:text/javascript,${encodeURIComponent(program)}`)}))`;
};

const runIsolated = (body: string, options: ChildOptions = {}): Promise<ChildResult> =>
  runChild(NAME_SERVER + body, { prefix, ...options });

const ended = (code: number, ...lines: string[]): ChildResult => ({
  code,
  signal: null,
  stdout: lines.map((line) => `${line}\n`).join(''),
  stderr: '',
});

const HANGING = `
  const loop = new EventLoop();
  void loop.runForever();
  const lookups = names(100).map((name) => loop.getAddrInfo(name));
  await until(() => asked.size === 2);
`;

describe.skipIf(!canIsolate)('isolated lane:', () => {
  test('100 look-ups that hang delay neither a file read nor the look-ups of another loop', async () => {
    const result = await runIsolated(`
      import { readFile } from 'node:fs/promises';
      ${HANGING}
      console.log((await readFile('/etc/resolv.conf', 'utf8')).split('\\n')[0]);
      const other = ${workerOf(`
        await run(async () => {
          const found = await EventLoop.running().getAddrInfo('localhost', 80);
          console.log(found.length > 0);
        });`)};
      const [code] = await once(other, 'exit');
      console.log(code, asked.size, lookups.some((lookup) => lookup.done()));
      for (const lookup of lookups) lookup.cancel();
      console.log(loop.statistics().references);
      server.close();
    `);
    // Nobody waits for the two threads that hang.
    expect(result).toEqual(ended(0, 'nameserver 127.0.0.1', 'true', '0 2 false', '0'));
  });

  test('as many look-ups hang as the option says, and all are answered in the end', async () => {
    const result = await runIsolated(`
      const loop = new EventLoop({ dnsThreads: 5 });
      void loop.runForever();
      const lookups = names(20).map((name) => loop.getAddrInfo(name).then(() => 'found', (error) => error.code));
      await until(() => asked.size === 5);
      await delay(20);
      console.log(asked.size);
      refuse();
      console.log(...new Set(await Promise.all(lookups)));
      console.log(asked.size, loop.statistics().references);
      server.close();
    `);
    expect(result).toEqual(ended(0, '5', 'ENOTFOUND', '20 0'));
  });

  test('what was cancelled before a thread began it is never asked for', async () => {
    const result = await runIsolated(`
      ${HANGING}
      for (const lookup of lookups.slice(2)) lookup.cancel();
      refuse();
      console.log(...(await Promise.allSettled(lookups.slice(0, 2))).map((end) => end.reason.code));
      await delay(20);
      console.log(asked.size);
      server.close();
    `);
    expect(result).toEqual(ended(0, 'ENOTFOUND ENOTFOUND', '2'));
  });
});

describe.skipIf(!canIsolate)('while look-ups hang', () => {
  test('a process exits', async () => {
    expect(await runIsolated(`${HANGING} console.log('exits'); process.exit(3);`)).toEqual(ended(3, 'exits'));
  });

  test('a loop closes, and the threads that come back find nobody', async () => {
    const result = await runIsolated(`
      ${HANGING}
      loop.stop();
      await until(() => !loop.isRunning());
      loop.close();
      refuse();
      await delay(50);
      await run(async () => {
        console.log((await EventLoop.running().getAddrInfo('localhost')).length > 0, asked.size);
      });
      server.close();
    `);
    expect(result).toEqual(ended(0, 'true 2'));
  });

  test('a worker is terminated, and its threads come back when the addon is used by nobody', async () => {
    const result = await runIsolated(
      `
      const worker = ${workerOf(`
        const loop = new EventLoop();
        void loop.runForever();
        for (let i = 0; i < 10; i++) void loop.getAddrInfo('name' + i + '.test');
      `)};
      await until(() => asked.size === 2);
      console.log(await worker.terminate());
      refuse();
      await delay(100);
      console.log(asked.size);
      server.close();
    `,
      { modules: [] },
    );
    expect(result).toEqual(ended(0, '1', '2'));
  });

  test('connect() and listen() are cancelled at once', async () => {
    const result = await runIsolated(`
      const loop = new EventLoop();
      void loop.runForever();
      const opening = [connect({ host: 'name1.test', port: 1 }), listen(async () => {}, { host: 'name2.test' })];
      await until(() => asked.size === 2);
      for (const one of opening) one.cancel();
      console.log(...(await Promise.allSettled(opening)).map((end) => end.reason.name), loop.statistics().references);
      server.close();
    `);
    expect(result).toEqual(ended(0, 'CancelledError CancelledError 0'));
  });
});

test('getaddrinfo / getnameinfo: a look-up keeps the process until it is answered', async () => {
  const result = await runChild(`
    const loop = new EventLoop();
    void loop.runForever();
    void loop.getAddrInfo('localhost').then((found) => console.log(found.length > 0));
  `);
  expect(result).toEqual(ended(0, 'true'));
});
