// Writes docs/features.md: which features and traps have tests, read from the tests themselves.
//
// `node scripts/features.mjs` writes the file; with `--check` it only compares and exits with 1 when the file
// is stale. docs/features.json names the features. A test belongs to a feature when its name, or that of a
// `describe` around it, begins with the feature's name and a colon or with the number of one of its traps;
// for tests with other names, `tests` has entries `file or folder: regular expression`. A test that is skipped
// is none.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { root } from './lib/run.mjs';

/** @typedef {{ file: string, names: string[] }} Test its own name and those of what is around it, outermost first */
/** @typedef {{ feature: string, priority: string, api: string[], traps?: string[], tests?: string[] }} Row */
/** @typedef {{ tables: { letter: string, title: string, rows: Row[] }[], traps: string[] }} Features */

const FOLDER = 'test';
const TARGET = 'docs/features.md';
const SKIPPED = new Set(['skip', 'todo', 'fails']);

/**
 * `test`, `describe.each` and so on, as its parts; null for a call of something else.
 *
 * @param {ts.Expression} callee
 * @returns {string[] | null}
 */
function parts(callee) {
  if (ts.isIdentifier(callee)) return ['test', 'it', 'describe'].includes(callee.text) ? [callee.text] : null;
  if (ts.isCallExpression(callee)) return parts(callee.expression);
  if (!ts.isPropertyAccessExpression(callee)) return null;
  const before = parts(callee.expression);
  return before === null ? null : [...before, callee.name.text];
}

/**
 * The text of a name; what is known only at run time becomes an ellipsis.
 *
 * @param {ts.Expression | undefined} node
 * @returns {string | null}
 */
function textOf(node) {
  if (node === undefined) return null;
  if (ts.isStringLiteralLike(node)) return node.text;
  if (ts.isTemplateExpression(node)) {
    return node.head.text + node.templateSpans.map(({ literal }) => `…${literal.text}`).join('');
  }
  if (ts.isBinaryExpression(node)) return `${textOf(node.left) ?? '…'}${textOf(node.right) ?? '…'}`;
  return null;
}

/**
 * The tests of a file, in its order.
 *
 * @param {string} file
 * @param {string} text
 * @returns {Test[]}
 */
export function testsOf(file, text) {
  /** @type {Test[]} */
  const tests = [];
  /** @type {(node: ts.Node, around: string[]) => void} */
  const visit = (node, around) => {
    if (!ts.isCallExpression(node)) return ts.forEachChild(node, (child) => visit(child, around));
    const kind = parts(node.expression);
    const name = kind === null ? null : textOf(node.arguments[0]);
    if (kind === null || name === null) return ts.forEachChild(node, (child) => visit(child, around));
    if (kind.some((part) => SKIPPED.has(part))) return;
    const names = [...around, name];
    if (kind[0] !== 'describe') tests.push({ file, names });
    for (const argument of node.arguments.slice(1)) visit(argument, names);
  };
  visit(ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true), []);
  return tests;
}

