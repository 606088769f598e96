// Feeds the engine with what no correct JS would write, and watches with AddressSanitizer and UBSan:
//
//   node scripts/fuzz.mjs [SECONDS]     600 when absent
//
// What it learned is kept in build/fuzz/corpus, and an input that broke something in build/fuzz; to run
// that one again, give its path to build/fuzz/submissions_fuzz.
// Exit code 1 when something broke. Without clang it says so and reports one skipped test.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { Checks } from './lib/checks.mjs';
import { root, run } from './lib/run.mjs';

const DEFAULT_SECONDS = 600;
const FLAGS = [
  ...['-std=c++17', '-O1', '-g', '-fno-exceptions', '-fno-rtti', '-fno-omit-frame-pointer'],
  ...['-Wall', '-Wextra', '-Werror', '-fno-sanitize-recover=all', '-I.', '-iquotenative', '-pthread'],
];
const directory = path.join(root, 'build', 'fuzz');
const program = path.join(directory, 'submissions_fuzz');
const corpus = path.join(directory, 'corpus');

/** The first of the usual names, or null. */
async function findClang() {
  for (const name of ['clang++', 'clang++-14', 'clang++-15', 'clang++-16', 'clang++-18', 'clang++-19']) {
    if ((await run(name, ['--version'], { isQuiet: true, isSilent: true })).code === 0) return name;
  }
  return null;
}

/** @param {string} clang */
async function compile(clang) {
  /** @type {Record<string, string[]>} */
  const { common = [], fuzz = [] } = JSON.parse(readFileSync(path.join(root, 'native/sources.json'), 'utf8'));
  const args = [...FLAGS, '-fsanitize=fuzzer,address,undefined', ...common, ...fuzz, '-o', program];
  return (await run(clang, args, { isQuiet: true })).code === 0;
}

// Lives of connections, to begin with; see `Step` and `Submit` in native/fuzz/submissions_fuzz.cc.
function writeSeeds() {
  const [submit, drain, poll, expire, reap, listen, connect, arrive, tell] = [0, 2, 3, 4, 5, 8, 9, 10, 11];
  const turn = [drain, poll, 16, reap];
  const operation = (/** @type {number} */ op, /** @type {number[]} */ ...rest) => [submit, op, ...rest];
  const ofFirst = (/** @type {number} */ op) => operation(op, 0, 0, 0, 1, 4, 0, 0);
  const opened = [connect, 0, ...turn, tell, 0, 2, ...turn];
  const seeds = {
    echo: [
      ...opened,
      ...ofFirst(4),
      drain,
      tell,
      0,
      1,
      ...turn,
      0,
      ...ofFirst(3),
      ...turn,
      0,
      ...ofFirst(7),
      ...turn,
    ],
    backlog: [
      ...opened,
      ...ofFirst(3),
      drain,
      130,
      ...ofFirst(3),
      ...ofFirst(6),
      ...ofFirst(7),
      ...turn,
      tell,
      0,
      2,
      ...turn,
    ],
    reset: [...opened, ...ofFirst(4), ...ofFirst(3), ...ofFirst(8), ...turn, tell, 0, 7, ...turn],
    accept: [
      listen,
      ...ofFirst(9),
      arrive,
      arrive,
      drain,
      tell,
      0,
      1,
      ...turn,
      ...ofFirst(10),
      ...ofFirst(7),
      ...turn,
    ],
    timers: [
      ...operation(1, 1, 1, 0, 0, 0, 0, 9),
      ...operation(11, 2, 1, 0, 0, 0, 0, 1),
      ...turn,
      expire,
      9,
      reap,
    ],
  };
  for (const [name, bytes] of Object.entries(seeds)) {
    writeFileSync(path.join(corpus, `seed-${name}`), Uint8Array.from(bytes));
  }
}

const seconds = Number(process.argv[2] ?? DEFAULT_SECONDS);
if (!(seconds > 0)) throw new Error(`expected a number of seconds, got ${process.argv[2]}`);
const clang = await findClang();
if (clang === null) {
  console.log('fuzzing needs clang (the name of a Debian package)');
  console.log('0 passed, 0 failed, 1 skipped');
} else {
  mkdirSync(corpus, { recursive: true });
  writeSeeds();
  const checks = new Checks();
  if (checks.check('the fuzzer compiles', await compile(clang))) {
    const options = [`-max_total_time=${seconds}`, '-max_len=2048', '-len_control=20', '-timeout=20'];
    const result = await run(
      program,
      [...options, '-print_final_stats=1', `-artifact_prefix=${directory}/`, corpus],
      {
        isQuiet: true,
        timeoutMs: (seconds + 120) * 1000,
        env: { ASAN_OPTIONS: 'detect_leaks=1', UBSAN_OPTIONS: 'print_stacktrace=1' },
      },
    );
    const runs = /stat::number_of_executed_units:\s*(\d+)/.exec(result.output)?.[1] ?? '0';
    checks.check(`nothing broke in ${runs} runs and ${seconds} s`, result.code === 0 && Number(runs) > 0);
  }
  checks.end();
}
