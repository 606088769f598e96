// Compiles the addon into build/Release/evloop.node with node-gyp.
//
// Run by `npm run build:native`, and so by `npm ci` in a checkout. Options are passed on to node-gyp.
// Exit code: node-gyp's; its output is shown only when it fails, or with --verbose.
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { findNodeDirectory } from './lib/node-directory.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const nodeGyp = createRequire(import.meta.url).resolve('node-gyp/bin/node-gyp.js');

const options = process.argv.slice(2);
const nodeDirectory = findNodeDirectory();
const args = [nodeGyp, 'configure', 'build', '--release', '--jobs=max', ...options];
// Without headers on this machine node-gyp downloads them.
if (nodeDirectory !== null) args.push(`--nodedir=${nodeDirectory}`);

const started = Date.now();
const result = spawnSync(process.execPath, args, { cwd: root, encoding: 'utf8', maxBuffer: 1 << 28 });
if (result.error) throw result.error;
if (result.status !== 0 || options.includes('--verbose')) process.stderr.write(result.stdout + result.stderr);
if (result.status === 0) {
  console.log(`build/Release/evloop.node is up to date (${((Date.now() - started) / 1000).toFixed(1)} s)`);
}
process.exitCode = result.status ?? 1;
