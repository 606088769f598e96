// Finds and loads the addon: a prebuild of the package, or what a checkout built.
//
// Prebuilds lie where node-gyp-build looks for them; that package cannot be bundled into a module.
import { existsSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { Binding } from './binding.js';

// A program that was bundled as CommonJS has no address of its modules.
const here = (import.meta.url as string | undefined) ?? pathToFileURL(ownFile()).href;
const require = createRequire(here);

function ownFile(): string {
  return typeof __filename === 'string' ? __filename : process.execPath;
}

/** Where build/ or prebuilds/ may be: as the user says, in the package, beside what a bundler made of it. */
function directories(): string[] {
  const named = process.env['EVLOOP_PREBUILD'];
  if (named !== undefined && named !== '') return [path.resolve(named)];
  return ['../..', '.'].map((relative) => fileURLToPath(new URL(relative, here)));
}

/** What may fit, the likeliest first: only the loader of the system knows. */
function candidates(): string[] {
  return directories()
    .flatMap((directory) => [
      path.join(directory, 'build', 'Release', 'evloop.node'),
      ...prebuilds(path.join(directory, 'prebuilds', `${process.platform}-${process.arch}`)),
    ])
    .filter((file) => existsSync(file));
}

function prebuilds(directory: string): string[] {
  if (!existsSync(directory)) return [];
  const names = readdirSync(directory).filter((name) => name.endsWith('.node'));
  // That for glibc may load in Alpine, where a package imitates it.
  const isAlpine = existsSync('/etc/alpine-release');
  names.sort((a, b) => Number(a.includes('musl') !== isAlpine) - Number(b.includes('musl') !== isAlpine));
  return names.map((name) => path.join(directory, name));
}

function load(): Binding {
  const tried: string[] = [];
  const causes: unknown[] = [];
  for (const file of candidates()) {
    try {
      return require(file) as Binding;
    } catch (cause) {
      tried.push(`${file}: ${cause instanceof Error ? cause.message : String(cause)}`);
      causes.push(cause);
    }
  }
  throw Object.assign(new Error(describe(tried), { cause: causes[0] }), { code: 'ERR_NATIVE_ADDON_MISSING' });
}

function describe(tried: string[]): string {
  const files = tried.length > 0 ? tried : directories().map((directory) => `${directory}: no addon for it`);
  return [
    `evloop has no native addon for ${process.platform}-${process.arch}${libc()} here. Tried:`,
    ...files.map((line) => `  ${line}`),
    'Prebuilt are Linux (glibc 2.17 or later, musl) and macOS (11 or later), each for x64 and arm64. Elsewhere:',
    'compile a checkout of evloop by `npm ci`. In a bundle: copy prebuilds/ of the package beside it. In both',
    'cases EVLOOP_PREBUILD may name the directory that holds build/ or prebuilds/.',
  ].join('\n');
}

function libc(): string {
  if (process.platform !== 'linux') return '';
  const { header } = process.report.getReport() as { header: { glibcVersionRuntime?: string } };
  return header.glibcVersionRuntime === undefined ? ' (musl)' : ` (glibc ${header.glibcVersionRuntime})`;
}

/** The addon, loaded once per thread. */
export const binding: Binding = load();
