// Publishes the package to a registry of its own and installs it as users do: with npm, pnpm, yarn (which
// unpacks nothing) and bun, without running install scripts and without a compiler; then the smoke test runs
// there, on the runtimes that a manager belongs to.
//
// Run after scripts/prebuild.mjs and a build. Exit code 1 when a check failed.
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { Checks } from './lib/checks.mjs';
import { startRegistry } from './lib/registry.mjs';
import { root, run } from './lib/run.mjs';
import { bunBinary, fromPackage } from './lib/runtimes.mjs';

const checks = new Checks();
const directory = mkdtempSync(path.join(tmpdir(), 'evloop-install-'));
// Only the runtime is on the PATH: what wanted to compile would find nothing.
const bin = path.join(directory, 'bin');
mkdirSync(bin);
symlinkSync(process.execPath, path.join(bin, 'node'));

/** @typedef {{ name: string, program: () => Promise<string | null>, install: (program: string) => string[], smoke: (program: string) => string[], files?: (url: string) => Record<string, string> }} Manager */

/** @type {Manager[]} */
const managers = [
  {
    name: 'pnpm',
    program: () => fromPackage('pnpm', '9.8.0', 'bin/pnpm.cjs'),
    install: (program) => [process.execPath, program, 'add', '--ignore-scripts', 'evloop'],
    smoke: () => [process.execPath, 'smoke.mjs'],
  },
  {
    name: 'yarn',
    program: () => fromPackage('@yarnpkg/cli-dist', '4.18.1', 'bin/yarn.js'),
    install: (program) => [process.execPath, program, 'add', '--mode=skip-build', 'evloop'],
    smoke: (program) => [process.execPath, program, 'node', 'smoke.mjs'],
    files: (url) => ({
      'yarn.lock': '',
      '.yarnrc.yml': [
        `npmRegistryServer: "${url}"`,
        'unsafeHttpWhitelist: ["127.0.0.1"]',
        'enableTelemetry: false',
        'npmMinimalAgeGate: 0',
        'enableGlobalCache: false',
      ].join('\n'),
    }),
  },
  {
    name: 'bun',
    program: bunBinary,
    install: (program) => [program, 'add', '--ignore-scripts', 'evloop'],
    smoke: (program) => [program, 'smoke.mjs'],
  },
];

/**
 * @param {string} folder
 * @param {string} url
 */
function npmEnvironment(folder, url) {
  return {
    PATH: bin,
    HOME: folder,
    npm_config_registry: url,
    npm_config_cache: path.join(folder, '.npm'),
    npm_config_store_dir: path.join(folder, '.store'),
    BUN_INSTALL_CACHE_DIR: path.join(folder, '.bun'),
    YARN_GLOBAL_FOLDER: path.join(folder, '.yarn-global'),
    EVLOOP_PREBUILD: '',
  };
}

/**
 * @param {string} source a directory or tarball
 * @param {string} url
 */
async function publish(source, url) {
  const userconfig = path.join(directory, 'publish.npmrc');
  writeFileSync(userconfig, `//${new URL(url).host}/:_authToken=anyone\n`);
  const args = ['publish', '--ignore-scripts', '--registry', url, '--userconfig', userconfig, source];
  return (await run('npm', args, { cwd: directory, isQuiet: true })).code === 0;
}

/**
 * What a package depends on, directly or not, each as installed here.
 *
 * @param {string} folder
 * @param {Set<string>} found
 */
function dependencies(folder, found = new Set()) {
  const manifest = JSON.parse(readFileSync(path.join(folder, 'package.json'), 'utf8'));
  for (const name of Object.keys(manifest.dependencies ?? {})) {
    const dependency = path.join(root, 'node_modules', name);
    if (found.has(dependency)) continue;
    found.add(dependency);
    dependencies(dependency, found);
  }
  return found;
}

/**
 * @param {Manager} manager
 * @param {string} url
 */
async function checkManager({ name, program, install, smoke, files }, url) {
  const path_ = await program();
  if (!checks.check(`${name} is there`, path_ !== null) || path_ === null) return;
  const folder = path.join(directory, name);
  mkdirSync(folder);
  writeFileSync(path.join(folder, 'package.json'), '{ "name": "user", "private": true, "type": "module" }\n');
  writeFileSync(path.join(folder, '.npmrc'), `registry=${url}/\n`);
  for (const [file, text] of Object.entries(files?.(url) ?? {})) writeFileSync(path.join(folder, file), text);
  copyFileSync(path.join(root, 'test', 'smoke.mjs'), path.join(folder, 'smoke.mjs'));
  const env = npmEnvironment(folder, url);
  const [command = '', ...args] = install(path_);
  const installed = await run(command, args, { cwd: folder, env, isQuiet: true, timeoutMs: 180_000 });
  if (!checks.check(`${name} installs evloop from a registry`, installed.code === 0)) return;
  const [runtime = '', ...smokeArgs] = smoke(path_);
  const started = Date.now();
  const ran = await run(runtime, smokeArgs, { cwd: folder, env, isQuiet: true, timeoutMs: 60_000 });
  checks.check(
    `the smoke test passes there, without a compiler (${((Date.now() - started) / 1000).toFixed(1)} s)`,
    ran.code === 0,
  );
}

const registry = await startRegistry(path.join(directory, 'registry'));
try {
  if (checks.check('a registry starts', registry !== null) && registry !== null) {
    const { url } = registry;
    for (const source of [...dependencies(root), root]) {
      checks.check(
        `${source === root ? 'evloop' : path.basename(source)} is published to it`,
        await publish(source, url),
      );
    }
    for (const manager of managers) await checkManager(manager, url);
  }
} finally {
  registry?.stop();
  rmSync(directory, { recursive: true, force: true });
}
checks.end();
