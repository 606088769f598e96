// Proves that the packed package works where there is no compiler: packs it, installs the tarball into
// an empty project without running install scripts, and runs the smoke test there.
//
// Run by `npm run pack:check` after a build. Exit code 1 when a check failed.
import {
  copyFileSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Checks } from './lib/checks.mjs';
import { checkLoading } from './lib/load-checks.mjs';
import { TARGETS, fileOf, nameOf } from './lib/prebuild-targets.mjs';
import { root, run } from './lib/run.mjs';

const MAX_BYTES = 4 << 20;

const checks = new Checks();
const project = mkdtempSync(path.join(tmpdir(), 'evloop-pack-'));
const installed = path.join(project, 'node_modules', 'evloop');

/** @param {string} directory */
async function pack(directory) {
  const prebuilt = await run('node', ['scripts/prebuild.mjs'], { isQuiet: true });
  if (!checks.check('the addon is compiled for every platform', prebuilt.code === 0)) return null;
  const args = ['pack', '--ignore-scripts', '--json', '--pack-destination', directory];
  const packed = await run('npm', args, { isQuiet: true });
  if (!checks.check('npm packs the package', packed.code === 0)) return null;
  return /** @type {{ filename: string, files: { path: string }[] }} */ (JSON.parse(packed.stdout)[0]);
}

/** @param {{ files: { path: string }[] }} tarball */
function checkContents(tarball) {
  const files = tarball.files.map((file) => file.path);
  const isWanted = (/** @type {string} */ file) =>
    /^(?:dist|prebuilds)\//.test(file) || /^(?:package\.json|README\.md|CHANGELOG\.md|LICENSE)$/.test(file);
  const unwanted = files.filter((file) => !isWanted(file));
  checks.check('it holds only dist, prebuilds and the documents', unwanted.length === 0, unwanted.join('\n'));
  for (const wanted of ['LICENSE', 'README.md', 'CHANGELOG.md', 'dist/index.js', 'dist/index.d.ts']) {
    checks.check(`it holds ${wanted}`, files.includes(wanted));
  }
  // tsc leaves the output of sources that were removed since.
  const stale = files.filter((file) => {
    const source = /^dist\/(.+?)\.(?:d\.ts|js|js\.map)$/.exec(file)?.[1];
    return source !== undefined && !existsSync(path.join(root, 'src', `${source}.ts`));
  });
  checks.check('everything in dist has a source', stale.length === 0, stale.join('\n'));
  for (const target of TARGETS) {
    checks.check(`it holds the addon for ${nameOf(target)}`, files.includes(fileOf(target)));
  }
}

/** @param {string} tarball */
async function checkInstall(tarball) {
  writeFileSync(
    path.join(project, 'package.json'),
    '{ "name": "user", "private": true, "type": "module" }\n',
  );
  const args = ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--prefer-offline', tarball];
  const install = await run('npm', args, { cwd: project, isQuiet: true });
  if (!checks.check('npm installs the tarball into an empty project', install.code === 0)) return;

  const manifest = JSON.parse(readFileSync(path.join(installed, 'package.json'), 'utf8'));
  const hooks = ['preinstall', 'install', 'postinstall'].filter((name) => name in (manifest.scripts ?? {}));
  checks.check('the package has no install script', hooks.length === 0, hooks.join(', '));
  checks.check('nothing was compiled there', !existsSync(path.join(installed, 'build')));

  copyFileSync(path.join(root, 'test', 'smoke.mjs'), path.join(project, 'smoke.mjs'));
  const smoke = await run('node', ['smoke.mjs'], { cwd: project, indent: '     ', timeoutMs: 60_000 });
  checks.check('the smoke test passes there', smoke.code === 0);
  await checkLoading(checks, project);
}

try {
  const tarball = await pack(project);
  if (tarball !== null) {
    checkContents(tarball);
    const file = path.join(project, tarball.filename);
    const { size } = statSync(file);
    checks.check(`its ${(size / 1024).toFixed(0)} KiB are less than ${MAX_BYTES / 1024}`, size < MAX_BYTES);
    await checkInstall(file);
  }
} finally {
  for (const folder of [project, `${project}-bundled`]) rmSync(folder, { recursive: true, force: true });
}
checks.end();
