// Runs every suite and sums them up in one last line, `N passed, N failed, N skipped`.
//
//   npm test                         the build, the types, the native tests, and the tests on every backend
//   EVLOOP_TEST_SCOPE=full npm test  also lint, sanitizers, instruction budget, speed, package, other Nodes
//   npm test -- --only=TEXT          the suites whose name contains TEXT; --list names them all
//
// Exit code 1 when anything failed or when a suite ran nothing.
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { BACKENDS } from './lib/backends.mjs';
import { OTHER_MAJORS } from './lib/other-nodes.mjs';
import { root, run, tool } from './lib/run.mjs';

/** @typedef {{ passed: number, failed: number, skipped: number, failures?: string[] }} Counts */
/**
 * @typedef {object} Suite
 * @property {string} name
 * @property {boolean} [isFull] runs in the full scope only
 * @property {boolean} [isRequired] when it fails, the suites behind it would only repeat that
 * @property {() => Promise<Counts>} start
 */

const INDENT = '  ';
const isFull = process.env['EVLOOP_TEST_SCOPE'] === 'full' || process.argv.includes('--full');

/**
 * A command that either succeeds or not: one test.
 *
 * @param {string} command
 * @param {string[]} args
 * @returns {() => Promise<Counts>}
 */
function step(command, args) {
  return async () => {
    const { code } = await run(command, args, { indent: INDENT });
    return { passed: code === 0 ? 1 : 0, failed: code === 0 ? 0 : 1, skipped: 0 };
  };
}

/**
 * A command whose last line says `N passed, N failed` and perhaps `, N skipped`.
 *
 * @param {string} command
 * @param {string[]} args
 * @returns {() => Promise<Counts>}
 */
function counted(command, args) {
  return async () => {
    const { code, stdout } = await run(command, args, { indent: INDENT });
    const summary = /(?:^|\n)(\d+) passed, (\d+) failed(?:, (\d+) skipped)?\s*$/.exec(stdout);
    const [passed, failed, skipped] = [summary?.[1], summary?.[2], summary?.[3]].map((text) =>
      Number(text ?? 0),
    );
    return withExitCode({ passed: passed ?? 0, failed: failed ?? 0, skipped: skipped ?? 0 }, code);
  };
}

/**
 * All of test/, on one backend and host.
 *
 * @param {Record<string, string>} env
 * @returns {() => Promise<Counts>}
 */
