import { AsyncLocalStorage, AsyncResource } from 'node:async_hooks';
import { getEventListeners } from 'node:events';
import { setTimeout as nodeTimeout } from 'node:timers/promises';
import { inspect } from 'node:util';
import { describe, expect, test } from 'vitest';
import type { CancelledError } from '../../../src/base/errors.js';
import { FatalError, InvalidStateError, isCancelled, LoopClosedError } from '../../../src/base/errors.js';
import { createTaskOn, taskRoom } from '../../../src/task/create.js';
import { Future } from '../../../src/task/future.js';
import { Task, type Coroutine } from '../../../src/task/task.js';
import { fakeLoop, type FakeLoop } from '../../support/fake-loop.js';

// One body as every kind of coroutine: `yield*` becomes `await` in the async ones.
function kinds(body: (future: Future<any>, log: unknown[]) => Generator<any>) {
  const drive = async (future: Future<any>, log: unknown[]): Promise<any> => {
    const generator = body(future, log);
    let step = generator.next();
    for (;;) {
      if (step.done === true) return step.value;
      try {
        const value = await (step.value as PromiseLike<unknown>);
        step = generator.next(value);
      } catch (error) {
        step = generator.throw(error);
      }
    }
  };
  const star = function* (future: Future<any>, log: unknown[]): Generator<unknown, any, unknown> {
    const generator = body(future, log);
    let step = generator.next();
    for (;;) {
      if (step.done === true) return step.value;
      try {
        const value = yield* step.value as Future<unknown>;
        step = generator.next(value);
      } catch (error) {
        step = generator.throw(error);
      }
    }
  };
  return {
    generator: (future: Future<any>, log: unknown[]): Coroutine<any> => star(future, log),
    'generator function': (future: Future<any>, log: unknown[]): Coroutine<any> =>
      function* () {
        return yield* star(future, log);
      },
    'function that gives a generator':
      (future: Future<any>, log: unknown[]): Coroutine<any> =>
      () =>
        star(future, log),
    'async function':
      (future: Future<any>, log: unknown[]): Coroutine<any> =>
      async () =>
        await drive(future, log),
    'function that gives a promise':
      (future: Future<any>, log: unknown[]): Coroutine<any> =>
      () =>
        drive(future, log),
  };
}

const failure = new Error('failure');

const bodies = kinds(function* (future, log) {
  log.push('entered');
  try {
    const value: unknown = yield future;
    if (value === 'throw') throw failure;
    return value;
  } catch (error) {
    log.push(isCancelled(error) ? `cancelled ${String(error.reason)}` : (error as Error).message);
    throw error;
  } finally {
    log.push('finally');
  }
});

describe.each(Object.keys(bodies) as (keyof typeof bodies)[])('%s', (kind) => {
  const start = (): { loop: FakeLoop; future: Future<any>; log: unknown[]; task: Task<any> } => {
    const loop = fakeLoop();
    const future = new Future<any>(loop);
    const log: unknown[] = [];
    return { loop, future, log, task: createTaskOn(loop, bodies[kind](future, log)) };
  };

  test('does not begin before the next turn', async () => {
    const { loop, log, task } = start();
    expect(log).toEqual([]);
    expect(loop.ready).toBe(1);
    await loop.settle();
    expect(log).toEqual(['entered']);
    expect(task.done()).toBe(false);
  });

  test('returns', async () => {
    const { loop, future, log, task } = start();
    await loop.settle();
    future.setResult(42);
    expect(log).toEqual(['entered']);
    await loop.settle();
    expect(task.result()).toBe(42);
    expect(log).toEqual(['entered', 'finally']);
  });

  test('throws', async () => {
    const { loop, future, log, task } = start();
    await loop.settle();
    future.setResult('throw');
    await loop.settle();
    expect(task.exception()).toBe(failure);
    expect(log).toEqual(['entered', 'failure', 'finally']);
  });

  test('gets the exception of what it waits for', async () => {
    const { loop, future, task } = start();
    const error = new Error('x');
    await loop.settle();
    future.setException(error);
    await loop.settle();
    expect(task.exception()).toBe(error);
  });

  test('cancelled before its start is never entered', async () => {
    const { loop, log, task } = start();
    expect(task.cancel('early')).toBe(true);
    expect(task.cancelled()).toBe(false);
    await loop.settle();
    expect(task.cancelled()).toBe(true);
    expect(log).toEqual([]);
    expect(() => task.result()).toThrow(expect.objectContaining({ reason: 'early' }));
  });

  test('cancelled while it waits', async () => {
    const { loop, future, log, task } = start();
    await loop.settle();
    expect(task.cancel('why')).toBe(true);
    expect([task.cancelled(), future.cancelled()]).toEqual([false, true]);
    expect(log).toEqual(['entered']);
    await loop.settle();
    expect([task.cancelled(), task.cancelling()]).toEqual([true, 1]);
    expect(log).toEqual(['entered', 'cancelled why', 'finally']);
    expect(task.cancel()).toBe(false);
  });

  test('is found among all tasks until it is done', async () => {
    const { loop, future, task } = start();
    expect(new Set(taskRoom(loop).tasks.snapshot())).toEqual(new Set([task]));
    await loop.settle();
    expect(new Set(taskRoom(loop).tasks.snapshot())).toEqual(new Set([task]));
    future.setResult(1);
    await loop.settle();
    expect(taskRoom(loop).tasks.snapshot()).toEqual([]);
    expect(loop._taskCount()).toBe(0);
  });
});

