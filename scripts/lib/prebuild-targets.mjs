// The platforms that the package carries a compiled addon for, and how each is compiled.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { root } from './run.mjs';

/**
 * @typedef {object} Target
 * @property {'linux' | 'darwin'} platform process.platform there
 * @property {'x64' | 'arm64'} arch process.arch there
 * @property {'glibc' | 'musl'} [libc]
 * @property {string} triple what zig calls it: the oldest system that is served
 */

/** @type {Target[]} */
export const TARGETS = [
  { platform: 'linux', arch: 'x64', libc: 'glibc', triple: 'x86_64-linux-gnu.2.17' },
  { platform: 'linux', arch: 'arm64', libc: 'glibc', triple: 'aarch64-linux-gnu.2.17' },
  { platform: 'linux', arch: 'x64', libc: 'musl', triple: 'x86_64-linux-musl' },
  { platform: 'linux', arch: 'arm64', libc: 'musl', triple: 'aarch64-linux-musl' },
  { platform: 'darwin', arch: 'x64', triple: 'x86_64-macos.11.0' },
  { platform: 'darwin', arch: 'arm64', triple: 'aarch64-macos.11.0' },
];

/** @param {Target} target */
export function nameOf({ platform, arch, libc }) {
  return [platform, arch, ...(libc === undefined ? [] : [libc])].join('-');
}

/**
 * Where node-gyp-build looks for it in the package.
 *
 * @param {Target} target
 */
export function fileOf({ platform, arch, libc }) {
  const tag = libc === undefined ? '' : `.${libc}`;
  return path.join('prebuilds', `${platform}-${arch}`, `evloop${tag}.node`);
}

const COMPILE = [
  ...['-std=c++17', '-O2', '-g0', '-fPIC', '-fno-exceptions', '-fno-rtti'],
  ...['-fvisibility=hidden', '-fvisibility-inlines-hidden', '-ffunction-sections', '-fdata-sections'],
  ...['-Wall', '-Wextra', '-Werror', '-DNAPI_VERSION=8', '-iquote', 'native'],
];
// As binding.gyp has them, and no symbol of the C++ library that is linked in.
const LINK = {
  linux: ['-Wl,--gc-sections', '-Wl,-z,now', '-Wl,-z,nodelete', '-Wl,--version-script=native/exports.map'],
  darwin: ['-Wl,-undefined,dynamic_lookup', '-Wl,-dead_strip', '-Wl,-install_name,@rpath/evloop.node'],
};

/**
 * The arguments of `zig` that compile and link the addon, from the project's root.
 *
 * @param {Target} target
 * @param {string} output
 */
export function compileArguments({ platform, libc, triple }, output) {
  /** @type {Record<string, string[]>} */
  const sources = JSON.parse(readFileSync(path.join(root, 'native', 'sources.json'), 'utf8'));
  const system = platform === 'darwin' ? sources['apple'] : sources['linux'];
  const files = [...(sources['common'] ?? []), ...(sources['node'] ?? []), ...(system ?? [])];
  const headers = createRequire(import.meta.url)('node-api-headers').include_dir;
  // CMSG_NXTHDR of musl compares signed with unsigned.
  const silenced = libc === 'musl' ? ['-Wno-sign-compare'] : [];
  const compile = ['c++', '-target', triple, ...COMPILE, ...silenced, '-isystem', headers];
  return [...compile, '-shared', '-s', ...LINK[platform], ...files, '-o', output];
}
