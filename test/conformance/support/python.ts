// What asyncio does with the programs: asked now, or as it was recorded.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Program, Suite } from './program.js';

/** What the programs of one suite did on asyncio. */
export interface Recording {
  /** The version that ran them, `3.13.0`. */
  python: string;
  programs: Record<string, { /** Of the Python text. */ hash: string; trace: string[] }>;
}

/** The names of CPython's own tests: module, class, test. */
export type Cases = Record<string, Record<string, string[]>>;

interface Answer {
  python: string;
  traces: Record<string, string[]>;
  cases: Cases;
}

const harness = fileURLToPath(new URL('harness.py', import.meta.url));
const casesFile = fileURLToPath(new URL('../recordings/cases.json', import.meta.url));

/** Runs the Python side of suites with an interpreter of 3.13 or later. */
export function askPython(interpreter: string, suites: readonly Suite[], withCases: boolean): Answer {
  const programs = suites.flatMap(({ module, programs }) =>
    programs.map(({ name, python }) => [`${module}/${name}`, python]),
  );
  const input = JSON.stringify({ programs, suites: withCases ? modulesOf(suites) : [] });
  const { status, stdout, stderr } = spawnSync(interpreter, ['-X', 'utf8', harness], {
    input,
    encoding: 'utf8',
    maxBuffer: 2 ** 26,
    timeout: 60_000,
  });
  if (status !== 0) throw new Error(`${interpreter} failed: ${stderr}`);
  return JSON.parse(stdout) as Answer;
}

function modulesOf(suites: readonly Suite[]): string[] {
  return suites.flatMap(({ module, also }) => (also === undefined ? [module] : [module, also]));
}

/** The part of an answer that belongs to one suite. */
export function recordingOf(answer: Answer, { module, programs }: Suite): Recording {
  const entries = programs.map((program) => {
    const trace = answer.traces[`${module}/${program.name}`]!;
    return [program.name, { hash: hashOf(program), trace }];
  });
  return { python: answer.python, programs: Object.fromEntries(entries) as Recording['programs'] };
}

/** Tells whether a recording is of the present text. */
export function hashOf({ python }: Program): string {
  return createHash('sha256').update(python).digest('hex').slice(0, 12);
}

function recordingFile(module: string): string {
  return fileURLToPath(new URL(`../recordings/${module}.json`, import.meta.url));
}

export function readRecording(module: string): Recording {
  const file = recordingFile(module);
  if (!existsSync(file)) return { python: 'none', programs: {} };
  return JSON.parse(readFileSync(file, 'utf8')) as Recording;
}

export function writeRecording(module: string, recording: Recording): void {
  writeFileSync(recordingFile(module), `${JSON.stringify(recording, null, 2)}\n`);
}

export function readCases(): Cases {
  return JSON.parse(readFileSync(casesFile, 'utf8')) as Cases;
}

export function writeCases(cases: Cases): void {
  writeFileSync(casesFile, `${JSON.stringify(cases, null, 2)}\n`);
}