describe.each(['generator', 'async function'] as const)('%s', (kind) => {
  const waits = (body: (future: Future<any>, log: unknown[]) => Generator<any>) => kinds(body)[kind];

  test('cancelled in its finally: the second cancellation arrives there', async () => {
    const loop = fakeLoop();
    const first = new Future<void>(loop);
    const second = new Future<void>(loop);
    const log: unknown[] = [];
    const body = waits(function* (future, entries) {
      try {
        yield future;
      } finally {
        entries.push('cleaning');
        try {
          yield second;
        } catch (error) {
          entries.push(`cancelled again ${String((error as CancelledError).reason)}`);
        }
      }
    });
    const task = createTaskOn(loop, body(first, log));
    await loop.settle();
    task.cancel('one');
    await loop.settle();
    expect(task.done()).toBe(false);
    task.cancel('two');
    await loop.settle();
    expect(log).toEqual(['cleaning', 'cancelled again two']);
    expect(task.cancelled()).toBe(true);
    expect(() => task.result()).toThrow(expect.objectContaining({ reason: 'one' }));
  });

  test('waits in its finally to the end when it is cancelled once', async () => {
    const loop = fakeLoop();
    const second = new Future<void>(loop);
    const log: unknown[] = [];
    const body = waits(function* (future, entries) {
      try {
        yield future;
      } finally {
        yield second;
        entries.push('cleaned');
      }
    });
    const task = createTaskOn(loop, body(new Future(loop), log));
    await loop.settle();
    task.cancel();
    await loop.settle();
    expect(task.done()).toBe(false);
    second.setResult();
    await loop.settle();
    expect(log).toEqual(['cleaned']);
    expect(task.cancelled()).toBe(true);
  });

  test('two tasks that hand over to each other take turns', async () => {
    const loop = fakeLoop();
    const log: string[] = [];
    let ball = new Future<void>(loop);
    const player = (name: string) =>
      waits(function* () {
        for (let i = 0; i < 3; i++) {
          yield ball;
          log.push(name);
          const next = (ball = new Future<void>(loop));
          loop.callSoon(() => next.setResult());
        }
      });
    createTaskOn(loop, player('A')(ball, []));
    await loop.settle();
    const after = new Future<void>(loop);
    const firstBall = ball;
    ball = after;
    createTaskOn(loop, player('B')(ball, []));
    await loop.settle();
    ball = firstBall;
    firstBall.setResult();
    after.setResult();
    await loop.settle();
    expect(log.join('')).toMatch(/^AB/);
  });

  test('a task is resumed after the callbacks that were queued earlier', async () => {
    const loop = fakeLoop();
    const log: string[] = [];
    const future = new Future<void>(loop);
    const body = waits(function* (target) {
      yield target;
      log.push('task');
    });
    createTaskOn(loop, body(future, []));
    await loop.settle();
    loop.callSoon(() => log.push('earlier'));
    future.setResult();
    loop.callSoon(() => log.push('later'));
    loop.turn();
    await new Promise((resolve) => setImmediate(resolve));
    expect(log.indexOf('earlier')).toBeLessThan(log.indexOf('task'));
    if (kind === 'generator') expect(log).toEqual(['earlier', 'task', 'later']);
  });

  test('awaiting itself, a future of another loop', async () => {
    const loop = fakeLoop();
    const foreign = new Future<void>(fakeLoop());
    const messages: string[] = [];
    const body = waits(function* (_future, entries) {
      for (const target of [() => task, () => foreign]) {
        try {
          yield target();
        } catch (error) {
          entries.push((error as Error).message);
        }
      }
      return 'survived';
    });
    const task: Task<any> = createTaskOn(loop, body(new Future(loop), messages));
    await loop.settle();
    expect(task.result()).toBe('survived');
    expect(messages[0]).toMatch(/^Task cannot await on itself: <Task/);
    expect(messages[1]).toMatch(/attached to a different loop/);
    expect(foreign.done()).toBe(false);
  });

  test('awaiting a task twice gives the same value and the same error', async () => {
    const loop = fakeLoop();
    const value = {};
    const error = new Error('x');
    const fine = createTaskOn(loop, async () => value);
    const broken = createTaskOn(loop, async () => {
      throw error;
    });
    const stopped = createTaskOn(loop, async () => await new Future(loop));
    await loop.settle();
    stopped.cancel('r');
    const body = waits(function* (_future, entries) {
      for (const task of [fine, fine, broken, broken, stopped, stopped]) {
        try {
          entries.push(yield task);
        } catch (caught) {
          entries.push(caught);
        }
      }
    });
    const log: unknown[] = [];
    createTaskOn(loop, body(new Future(loop), log));
    await loop.settle();
    expect(log[0]).toBe(value);
    expect(log[1]).toBe(value);
    expect(log[2]).toBe(error);
    expect(log[3]).toBe(error);
    expect(log[4]).toBe(log[5]);
    expect(log[4]).toMatchObject({ name: 'CancelledError', reason: 'r' });
  });

  test('tasks that wait for each other in a circle can be cancelled', async () => {
    const loop = fakeLoop();
    const body = waits(function* (_future, entries) {
      yield tasks[entries.length === 0 ? 1 : 0]!;
    });
    const tasks: Task<any>[] = [
      createTaskOn(loop, body(new Future(loop), [])),
      createTaskOn(loop, body(new Future(loop), [1])),
    ];
    await loop.settle();
    expect(tasks.map((task) => task.awaiting === tasks[1 - tasks.indexOf(task)])).toEqual([true, true]);
    tasks[0]!.cancel('r');
    await loop.settle();
    expect(tasks.map((task) => [task.cancelled(), task.cancelling()])).toEqual([
      [true, 1],
      [true, 1],
    ]);
  });

  test('shows what it waits for', async () => {
    const loop = fakeLoop();
    const inner = createTaskOn(loop, bodies[kind](new Future(loop), []), { name: 'inner' });
    const outer = createTaskOn(loop, bodies[kind](inner, []), { name: 'outer' });
    await loop.settle();
    expect(outer.awaiting).toBe(inner);
    expect(inner.awaiting).toBeInstanceOf(Future);
    expect(inner.awaitedBy).toEqual(new Set([outer]));
    expect(inspect(outer)).toBe("<Task 'outer' pending awaiting <Task 'inner'>>");
    expect(outer.stack()).toBe(
      [
        "<Task 'outer' pending awaiting <Task 'inner'>>",
        "awaiting <Task 'inner' pending awaiting <Future>>",
        'awaiting <Future pending>',
      ].join('\n'),
    );
    outer.cancel();
    await loop.settle();
    expect([outer.cancelled(), inner.cancelled(), outer.awaiting]).toEqual([true, true, undefined]);
  });

  test('the stack has the lines of code in debug mode', async () => {
    const loop = fakeLoop();
    loop.debug = true;
    const task = createTaskOn(loop, bodies[kind](new Future(loop), []));
    await loop.settle();
    expect(task.stack()).toContain('task.test.ts');
    expect(task.createdAt).toContain('task.test.ts');
    task.cancel();
    await loop.settle();
  });
});

