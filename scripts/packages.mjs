// Runs packages that Node servers are made of, each scenario of test/packages once with plain Node and once under
// `evloop/register`, and compares what they saw.
//
//   --only TEXT    scenarios whose name contains TEXT
//   --node MAJOR   on another version of Node, instead of this one and a part of them on each other one
//   --install      does no more than install the packages
//
// Exit code 1 when a check failed. What needs a Debian package that is not there is skipped.
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { programPath, startPostgres, startRedis } from '../test/support/database-server.mjs';
import { Checks } from './lib/checks.mjs';
import { installNode, OTHER_MAJORS } from './lib/other-nodes.mjs';
import { root, run } from './lib/run.mjs';

const { values: options } = parseArgs({
  options: {
    install: { type: 'boolean', default: false },
    node: { type: 'string' },
    only: { type: 'string', default: '' },
  },
});

const directory = path.join(root, 'test', 'packages');
const scenarios = path.join(directory, 'scenarios');
const register = pathToFileURL(path.join(root, 'dist', 'register.js')).href;
const TIMEOUT_MS = 90_000;
/** What the other versions of Node run: those that differ most in how they use sockets. */
const MATRIX = ['express', 'fastify', 'undici', 'ws', 'pg', 'ioredis', 'http-proxy'];
const SHOWN_LINES = 5;
const ownMajor = Number(process.versions.node.split('.')[0]);

/** Installs the packages unless they are as the lock file says. */
async function install() {
  const lock = createHash('sha256')
    .update(readFileSync(path.join(directory, 'package-lock.json')))
    .digest('hex');
  const mark = path.join(directory, 'node_modules', '.lock-hash');
  if (existsSync(mark) && readFileSync(mark, 'utf8') === lock) return true;
  const { code } = await run('npm', ['ci', '--ignore-scripts'], { cwd: directory, isQuiet: true });
  if (code === 0) writeFileSync(mark, lock);
  return code === 0;
}

/**
 * @typedef {object} Transcript
 * @property {string[]} lines
 * @property {{ node: number, evloop: number }} sockets whose handles they had
 */

/**
 * @param {string} output
 * @returns {Transcript}
 */
function parse(output) {
  const lines = output.trimEnd().split('\n');
  return { lines, sockets: JSON.parse(lines.pop() ?? '').sockets };
}

/**
 * The first lines that differ.
 *
 * @param {readonly string[]} plain
 * @param {readonly string[]} moved
 */
function differences(plain, moved) {
  const numbers = Array.from({ length: Math.max(plain.length, moved.length) }, (_, n) => n);
  return numbers
    .filter((n) => plain[n] !== moved[n])
    .slice(0, SHOWN_LINES)
    .map((n) => `line ${n + 1}\n  plain     ${plain[n] ?? 'nothing'}\n  register  ${moved[n] ?? 'nothing'}`)
    .join('\n');
}

/** @param {{ sockets: Transcript['sockets'] }} transcript */
const describeSockets = ({ sockets: { node, evloop } }) => `sockets: ${node} of Node, ${evloop} of evloop`;

const postgres = await startPostgres();
const redis = await startRedis();
const chromium = programPath('chromium');
const env = {
  POSTGRES_PORT: String(postgres?.port),
  POSTGRES_DIRECTORY: postgres === null ? '' : path.join(postgres.directory, 'data'),
  REDIS_PORT: String(redis?.port),
  REDIS_PATH: redis === null ? '' : path.join(redis.directory, 'socket'),
  CHROMIUM: chromium ?? '',
};

/** What a scenario needs that is not here, or null. @param {string} name */
function missingFor(name) {
  if (name === 'pg' && postgres === null) return 'postgresql';
  if (name === 'ioredis' && redis === null) return 'redis-server';
  if (name === 'vite' && chromium === null) return 'chromium';
  return null;
}

/**
 * @param {string} node
 * @param {string} name
 * @param {string} title
 */
async function compare(node, name, title) {
  const missing = missingFor(name);
  if (missing !== null) {
    checks.skip(title, `it needs the Debian package ${missing}`);
    return;
  }
  const program = path.join(scenarios, `${name}.mjs`);
  const settings = { cwd: directory, env, isQuiet: true, timeoutMs: TIMEOUT_MS };
  // One after the other: both use the same databases.
  const plain = await run(node, [program], settings);
  if (plain.code !== 0) {
    checks.check(`${title}: plain Node`, false, plain.output);
    return;
  }
  const moved = await run(node, ['--import', register, program], settings);
  if (!checks.check(`${title}: runs`, moved.code === 0, moved.output)) return;
  const [before, after] = [parse(plain.stdout), parse(moved.stdout)];
  checks.check(
    `${title}: ${before.lines.length} lines as with Node`,
    before.lines.join('\n') === after.lines.join('\n'),
    differences(before.lines, after.lines),
  );
  const isMoved = before.sockets.evloop === 0 && after.sockets.node === 0 && after.sockets.evloop > 0;
  checks.check(`${title}: ${describeSockets(after)}`, isMoved, `with plain Node: ${describeSockets(before)}`);
}

const checks = new Checks();
try {
  if (checks.check('packages are installed', await install()) && !options.install) await compareAll();
} finally {
  await postgres?.remove();
  await redis?.remove();
}
checks.end();

async function compareAll() {
  const names = readdirSync(scenarios)
    .map((file) => path.parse(file).name)
    .filter((name) => name !== 'support' && name.includes(options.only));
  const majors = options.node === undefined ? OTHER_MAJORS : [Number(options.node)];
  if (options.node === undefined) for (const name of names) await compare(process.execPath, name, name);
  for (const major of majors) {
    const node = major === ownMajor ? process.execPath : await installNode(major);
    if (!checks.check(`Node ${major} is installed`, node !== null) || node === null) continue;
    const chosen = options.node === undefined ? names.filter((name) => MATRIX.includes(name)) : names;
    for (const name of chosen) await compare(node, name, `${name} on Node ${major}`);
  }
}
