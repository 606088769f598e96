import { expect, test } from 'vitest';
import {
  validateAbortSignal,
  validateBoolean,
  validateFunction,
  validateInstance,
  validateInteger,
  validateNumber,
  validateObject,
  validateOneOf,
  validateString,
} from '../../../src/base/validate.js';

const noSignals = [
  {},
  null,
  undefined,
  'x',
  { aborted: false },
  { aborted: false, addEventListener: () => 0 },
];

type Case = [check: (value: any) => void, good: unknown[], badType: unknown[], badRange: unknown[]];

const cases: Record<string, Case> = {
  function: [(v) => validateFunction('x', v), [() => 0, class {}], [undefined, null, 'f', {}], []],
  number: [(v) => validateNumber('x', v), [0, -1.5, Infinity, -Infinity], ['1', null, 1n], [NaN]],
  'number in a range': [(v) => validateNumber('x', v, 0, 10), [0, 10, 0.5], ['1'], [-1, 10.5, NaN, Infinity]],
  integer: [
    (v) => validateInteger('x', v),
    [0, -1, 2 ** 53 - 1],
    ['1', undefined],
    [0.5, NaN, Infinity, 2 ** 53],
  ],
  'integer in a range': [(v) => validateInteger('x', v, 0, 65535), [0, 65535], [true], [-1, 65536, 1.5]],
  string: [(v) => validateString('x', v), ['', 'a'], [1, null, Symbol('x'), Object('a')], []],
  boolean: [(v) => validateBoolean('x', v), [true, false], [0, 'true', null], []],
  object: [(v) => validateObject('x', v), [{}, Object.create(null), new Map()], [null, [], 'x', () => 0], []],
  'one of': [(v) => validateOneOf('x', v, ['a', 'b']), ['a', 'b'], [1, null, undefined], ['c', '']],
  instance: [(v) => validateInstance('x', v, Map), [new Map()], [{}, null, new Set()], []],
  'abort signal': [(v) => validateAbortSignal('x', v), [AbortSignal.abort()], noSignals, []],
};

test.each(Object.entries(cases))('%s', (_name, [check, good, badType, badRange]) => {
  for (const value of good) expect(() => check(value)).not.toThrow();
  for (const value of badType) {
    expect(() => check(value)).toThrow(expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' }));
    expect(() => check(value)).toThrow(TypeError);
    expect(() => check(value)).toThrow(/^The "x" argument: expected .+, got .+/);
  }
  for (const value of badRange) {
    expect(() => check(value)).toThrow(expect.objectContaining({ code: 'ERR_OUT_OF_RANGE' }));
    expect(() => check(value)).toThrow(RangeError);
    expect(() => check(value)).toThrow(/^The "x" argument: expected .+, got .+/);
  }
});

test('messages say the range', () => {
  expect(() => validateInteger('n', 1.5)).toThrow('an integer, got 1.5');
  expect(() => validateInteger('n', -1, 0)).toThrow('an integer of 0 or more, got -1');
  expect(() => validateNumber('n', 2, -Infinity, 1)).toThrow('a number of 1 or less, got 2');
  expect(() => validateNumber('n', NaN)).toThrow('a number other than NaN, got NaN');
  expect(() => validateOneOf('n', 'c', ['a', 'b'])).toThrow(`one of 'a', 'b', got 'c'`);
});