// Generators

test('a bare yield is exactly one turn', () => {
  const loop = fakeLoop();
  const turns: number[] = [];
  createTaskOn(loop, function* () {
    for (let i = 0; i < 3; i++) {
      turns.push(loop.turns);
      yield;
    }
  });
  loop.run();
  expect(turns).toEqual([1, 2, 3]);
});

test('yield* of a settled future takes no turn', () => {
  const loop = fakeLoop();
  const done = new Future<number>(loop);
  done.setResult(2);
  const task = createTaskOn(loop, function* () {
    const before = loop.turns;
    let sum = 0;
    for (let i = 0; i < 100; i++) sum += yield* done;
    return [sum, loop.turns - before];
  });
  loop.run();
  expect(task.result()).toEqual([200, 0]);
});

test.each([
  ['42', () => 42, /^Task got bad yield: 42/],
  ['null', () => null, /^Task got bad yield: null/],
  ['a generator', () => (function* () {})(), /yield was used instead of yield\* in <Task/],
  [
    'a future',
    (loop: FakeLoop) => new Future(loop),
    /yield was used instead of yield\* in .* with <Future pending>/,
  ],
  ['a promise', () => Promise.resolve(), /yield was used instead of yield\* loop\.wrap\(\)/],
])('yielding %s throws into the coroutine, in the next turn', (_name, make, message) => {
  const loop = fakeLoop();
  const task = createTaskOn(loop, function* () {
    const turn = loop.turns;
    try {
      yield make(loop);
    } catch (error) {
      return [error, loop.turns - turn];
    }
    return undefined;
  });
  loop.run();
  expect(task.result()).toMatchObject([{ name: 'TypeError', message: expect.stringMatching(message) }, 1]);
});

