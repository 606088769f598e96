// Every rule that a tool can check: `npm run lint`; `npm run format` (--fix) corrects what it can.
//
// Exit code 1 when any tool complains or is missing; clang-format and clang-tidy come from the system.
import { readFileSync, readdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { root, run, tool } from './lib/run.mjs';

const isFixing = process.argv.includes('--fix');

/** @param {string[]} folders */
function nativeFiles(folders) {
  return folders.flatMap((folder) =>
    readdirSync(path.join(root, folder), { recursive: true, encoding: 'utf8' })
      .filter((file) => /\.(?:cc|h)$/.test(file))
      .map((file) => path.join(folder, file)),
  );
}

/**
 * The translation units that are shipped; headers are checked where they are included. The tests are left
 * out: the analysis of the test framework's macros takes ten times as long as that of everything else.
 * What other systems compile, this one's headers do not suffice for.
 */
function shippedSources() {
  /** @type {Record<string, string[]>} */
  const lists = JSON.parse(readFileSync(path.join(root, 'native/sources.json'), 'utf8'));
  return Object.entries(lists).flatMap(([name, files]) => (/test$|^apple$/i.test(name) ? [] : files));
}

async function clangTidy() {
  const includeDirectory = path.join(root, 'node_modules/node-api-headers/include');
  const flags = ['-std=c++17', '-fno-exceptions', '-fno-rtti', '-Wall', '-Wextra', '-DNAPI_VERSION=8'];
  const includes = ['-I.', '-iquotenative', '-isystem', includeDirectory];
  const queue = shippedSources();
  let output = '';
  let code = 0;
  const worker = async () => {
    for (let file = queue.shift(); file !== undefined; file = queue.shift()) {
      const result = await run('clang-tidy', ['--quiet', file, '--', ...flags, ...includes], {
        isQuiet: true,
      });
      output += result.output;
      code ||= result.code;
    }
  };
  await Promise.all(Array.from({ length: availableParallelism() }, worker));
  return { code, stdout: output, output };
}

const quiet = { isQuiet: true };
/** @type {[name: string, check: () => ReturnType<typeof run>][]} */
const checks = [
  ['gen-abi', () => run('node', ['scripts/gen-abi.mjs', ...(isFixing ? [] : ['--check'])], quiet)],
  ['eslint', () => run(tool('eslint'), ['.', ...(isFixing ? ['--fix'] : [])], quiet)],
  [
    'prettier',
    () => run(tool('prettier'), [isFixing ? '--write' : '--check', '--log-level=warn', '.'], quiet),
  ],
  ['dependency-cruiser', () => run(tool('depcruise'), ['--config', '.dependency-cruiser.cjs', 'src'], quiet)],
  [
    'clang-format',
    () =>
      run(
        'clang-format',
        [...(isFixing ? ['-i'] : ['--dry-run', '-Werror']), ...nativeFiles(['native', 'bench'])],
        quiet,
      ),
  ],
  ['clang-tidy', clangTidy],
];

let failures = 0;
for (const [name, check] of checks) {
  const started = Date.now();
  const { code } = await check();
  const outcome = code === 0 ? 'ok  ' : code === 127 ? 'FAIL (not installed)' : 'FAIL';
  console.log(`${outcome} ${name} (${((Date.now() - started) / 1000).toFixed(1)} s)`);
  if (code !== 0) failures++;
}
console.log(`${checks.length - failures} passed, ${failures} failed, 0 skipped`);
process.exitCode = failures === 0 ? 0 : 1;
