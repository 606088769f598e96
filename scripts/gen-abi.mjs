// Writes src/native/abi.ts, the TypeScript side of native/abi.h, so that no number is kept by hand twice.
//
// `node scripts/gen-abi.mjs` writes the file when it differs; with `--check` it only compares and exits
// with 1 when the file is stale. A line of abi.h that it does not understand is an error, not a gap.
import { readFileSync, writeFileSync } from 'node:fs';
import process from 'node:process';

const source = new URL('../native/abi.h', import.meta.url);
const target = new URL('../src/native/abi.ts', import.meta.url);

// A const enum: the compiler puts its numbers where they are used. To the engine, a constant of
// another module is a variable, read and checked at each use.
const HEAD = `// Generated from native/abi.h by scripts/gen-abi.mjs; edit that file instead.
export const enum abi {`;
const CONSTANT = /^constexpr \w+ k(\w+) = (.+?);\s*(?:\/\/ ?(.*))?$/;
const ENUM = /^enum (\w+) : \w+ \{$/;
const MEMBER = /^([A-Z][A-Z0-9_]*) = (.+?),\s*(?:\/\/ ?(.*))?$/;
const COMMENT = /^\/\/ ?(.*)$/;
const IGNORED = /^(?:#.*|namespace \w+ \{|\} {2}\/\/ namespace \w+|\};|)$/;

/** @param {string} name e.g. `SendSlabBytes` */
function toScreamingSnake(name) {
  return name.replace(/(?<=[a-z0-9])(?=[A-Z])/g, '_').toUpperCase();
}

/**
 * @param {string} text an integer, a shift or a product of integers
 * @param {number} line
 */
function toNumber(text, line) {
  const plain = text.replace(/\b(0x[0-9a-fA-F]+|\d+)[uUlL]+\b/g, '$1').trim();
  const parts = /^(\S+)(?: (<<|\*) (\S+))?$/.exec(plain);
  const left = Number(parts?.[1] ?? NaN);
  const right = Number(parts?.[3] ?? 0);
  const value = parts?.[2] === '<<' ? left * 2 ** right : parts?.[2] === '*' ? left * right : left;
  if (!Number.isSafeInteger(value)) throw new Error(`native/abi.h:${line}: cannot read the number ${text}`);
  return value;
}

/** @param {string[]} comment */
function docComment(comment) {
  const text = comment.join(' ').replace(/^[a-z]|(?<=[^.]\. )[a-z]/g, (letter) => letter.toUpperCase());
  return text === '' ? [] : [`/** ${text} */`];
}

/** @param {string} header */
function generate(header) {
  /** @type {string[]} */
  const output = [];
  /** @type {string[]} */
  let comment = [];
  let isBeforePragma = true;
  // Where the comment behind the last member starts: one below it in the same column continues it.
  let trailingColumn = -1;
  // The formatter breaks a member behind the equals sign when its comment is long.
  const lines = header.replace(/=\n\s+/g, '= ').split('\n');
  lines.forEach((raw, index) => {
    const line = raw.trim();
    // What stands above the pragma describes the header itself.
    if (isBeforePragma) {
      isBeforePragma = line !== '#pragma once';
      return;
    }
    /** @type {RegExpExecArray | null} */
    let match;
    if ((match = COMMENT.exec(line))) {
      if (raw.indexOf('//') === trailingColumn) {
        const declaration = output.pop() ?? '';
        const doc = (output.pop() ?? '').slice('/** '.length, -' */'.length);
        output.push(...docComment([doc, match[1] ?? '']), declaration);
      } else {
        comment.push(match[1] ?? '');
      }
      return;
    }
    trailingColumn = -1;
    if ((match = CONSTANT.exec(line))) {
      if (match[3]) comment.push(match[3]);
      const name = toScreamingSnake(match[1] ?? '');
      output.push(...docComment(comment), `${name} = ${toNumber(match[2] ?? '', index + 1)},`);
    } else if ((match = ENUM.exec(line))) {
      output.push('', ...comment.map((text) => `// ${text}`), '');
    } else if ((match = MEMBER.exec(line))) {
      if (match[3]) comment.push(match[3]);
      output.push(...docComment(comment), `${match[1]} = ${toNumber(match[2] ?? '', index + 1)},`);
    } else if (!IGNORED.test(line)) {
      throw new Error(`native/abi.h:${index + 1}: cannot read "${line}"`);
    } else if (line === '' && comment.length > 0) {
      output.push('', ...comment.map((text) => `// ${text}`), '');
    }
    comment = [];
  });
  const members = output
    .join('\n')
    .trim()
    .replace(/\n{3,}/g, '\n\n');
  return `${HEAD}\n${members.replace(/^(?=.)/gm, '  ')}\n}\n`;
}

/** @param {URL} file */
function readIfPresent(file) {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (/** @type {NodeJS.ErrnoException} */ (error).code === 'ENOENT') return '';
    throw error;
  }
}

const wanted = generate(readFileSync(source, 'utf8'));
if (readIfPresent(target) !== wanted) {
  if (process.argv.includes('--check')) {
    console.error('src/native/abi.ts does not match native/abi.h: run node scripts/gen-abi.mjs');
    process.exitCode = 1;
  } else {
    writeFileSync(target, wanted);
    console.log('wrote src/native/abi.ts');
  }
}
