// Echo over TLS: evloop's streams against Node's own, with the same TLS in both.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { findProgram, LOAD_CPU } from '../lib/machine.mjs';
import { runProgram } from '../lib/process.mjs';
import { serverContender } from '../lib/table.mjs';

/** @typedef {import('../lib/process.mjs').LoadOptions} LoadOptions */
/** @typedef {import('../lib/process.mjs').LoadResult} LoadResult */

const LOAD = fileURLToPath(new URL('../programs/tls-load.mjs', import.meta.url));

/** A key and its certificate, for as long as the suite runs. @returns {string | null} */
function makeCertificate() {
  const openssl = findProgram('openssl');
  if (openssl === null) return null;
  const directory = mkdtempSync(path.join(tmpdir(), 'evloop-bench-'));
  process.on('exit', () => rmSync(directory, { recursive: true, force: true }));
  const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-days', '2'];
  const files = ['-subj', '/CN=localhost', '-keyout', 'key.pem', '-out', 'cert.pem'];
  execFileSync(openssl, ['req', '-x509', '-nodes', ...kind, ...files], { cwd: directory, stdio: 'pipe' });
  return directory;
}

/**
 * @param {{ pid: number, port: number }} server
 * @param {LoadOptions} options
 */
async function runTlsLoad({ pid, port }, options) {
  const command = [process.execPath, LOAD, '127.0.0.1', String(port), String(pid), JSON.stringify(options)];
  return /** @type {LoadResult} */ (await runProgram(command, { cpu: LOAD_CPU }));
}

/** @type {import('../lib/table.mjs').Table[]} */
export const tables = [
  {
    id: 'tls/10x16k',
    title: 'Echo over TLS, 10 connections x 16 KiB',
    metrics: {
      cpu: { title: 'CPU per round trip', unit: 'µs', digits: 1 },
      rate: { title: 'round trips', unit: '/s', better: 'higher', digits: 0 },
      p50: { title: 'p50', unit: 'µs', digits: 0 },
    },
    settings: { rounds: 7, warmup: 1.5, seconds: 4 },
    quick: { rounds: 3, warmup: 1, seconds: 1.5 },
    contenders() {
      const directory = makeCertificate();
      if (directory === null) return [null];
      return [
        { name: 'evloop', program: '../programs/tls-evloop.mjs' },
        { name: 'node:tls over node:net', program: '../rivals/echo-tls.mjs' },
      ].map(({ name, program }) =>
        serverContender(
          name,
          (host, port) => [
            process.execPath,
            fileURLToPath(new URL(program, import.meta.url)),
            host,
            String(port),
            directory,
          ],
          ({ warmup = 0, seconds = 0 }) => ({ connections: 10, size: 16_384, warmup, seconds }),
          ({ answers, serverSeconds, perSecond, p50Us }) => ({
            cpu: (serverSeconds / answers) * 1e6,
            rate: perSecond,
            p50: p50Us,
          }),
          { loader: runTlsLoad },
        ),
      );
    },
  },
];
