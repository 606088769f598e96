// Node's own tests of sockets and of what is built on them, with plain Node and under `evloop/register`:
//
//   node scripts/node-tests.mjs [--only=TEXT]... [--node=PATH|MAJOR] [--jobs=N] [--preload=FILE] [--update]
//
// The tests are those of Debian's nodejs source package. Each runs with plain Node first; what passes there has to pass
// under evloop too. The misses stand in test/node/misses.json, with their reasons. Exit code 1 when another test fails,
// when a listed one passes, or when a family passes at less than the rate that is required of it.
//
// `--only` takes the tests whose names contain TEXT, and asks for no rate. `--update` brings misses.json up to date;
// reasons have to be written by hand. `--preload` runs the tests under another module: an empty one shows what
// preloading alone breaks.
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { nodeTests } from './lib/node-source.mjs';
import { runNodeTest } from './lib/node-test.mjs';
import { installNode } from './lib/other-nodes.mjs';
import { root, run } from './lib/run.mjs';

const FAMILIES = ['net', 'http', 'https', 'tls', 'http2', 'pipe', 'stream'];
/** Of what passes with plain Node, the share that has to pass under evloop. */
const REQUIRED = /** @type {Record<string, number>} */ ({ net: 0.97, http: 0.97 });
const REQUIRED_ELSEWHERE = 0.95;
/** The tests know its global variables, and look for others at the end. */
const LEAK_CHECKED_MAJOR = 20;
const ATTEMPTS = 3;
const TIMEOUT_MS = 30_000;
const MISSES = path.join(root, 'test', 'node', 'misses.json');
const REGISTER = path.join(root, 'dist', 'register.js');
const COUNT_SOCKETS = path.join(root, 'scripts', 'lib', 'count-sockets.mjs');
const TOUCHES_SOCKETS = /'(?:node:)?(?:net|https?|http2|tls)'|common\.PIPE/;

/** `node`: the binary. @typedef {{ node: string, major: number }} Version */
/** @typedef {{ family: string, name: string, file: string, isAlone: boolean }} NodeTest */
/** `nodes`: the major versions where it is missed. @typedef {{ reason: string, nodes: number[], isFlaky?: boolean }} Miss */
/**
 * `isFlaky`: it needed more than one attempt under evloop. `isMoved`: at least one socket was on evloop.
 *
 * @typedef {{ test: NodeTest, baseline: string, isPassed: boolean, isFlaky: boolean, isMoved: boolean, output: string }} Outcome
 */

const { values } = parseArgs({
  options: {
    only: { type: 'string', multiple: true, default: [] },
    node: { type: 'string', default: process.execPath },
    // Many tests wait more than they work.
    jobs: { type: 'string', default: String(2 * availableParallelism()) },
    preload: { type: 'string', default: REGISTER },
    update: { type: 'boolean', default: false },
  },
});

// Only the register that was built can say how many sockets it has moved.
const PRELOADS = [values.preload, ...(values.preload === REGISTER ? [COUNT_SOCKETS] : [])]
  .map((file) => `--import ${pathToFileURL(file).href}`)
  .join(' ');

/** @param {string} name */
const isChosen = (name) => values.only.length === 0 || values.only.some((text) => name.includes(text));

/**
 * @param {string} directory
 * @returns {NodeTest[]}
 */
function findTests(directory) {
  return ['parallel', 'sequential'].flatMap((folder) =>
    readdirSync(path.join(directory, 'test', folder)).flatMap((base) => {
      const match = /^(test-([a-z0-9]+)-.*)\.m?js$/.exec(base);
      const [, name = '', family = ''] = match ?? [];
      const file = path.join(directory, 'test', folder, base);
      if (!FAMILIES.includes(family) || !isChosen(name)) return [];
      if (family === 'stream' && !TOUCHES_SOCKETS.test(readFileSync(file, 'utf8'))) return [];
      return [{ family, name, file, isAlone: folder === 'sequential' }];
    }),
  );
}

/**
 * Runs a test with plain Node and, when it passes there, under evloop.
 *
 * @param {NodeTest} test
 * @param {Version} version
 * @param {string} directory
 * @param {number} slot
 * @param {boolean} isMissExpected then one failure is enough
 * @returns {Promise<Outcome>}
 */