/** @returns {Test[]} */
function allTests() {
  return readdirSync(path.join(root, FOLDER), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.test.ts'))
    .sort()
    .flatMap((file) =>
      testsOf(file.split(path.sep).join('/'), readFileSync(path.join(root, FOLDER, file), 'utf8')),
    );
}

/**
 * @param {string} feature
 * @returns {(test: Test) => boolean}
 */
function isNamedAfter(feature) {
  const start = `${feature.toLowerCase()}:`;
  return ({ names }) => names.some((name) => name.toLowerCase().startsWith(start));
}

/**
 * @param {string} trap
 * @returns {(test: Test) => boolean}
 */
function bearsNumber(trap) {
  return ({ names }) => names.some((name) => name === trap || name.startsWith(`${trap} `));
}

/**
 * @param {string} entry
 * @returns {(test: Test) => boolean}
 */
function isShownBy(entry) {
  const [, name, expression] = /^(\S+): (.+)$/.exec(entry) ?? [];
  if (name === undefined || expression === undefined) {
    throw new Error(`docs/features.json: what is ${entry}?`);
  }
  const pattern = new RegExp(expression);
  return ({ file, names }) =>
    (file === `${name}.test.ts` || file.startsWith(`${name}/`)) && names.some((text) => pattern.test(text));
}

/**
 * The tests of a feature: first those that say so.
 *
 * @param {Row} row
 * @param {readonly Test[]} tests
 */
function evidence(row, tests) {
  const named = tests.filter(isNamedAfter(row.feature));
  const shown = (row.tests ?? []).flatMap((entry) => {
    const found = tests.filter(isShownBy(entry));
    if (found.length === 0) throw new Error(`docs/features.json: ${row.feature}: no test is ${entry}`);
    return found;
  });
  const trapped = (row.traps ?? []).flatMap((trap) => tests.filter(bearsNumber(trap)));
  return [...new Set([...named, ...shown, ...trapped])];
}

/** @param {string} text */
function escape(text) {
  return text.replace(/[|<>*_]/g, '\\$&');
}

/**
 * What a test says, without groups whose name is known only at run time.
 *
 * @param {Test} test
 */
function nameOf({ names }) {
  return names.filter((name) => !/^(?:%s|…|\$\w+)$/.test(name)).join(' › ');
}

/** @param {readonly Test[]} tests */
function links(tests) {
  const files = [...new Set(tests.map(({ file }) => file))];
  return files.map((file) => `[${file.replace('.test.ts', '')}](../${FOLDER}/${file})`).join(', ');
}

/**
 * @param {Row} row
 * @param {readonly Test[]} all
 */
function featureLine(row, all) {
  const tests = evidence(row, all);
  const status = tests.length > 0 ? 'yes' : row.priority === 'P2' ? 'not planned here' : 'no';
  const api = row.api.map((name) => `\`${name}\``).join(', ');
  const name = tests[0] === undefined ? '' : `“${escape(nameOf(tests[0]))}”, in ${links(tests)}`;
  return `| ${escape(row.feature)} | ${row.priority} | ${api} | ${status} | ${name} |`;
}

/**
 * How many features of each priority are tested.
 *
 * @param {Features} features
 * @param {readonly Test[]} tests
 */
function summary({ tables }, tests) {
  const all = tables.flatMap(({ rows }) => rows);
  return ['P0', 'P1', 'P2'].map((priority) => {
    const rows = all.filter((row) => row.priority === priority);
    const tested = rows.filter((row) => evidence(row, tests).length > 0);
    return `${priority}: ${tested.length} of ${rows.length}`;
  });
}

/**
 * @param {Features} features
 * @param {readonly Test[]} tests
 */
export function featuresPage(features, tests) {
  const tables = features.tables.map(({ letter, title, rows }) => {
    const head =
      '| feature | priority | API | tested | tests: the first, and all files |\n|---|---|---|---|---|';
    return `## ${letter}. ${title}\n\n${head}\n${rows.map((row) => featureLine(row, tests)).join('\n')}\n`;
  });
  const traps = features.traps.map((trap) => {
    const found = tests.filter(bearsNumber(trap));
    return `| ${trap} | ${found.length > 0 ? 'yes' : 'no'} | ${links(found)} |`;
  });
  return `# Features

<!-- Generated by scripts/features.mjs from docs/features.json and the tests; edit those instead. -->

What asyncio and its relatives have, and whether this package has it. *yes* means that at least one test shows it, and that
the suite, which \`npm test\` runs on every backend, passes only with it. *no* means missing, whatever the sources say. P0: without it
this would not be asyncio's model. P1: what one expects. P2: more than that; where it says *not planned here*, nobody works on it.

Tested of ${summary(features, tests).join(', ')}; of the traps ${features.traps.filter((trap) => tests.some(bearsNumber(trap))).length} of ${features.traps.length}.

${tables.join('\n')}
## Traps

Behaviours that are easily got wrong. The number is part of the test's name.

| trap | tested | files |
|---|---|---|
${traps.join('\n')}
`;
}

/** What docs/features.md has to be. */
export function currentPage() {
  const features = JSON.parse(readFileSync(path.join(root, 'docs/features.json'), 'utf8'));
  return featuresPage(features, allTests());
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const target = path.join(root, TARGET);
  const page = currentPage();
  if (!process.argv.includes('--check')) {
    writeFileSync(target, page);
  } else if (readFileSync(target, 'utf8') !== page) {
    console.error(`${TARGET} is stale: run node scripts/features.mjs`);
    process.exitCode = 1;
  }
}
