// Measures the claims of this project: `npm run bench`; README.md in this folder says how to read it.
//
//   --only TEXT   tables whose name contains TEXT
//   --quick       shorter and fewer rounds
//   --check       only what the bars in bars.mjs need, quickly; ends with `N passed, N failed, N skipped`
//   --retries N   how often a sample that other programs disturbed is taken again (0; 2 without --quick)
//   --no-guests   leave out other runtimes
//   --json FILE, --svg FILE   instead of those in bench/results/
//   --list        name the tables
//
// Exit code 1 when a bar failed under --check, or a contender.
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { bars } from './bars.mjs';
import { tables as awaitFuture } from './claims/await-future.mjs';
import { tables as callSoon } from './claims/call-soon.mjs';
import { tables as coexistence } from './claims/coexistence.mjs';
import { tables as connections } from './claims/connections.mjs';
import { tables as dropIn } from './claims/drop-in.mjs';
import { tables as echo } from './claims/echo.mjs';
import { tables as idle } from './claims/idle.mjs';
import { tables as pipelining } from './claims/pipelining.mjs';
import { tables as sendFile } from './claims/send-file.mjs';
import { tables as spawnJoin } from './claims/spawn-join.mjs';
import { measures as taskSwitchMeasures, tables as taskSwitch } from './claims/task-switch.mjs';
import { tables as structure } from './claims/structure.mjs';
import { tables as timers } from './claims/timers.mjs';
import { tables as tls } from './claims/tls.mjs';
import { tables as udp } from './claims/udp.mjs';
import { tables as wakeUp } from './claims/wake-up.mjs';
import { judge } from './lib/judge.mjs';
import { describeMachine, root } from './lib/machine.mjs';
import { measureTable, noiseOf } from './lib/measure.mjs';
import { formatTable, formatVerdicts } from './lib/report.mjs';
import { median, spread } from './lib/statistics.mjs';
import { drawResults } from './lib/svg.mjs';

const ATTEMPTS = 3;
const STEPS = 2_000_000;

const { values: options } = parseArgs({
  options: {
    check: { type: 'boolean', default: false },
    json: { type: 'string' },
    list: { type: 'boolean', default: false },
    'no-guests': { type: 'boolean', default: false },
    only: { type: 'string', default: '' },
    quick: { type: 'boolean', default: false },
    retries: { type: 'string' },
    svg: { type: 'string' },
  },
});

const allTables = [
  ...echo,
  ...pipelining,
  ...tls,
  ...udp,
  ...connections,
  ...sendFile,
  ...taskSwitch,
  ...spawnJoin,
  ...awaitFuture,
  ...timers,
  ...structure,
  ...callSoon,
  ...wakeUp,
  ...idle,
  ...coexistence,
  ...dropIn,
];
const isQuick = options.quick || options.check;
const retries = Number(options.retries ?? (isQuick ? 0 : 2));
const tables = allTables.filter(
  ({ id }) => id.includes(options.only) && (!options.check || bars.some((bar) => bar.table === id)),
);

/**
 * @param {import('./lib/table.mjs').Table} table
 * @param {readonly import('./bars.mjs').Bar[]} ownBars under --check only what these need is measured
 */
function measure(table, ownBars) {
  const needed = new Set(ownBars.flatMap(({ contender, rival }) => [contender, rival]));
  return measureTable(table, {
    isQuick,
    retries,
    isWanted: ({ name, isGuest = false }) =>
      options.check ? needed.has(name) : !options['no-guests'] || !isGuest,
    onProgress(text) {
      if (process.stderr.isTTY) process.stderr.write(`\r\u001b[K${text}`);
    },
  });
}

function endProgress() {
  if (process.stderr.isTTY) process.stderr.write('\r\u001b[K');
}

// What a generator step takes on this machine, for the bars in nanoseconds.
async function measureStepNs() {
  const rounds = [];
  for (let i = 0; i < 3; i++) {
    rounds.push((await taskSwitchMeasures.bareGenerators({ operations: STEPS })).cpuNs);
  }
  return median(rounds);
}