async function compare(test, { node, major }, directory, slot, isMissExpected) {
  /** @type {Record<string, string>} */
  const globals = major === LEAK_CHECKED_MAJOR ? {} : { NODE_TEST_KNOWN_GLOBALS: '0' };
  const how = { node, directory, slot, timeoutMs: TIMEOUT_MS, env: globals };
  const baseline = await attempt(test.file, how, ATTEMPTS);
  const outcome = {
    test,
    baseline: baseline.outcome,
    isPassed: false,
    isFlaky: false,
    isMoved: false,
    output: '',
  };
  if (baseline.outcome !== 'passed') return outcome;
  const counts = `${directory}.counts`;
  rmSync(counts, { force: true });
  // What a test starts itself inherits this too.
  const env = { ...globals, NODE_OPTIONS: PRELOADS, EVLOOP_SOCKET_COUNTS: counts };
  const result = await attempt(test.file, { ...how, env }, isMissExpected ? 1 : ATTEMPTS);
  const isPassed = result.outcome === 'passed';
  const isFlaky = isPassed && result.attempts > 1;
  return { ...outcome, isPassed, isFlaky, isMoved: hasMoved(counts), output: result.output };
}

/** @param {string} counts a file with the sockets of each process of a test, a line each */
function hasMoved(counts) {
  return existsSync(counts) && /[1-9]/.test(readFileSync(counts, 'utf8'));
}

/**
 * Again and again while it fails. What does not end is not tried again: it may be a wake-up that was lost.
 *
 * @param {string} file
 * @param {import('./lib/node-test.mjs').How} how
 * @param {number} limit
 */
async function attempt(file, how, limit) {
  for (let attempts = 1; ; attempts++) {
    const result = await runNodeTest(file, how);
    if (result.outcome !== 'failed' || attempts === limit) return { ...result, attempts };
  }
}

/**
 * @param {NodeTest[]} tests
 * @param {Version} version
 * @param {Record<string, Record<string, Miss>>} misses
 */