function vitest(env) {
  return async () => {
    const directory = mkdtempSync(path.join(tmpdir(), 'evloop-test-'));
    const report = path.join(directory, 'report.json');
    const args = ['run', '--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
    try {
      const { code } = await run(tool('vitest'), args, { env, indent: INDENT });
      if (!existsSync(report)) return withExitCode({ passed: 0, failed: 0, skipped: 0 }, code);
      const json = JSON.parse(readFileSync(report, 'utf8'));
      const skipped = json.numPendingTests + json.numTodoTests;
      const failures = failuresOf(json);
      return withExitCode(
        { passed: json.numPassedTests, failed: json.numFailedTests, skipped, failures },
        code,
      );
    } finally {
      rmSync(directory, { recursive: true });
    }
  };
}

/**
 * What failed and why, a line each.
 *
 * @param {{ testResults: { name: string, message: string, assertionResults: { status: string, fullName: string, failureMessages: string[] }[] }[] }} report
 */
function failuresOf(report) {
  return report.testResults.flatMap(({ name, message, assertionResults }) => {
    const file = path.relative(root, name);
    const failed = assertionResults.filter(({ status }) => status === 'failed');
    if (failed.length === 0) return message === '' ? [] : [`${file}: ${firstLine(message)}`];
    return failed.map((test) => `${file} > ${test.fullName}: ${firstLine(test.failureMessages[0] ?? '')}`);
  });
}

/** @param {string} text */
function firstLine(text) {
  return (text.split('\n', 1)[0] ?? '').slice(0, 200);
}

/**
 * A suite that crashed or found no tests must not count as a success.
 *
 * @param {Counts} counts
 * @param {number} code
 * @returns {Counts}
 */
function withExitCode(counts, code) {
  // What needs a system package may be skipped, but not where everything is asked for.
  const ranNothing = counts.passed === 0 && (isFull || counts.skipped === 0);
  const isHidden = counts.failed === 0 && (code !== 0 || ranNothing);
  return isHidden ? { ...counts, failed: 1 } : counts;
}

/** @type {Suite[]} */
const suites = [
  { name: 'build native', isRequired: true, start: step('node', ['scripts/build-native.mjs']) },
  { name: 'build types', isRequired: true, start: step('npm', ['run', '--silent', 'build:ts']) },
  { name: 'types', start: step(tool('tsc'), ['-p', 'tsconfig.json']) },
  {
    name: 'native',
    start: counted('node', ['scripts/native-build.mjs', 'plain', '--run', 'native_tests']),
  },
  {
    name: 'native kqueue over an emulation',
    start: counted('node', ['scripts/native-build.mjs', 'plain', '--run', 'native_kqueue_tests']),
  },
  {
    name: 'native engine without a kernel',
    start: counted('node', ['scripts/native-build.mjs', 'plain', '--run', 'native_engine_tests']),
  },
  ...BACKENDS.map((env) => ({
    name: `backend ${env.EVLOOP_BACKEND}, host ${env.EVLOOP_HOST}`,
    start: vitest(env),
  })),
  { name: 'lint', isFull: true, start: counted('node', ['scripts/lint.mjs']) },
  {
    name: 'native under AddressSanitizer and UBSan',
    isFull: true,
    start: counted('node', ['scripts/native-build.mjs', 'asan', '--run', 'native_tests']),
  },
  {
    name: 'native kqueue over an emulation, under AddressSanitizer and UBSan',
    isFull: true,
    start: counted('node', ['scripts/native-build.mjs', 'asan', '--run', 'native_kqueue_tests']),
  },
  {
    name: 'native engine without a kernel, under AddressSanitizer and UBSan',
    isFull: true,
    start: counted('node', ['scripts/native-build.mjs', 'asan', '--run', 'native_engine_tests']),
  },
  { name: 'fuzz', isFull: true, start: counted('node', ['scripts/fuzz.mjs', '20']) },
  { name: 'soak', isFull: true, start: counted('node', ['scripts/soak.mjs', '--seconds', '60']) },
  {
    name: 'native under ThreadSanitizer',
    isFull: true,
    start: counted('node', ['scripts/native-build.mjs', 'tsan', '--run', 'native_tests']),
  },
  {
    name: 'addon under AddressSanitizer and UBSan',
    isFull: true,
    start: counted('node', ['scripts/addon-sanitized.mjs']),
  },
  { name: 'addon on an emulated kqueue', isFull: true, start: counted('node', ['scripts/addon-kqueue.mjs']) },
  { name: 'instructions', isFull: true, start: counted('node', ['scripts/check-instructions.mjs']) },
  { name: 'prebuilds', isFull: true, start: step('node', ['scripts/prebuild.mjs']) },
  { name: 'prebuilds, checked', isFull: true, start: counted('node', ['scripts/prebuild-check.mjs']) },
  { name: 'other platforms', isFull: true, start: counted('node', ['scripts/platforms-check.mjs']) },
  { name: 'package', isFull: true, start: counted('node', ['scripts/pack-check.mjs']) },
  { name: 'installed', isFull: true, start: counted('node', ['scripts/install-check.mjs']) },
  { name: 'other runtimes', isFull: true, start: counted('node', ['scripts/node-matrix.mjs']) },
  { name: 'packages', isFull: true, start: counted('node', ['scripts/packages.mjs']) },
  { name: "Node's own tests", isFull: true, start: counted('node', ['scripts/node-tests.mjs']) },
  ...OTHER_MAJORS.map((major) => ({
    name: `Node's own tests of net on Node ${major}`,
    isFull: true,
    start: counted('node', [
      'scripts/node-tests.mjs',
      `--node=${major}`,
      '--only=test-net-',
      '--only=test-pipe-',
    ]),
  })),
  { name: 'speed', isFull: true, start: step('node', ['bench/run.mjs', '--check']) },
];

const only = process.argv.find((argument) => argument.startsWith('--only='))?.slice('--only='.length);
const chosen = suites.filter((suite) =>
  only === undefined ? isFull || suite.isFull !== true : suite.name.includes(only),
);

/** @param {Counts} counts */
function describe(counts) {
  return `${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`;
}

if (process.argv.includes('--list')) {
  for (const suite of suites) console.log(suite.isFull === true ? `${suite.name} (full)` : suite.name);
} else {
  const total = { passed: 0, failed: 0, skipped: 0 };
  /** @type {string[]} */
  const table = [];
  for (const suite of chosen) {
    console.log(`# ${suite.name}`);
    const started = Date.now();
    const counts = await suite.start();
    total.passed += counts.passed;
    total.failed += counts.failed;
    total.skipped += counts.skipped;
    table.push(`${suite.name}: ${describe(counts)} (${((Date.now() - started) / 1000).toFixed(1)} s)`);
    for (const failure of counts.failures ?? []) table.push(`${INDENT}failed: ${failure}`);
    if (suite.isRequired === true && counts.failed > 0) {
      table.push('the suites behind it were not started');
      break;
    }
  }
  console.log('# summary');
  for (const line of table) console.log(INDENT + line);
  console.log(describe(total));
  process.exitCode = total.failed > 0 || total.passed === 0 ? 1 : 0;
}
