// The package as plain JavaScript, for worker threads and child processes, which know no TypeScript.
//
// It is dist/, as `npm run build:ts` leaves it; before the first test it is built again when a source
// is younger, so that a test never runs yesterday's code.
import { execFileSync } from 'node:child_process';
import { readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
const source = path.join(root, 'src');
const dist = path.join(root, 'dist');

function modifiedMs(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? -1;
}

/** Called by vitest before the first test. */
export function setup(): void {
  const isStale = readdirSync(source, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .some((name) => {
      const output = path.join(dist, name.replace(/\.ts$/, '.js'));
      return modifiedMs(output) <= modifiedMs(path.join(source, name));
    });
  if (!isStale) return;
  const tsc = path.join(root, 'node_modules/typescript/bin/tsc');
  execFileSync(process.execPath, [tsc, '-p', path.join(root, 'tsconfig.build.json')], { stdio: 'inherit' });
}

/**
 * Where a module of the package can be imported from by plain JavaScript.
 *
 * @param name - Below src/, without extension: `core/remote`.
 */
export function distUrl(name: string): string {
  return pathToFileURL(path.join(dist, `${name}.js`)).href;
}
