// Every program does the same in both languages, in the same turns of the loop, but for what it declares.
//
// The Python side was recorded; scripts/conformance.mjs runs it anew.
import { readFileSync, writeFileSync } from 'node:fs';
import process from 'node:process';
import { beforeAll, describe, expect, test } from 'vitest';
import { describeCoverage, readmeFile } from './support/coverage.js';
import type { Program, Suite } from './support/program.js';
import {
  askPython,
  hashOf,
  readCases,
  readRecording,
  recordingOf,
  writeCases,
  writeRecording,
  type Recording,
} from './support/python.js';
import { runProgram } from './support/run.js';
import { suites } from './suites.js';

/** Where the Python side runs now; it is read from the recordings otherwise. */
const interpreter = process.env['EVLOOP_CONFORMANCE_PYTHON'];
const isRecording = process.env['EVLOOP_CONFORMANCE_RECORD'] === '1';
const live = new Map<string, Recording>();

beforeAll(() => {
  if (interpreter === undefined) return;
  const answer = askPython(interpreter, suites, isRecording);
  for (const suite of suites) {
    const recording = recordingOf(answer, suite);
    live.set(suite.module, recording);
    if (isRecording) writeRecording(suite.module, recording);
  }
  if (!isRecording) return;
  writeCases(answer.cases);
  writeFileSync(readmeFile, describeCoverage(suites, answer.cases));
}, 120_000);

function withoutTurns(trace: readonly string[]): string[] {
  return trace.map((line) => line.replace(/^(\S+)\/\d+/, '$1'));
}

/** Whether `python` is a version that does as we do, as it was changed in `since`. */
function isSince(since: string | undefined, python: string): boolean {
  if (since === undefined) return false;
  const [first, second] = [since, python].map((version) => version.split('.').map(Number));
  const different = first!.findIndex((part, i) => part !== second![i]);
  return different === -1 || first![different]! < second![different]!;
}

async function compare({ module }: Suite, program: Program): Promise<'equal' | 'declared'> {
  const recorded = readRecording(module).programs[program.name];
  expect(recorded?.hash, 'the recording is of another text: run scripts/conformance.mjs --record').toBe(
    hashOf(program),
  );
  const theirs = recorded!.trace;
  const now = live.get(module);
  if (now !== undefined) {
    const expected = isSince(program.deviation?.since, now.python) ? program.deviation!.trace : theirs;
    expect(now.programs[program.name]!.trace, 'this Python against the recorded one').toEqual(expected);
  }
  const { trace: ours, hasTimeouts } = await runProgram(program, true);
  if (program.deviation === undefined || hasTimeouts) {
    expect(ours, 'TypeScript against Python').toEqual(theirs);
  }
  const byDefault = hasTimeouts ? (await runProgram(program, false)).trace : ours;
  if (program.deviation === undefined) {
    expect(withoutTurns(byDefault), 'the default mode against Python').toEqual(withoutTurns(theirs));
    return 'equal';
  }
  expect(byDefault, 'TypeScript against its declared deviation').toEqual(program.deviation.trace);
  expect(byDefault, 'nothing deviates that has to be declared').not.toEqual(theirs);
  return 'declared';
}

for (const suite of suites) {
  describe(suite.module, () => {
    for (const program of suite.programs) {
      test(program.name, async ({ task }) => {
        const verdict = await compare(suite, program);
        Object.assign(task.meta, { conformance: verdict });
      });
    }
  });
}

test('each name and each covered case exists, once', () => {
  const cases = readCases();
  for (const { module, programs } of suites) {
    const names = programs.map(({ name }) => name);
    expect(new Set(names).size, module).toBe(names.length);
  }
  expect(() => describeCoverage(suites, cases)).not.toThrow();
});

test('README.md shows what is covered', () => {
  expect(readFileSync(readmeFile, 'utf8')).toBe(describeCoverage(suites, readCases()));
});
