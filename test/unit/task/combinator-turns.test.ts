// What CPython 3.13 gives for the same programs, and in which turn after the task's creation.
import { expect, test } from 'vitest';
import { runningLoop } from '../../../src/core/loop.js';
import { asCompleted } from '../../../src/task/as-completed.js';
import { Future } from '../../../src/task/future.js';
import { gather } from '../../../src/task/gather.js';
import { Task } from '../../../src/task/task.js';
import { wait, type WaitOptions } from '../../../src/task/wait.js';
import { fakeLoop, type FakeLoop } from '../../support/fake-loop.js';
import { vi } from 'vitest';

vi.mock('../../../src/core/loop.js', async (original) => ({
  ...(await original<object>()),
  runningLoop: vi.fn(),
}));

const fulfil = (index: number) => (futures: Future<number>[]) => futures[index]!.setResult(index);
const fail = (index: number) => (futures: Future<number>[]) =>
  futures[index]!.setException(new RangeError(String(index)));
const cancelOne = (index: number) => (futures: Future<number>[]) => futures[index]!.cancel('own');
const cancelTask = (_: unknown, task: Task<unknown>): boolean => task.cancel('why');
type Act = (futures: Future<number>[], task: Task<unknown>) => unknown;

// What is done, and how many turns after the task was made.
const programs: Record<string, [turn: number, act: Act][]> = {
  all: [
    [1, fulfil(2)],
    [3, fulfil(0)],
    [4, fulfil(1)],
  ],
  done: [
    [0, fulfil(0)],
    [0, fulfil(1)],
    [0, fulfil(2)],
  ],
  fail: [
    [1, fulfil(0)],
    [2, fail(1)],
    [5, fulfil(2)],
  ],
  cancel: [[3, cancelTask]],
  'cancel and done': [
    [2, fulfil(0)],
    [3, cancelTask],
  ],
  own: [
    [2, cancelOne(1)],
    [3, fulfil(0)],
    [4, fulfil(2)],
  ],
  same: [
    [2, fulfil(0)],
    [3, fulfil(1)],
    [6, fulfil(2)],
  ],
};

type Use = (futures: Future<number>[], turn: () => number) => Generator<unknown, unknown, unknown>;
const waitWith = (returnWhen: NonNullable<WaitOptions['returnWhen']>): Use =>
  function* (futures) {
    const { done, pending } = yield* wait(futures, { returnWhen });
    const indices = (set: Set<Future<number>>): number[] =>
      [...set].map((one) => futures.indexOf(one)).sort();
    return [indices(done), indices(pending)];
  };
const shown = (error: unknown): unknown =>
  error instanceof Error ? `${error.name} ${error.message.replace('Cancelled: ', '')}` : error;

const uses: Record<string, Use> = {
  *gather(futures) {
    return yield* gather(futures);
  },
  *gatherAll(futures) {
    return (yield* gather(futures, { returnExceptions: true })).map(shown);
  },
  wait: waitWith('ALL_COMPLETED'),
  waitFirst: waitWith('FIRST_COMPLETED'),
  waitException: waitWith('FIRST_EXCEPTION'),
  *asCompleted(futures, turn) {
    const seen: unknown[] = [];
    const completed = asCompleted(futures)[Symbol.asyncIterator]();
    for (let i = 0; i < futures.length; i++) {
      const step = yield* completed.next() as unknown as Future<IteratorResult<Future<number>>>;
      seen.push([turn(), futures.indexOf(step.value as Future<number>)]);
    }
    return seen;
  },
  *asCompletedPlain(futures, turn) {
    const seen: unknown[] = [];
    for (const next of asCompleted(futures)) {
      let outcome: unknown;
      try {
        outcome = yield* next;
      } catch (error) {
        outcome = shown(error);
      }
      seen.push([turn(), outcome]);
    }
    return seen;
  },
};

