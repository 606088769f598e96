// Runs the smoke test on other Node versions with the addon that this Node's headers gave, on every
// backend and host.
//
// The versions come from npm as packages that hold the plain node binary; they are installed into
// build/node-matrix and kept. Exit code 1 when a check failed.
import { existsSync, mkdirSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { BACKENDS } from './lib/backends.mjs';
import { Checks } from './lib/checks.mjs';
import { root, run } from './lib/run.mjs';

const MAJORS = [22, 24, 26];
const checks = new Checks();

/** @param {number} major */
async function install(major) {
  const directory = path.join(root, 'build', 'node-matrix', String(major));
  const name = `node-${process.platform}-${process.arch}`;
  const binary = path.join(directory, 'node_modules', name, 'bin', 'node');
  if (existsSync(binary)) return binary;
  mkdirSync(directory, { recursive: true });
  const args = ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--no-save', '--prefix', directory];
  const result = await run('npm', [...args, `${name}@${major}`], { cwd: directory, isQuiet: true });
  return result.code === 0 && existsSync(binary) ? binary : null;
}

for (const major of MAJORS) {
  const binary = await install(major);
  if (!checks.check(`Node ${major} is installed`, binary !== null) || binary === null) continue;
  for (const env of BACKENDS) {
    const result = await run(binary, ['test/smoke.mjs'], { env, isQuiet: true, timeoutMs: 60_000 });
    checks.check(`smoke test on Node ${major}, ${env.EVLOOP_BACKEND}, ${env.EVLOOP_HOST}`, result.code === 0);
  }
}
checks.end();
