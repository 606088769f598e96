// Checks the compiled addons of prebuilds/ without running them: what they are, what they need of the
// system, what they show to others, and that compiling them again gives the same bytes.
//
//   node scripts/prebuild-check.mjs [--no-rebuild]
//
// Needs llvm-nm and llvm-readobj, which read the files of every platform. Exit code 1 when a check failed.
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import process from 'node:process';
import { Checks } from './lib/checks.mjs';
import { checkSignature } from './lib/macho-signature.mjs';
import { TARGETS, compileArguments, fileOf, nameOf } from './lib/prebuild-targets.mjs';
import { root, run } from './lib/run.mjs';
import { withStaging } from './lib/staging.mjs';
import { installZig, runZig } from './lib/zig.mjs';

/** @typedef {import('./lib/prebuild-targets.mjs').Target} Target */

const headers = createRequire(import.meta.url)('node-api-headers');
const NODE_API = 8;
const OLDEST_GLIBC = [2, 17];
const OLDEST_MACOS = '11.0';
const ENTRY_POINTS = ['napi_register_module_v1', 'node_api_module_get_api_version_v1'];
// zig's linker of Mach-O cannot hide operator new and delete. dlopen() shows them to nobody.
const MACOS_EXPORTS = /^_(?:_Z[nd][wal].*|__dso_handle|_mh_dylib_header)$/;
// Each system's own libraries.
const LIBRARIES = {
  glibc: /^(?:lib(?:c|m|dl|pthread)\.so\.\d|ld-linux-[\w-]+\.so\.\d)$/,
  musl: /^libc\.so$/,
  macos: /^(?:\/usr\/lib\/libSystem\.B\.dylib|@rpath\/evloop\.node)$/,
};
// One for each kind of linker.
const REBUILT = ['linux-x64-glibc', 'darwin-arm64'];

const checks = new Checks();

/**
 * @param {string} program
 * @param {string[]} args
 */
async function read(program, args) {
  const { code, stdout } = await run(program, args, { isQuiet: true });
  if (code !== 0) throw new Error(`${program} fails: is the Debian package llvm installed?`);
  return stdout;
}

/**
 * Names of dynamic symbols: those of ELF with their version, those of Mach-O that no library is named for.
 *
 * @param {Target} target
 * @param {'--undefined-only' | '--defined-only'} kind
 */
async function symbols(target, kind) {
  const isElf = target.platform === 'linux';
  const flags = isElf ? ['--dynamic'] : ['--extern-only', '--format=darwin'];
  const text = await read('llvm-nm', [...flags, kind, fileOf(target)]);
  return text
    .split('\n')
    .filter((line) => line !== '' && !line.endsWith('(from libSystem)'))
    .map((line) => line.slice(line.lastIndexOf(' ') + 1));
}

/** @param {string} symbol */
function isNodeApi(symbol) {
  const { js_native_api_symbols: ofJs, node_api_symbols: ofNode } = headers.symbols[`v${NODE_API}`];
  return [...ofJs, ...ofNode].includes(symbol.replace(/^_/, ''));
}

/**
 * Of libuv, or of a C++ library that the host would have to bring.
 *
 * @param {string} symbol
 */
function isForeign(symbol) {
  return /^_?(?:uv_|napi_|node_api_|_ZN?K?St)/.test(symbol);
}

/** @param {string} symbol */
function isTooNew(symbol) {
  const version = /@GLIBC_(\d+)\.(\d+)/.exec(symbol);
  if (version === null) return false;
  const [major = 0, minor = 0] = [Number(version[1]), Number(version[2])];
  const [oldestMajor = 0, oldestMinor = 0] = OLDEST_GLIBC;
  return major > oldestMajor || (major === oldestMajor && minor > oldestMinor);
}