function replay(use: Use, program: [number, Act][]): unknown {
  const loop: FakeLoop = fakeLoop();
  vi.mocked(runningLoop).mockReturnValue(loop);
  const start = loop.turns;
  const turn = (): number => loop.turns - start;
  const futures = [0, 1, 2].map(() => new Future<number>(loop));
  let result: unknown = 'pending';
  const task = new Task(loop, function* () {
    let outcome: unknown;
    try {
      outcome = yield* use(futures, turn);
    } catch (error) {
      outcome = shown(error);
    }
    result = [turn(), outcome];
  });
  const later = (turns: number, act: Act): void => {
    if (turns === 0) act(futures, task);
    else loop.callSoon(later, turns - 1, act);
  };
  for (const [turns, act] of program) later(turns, act);
  loop.run();
  expect(loop.errors).toEqual([]);
  return result;
}

const both = [[0, 1, 2], []];
const expected: Record<string, Record<string, unknown>> = {
  all: {
    gather: [6, [0, 1, 2]],
    gatherAll: [6, [0, 1, 2]],
    wait: [6, both],
    waitFirst: [3, [[2], [0, 1]]],
    waitException: [6, both],
    asCompleted: [
      6,
      [
        [3, 2],
        [5, 0],
        [6, 1],
      ],
    ],
    asCompletedPlain: [
      6,
      [
        [3, 2],
        [5, 0],
        [6, 1],
      ],
    ],
  },
  done: {
    gather: [1, [0, 1, 2]],
    gatherAll: [1, [0, 1, 2]],
    wait: [3, both],
    waitFirst: [3, both],
    waitException: [3, both],
    // In CPython in the order of a set.
    asCompleted: [
      3,
      [
        [3, 0],
        [3, 1],
        [3, 2],
      ],
    ],
    asCompletedPlain: [
      3,
      [
        [3, 0],
        [3, 1],
        [3, 2],
      ],
    ],
  },
  fail: {
    gather: [4, 'RangeError 1'],
    gatherAll: [7, [0, 'RangeError 1', 2]],
    wait: [7, both],
    waitFirst: [3, [[0, 1], [2]]],
    waitException: [4, [[0, 1], [2]]],
    asCompleted: [
      7,
      [
        [3, 0],
        [4, 1],
        [7, 2],
      ],
    ],
    asCompletedPlain: [
      7,
      [
        [3, 0],
        [4, 'RangeError 1'],
        [7, 2],
      ],
    ],
  },
  cancel: {
    gather: [5, 'CancelledError why'],
    gatherAll: [5, 'CancelledError why'],
    wait: [4, 'CancelledError why'],
    waitFirst: [4, 'CancelledError why'],
    waitException: [4, 'CancelledError why'],
    asCompleted: [4, 'CancelledError why'],
  },
  'cancel and done': {
    gather: [5, 'CancelledError why'],
    gatherAll: [5, 'CancelledError why'],
    wait: [4, 'CancelledError why'],
    waitFirst: [4, 'CancelledError why'],
    waitException: [4, 'CancelledError why'],
    asCompleted: [4, 'CancelledError why'],
  },
  own: {
    gather: [4, 'CancelledError own'],
    gatherAll: [6, [0, 'CancelledError own', 2]],
    wait: [6, both],
    waitFirst: [4, [[0, 1], [2]]],
    waitException: [6, both],
    asCompleted: [
      6,
      [
        [4, 1],
        [5, 0],
        [6, 2],
      ],
    ],
    asCompletedPlain: [
      6,
      [
        [4, 'CancelledError own'],
        [5, 0],
        [6, 2],
      ],
    ],
  },
  same: {
    gather: [8, [0, 1, 2]],
    gatherAll: [8, [0, 1, 2]],
    wait: [8, both],
    waitFirst: [4, [[0, 1], [2]]],
    waitException: [8, both],
    asCompleted: [
      8,
      [
        [4, 0],
        [5, 1],
        [8, 2],
      ],
    ],
    asCompletedPlain: [
      8,
      [
        [4, 0],
        [5, 1],
        [8, 2],
      ],
    ],
  },
};

const cases = Object.entries(expected).flatMap(([program, results]) =>
  Object.entries(results).map(([use, result]) => ({ program, use, result })),
);

test.each(cases)(
  '$use, $program: the same outcome in the same turn as in CPython',
  ({ program, use, result }) => {
    expect(replay(uses[use]!, programs[program]!)).toEqual(result);
  },
);
