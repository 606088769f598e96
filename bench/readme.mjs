// Puts the figures of bench/reference.json into README.md: node bench/readme.mjs [FILE]
//
// With FILE, the tables that `npm run bench -- --json FILE` wrote become the reference; others of it stay.
import { readFileSync, writeFileSync } from 'node:fs';
import process from 'node:process';
import { BLOCK, figures } from './lib/figures.mjs';

const readme = new URL('../README.md', import.meta.url);
const reference = new URL('reference.json', import.meta.url);

const [file] = process.argv.slice(2);
const text = readFileSync(readme, 'utf8');
if (!BLOCK.test(text)) throw new Error('README.md has no place for the figures');

/** @typedef {import('./lib/figures.mjs').Report} Report */

/**
 * @param {string | URL} path
 * @returns {Report}
 */
function read(path) {
  return JSON.parse(readFileSync(path, 'utf8'));
}

/**
 * @param {Report} old
 * @param {Report} added
 * @returns {Report}
 */
function merge(old, added) {
  const measured = new Set(added.tables.map(({ id }) => id));
  return {
    ...added,
    tables: [...old.tables.filter(({ id }) => !measured.has(id)), ...added.tables],
    bars: [...old.bars.filter(({ table }) => !measured.has(table)), ...added.bars],
  };
}

const report = file === undefined ? read(reference) : merge(read(reference), read(file));
if (file !== undefined) writeFileSync(reference, `${JSON.stringify(report, null, 1)}\n`);
writeFileSync(
  readme,
  text.replace(BLOCK, () => figures(report)),
);
