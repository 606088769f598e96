// A file to a client over TCP: what a megabyte costs the sender. The file is in the page cache.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createReadStream, mkdtempSync, openSync, closeSync, rmSync, writeSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { LOAD_CPU, pinned } from '../lib/machine.mjs';
import { childContender } from '../lib/table.mjs';

/** @typedef {import('../lib/table.mjs').Settings} Settings */

const HOST = '127.0.0.1';
const MEBIBYTE = 2 ** 20;
const SINK = fileURLToPath(new URL('../programs/sink.mjs', import.meta.url));

/**
 * Calls `send` with a file, and measures it until the client has everything.
 *
 * @param {Settings} settings
 * @param {(file: string, take: (port: number) => Promise<void>) => Promise<void>} send
 */
async function measure({ mebibytes = 1 }, send) {
  const directory = mkdtempSync(path.join(tmpdir(), 'evloop-bench-'));
  try {
    const file = path.join(directory, 'file');
    const fd = openSync(file, 'w');
    const piece = Buffer.alloc(MEBIBYTE, 'x');
    for (let i = 0; i < mebibytes; i++) writeSync(fd, piece);
    closeSync(fd);
    let start = process.cpuUsage();
    /** The client that takes everything; without it there is nothing to wait for. @param {number} port */
    const take = async (port) => {
      const [program, args] = pinned(LOAD_CPU, [process.execPath, SINK, HOST, String(port)]);
      start = process.cpuUsage();
      const sink = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] });
      let said = '';
      sink.stdout.on('data', (text) => (said += String(text)));
      await once(sink, 'close');
      if (Number(said) !== mebibytes * MEBIBYTE) throw new Error(`the client got ${said} bytes`);
    };
    await send(file, take);
    const { user, system } = process.cpuUsage(start);
    return { cpuUs: (user + system) / mebibytes };
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** @type {Record<string, (settings: Settings) => Promise<Record<string, number>>>} */
export const measures = {
  evloop: (settings) =>
    measure(settings, async (file, take) => {
      const { listen, run } = await import('../../dist/index.js');
      await run(async () => {
        const server = await listen(
          async (stream) => {
            const fd = openSync(file, 'r');
            await stream.sendFile(fd);
            closeSync(fd);
          },
          { host: HOST },
        );
        await take(server.port);
        await server.close();
      });
    }),
  node: (settings) =>
    measure(settings, async (file, take) => {
      const server = net.createServer((socket) => void createReadStream(file).pipe(socket));
      await once(server.listen(0, HOST), 'listening');
      await take(/** @type {net.AddressInfo} */ (server.address()).port);
      server.close();
    }),
};

/** @type {import('../lib/table.mjs').Table[]} */
export const tables = [
  {
    id: 'send-file/gibibyte',
    title: 'A file of 1 GiB to one client',
    metrics: { cpuUs: { title: 'CPU per MiB', unit: 'µs', digits: 0 } },
    settings: { rounds: 5, mebibytes: 1024 },
    quick: { rounds: 3, mebibytes: 512 },
    contenders: () => [
      childContender('evloop sendFile', import.meta.url, 'evloop'),
      childContender('createReadStream().pipe(socket)', import.meta.url, 'node'),
    ],
  },
];