test('a future iterated by nobody in particular does not go on forever', () => {
  const future = new Future<void>(fakeLoop());
  expect(() => [...(future as unknown as Iterable<unknown>)]).toThrow(InvalidStateError);
});

test('yield* of what is no operation fails the task, if only with what the engine says', () => {
  const loop = fakeLoop();
  const task = createTaskOn(loop, function* () {
    yield* [1] as unknown as Future<void>;
  });
  loop.run();
  expect(() => task.result()).toThrow(TypeError);
});

test('cancelling replaces an error that is about to be thrown in', () => {
  const loop = fakeLoop();
  const task = createTaskOn(loop, function* () {
    yield 42;
  });
  loop.turn();
  task.cancel();
  loop.run();
  expect(task.cancelled()).toBe(true);
});

test('nested generators are cancelled at the innermost wait, outwards', () => {
  const loop = fakeLoop();
  const log: string[] = [];
  function* level(depth: number): Generator<unknown, void, unknown> {
    try {
      if (depth === 0) yield* new Future<void>(loop);
      else yield* level(depth - 1);
    } finally {
      log.push(`left ${depth}`);
    }
  }
  const task = createTaskOn(loop, level(3));
  loop.run();
  task.cancel();
  loop.run();
  expect(log).toEqual(['left 0', 'left 1', 'left 2', 'left 3']);
});

// Async functions

test('several awaits at once are all cancelled', async () => {
  const loop = fakeLoop();
  const futures = [new Future<void>(loop), new Future<void>(loop), new Future<void>(loop)];
  const outcomes: unknown[] = [];
  const wait = async (future: Future<void>): Promise<void> => {
    try {
      await future;
      outcomes.push('fine');
    } catch (error) {
      outcomes.push(isCancelled(error) && error.reason);
    }
  };
  const task = createTaskOn(loop, async () => {
    await Promise.all(futures.map(wait));
    return 'all';
  });
  await loop.settle();
  futures[1]!.setResult();
  await loop.settle();
  task.cancel('stop');
  expect(futures.map((future) => future.cancelled())).toEqual([true, false, true]);
  await loop.settle();
  expect(outcomes).toEqual(['fine', 'stop', 'stop']);
  expect(task.result()).toBe('all');
});

