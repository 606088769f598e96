// Counts the instructions that the native structures spend per operation, and compares them with
// bench/native-budget.json: unlike times, they do not depend on what else the machine does.
//
//   node scripts/check-instructions.mjs [--update] [--bench build/native/native_bench]
//
// Needs valgrind; without it every case is skipped. Each case runs twice under callgrind, once with
// no operation: the difference leaves out start-up and preparation.
// Exit code: 1 when a case spends more than 3 % over its budget or has none. --update writes the
// budget instead of comparing. The counts belong to one compiler; another one needs its own update.
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { root, run } from './lib/run.mjs';

// Divisible by the batches of the cases, and enough that a first use of memory does not show.
const OPERATIONS = 64_000;
const TOLERANCE = 0.03;
const BUDGET_FILE = path.join(root, 'bench', 'native-budget.json');

const { values: options } = parseArgs({
  options: {
    update: { type: 'boolean', default: false },
    bench: { type: 'string', default: path.join('build', 'native', 'native_bench') },
  },
});
const program = path.resolve(root, options.bench);
if (!existsSync(program)) throw new Error(`${program} is missing: run scripts/native-build.mjs first`);

/**
 * @param {string} name
 * @param {number} operations
 */
async function countInstructions(name, operations) {
  const args = ['--tool=callgrind', '--callgrind-out-file=/dev/null', program, name, String(operations)];
  const { code, output } = await run('valgrind', args, { isQuiet: true });
  const collected = /Collected : (\d+)/.exec(output)?.[1];
  if (code !== 0 || collected === undefined) throw new Error(`callgrind failed on ${name}:\n${output}`);
  return Number(collected);
}

/** @param {string} name */
async function measure(name) {
  const [idle, busy] = [await countInstructions(name, 0), await countInstructions(name, OPERATIONS)];
  return Math.round(((busy - idle) / OPERATIONS) * 100) / 100;
}

/** @returns {Promise<Record<string, number>>} */
async function readBudget() {
  return existsSync(BUDGET_FILE) ? JSON.parse(await readFile(BUDGET_FILE, 'utf8')) : {};
}

const listed = await run(program, ['--list'], { isQuiet: true });
const names = listed.stdout.trim().split('\n');
const hasValgrind = (await run('valgrind', ['--version'], { isQuiet: true })).code === 0;
if (!hasValgrind) {
  console.log(`valgrind is missing\n0 passed, 0 failed, ${names.length} skipped`);
} else if (options.update) {
  /** @type {Record<string, number>} */
  const budget = {};
  for (const name of names) budget[name] = await measure(name);
  await writeFile(BUDGET_FILE, `${JSON.stringify(budget, null, 2)}\n`);
  console.table(budget);
} else {
  await compare(await readBudget());
}

/** @param {Record<string, number>} budget */
async function compare(budget) {
  let failed = 0;
  console.log(
    `${'case'.padEnd(28)}${'budget'.padStart(10)}${'counted'.padStart(10)}${'change'.padStart(10)}`,
  );
  for (const name of names) {
    const allowed = budget[name] ?? Number.NaN;
    const counted = await measure(name);
    const change = counted / allowed - 1;
    const isGood = change <= TOLERANCE;
    if (!isGood) failed += 1;
    const columns = [allowed.toFixed(2), counted.toFixed(2), `${(change * 100).toFixed(1)} %`];
    console.log(
      name.padEnd(28) + columns.map((text) => text.padStart(10)).join('') + (isGood ? '' : '  FAILED'),
    );
  }
  if (failed > 0) {
    console.log('A cost that is meant goes into the budget with --update, its reason into the commit.');
  }
  console.log(`${names.length - failed} passed, ${failed} failed, 0 skipped`);
  process.exitCode = failed > 0 ? 1 : 0;
}
