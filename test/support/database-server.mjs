// Servers of other packages, for the time of a test, each in a directory of its own.
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import process from 'node:process';

export const HOST = '127.0.0.1';
export const START_TIMEOUT_MS = 30_000;

/**
 * The path of a program, or null; Debian keeps those of PostgreSQL in a directory for each version.
 *
 * @param {string} name
 * @returns {string | null}
 */
export function programPath(name) {
  const postgres = '/usr/lib/postgresql';
  const versions = existsSync(postgres)
    ? readdirSync(postgres).map((version) => path.join(postgres, version, 'bin'))
    : [];
  const places = [...(process.env['PATH'] ?? '').split(path.delimiter), '/usr/sbin', ...versions];
  return places.map((place) => path.join(place, name)).find((file) => existsSync(file)) ?? null;
}

function isRoot() {
  return process.getuid?.() === 0;
}

/**
 * The words that run a command as a user; PostgreSQL refuses to be run by root.
 *
 * @param {string} user
 */
function asUser(user) {
  return isRoot() ? ['setpriv', `--reuid=${user}`, `--regid=${user}`, '--init-groups', '--'] : [];
}

/** @returns {Promise<number>} */
export async function freePort() {
  const server = net.createServer().listen(0, HOST);
  await once(server, 'listening');
  const { port } = /** @type {net.AddressInfo} */ (server.address());
  server.close();
  await once(server, 'close');
  return port;
}

/** @param {number} port */
async function isListening(port) {
  const socket = net.connect(port, HOST);
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

/** A server in a directory of its own. */
export class DatabaseServer {
  port = 0;
  /** @type {import('node:child_process').ChildProcess | null} */
  #child = null;

  /**
   * @param {string} name
   * @param {string | null} user
   */
  constructor(name, user) {
    this.directory = mkdtempSync(path.join(tmpdir(), `evloop-${name}-`));
    if (user !== null && isRoot()) execFileSync('chown', [user, this.directory]);
  }

  /** @param {readonly string[]} command */
  prepare([program = '', ...args]) {
    execFileSync(program, args, { stdio: 'ignore', cwd: this.directory });
  }

  /** @param {(port: number) => readonly string[]} command */
  async start(command) {
    this.port = await freePort();
    const [program = '', ...args] = command(this.port);
    const child = spawn(program, args, { stdio: 'ignore', cwd: this.directory });
    this.#child = child;
    const deadline = performance.now() + START_TIMEOUT_MS;
    while (!(await isListening(this.port))) {
      if (performance.now() > deadline || child.exitCode !== null) {
        throw new Error(`${program} does not start`);
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  /** @param {NodeJS.Signals} signal */
  async kill(signal) {
    const child = this.#child;
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, 'exit');
    child.kill(signal);
    await gone;
  }

  async remove() {
    await this.kill('SIGKILL');
    rmSync(this.directory, { recursive: true, force: true });
  }
}

/** PostgreSQL, whose socket file lies in the directory `data`; null without the Debian package `postgresql`. */
export async function startPostgres() {
  const [postgres, initdb] = [programPath('postgres'), programPath('initdb')];
  if (postgres === null || initdb === null) return null;
  const server = new DatabaseServer('postgres', 'postgres');
  const data = path.join(server.directory, 'data');
  const user = asUser('postgres');
  server.prepare([...user, initdb, '-D', data, '-A', 'trust', '-U', 'postgres', '-N']);
  const settings = ['-D', data, '-h', HOST, '-k', data, '-F'];
  await server.start((port) => [...user, postgres, '-p', String(port), ...settings]);
  return server;
}

/** Redis, which also listens on the path `socket`; null without the Debian package `redis-server`. */
export async function startRedis() {
  const redis = programPath('redis-server');
  if (redis === null) return null;
  const server = new DatabaseServer('redis', null);
  const settings = ['--bind', HOST, '--save', '', '--unixsocket', path.join(server.directory, 'socket')];
  await server.start((port) => [redis, '--port', String(port), ...settings]);
  return server;
}
