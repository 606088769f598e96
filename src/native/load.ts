// Finds and loads the addon: a prebuild of the package, or what a checkout built.
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import type { Binding } from './binding.js';

const require = createRequire(import.meta.url);
const packageRoot = fileURLToPath(new URL('../..', import.meta.url));

function load(): Binding {
  const nodeGypBuild = require('node-gyp-build') as (directory: string) => Binding;
  try {
    return nodeGypBuild(packageRoot);
  } catch (cause) {
    const error = new Error(
      `evloop has no native addon for ${process.platform}-${process.arch} here; looked in ${packageRoot}`,
      { cause },
    );
    throw Object.assign(error, { code: 'ERR_NATIVE_ADDON_MISSING' });
  }
}

/** The addon, loaded once per thread. */
export const binding: Binding = load();
