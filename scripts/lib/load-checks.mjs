// The ways in which programs get at an installed evloop: as a module and by require(), in a worker, bundled,
// and inside of a single executable.
import { copyFileSync, cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { run } from './run.mjs';
import { fromPackage } from './runtimes.mjs';

// As Node's documentation of single executable applications has it.
const SENTINEL = 'NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2';

/**
 * @param {import('./checks.mjs').Checks} checks
 * @param {string} project a folder with evloop in node_modules and the smoke test as smoke.mjs
 */
export async function checkLoading(checks, project) {
  const quiet = { cwd: project, isQuiet: true, timeoutMs: 60_000 };
  const names = await run(
    'node',
    ['--input-type=module', '--eval', "console.log(Object.keys(await import('evloop')).join())"],
    quiet,
  );
  checks.check('`import "evloop"` works', names.code === 0 && names.stdout.includes('EventLoop'));
  const required = await run(
    'node',
    ['--input-type=commonjs', '--eval', "console.log(Object.keys(require('evloop')).join())"],
    quiet,
  );
  checks.check('`require("evloop")` gives the same', required.stdout === names.stdout, required.output);

  const both = `import { createRequire } from 'node:module';
    import { EventLoop } from 'evloop';
    process.exit(createRequire(import.meta.url)('evloop').EventLoop === EventLoop ? 0 : 1);`;
  const same = await run('node', ['--input-type=module', '--eval', both], quiet);
  checks.check('both ways lead to one instance', same.code === 0);

  const worker = `new (require('node:worker_threads').Worker)('./smoke.mjs', { execArgv: [] }).on('exit', (code) => process.exit(code))`;
  const inWorker = await run('node', ['--input-type=commonjs', '--eval', worker], quiet);
  checks.check('the smoke test passes in a worker', inWorker.code === 0);

  const absent = await run('node', ['smoke.mjs'], {
    ...quiet,
    isSilent: true,
    env: { EVLOOP_PREBUILD: path.join(project, 'nowhere') },
  });
  const isClear = ['ERR_NATIVE_ADDON_MISSING', `${process.platform}-${process.arch}`, 'nowhere'].every(
    (text) => absent.output.includes(text),
  );
  checks.check('without an addon the error says what was looked for, and where', isClear, absent.output);

  await checkBundles(checks, project);
}

/**
 * @param {import('./checks.mjs').Checks} checks
 * @param {string} project
 */
async function checkBundles(checks, project) {
  const esbuild = await fromPackage('esbuild', '0.28.2', 'bin/esbuild');
  if (!checks.check('esbuild is there', esbuild !== null) || esbuild === null) return;
  // Away from node_modules.
  const bundled = path.join(path.dirname(project), `${path.basename(project)}-bundled`);
  mkdirSync(bundled);
  cpSync(path.join(project, 'node_modules', 'evloop', 'prebuilds'), path.join(bundled, 'prebuilds'), {
    recursive: true,
  });
  // An entry that CommonJS can hold: the smoke test waits at its top level.
  writeFileSync(
    path.join(project, 'entry.mjs'),
    `import { EventLoop, run, sleep } from 'evloop';
    run(async () => { await sleep(1); console.log(EventLoop.running().statistics().backend); });`,
  );
  const flags = [
    '--bundle',
    '--platform=node',
    '--log-level=error',
    '--log-override:empty-import-meta=silent',
  ];
  for (const [entry, format, file] of [
    ['smoke.mjs', 'esm', 'bundle.mjs'],
    ['entry.mjs', 'cjs', 'bundle.cjs'],
  ]) {
    const output = path.join(bundled, file ?? '');
    const args = [esbuild, entry ?? '', ...flags, `--format=${format}`, `--outfile=${output}`];
    const built = await run('node', args, { cwd: project, isQuiet: true });
    const ran = await run('node', [output], { cwd: bundled, isQuiet: true, timeoutMs: 60_000 });
    checks.check(
      `bundled by esbuild as ${format}, with prebuilds/ beside it, it runs`,
      built.code === 0 && ran.code === 0,
    );
  }
  await checkSingleExecutable(checks, bundled);
}

/**
 * @param {import('./checks.mjs').Checks} checks
 * @param {string} bundled
 */
async function checkSingleExecutable(checks, bundled) {
  const postject = await fromPackage('postject', '1.0.0-alpha.6', 'dist/cli.js');
  if (!checks.check('postject is there', postject !== null) || postject === null) return;
  const quiet = { cwd: bundled, isQuiet: true, timeoutMs: 120_000 };
  const config = { main: 'bundle.cjs', output: 'sea.blob', disableExperimentalSEAWarning: true };
  writeFileSync(path.join(bundled, 'sea.json'), JSON.stringify(config));
  const blob = await run('node', ['--experimental-sea-config', 'sea.json'], quiet);
  const program = path.join(bundled, 'program');
  copyFileSync(process.execPath, program);
  const args = [postject, program, 'NODE_SEA_BLOB', 'sea.blob', '--sentinel-fuse', SENTINEL];
  const injected = await run('node', args, quiet);
  const ran = await run(program, [], quiet);
  checks.check(
    'a single executable with prebuilds/ beside it runs',
    blob.code === 0 && injected.code === 0 && ran.code === 0 && /^(?:epoll|kqueue)$/m.test(ran.stdout),
    readFileSync(path.join(bundled, 'sea.json'), 'utf8'),
  );
}
