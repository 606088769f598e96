// Runs the conformance programs in Python and in TypeScript and compares their traces.
//
//   node scripts/conformance.mjs [--python=PATH]   ends with `N equal, N declared, N different`
//   node scripts/conformance.mjs --record          records the Python side, writes test/conformance/README.md
//
// Without a Python of the recorded minor version or later, the recordings are what is compared with.
// Exit code 1 when a trace differs.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { run, tool } from './lib/run.mjs';

const MINOR = 13;
const isRecording = process.argv.includes('--record');
const wanted = process.argv.find((argument) => argument.startsWith('--python='))?.slice('--python='.length);
const candidates = wanted === undefined ? ['python3', 'python3.13', 'python3.14', 'python3.15'] : [wanted];

/** @param {string} interpreter */
function isRecentEnough(interpreter) {
  const probe = `import sys; sys.exit(sys.version_info < (3, ${MINOR}))`;
  return spawnSync(interpreter, ['-c', probe], { stdio: 'ignore' }).status === 0;
}

const interpreter = candidates.find(isRecentEnough);
console.log(`# ${interpreter === undefined ? `no Python 3.${MINOR}: recordings` : interpreter}`);
if (isRecording && interpreter === undefined) throw new Error(`Recording takes Python 3.${MINOR}`);

const directory = mkdtempSync(path.join(tmpdir(), 'evloop-conformance-'));
const report = path.join(directory, 'report.json');
const args = [
  'run',
  'test/conformance',
  '--reporter=default',
  '--reporter=json',
  `--outputFile.json=${report}`,
];
/** @type {Record<string, string>} */
const env = {};
if (interpreter !== undefined) env['EVLOOP_CONFORMANCE_PYTHON'] = interpreter;
if (isRecording) env['EVLOOP_CONFORMANCE_RECORD'] = '1';
const counts = { equal: 0, declared: 0, different: 0 };
try {
  const { code } = await run(tool('vitest'), args, { env });
  const results = existsSync(report) ? JSON.parse(readFileSync(report, 'utf8')).testResults : [];
  for (const { assertionResults } of results) {
    for (const { status, meta } of assertionResults) {
      if (status !== 'passed') counts.different++;
      else if (meta?.conformance === 'equal') counts.equal++;
      else if (meta?.conformance === 'declared') counts.declared++;
    }
  }
  if (code !== 0 && counts.different === 0) counts.different = 1;
} finally {
  rmSync(directory, { recursive: true });
}
console.log(`${counts.equal} equal, ${counts.declared} declared, ${counts.different} different`);
process.exitCode = counts.different > 0 || counts.equal === 0 ? 1 : 0;