test('a cancellation while a foreign promise is awaited waits for the next await of ours', async () => {
  const loop = fakeLoop();
  const done = new Future<number>(loop);
  done.setResult(1);
  for (const next of [() => done, () => new Future<number>(loop)]) {
    let release!: () => void;
    const foreign = new Promise<void>((resolve) => (release = resolve));
    const log: string[] = [];
    const task = createTaskOn(loop, async () => {
      await foreign;
      log.push('on');
      await next();
      log.push('never');
    });
    await loop.settle();
    task.cancel('r');
    await loop.settle();
    expect(log).toEqual([]);
    release();
    await loop.settle();
    expect(log).toEqual(['on']);
    expect(task.cancelled()).toBe(true);
  }
  expect(await done).toBe(1);
});

test('an async function that returns an awaitable waits for it, and passes a cancellation on', async () => {
  const loop = fakeLoop();
  for (const make of [
    (future: Future<number>) => async () => future,
    (future: Future<number>) => () => future,
    (future: Future<number>) => async () => await Promise.all([future]),
    (future: Future<number>) => async () => await Promise.race([future, new Promise(() => undefined)]),
  ]) {
    const first = new Future<number>(loop);
    const task = createTaskOn<unknown>(loop, make(first));
    await loop.settle();
    first.setResult(1);
    await loop.settle();
    expect([task.result()].flat()).toEqual([1]);
    const second = new Future<number>(loop);
    const cancelled = createTaskOn<unknown>(loop, make(second));
    await loop.settle();
    cancelled.cancel('r');
    await loop.settle();
    expect([second.cancelled(), cancelled.cancelled()]).toEqual([true, true]);
  }
});

test('then() of a user does not make the task wait', async () => {
  const loop = fakeLoop();
  const future = new Future<number>(loop);
  const forever = new Future<number>(loop);
  const task = createTaskOn(loop, async () => {
    void future.then((value) => value);
    await forever;
  });
  await loop.settle();
  expect(task.awaiting).toBe(forever);
  task.cancel();
  await loop.settle();
  expect([forever.cancelled(), future.cancelled()]).toEqual([true, false]);
});

test('a function of no task awaits without belonging to one', async () => {
  const loop = fakeLoop();
  const future = new Future<number>(loop);
  const outside = (async () => await future)();
  const task = createTaskOn(loop, async () => await new Future<void>(loop));
  await loop.settle();
  task.cancel();
  await loop.settle();
  expect(future.done()).toBe(false);
  future.setResult(3);
  await loop.settle();
  expect(await outside).toBe(3);
});

test('two tasks that await one future are woken each by itself', async () => {
  const loop = fakeLoop();
  const future = new Future<number>(loop);
  const tasks = [1, 2, 3].map(() => createTaskOn(loop, async () => await future));
  await loop.settle();
  future.setResult(9);
  expect(loop.ready).toBe(3);
  // The outcome is there and not delivered: the cancellation goes first, for this task alone.
  tasks[1]!.cancel();
  await loop.settle();
  expect(tasks.map((task) => (task.cancelled() ? 'cancelled' : task.result()))).toEqual([9, 'cancelled', 9]);
  expect(await future).toBe(9);
});

test('the first of several waiters can be the cancelled one', async () => {
  const loop = fakeLoop();
  const future = new Future<number>(loop);
  const tasks = [1, 2].map(() => createTaskOn(loop, async () => await future));
  await loop.settle();
  future.setResult(9);
  tasks[0]!.cancel();
  await loop.settle();
  expect(tasks.map((task) => (task.cancelled() ? 'cancelled' : task.result()))).toEqual(['cancelled', 9]);
  expect(await future).toBe(9);
  expect(await future.toPromise()).toBe(9);
  expect(await Promise.all([future])).toEqual([9]);
});

test('what is left running behind a task is no part of it any more', async () => {
  const loop = fakeLoop();
  const future = new Future<number>(loop);
  const late = new Future<number>(loop);
  let outcome: unknown;
  const task = createTaskOn(loop, async () => {
    void (async () => {
      await future;
      outcome = await late;
    })();
  });
  await loop.settle();
  expect(task.done()).toBe(true);
  future.setResult(1);
  await loop.settle();
  late.setResult(2);
  await loop.settle();
  expect(outcome).toBe(2);
});

test('a coroutine function that gives neither generator nor promise fails the task', async () => {
  const loop = fakeLoop();
  const task = createTaskOn(loop, (() => 5) as any);
  await loop.settle();
  expect(() => task.result()).toThrow(/got 5/);
});