/** @param {Target} target */
async function checkNeeds(target) {
  const name = nameOf(target);
  const description = await read('llvm-readobj', [
    ...['--file-headers', '--needed-libs'],
    ...(target.platform === 'darwin' ? ['--macho-version-min'] : ['--dynamic-table']),
    fileOf(target),
  ]);
  const format = `${target.platform === 'darwin' ? 'Mach-O' : 'elf64'}[- ]?`;
  const arch = target.arch === 'x64' ? 'x86[-_]64|64-bit x86-64' : 'arm64|littleaarch64';
  checks.check(`${name}: format and processor`, new RegExp(`Format: ${format}(?:${arch})`).test(description));

  const libraries = (/NeededLibraries \[([^\]]*)\]/.exec(description)?.[1] ?? '').trim().split(/\s+/);
  const allowed = LIBRARIES[target.libc ?? 'macos'];
  const foreign = libraries.filter((library) => !allowed.test(library));
  checks.check(`${name}: it needs nothing but the system`, foreign.length === 0, foreign.join('\n'));

  const needed = await symbols(target, '--undefined-only');
  const wrong = needed.filter(
    (symbol) => !isNodeApi(symbol) && (target.platform === 'darwin' || isForeign(symbol) || isTooNew(symbol)),
  );
  const limits = target.libc === 'glibc' ? `, none of a glibc newer than ${OLDEST_GLIBC.join('.')}` : '';
  checks.check(
    `${name}: its symbols are those of Node-API ${NODE_API} and the system${limits}`,
    wrong.length === 0,
    wrong.join('\n'),
  );

  if (target.platform === 'darwin') {
    const minimum = /Version: (\S+)/.exec(description)?.[1] ?? 'nothing';
    checks.check(`${name}: it runs on macOS ${OLDEST_MACOS}`, minimum === OLDEST_MACOS, minimum);
  } else {
    checks.check(`${name}: it is never unloaded`, /FLAGS_1.*NODELETE/.test(description));
  }
}

/** @param {Target} target */
async function checkExports(target) {
  const exported = await symbols(target, '--defined-only');
  const prefix = target.platform === 'darwin' ? '_' : '';
  const entryPoints = ENTRY_POINTS.map((name) => prefix + name);
  const missing = entryPoints.filter((symbol) => !exported.includes(symbol));
  const others = exported.filter(
    (symbol) =>
      !entryPoints.includes(symbol) && !(target.platform === 'darwin' && MACOS_EXPORTS.test(symbol)),
  );
  checks.check(
    `${nameOf(target)}: it shows the entry points of Node-API alone`,
    missing.length === 0 && others.length === 0,
    [...missing.map((symbol) => `missing: ${symbol}`), ...others].join('\n'),
  );
}

/** @param {Target} target */
function checkArm64Signature(target) {
  const wrong = checkSignature(readFileSync(path.join(root, fileOf(target))));
  checks.check(`${nameOf(target)}: its signature fits its bytes`, wrong === null, wrong ?? '');
}

/** Elsewhere, without what is cached of the first time. */
async function checkRebuild() {
  const zig = await installZig();
  await withStaging(async (directory) => {
    for (const target of TARGETS.filter((one) => REBUILT.includes(nameOf(one)))) {
      // The signature holds the name of the file.
      const output = path.join(directory, path.basename(fileOf(target)));
      const cache = path.join(directory, 'cache');
      const { code } = await runZig(zig, compileArguments(target, output), { cwd: directory, cache });
      const isSame = code === 0 && readFileSync(output).equals(readFileSync(path.join(root, fileOf(target))));
      checks.check(`${nameOf(target)}: compiled again, it has the same bytes`, isSame);
      rmSync(output, { force: true });
    }
  });
}

const present = TARGETS.filter((target) =>
  checks.check(`${nameOf(target)} is there`, existsSync(path.join(root, fileOf(target)))),
);
for (const target of present) {
  await checkNeeds(target);
  await checkExports(target);
  if (target.platform === 'darwin' && target.arch === 'arm64') checkArm64Signature(target);
}
if (present.length === TARGETS.length && !process.argv.includes('--no-rebuild')) await checkRebuild();
checks.end();
