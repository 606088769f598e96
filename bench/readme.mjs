// Puts the figures of bench/reference.json into README.md: node bench/readme.mjs [FILE]
//
// With FILE, what `npm run bench -- --json FILE` wrote becomes the reference.
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import process from 'node:process';
import { BLOCK, figures } from './lib/figures.mjs';

const readme = new URL('../README.md', import.meta.url);
const reference = new URL('reference.json', import.meta.url);

const [file] = process.argv.slice(2);
if (file !== undefined) copyFileSync(file, reference);
const text = readFileSync(readme, 'utf8');
if (!BLOCK.test(text)) throw new Error('README.md has no place for the figures');
const report = /** @type {import('./lib/figures.mjs').Report} */ (
  JSON.parse(readFileSync(reference, 'utf8'))
);
writeFileSync(
  readme,
  text.replace(BLOCK, () => figures(report)),
);
