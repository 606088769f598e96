import { expect, test } from 'vitest';
import {
  CancelledError,
  connectionLost,
  describe as describeValue,
  FatalError,
  InvalidStateError,
  invalidArgType,
  invalidReturnValue,
  isCancelled,
  LoopClosedError,
  outOfRange,
  systemError,
  TimeoutError,
} from '../../../src/base/errors.js';

test('names are on the prototype and lead the stack', () => {
  for (const [error, name] of [
    [new CancelledError(), 'CancelledError'],
    [new TimeoutError(), 'TimeoutError'],
    [new InvalidStateError('x'), 'InvalidStateError'],
    [new LoopClosedError(), 'LoopClosedError'],
    [new FatalError('x'), 'FatalError'],
    [systemError(-104, 'read'), 'SystemError'],
  ] as const) {
    expect(error.name).toBe(name);
    expect(Object.hasOwn(error, 'name')).toBe(false);
    expect(error.stack).toMatch(new RegExp(`^${name}: `));
    expect(error).toBeInstanceOf(Error);
  }
});

test('codes', () => {
  expect(new CancelledError().code).toBe('ABORT_ERR');
  expect(new TimeoutError().code).toBe('ETIMEDOUT');
  expect(new InvalidStateError('x').code).toBe('ERR_INVALID_STATE');
  expect(new LoopClosedError().code).toBe('ERR_LOOP_CLOSED');
});

test('a cancelled error carries its reason, and an error as its cause', () => {
  const reason = { any: 'thing' };
  expect(new CancelledError(reason).reason).toBe(reason);
  expect(new CancelledError('why').message).toBe('Cancelled: why');
  const cause = new Error('gone');
  expect(new CancelledError(cause).cause).toBe(cause);
  expect(new CancelledError().reason).toBeUndefined();
  expect('cause' in new CancelledError()).toBe(false);
});

test('isCancelled tells cancellation from failure', () => {
  expect(isCancelled(new CancelledError())).toBe(true);
  for (const other of [new Error('x'), new DOMException('x', 'AbortError'), undefined, null, 'x']) {
    expect(isCancelled(other)).toBe(false);
  }
});

test('a system error has what Node gives it', () => {
  const error = systemError(-111, 'connect', { address: '127.0.0.1', port: 80 });
  expect(error).toMatchObject({
    code: 'ECONNREFUSED',
    errno: -111,
    syscall: 'connect',
    address: '127.0.0.1',
    port: 80,
    message: 'connect ECONNREFUSED 127.0.0.1:80: connection refused',
  });
  expect(Object.keys(systemError(-104, 'read'))).toEqual(['code', 'errno', 'syscall']);
});

test('an unknown number still makes an error', () => {
  expect(systemError(-99999, 'read')).toMatchObject({ code: 'UNKNOWN_99999', errno: -99999 });
});

test('a lost connection is a reset', () => {
  expect(connectionLost()).toMatchObject({ code: 'ECONNRESET', syscall: 'write' });
});

test.each([
  [undefined, 'undefined'],
  [null, 'null'],
  ['abc', "'abc'"],
  ['5', "'5'"],
  [12, '12'],
  [true, 'true'],
  [5n, '5n'],
  [Symbol('s'), 'Symbol(s)'],
  [[], 'an instance of Array'],
  [new Map(), 'an instance of Map'],
  [Object.create(null), '[Object: null prototype] {}'],
  [function named() {}, 'function named'],
  [() => undefined, 'a function'],
  ['a'.repeat(100), `'${'a'.repeat(27)}...`],
])('describe(%o)', (value, expected) => {
  expect(describeValue(value)).toBe(expected);
});

test('argument errors have the class and code of Node, and say what was expected and what came', () => {
  const type = invalidArgType('host', 'a string', 5);
  expect(type).toBeInstanceOf(TypeError);
  expect(type.code).toBe('ERR_INVALID_ARG_TYPE');
  expect(type.message).toBe('The "host" argument: expected a string, got 5');
  const range = outOfRange('options.port', 'an integer from 0 to 65535', -1);
  expect(range).toBeInstanceOf(RangeError);
  expect(range.code).toBe('ERR_OUT_OF_RANGE');
  expect(range.message).toBe('The "options.port" property: expected an integer from 0 to 65535, got -1');
  const returned = invalidReturnValue('options.loopFactory', 'an instance of EventLoop', 5);
  expect(returned).toBeInstanceOf(TypeError);
  expect(returned.code).toBe('ERR_INVALID_RETURN_VALUE');
  expect(returned.message).toBe(
    'The result of "options.loopFactory": expected an instance of EventLoop, got 5',
  );
});