async function compareAll(tests, version, misses) {
  const directory = mkdtempSync(path.join(tmpdir(), 'evloop-node-tests-'));
  /** @type {Outcome[]} */
  const outcomes = [];
  /** @param {NodeTest[]} queue @param {number} slot */
  const worker = async (queue, slot) => {
    for (let test = queue.shift(); test !== undefined; test = queue.shift()) {
      const isMissExpected = misses[test.family]?.[test.name]?.nodes.includes(version.major) === true;
      outcomes.push(await compare(test, version, path.join(directory, String(slot)), slot, isMissExpected));
    }
  };
  try {
    const together = tests.filter(({ isAlone }) => !isAlone);
    await Promise.all(Array.from({ length: Number(values.jobs) }, (_, slot) => worker(together, slot)));
    await worker(
      tests.filter(({ isAlone }) => isAlone),
      0,
    );
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
  return outcomes;
}

/**
 * What is wrong with these outcomes, a line each.
 *
 * @param {Outcome[]} outcomes
 * @param {number} major
 * @param {Record<string, Record<string, Miss>>} misses
 */
function* judge(outcomes, major, misses) {
  for (const { test, baseline, isPassed, output } of outcomes) {
    if (baseline !== 'passed') continue;
    const miss = misses[test.family]?.[test.name];
    const isListed = miss?.nodes.includes(major) === true;
    if (isPassed && isListed && miss.isFlaky !== true) yield `${test.name} is listed as a miss, and passes`;
    if (!isPassed && !isListed) yield `${test.name} fails\n${indented(output)}`;
    if (isListed && miss.reason === '') yield `${test.name} is listed as a miss without a reason`;
  }
  if (values.only.length > 0) return;
  const names = new Set(outcomes.map(({ test }) => test.name));
  for (const name of Object.values(misses).flatMap(Object.keys)) {
    if (!names.has(name)) yield `${name} is listed as a miss, and does not exist`;
  }
  for (const [family, { rate, required }] of Object.entries(rates(outcomes))) {
    if (rate < required) yield `${family}: ${percent(rate)} pass, ${percent(required)} are required`;
  }
}

/** @param {Outcome[]} outcomes */
function rates(outcomes) {
  return Object.fromEntries(
    FAMILIES.map((family) => {
      const counted = outcomes.filter(
        ({ test, baseline }) => test.family === family && baseline === 'passed',
      );
      const passed = counted.filter(({ isPassed }) => isPassed).length;
      const moved = counted.filter(({ isMoved }) => isMoved).length;
      const baseline = counted.length;
      const required = REQUIRED[family] ?? REQUIRED_ELSEWHERE;
      return [family, { baseline, passed, moved, rate: baseline === 0 ? 1 : passed / baseline, required }];
    }),
  );
}

/**
 * @param {string} title
 * @param {Outcome[]} outcomes
 * @param {(outcome: Outcome) => boolean} isListed
 */
function list(title, outcomes, isListed) {
  const names = outcomes.filter(isListed).map(({ test }) => test.name);
  if (names.length > 0) console.log(`  ${title}: ${names.sort().join(', ')}`);
}

/** @param {number} share */
const percent = (share) => `${(100 * share).toFixed(1)} %`;

/** @param {string} text */
const indented = (text) => text.trimEnd().replace(/^/gm, '      ');

/**
 * Takes misses that pass off the list, and puts new ones on it without a reason.
 *
 * @param {Outcome[]} outcomes
 * @param {number} major
 * @param {Record<string, Record<string, Miss>>} misses
 */
function update(outcomes, major, misses) {
  for (const { test, baseline, isPassed } of outcomes) {
    if (baseline !== 'passed') continue;
    const family = (misses[test.family] ??= {});
    const miss = family[test.name] ?? { reason: '', nodes: [] };
    if (miss.isFlaky === true) continue;
    miss.nodes = miss.nodes.filter((listed) => listed !== major);
    if (!isPassed) miss.nodes = [...miss.nodes, major].sort((a, b) => a - b);
    family[test.name] = miss;
    if (miss.nodes.length === 0) delete family[test.name];
  }
  const sorted = FAMILIES.map((family) => [family, Object.entries(misses[family] ?? {}).sort()]);
  const filled = sorted.map(([family, list]) => [
    family,
    Object.fromEntries(/** @type {[string, Miss][]} */ (list)),
  ]);
  writeFileSync(MISSES, `${JSON.stringify(Object.fromEntries(filled), null, 2)}\n`);
}

async function main() {
  if (!existsSync(values.preload)) throw new Error(`${values.preload} does not exist: npm run build`);
  const node = /^\d+$/.test(values.node) ? await installNode(Number(values.node)) : values.node;
  if (node === null) throw new Error(`Node ${values.node} could not be installed`);
  const version = (await run(node, ['-p', 'process.versions.node'], { isQuiet: true })).stdout.trim();
  const major = Number(version.split('.')[0]);
  const tests = findTests(await nodeTests());
  /** @type {Record<string, Record<string, Miss>>} */
  const misses = existsSync(MISSES) ? JSON.parse(readFileSync(MISSES, 'utf8')) : {};
  const outcomes = await compareAll(tests, { node, major }, misses);
  if (values.update) update(outcomes, major, misses);
  const problems = [...judge(outcomes, major, misses)];
  for (const problem of problems) console.log(`FAIL ${problem}`);
  console.log(`Node ${version}: tests that pass with plain Node, and of those under evloop`);
  for (const [family, { baseline, passed, moved, rate }] of Object.entries(rates(outcomes))) {
    if (baseline === 0) continue;
    console.log(
      `  ${family.padEnd(7)} ${String(baseline).padStart(4)} ${String(passed).padStart(4)}  ${percent(rate).padStart(7)}, ${moved} with sockets on evloop`,
    );
  }
  list('not counted, as plain Node fails them', outcomes, ({ baseline }) => /failed|late/.test(baseline));
  list('passed at a second or third attempt', outcomes, ({ isFlaky }) => isFlaky);
  const passed = outcomes.filter(({ isPassed }) => isPassed).length;
  const skipped = Math.max(0, outcomes.length - passed - problems.length);
  console.log(`${passed} passed, ${problems.length} failed, ${skipped} skipped`);
  process.exitCode = problems.length > 0 || passed === 0 ? 1 : 0;
}

await main();
