// Compiles the addon for every platform into prebuilds/, the form in which the package carries it.
//
//   node scripts/prebuild.mjs            all, on linux-x64
//   node scripts/prebuild.mjs NAME ...   some, such as linux-x64-musl
//
// Node-API is stable across versions, so one binary serves every Node >= 20. Each is laid out and named
// as prebuildify does it. Exit code 1 when one could not be compiled.
import { mkdirSync, statSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { TARGETS, compileArguments, fileOf, nameOf } from './lib/prebuild-targets.mjs';
import { root } from './lib/run.mjs';
import { installZig, runZig } from './lib/zig.mjs';

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !TARGETS.some((target) => nameOf(target) === name));
if (unknown.length > 0) {
  throw new Error(`expected one of ${TARGETS.map(nameOf).join(', ')}, got ${unknown.join(', ')}`);
}
const zig = await installZig();
// One after the other: zig compiles the files of each at the same time.
for (const target of TARGETS.filter((target) => wanted.length === 0 || wanted.includes(nameOf(target)))) {
  const file = fileOf(target);
  const started = Date.now();
  mkdirSync(path.join(root, path.dirname(file)), { recursive: true });
  const { code } = await runZig(zig, compileArguments(target, file));
  if (code === 0) {
    const seconds = ((Date.now() - started) / 1000).toFixed(1);
    console.log(`${file}: ${(statSync(path.join(root, file)).size / 1024).toFixed(0)} KiB (${seconds} s)`);
  } else {
    console.log(`${nameOf(target)} cannot be compiled`);
    process.exitCode = 1;
  }
}