test('an async function gets a signal if it declares one, and the task', async () => {
  const loop = fakeLoop();
  const task: Task<unknown> = createTaskOn(loop, async (signal, self) => [signal, self]);
  const lazy = createTaskOn(loop, async () => undefined);
  const generator = createTaskOn(loop, function* (signal, self) {
    yield;
    return [signal, self];
  });
  await loop.settle();
  expect(task.result()).toEqual([task.signal, task]);
  expect(generator.result()).toEqual([generator.signal, generator]);
  expect(lazy._cancellation?.controller ?? null).toBeNull();
});

// Making tasks

test('what is no coroutine', () => {
  const loop = fakeLoop();
  for (const value of [
    Promise.resolve(),
    new Future(loop),
    undefined,
    null,
    5,
    {},
    [],
    async function* () {},
  ]) {
    const create = (): unknown => createTaskOn(loop, value as any);
    expect(create).toThrow(TypeError);
    expect(create).toThrow(/a coroutine was expected: The "coroutine" argument: expected .*, got /);
    expect(create).toThrow(expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' }));
  }
  expect(loop.ready).toBe(0);
});

test('wrong options close the generator', () => {
  const loop = fakeLoop();
  for (const options of [
    5,
    [],
    { name: 5 },
    { eagerStart: 'yes' },
    { signal: {} },
    { context: 5 },
  ] as any[]) {
    const generator = (function* () {
      yield;
    })();
    expect(() => createTaskOn(loop, generator, options)).toThrow(
      expect.objectContaining({ name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' }),
    );
    expect(generator.next()).toEqual({ done: true, value: undefined });
  }
  expect(taskRoom(loop).tasks.size).toBe(0);
});

test('a closed loop makes no task and closes the generator', () => {
  const loop = fakeLoop();
  loop.close();
  const log: string[] = [];
  const generator = (function* () {
    try {
      yield;
    } finally {
      log.push('closed');
    }
  })();
  generator.next();
  expect(() => createTaskOn(loop, generator)).toThrow(LoopClosedError);
  expect(log).toEqual(['closed']);
});

test('settling a task is up to its coroutine', () => {
  const loop = fakeLoop();
  const task = createTaskOn(loop, function* () {});
  expect(() => task.setResult()).toThrow(InvalidStateError);
  expect(() => task.setResultUnlessDone()).toThrow(InvalidStateError);
  expect(() => task.setException(new Error('x'))).toThrow(InvalidStateError);
  loop.run();
  expect(task.result()).toBeUndefined();
});

test('names are unique, settable and part of the looks', () => {
  const loop = fakeLoop();
  const [a, b] = [createTaskOn(loop, function* () {}), createTaskOn(loop, function* () {})];
  expect(a.name).toMatch(/^Task-\d+$/);
  expect(Number(b.name.slice(5))).toBe(Number(a.name.slice(5)) + 1);
  a.name = 'worker';
  expect(inspect(a)).toBe("<Task 'worker' pending>");
  expect(createTaskOn(loop, function* () {}, { name: 'given' }).name).toBe('given');
  expect(() => {
    (a as any).name = 5;
  }).toThrow(TypeError);
  a.cancel();
  expect(inspect(a)).toBe("<Task 'worker' cancelling>");
  loop.run();
  expect(inspect(a)).toBe("<Task 'worker' cancelled>");
  expect(inspect(b)).toMatch(/finished result=undefined/);
});

test('a task factory gets everything and may make another kind of task', () => {
  const loop = fakeLoop();
  class Mine<T> extends Task<T> {}
  const calls: unknown[] = [];
  taskRoom(loop).factory = (factoryLoop, coroutine, options) => {
    calls.push([factoryLoop, options]);
    return new Mine(factoryLoop, coroutine, options);
  };
  const options = { name: 'n', eagerStart: true };
  const task = createTaskOn(loop, function* () {}, options);
  expect(task).toBeInstanceOf(Mine);
  expect(calls).toEqual([[loop, options]]);
  taskRoom(loop).factory = (() => 5) as any;
  expect(() => createTaskOn(loop, function* () {})).toThrow(
    'The result of "factory": expected a task, got 5',
  );
  taskRoom(loop).factory = null;
  expect(createTaskOn(loop, function* () {})).not.toBeInstanceOf(Mine);
});

// Eager start

test('an eager task runs to where it waits first', () => {
  const loop = fakeLoop();
  const log: unknown[] = [];
  const outer = {};
  loop._currentTask = outer;
  const future = new Future<number>(loop);
  const task = createTaskOn(
    loop,
    function* () {
      log.push(loop._currentTask === outer);
      return yield* future;
    },
    { eagerStart: true },
  );
  expect(log).toEqual([false]);
  expect(loop._currentTask).toBe(outer);
  expect(loop.ready).toBe(0);
  expect(task.awaiting).toBe(future);
  future.setResult(3);
  loop.run();
  expect(task.result()).toBe(3);
});

test('an eager task that does not wait is done at once, and never scheduled', () => {
  const loop = fakeLoop();
  const fine = createTaskOn(
    loop,
    function* () {
      return 1;
    },
    { eagerStart: true },
  );
  const broken = createTaskOn(
    loop,
    function* () {
      throw failure;
    },
    { eagerStart: true },
  );
  expect([fine.done(), fine.result(), broken.exception()]).toEqual([true, 1, failure]);
  expect(loop.ready).toBe(0);
  expect(taskRoom(loop).tasks.size).toBe(0);
});

test('an eager async function runs to its first await', async () => {
  const loop = fakeLoop();
  const log: string[] = [];
  const task = createTaskOn(
    loop,
    async () => {
      log.push('ran');
      return 1;
    },
    { eagerStart: true },
  );
  expect(log).toEqual(['ran']);
  expect(loop.ready).toBe(0);
  await loop.settle();
  expect(task.result()).toBe(1);
});

test('an eager task runs in its own context', () => {
  const loop = fakeLoop();
  const storage = new AsyncLocalStorage<string>();
  const context = storage.run('given', () => new AsyncResource('TEST'));
  const log: unknown[] = [];
  storage.run('caller', () => {
    createTaskOn(
      loop,
      function* () {
        log.push(storage.getStore());
        storage.enterWith('leaked');
      },
      { context, eagerStart: true },
    );
    log.push(storage.getStore());
  });
  expect(log).toEqual(['given', 'caller']);
});

test('without a running loop an eager task waits like any other', () => {
  const loop = fakeLoop();
  loop.isRunningNow = false;
  const task = createTaskOn(loop, function* () {}, { eagerStart: true });
  expect(task.done()).toBe(false);
  expect(loop.ready).toBe(1);
});

// Errors

test('a fatal error is kept by the task and ends the run', async () => {
  const loop = fakeLoop();
  const error = new FatalError('fatal');
  const task = createTaskOn(loop, function* () {
    throw error;
  });
  loop.run();
  expect(loop.fatal).toBe(error);
  expect(task.exception()).toBe(error);
  const other = fakeLoop();
  const asyncTask = createTaskOn(other, async () => {
    throw error;
  });
  await other.settle();
  expect(other.fatal).toBe(error);
  expect(asyncTask.exception()).toBe(error);
});

test('an unread exception of a task is reported in the context of the task', () => {
  const loop = fakeLoop();
  const storage = new AsyncLocalStorage<string>();
  const seen: unknown[] = [];
  loop.callExceptionHandler = (context) =>
    seen.push([context.message, context.exception, storage.getStore()]);
  storage.run('of the task', () =>
    createTaskOn(loop, function* () {
      throw failure;
    }),
  );
  loop.run();
  storage.run('of close', () => loop.close());
  expect(seen).toEqual([['Task exception was never retrieved', failure, 'of the task']]);
});

test('pending tasks are reported once when the loop closes', async () => {
  const loop = fakeLoop();
  const task = createTaskOn(loop, bodies.generator(new Future(loop), []));
  const other = createTaskOn(loop, bodies['async function'](new Future(loop), []));
  createTaskOn(loop, function* () {});
  await loop.settle();
  loop.close();
  loop.close();
  expect(loop.errors.map((context) => context.message)).toEqual([
    'Task was destroyed but it is pending!',
    'Task was destroyed but it is pending!',
  ]);
  expect(new Set(loop.errors.map((context) => context.task))).toEqual(new Set([task, other]));
});

test('a promise that settles after the loop was closed is no error', async () => {
  const loop = fakeLoop();
  let release!: (value: number) => void;
  const task = createTaskOn(loop, () => new Promise<number>((resolve) => (release = resolve)));
  await loop.settle();
  loop.close();
  release(1);
  await new Promise((resolve) => setImmediate(resolve));
  expect(task.result()).toBe(1);
});

// Signals

test('the signal is made when it is read, and aborted with the reason', async () => {
  const loop = fakeLoop();
  const reason = { why: 1 };
  let inside: unknown;
  const task = createTaskOn(loop, async (signal) => {
    try {
      await new Future<void>(loop);
    } catch (error) {
      inside = [signal.aborted, signal.reason === (error as CancelledError).reason];
      throw error;
    }
  });
  await loop.settle();
  expect(task.signal.aborted).toBe(false);
  task.cancel(reason);
  expect(task.signal.aborted).toBe(true);
  expect(task.signal.reason).toBe(reason);
  await loop.settle();
  expect(inside).toEqual([true, true]);
});

test('a signal read after the cancellation is aborted, with the same reason', async () => {
  const loop = fakeLoop();
  const reason = {};
  const task = createTaskOn(loop, function* () {
    yield* new Future<void>(loop);
  });
  loop.run();
  task.cancel(reason);
  loop.run();
  expect([task.signal.aborted, task.signal.reason === reason]).toEqual([true, true]);
});

test('without a reason the error has that of the signal', async () => {
  const loop = fakeLoop();
  const task = createTaskOn(loop, async (_signal) => await new Future<void>(loop));
  await loop.settle();
  task.cancel();
  await loop.settle();
  expect(() => task.result()).toThrow(expect.objectContaining({ reason: task.signal.reason }));
  expect(task.signal.reason).toMatchObject({ name: 'AbortError' });
});

test('uncancel() gives a new signal', async () => {
  const loop = fakeLoop();
  const signals: AbortSignal[] = [];
  const task = createTaskOn(loop, async (signal, self) => {
    try {
      await new Future<void>(loop);
    } catch {
      self.uncancel();
    }
    signals.push(signal, self.signal);
  });
  await loop.settle();
  task.cancel();
  await loop.settle();
  expect(signals.map((signal) => signal.aborted)).toEqual([true, false]);
});

test('an error by which an API heeds the signal is a cancellation', async () => {
  const loop = fakeLoop();
  const tasks = [
    createTaskOn(loop, async (signal) => await nodeTimeout(60_000, undefined, { signal })),
    createTaskOn(
      loop,
      (signal) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => reject(signal.reason as Error));
        }),
    ),
  ];
  await loop.settle();
  for (const task of tasks) task.cancel('why');
  await loop.settle();
  for (const task of tasks) {
    expect(task.cancelled()).toBe(true);
    expect(() => task.result()).toThrow(expect.objectContaining({ reason: 'why' }));
  }
});