/**
 * Measures a table and judges it; under --check, whatever misses a bar is measured again. A bar that
 * was met once is met, because noise only ever adds.
 *
 * @param {import('./lib/table.mjs').Table} table
 * @param {number} stepNs
 */
async function measureAndJudge(table, stepNs) {
  const ownBars = bars.filter((bar) => bar.table === table.id);
  /** @param {import('./lib/measure.mjs').Result} result */
  const judgeBy = (result) => (/** @type {import('./bars.mjs').Bar} */ bar) =>
    judge(bar, result, { withMargin: options.check, stepNs });
  const result = await measure(table, ownBars);
  let verdicts = ownBars.map(judgeBy(result));
  for (let attempt = 2; options.check && attempt <= ATTEMPTS; attempt++) {
    const missed = verdicts.filter(({ isMet }) => !isMet).map(({ bar }) => bar);
    if (missed.length === 0) break;
    endProgress();
    console.log(`${table.id} misses a bar, attempt ${attempt} of ${ATTEMPTS}`);
    const again = judgeBy(await measure(table, missed));
    verdicts = verdicts.map((verdict) => (verdict.isMet ? verdict : again(verdict.bar)));
  }
  return { result, verdicts };
}

/**
 * @param {readonly import('./lib/measure.mjs').Result[]} results
 * @param {readonly import('./lib/judge.mjs').Verdict[]} verdicts
 */
function save(results, verdicts) {
  const directory = path.join(root, 'bench', 'results');
  const json = options.json ?? path.join(directory, 'bench.json');
  const svg = options.svg ?? path.join(directory, 'bench.svg');
  for (const file of [json, svg]) mkdirSync(path.dirname(file), { recursive: true });
  const machine = describeMachine();
  const report = {
    date: new Date().toISOString(),
    machine,
    isQuick,
    tables: results.map((result) => ({
      id: result.table.id,
      title: result.table.title,
      metrics: result.table.metrics,
      otherShare: noiseOf(result),
      rows: result.rows.map((row) => ({
        name: row.name,
        metrics: Object.fromEntries(
          Object.entries(row.values).map(([name, values]) => [name, { ...spread(values), values }]),
        ),
      })),
    })),
    bars: verdicts.map(({ bar, measured, isMet }) => ({ ...bar, measured, isMet })),
  };
  writeFileSync(json, `${JSON.stringify(report, null, 2)}\n`);
  const place = `${machine.cpu}, ${machine.cpus} processors, ${machine.kernel}, Node ${machine.node}`;
  writeFileSync(svg, drawResults(results, `${place}; median, line from least to greatest`));
  console.log(`\n${path.relative(process.cwd(), json)}, ${path.relative(process.cwd(), svg)}`);
}

async function main() {
  const stepNs = await measureStepNs();
  /** @type {import('./lib/measure.mjs').Result[]} */
  const results = [];
  /** @type {import('./lib/judge.mjs').Verdict[]} */
  const verdicts = [];
  let broken = 0;
  for (const table of tables) {
    try {
      const judged = await measureAndJudge(table, stepNs);
      endProgress();
      results.push(judged.result);
      verdicts.push(...judged.verdicts);
      console.log(formatTable(judged.result));
    } catch (error) {
      endProgress();
      broken++;
      console.error(`${table.id} broke off:`, error);
    }
  }
  if (verdicts.length > 0) console.log(formatVerdicts(verdicts));
  if (results.length > 0) save(results, verdicts);
  const skipped = verdicts.filter(({ measured }) => measured === null).length;
  const failed = verdicts.filter(({ isMet }) => !isMet).length + broken;
  console.log(`${verdicts.length - skipped - failed + broken} passed, ${failed} failed, ${skipped} skipped`);
  if (broken > 0 || (options.check && (failed > 0 || verdicts.length === 0))) process.exitCode = 1;
}

if (options.list) for (const { id, title } of allTables) console.log(`${id}  ${title}`);
else await main();
