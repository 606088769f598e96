// The package as plain JavaScript, for worker threads and child processes, which know no TypeScript.
//
// It is dist/, as `npm run build:ts` leaves it; files that are older than their sources are made
// anew, so that a test never runs yesterday's code.
import { mkdirSync, readdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
const source = path.join(root, 'src');
const dist = path.join(root, 'dist');

let isFresh = false;

function modifiedMs(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? -1;
}

async function refresh(): Promise<void> {
  const stale = readdirSync(source, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => ({
      input: path.join(source, name),
      output: path.join(dist, name.replace(/\.ts$/, '.js')),
    }))
    .filter(({ input, output }) => modifiedMs(output) <= modifiedMs(input));
  if (stale.length === 0) return;
  const { default: ts } = await import('typescript');
  const compilerOptions = {
    target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind.ESNext,
    verbatimModuleSyntax: true,
  };
  for (const { input, output } of stale) {
    const { outputText } = ts.transpileModule(readFileSync(input, 'utf8'), {
      compilerOptions,
      fileName: input,
    });
    mkdirSync(path.dirname(output), { recursive: true });
    // Another test may load it at this moment.
    const unfinished = `${output}.${String(process.pid)}`;
    writeFileSync(unfinished, outputText);
    renameSync(unfinished, output);
  }
}

/**
 * Where a module of the package can be imported from by plain JavaScript.
 *
 * @param name - Below src/, without extension: `core/remote`.
 */
export async function distUrl(name: string): Promise<string> {
  if (!isFresh) await refresh();
  isFresh = true;
  return pathToFileURL(path.join(dist, `${name}.js`)).href;
}
