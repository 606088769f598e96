import { describe, expect, test } from 'vitest';
import { catchStar, ExceptionGroup } from '../../../src/base/exception-group.js';
import { TimeoutError } from '../../../src/base/errors.js';
import { outcome } from '../../support/forms.js';
import { withLoop } from '../../support/loop.js';
import { taskGroup } from '../../../src/task/task-group.js';

class HttpError extends Error {
  constructor(readonly status: number) {
    super(`status ${String(status)}`);
  }
}
class NotFound extends HttpError {
  override name = 'NotFound';
  constructor() {
    super(404);
  }
}

const type = new TypeError('type');
const range = new RangeError('range');
const found = new NotFound();
// [type, [range, [found]], found]
const makeNested = (): ExceptionGroup =>
  new ExceptionGroup('outer', [
    type,
    new ExceptionGroup('inner', [range, new ExceptionGroup('innermost', [found])]),
    found,
  ]);

// A group as nested arrays.
const shapeOf = (error: unknown): unknown =>
  error instanceof ExceptionGroup ? error.errors.map(shapeOf) : error;
const thrownBy = (call: () => unknown): unknown => {
  try {
    call();
  } catch (error) {
    return error;
  }
  return expect.fail('nothing was thrown');
};

describe('ExceptionGroup', () => {
  test('exception group: is an AggregateError with the errors in their order', () => {
    const group = new ExceptionGroup('two', [type, range]);
    expect(group).toBeInstanceOf(AggregateError);
    expect([group.name, group.message, String(group)]).toEqual([
      'ExceptionGroup',
      'two',
      'ExceptionGroup: two',
    ]);
    expect(group.errors).toEqual([type, range]);
    expect(Object.keys(group)).not.toContain('name');
  });

  test('exception group: does not share the array it is given', () => {
    const errors: unknown[] = [type];
    const group = new ExceptionGroup('one', errors);
    errors.push(range);
    expect(group.errors).toHaveLength(1);
  });

  test('exception group: split() by class keeps the nesting on both sides', () => {
    const [matching, rest] = makeNested().split(HttpError);
    expect(shapeOf(matching)).toEqual([[[found]], found]);
    expect(shapeOf(rest)).toEqual([type, [range]]);
    expect([matching!.message, (matching!.errors[0] as Error).message]).toEqual(['outer', 'inner']);
  });

  test('exception group: split() by a function, which is asked about groups first', () => {
    const nested = makeNested();
    const asked: unknown[] = [];
    const [matching, rest] = nested.split((error) => {
      asked.push(error instanceof ExceptionGroup ? error.message : error);
      return error instanceof ExceptionGroup && error.message === 'inner';
    });
    expect(asked).toEqual(['outer', type, 'inner', found]);
    expect(shapeOf(matching)).toEqual([[range, [found]]]);
    expect(matching!.errors[0]).toBe(nested.errors[1]);
    expect(shapeOf(rest)).toEqual([type, found]);
  });

  test('exception group: a side without errors is null, a whole match the group itself', () => {
    const nested = makeNested();
    expect(nested.split(SyntaxError)[0]).toBe(null);
    expect(shapeOf(nested.split(SyntaxError)[1])).toEqual(shapeOf(nested));
    expect(nested.split(ExceptionGroup)).toEqual([nested, null]);
    expect(nested.split(Error)[1]).toBe(null);
  });

  test('exception group: subgroup() gives the matching side', () => {
    expect(shapeOf(makeNested().subgroup(RangeError))).toEqual([[range]]);
    expect(makeNested().subgroup((error) => error === 5)).toBe(null);
  });

  test('exception group: parts have stack and cause of the whole, and the class that derive() makes', () => {
    class Special extends ExceptionGroup {
      override derive(errors: readonly unknown[]): Special {
        return new Special(this.message, errors);
      }
    }
    const whole = new Special('special', [type, range]);
    whole.cause = found;
    const part = whole.subgroup(TypeError)!;
    expect(part).toBeInstanceOf(Special);
    expect([part.stack, part.cause]).toEqual([whole.stack, found]);
  });

  test('exception group: what is no Error is an element like any other', () => {
    const group = new ExceptionGroup('odd', ['text', undefined, type]);
    expect(shapeOf(group.subgroup((error) => typeof error === 'string'))).toEqual(['text']);
  });

  test('exception group: a single failure of a group of tasks is wrapped as well, nested groups stay', async () => {
    await withLoop(async () => {
      const error = await outcome(
        taskGroup(async (group) => {
          group.createTask(
            async () =>
              await taskGroup(async (inner) => {
                inner.createTask(async () => Promise.reject(range));
              }),
          );
        }),
      );
      expect(shapeOf(error)).toEqual([[range]]);
    });
  });
});

describe('catchStar', () => {
  test('exception group: catchStar() gives each handler what no handler before it took', () => {
    const seen: unknown[] = [];
    catchStar(makeNested(), {
      RangeError: (group) => seen.push(['range', shapeOf(group)]),
      HttpError: (group) => seen.push(['http', shapeOf(group)]),
      NotFound: () => seen.push('taken before'),
      Error: (group) => seen.push(['rest', shapeOf(group)]),
    });
    expect(seen).toEqual([
      ['range', [[range]]],
      ['http', [[[found]], found]],
      ['rest', [type]],
    ]);
  });

  test('exception group: catchStar() throws what is left, a lone error bare', () => {
    const left = thrownBy(() => catchStar(makeNested(), { NotFound: () => undefined }));
    expect(shapeOf(left)).toEqual([type, [range]]);
    expect(thrownBy(() => catchStar(type, { RangeError: () => undefined }))).toBe(type);
    const whole = makeNested();
    expect(shapeOf(thrownBy(() => catchStar(whole, {})))).toEqual(shapeOf(whole));
  });

  test('exception group: catchStar() takes a lone error in a group of one, by its name too', () => {
    const seen: unknown[] = [];
    catchStar(new TimeoutError('late'), { TimeoutError: (group) => seen.push(group.errors.length) });
    catchStar(Object.assign(new Error('x'), { name: 'Odd' }), { Odd: () => seen.push('odd') });
    expect(seen).toEqual([1, 'odd']);
  });

  test('exception group: what handlers of catchStar() throw comes together with the rest', () => {
    const own = new Error('own');
    const error = thrownBy(() =>
      catchStar(makeNested(), {
        TypeError: () => {
          throw own;
        },
        RangeError: () => undefined,
      }),
    );
    expect(shapeOf(error)).toEqual([own, [[[found]], found]]);
  });
});
