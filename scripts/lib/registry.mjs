// A package registry on this machine, for tests of publishing and installing. It knows no other registry.
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import path from 'node:path';
import process from 'node:process';
import { root, run } from './run.mjs';

// With the node-fetch that it asks for it cannot be installed everywhere.
const MANIFEST = {
  private: true,
  dependencies: { verdaccio: '6.8.0' },
  overrides: { 'node-fetch': '2.7.0' },
};
const START_MS = 60_000;

/** The program, installed into build/runtimes and kept; null when it cannot be had. */
async function installVerdaccio() {
  const directory = path.join(root, 'build', 'runtimes', 'verdaccio');
  const program = path.join(directory, 'node_modules', 'verdaccio', 'bin', 'verdaccio');
  if (!existsSync(program)) {
    mkdirSync(directory, { recursive: true });
    writeFileSync(path.join(directory, 'package.json'), JSON.stringify(MANIFEST));
    const args = ['install', '--ignore-scripts', '--no-audit', '--no-fund'];
    const { code } = await run('npm', args, { cwd: directory, isQuiet: true });
    if (code !== 0) return null;
  }
  return existsSync(program) ? program : null;
}

/** @returns {Promise<number>} */
function freePort() {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
      server.close(() => resolve(port));
    });
  });
}

/**
 * Starts it with nothing inside.
 *
 * @param {string} directory where it keeps what is published
 * @returns {Promise<{ url: string, stop: () => void } | null>}
 */
export async function startRegistry(directory) {
  const program = await installVerdaccio();
  if (program === null) return null;
  const url = `http://127.0.0.1:${await freePort()}`;
  mkdirSync(directory, { recursive: true });
  const config = path.join(directory, 'config.yaml');
  writeFileSync(
    config,
    [
      `storage: ${directory}/storage`,
      'packages: { "**": { access: $all, publish: $all } }',
      'log: { type: stdout, level: error }',
      'max_body_size: 50mb',
    ].join('\n'),
  );
  const child = spawn(process.execPath, [program, '--config', config, '--listen', url], { stdio: 'ignore' });
  const stop = () => child.kill();
  const deadline = Date.now() + START_MS;
  while (Date.now() < deadline && child.exitCode === null) {
    const answer = await fetch(`${url}/-/ping`).catch(() => null);
    if (answer?.ok === true) return { url, stop };
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  stop();
  return null;
}
