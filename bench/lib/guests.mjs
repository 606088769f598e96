// Optional rivals from outside of Node, for the claims about timers and tasks.
import { fileURLToPath } from 'node:url';
import { compileGo } from './compile.mjs';
import { findProgram, findUvloop } from './machine.mjs';
import { childContender, programContender } from './table.mjs';

const PYTHON_RIVAL = fileURLToPath(new URL('../rivals/micro-uvloop.py', import.meta.url));

// Python is slow enough that a tenth of the operations gives a figure as steady.
const PYTHON_SHARE = 1 / 10;

/**
 * Go and Python, where they are installed.
 *
 * @param {string} measure of rivals/micro.go and rivals/micro-uvloop.py
 */
export function guests(measure) {
  const go = compileGo('micro.go');
  return [
    go === null
      ? null
      : programContender(
          'Go',
          ({ operations = 1 }) => ['/usr/bin/env', 'GOMAXPROCS=1', go, measure, String(operations)],
          { isGuest: true },
        ),
    ...pythonGuests(measure),
  ];
}

/**
 * asyncio on its own loop and on uvloop, where that is installed.
 *
 * @param {string} measure of rivals/micro-uvloop.py
 */
export function pythonGuests(measure) {
  const withUvloop = findUvloop();
  const python = withUvloop ?? findProgram('python3');
  return [
    withUvloop === null ? null : pythonContender('uvloop', withUvloop, measure, []),
    python === null ? null : pythonContender('asyncio', python, measure, ['asyncio']),
  ];
}

/**
 * @param {string} name
 * @param {string} python
 * @param {string} measure
 * @param {readonly string[]} more
 */
function pythonContender(name, python, measure, more) {
  return programContender(
    name,
    ({ operations = 1 }) => [
      python,
      PYTHON_RIVAL,
      measure,
      String(Math.ceil(operations * PYTHON_SHARE)),
      ...more,
    ],
    { isGuest: true },
  );
}

/**
 * Bun, running a measure written for Node.
 *
 * @param {string} file `import.meta.url` of the claim
 * @param {string} measure
 */
export function bunGuest(file, measure) {
  const bun = findProgram('bun');
  return bun === null ? null : childContender('Bun', file, measure, { runtime: [bun], isGuest: true });
}