test('option signal: cancels with the reason of the signal', async () => {
  const loop = fakeLoop();
  const controller = new AbortController();
  const reason = new Error('gone');
  const log: unknown[] = [];
  const task = createTaskOn(loop, bodies.generator(new Future(loop), log), { signal: controller.signal });
  loop.run();
  controller.abort(reason);
  expect(log).toEqual(['entered']);
  await loop.settle();
  expect(task.cancelled()).toBe(true);
  expect(() => task.result()).toThrow(expect.objectContaining({ reason }));
  const early = createTaskOn(loop, bodies.generator(new Future(loop), log), { signal: controller.signal });
  await loop.settle();
  expect([early.cancelled(), log.length]).toEqual([true, 3]);
});

test('option signal: one listener for all, none once the tasks are done', async () => {
  const loop = fakeLoop();
  const { signal } = new AbortController();
  const warnings: Error[] = [];
  const onWarning = (warning: Error): unknown => warnings.push(warning);
  process.on('warning', onWarning);
  const tasks = Array.from({ length: 10_000 }, () =>
    createTaskOn(
      loop,
      function* () {
        yield;
      },
      { signal },
    ),
  );
  expect(getEventListeners(signal, 'abort')).toHaveLength(1);
  await loop.settle();
  expect(tasks.every((task) => task.done())).toBe(true);
  expect(getEventListeners(signal, 'abort')).toHaveLength(0);
  process.off('warning', onWarning);
  expect(warnings).toEqual([]);
});
