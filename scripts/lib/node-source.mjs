// Node's own tests, out of Debian's source package of nodejs.
import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { root, run } from './run.mjs';

const APT_DIRECTORY = '/etc/apt';
/** What `apt-get source` brings; the packaging files beside it are not needed. */
const TARBALL = /^nodejs_(18\.20\.\d+).*\.orig\.tar\.[a-z]+$/;

/**
 * The directory that holds `test/`, unpacked into build/node-tests and kept.
 *
 * @returns {Promise<string>}
 */
export async function nodeTests() {
  const home = path.join(root, 'build', 'node-tests');
  const unpacked = path.join(home, 'node');
  if (existsSync(unpacked)) return unpacked;
  rmSync(home, { recursive: true, force: true });
  const apt = path.join(home, 'apt');
  const tarball = await download(apt);
  const partial = path.join(home, 'partial');
  mkdirSync(partial);
  const members = ['common', 'fixtures', 'parallel', 'sequential'].map((name) => `*/test/${name}`);
  const how = ['--strip-components=1', '--wildcards', '--no-wildcards-match-slash'];
  const { code } = await run('tar', ['-xf', tarball, '-C', partial, ...how, ...members], { isQuiet: true });
  if (code !== 0) throw new Error(`${tarball} could not be unpacked`);
  rmSync(apt, { recursive: true });
  // The project's own package.json would make modules of the tests.
  writeFileSync(path.join(partial, 'package.json'), '{}\n');
  renameSync(partial, unpacked);
  return unpacked;
}

/**
 * Lets apt fetch the source package, by the machine's own mirrors and keys, with lists of its own, so that the machine's
 * configuration stays as it is. The path of the tarball.
 *
 * @param {string} home
 */
async function download(home) {
  const [lists, cache, parts] = ['lists', 'cache', 'sources'].map((name) => path.join(home, name));
  mkdirSync(`${lists}/partial`, { recursive: true });
  mkdirSync(`${cache}/archives/partial`, { recursive: true });
  mkdirSync(`${parts}`);
  for (const [name, text] of sourceEntries()) writeFileSync(path.join(`${parts}`, name), text);
  const settings = {
    'Dir::Etc::sourcelist': '/dev/null',
    'Dir::Etc::sourceparts': parts,
    'Dir::State::lists': lists,
    'Dir::Cache': cache,
    // The user that apt downloads as may not write here.
    'APT::Sandbox::User': '',
  };
  const configuration = path.join(home, 'apt.conf');
  writeFileSync(
    configuration,
    Object.entries(settings)
      .map(([name, value]) => `${name} "${value}";\n`)
      .join(''),
  );
  const options = { cwd: home, env: { APT_CONFIG: configuration }, isQuiet: true, isSilent: true };
  // A repository without sources, or without the packaging files, is no failure: the tarball is what counts.
  const update = await run('apt-get', ['update', '-qq'], options);
  const source = await run(
    'apt-get',
    ['source', '-qq', '--download-only', '--only-source', 'nodejs'],
    options,
  );
  const tarball = readdirSync(home).find((name) => TARBALL.test(name));
  if (tarball === undefined) {
    throw new Error(`apt brought no source of nodejs 18.20:\n${update.output}${source.output}`);
  }
  return path.join(home, tarball);
}

/**
 * The machine's entries for packages, in both of apt's formats, as entries for sources.
 *
 * @returns {[name: string, text: string][]}
 */
function sourceEntries() {
  const parts = path.join(APT_DIRECTORY, 'sources.list.d');
  const files = existsSync(parts) ? readdirSync(parts).map((name) => path.join(parts, name)) : [];
  return [path.join(APT_DIRECTORY, 'sources.list'), ...files]
    .filter((file) => /\.(?:list|sources)$/.test(file) && existsSync(file))
    .map((file) => {
      const text = readFileSync(file, 'utf8');
      const entries = file.endsWith('.list')
        ? text.replace(/^deb(?=\s)/gm, 'deb-src')
        : text.replace(/^Types:.*$/gim, 'Types: deb-src');
      return [path.basename(file), entries];
    });
}
