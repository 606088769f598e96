import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { describe, expect, test } from 'vitest';
import { CancelledError, FatalError } from '../../../src/base/errors.js';
import { LoopRemote, type RemoteFunctions, type RemoteHandle } from '../../../src/core/remote.js';
import { EventLoop } from '../../../src/event-loop.js';
import { run } from '../../../src/run.js';
import { createTask } from '../../../src/task/current.js';
import type { Future } from '../../../src/task/future.js';
import { sleep } from '../../../src/task/sleep.js';
import { distUrl } from '../../support/dist.js';
import { later, nodeTurn, stopped } from '../../support/loop.js';
import { until, withEventLoop } from '../../support/net.js';

interface Answer {
  result?: unknown;
  error?: Record<string, unknown>;
}

interface Order {
  call: [name: string, ...args: unknown[]];
  cancel?: unknown;
  afterMs?: number;
  blockMs?: number;
}

/** Another thread that calls. */
class Caller {
  readonly worker: Worker;
  readonly #answers = new Map<number, (answer: Answer) => void>();
  #lastKey = 0;

  private constructor(worker: Worker) {
    this.worker = worker;
    worker.on('message', ({ key, ...answer }: Answer & { key: number }) => this.#answers.get(key)?.(answer));
  }

  static async start(remote: RemoteHandle): Promise<Caller> {
    const worker = new Worker(new URL('../../support/caller.mjs', import.meta.url), {
      workerData: { module: distUrl('core/remote'), remote },
    });
    await once(worker, 'message');
    return new Caller(worker);
  }

  order(order: Order): Promise<Answer> {
    const key = ++this.#lastKey;
    return new Promise((resolve) => {
      this.#answers.set(key, resolve);
      this.worker.postMessage({ key, ...order });
    });
  }

  call(name: string, ...args: unknown[]): Promise<Answer> {
    return this.order({ call: [name, ...args] });
  }
}

function withCaller(
  functions: RemoteFunctions,
  body: (caller: Caller, loop: EventLoop) => Promise<void>,
): Promise<void> {
  return withEventLoop(async (loop) => {
    const caller = await Caller.start(loop.createRemote(functions));
    try {
      await body(caller, loop);
    } finally {
      await caller.worker.terminate();
    }
  });
}

describe('call() of another thread gives what', () => {
  const add = (a: number, b: number): number => a + b;
  test.each<[string, RemoteFunctions[string]]>([
    ['a plain function returns', add],
    [
      'a generator function returns',
      function* (a: number, b: number) {
        yield* sleep(1);
        return a + b;
      },
    ],
    ['an async function returns', async (a: number, b: number) => await sleep(1, a + b)],
    ['a foreign promise gives', (a: number, b: number) => Promise.resolve(a + b)],
    ['a task gives', (a: number, b: number) => createTask(async () => await sleep(1, a + b))],
    [
      'a future gives',
      (a: number, b: number) => {
        const future = EventLoop.running().createFuture<number>();
        EventLoop.running().callLater(1, () => future.setResult(a + b));
        return future;
      },
    ],
  ])('%s', (_what, callee) =>
    withCaller({ callee }, async (caller) => {
      expect(await caller.call('callee', 40, 2)).toEqual({ result: 42 });
      expect(await caller.call('callee', 'a', 'b')).toEqual({ result: 'ab' });
    }),
  );
});

test('values come as they were, both ways', () =>
  withEventLoop(async (loop) => {
    const remote = new LoopRemote(loop.createRemote({ echo: (...args: unknown[]) => args }));
    const samples: unknown[][] = [
      [],
      [undefined],
      [null, true, 1.5, 'text', 10n],
      [{ a: [1, { b: new Map([['k', new Set([1])]]) }] }],
      [new Date(0), /x/g, Buffer.from('bytes'), new Uint8Array(3)],
    ];
    for (const sample of samples) expect(await remote.call('echo', ...sample)).toEqual(sample);
    expect(Buffer.isBuffer((await remote.call<[Buffer]>('echo', Buffer.from('x')))[0])).toBe(true);
  }));

test('many calls at once are told apart, and each gets its own outcome', () =>
  withCaller(
    {
      double: async (n: number) => await sleep((n * 7) % 5, 2 * n),
      fail: async (n: number) => Promise.reject(new Error(String(n))),
    },
    async (caller) => {
      const answers = await Promise.all(
        Array.from({ length: 200 }, (_, n) => caller.call(n % 3 === 0 ? 'fail' : 'double', n)),
      );
      answers.forEach(({ result, error }, n) => {
        expect(n % 3 === 0 ? error!.message : result).toEqual(n % 3 === 0 ? String(n) : 2 * n);
      });
    },
  ));

test('several threads, and several remotes of one thread, do not mix', () =>
  withEventLoop(async (loop) => {
    const handle = loop.createRemote({ echo: async (text: string) => await sleep(1, text) });
    const other = loop.createRemote({ echo: async (text: string) => await sleep(1, `other ${text}`) });
    const callers = await Promise.all([Caller.start(handle), Caller.start(handle), Caller.start(other)]);
    const answers = await Promise.all(callers.map((caller, i) => caller.call('echo', String(i))));
    expect(answers.map(({ result }) => result)).toEqual(['0', '1', 'other 2']);
    const here = [new LoopRemote(handle), new LoopRemote(handle), new LoopRemote(other)];
    expect(await Promise.all(here.map((remote, i) => remote.call('echo', String(i))))).toEqual([
      '0',
      '1',
      'other 2',
    ]);
    await Promise.all(callers.map((caller) => caller.worker.terminate()));
  }));

test('posts and calls begin in order', () =>
  withEventLoop(async (loop) => {
    const log: string[] = [];
    const remote = new LoopRemote(loop.createRemote({ note: (text: string) => log.push(text) }));
    remote.post('note', 'a');
    const b = remote.call('note', 'b');
    remote.post('note', 'c');
    expect(await b).toBe(2);
    expect(log).toEqual(['a', 'b', 'c']);
  }));

describe('an error', () => {
  class OddError extends Error {
    override readonly name = 'OddError';
    readonly code = 'ERR_ODD';
  }

  test('keeps its message, stack, name and code', () =>
    withCaller(
      {
        async odd() {
          await sleep(1);
          throw new OddError('odd');
        },
        range() {
          throw new RangeError('too far');
        },
        *system() {
          yield;
          throw Object.assign(new Error('refused'), { code: 'ECONNREFUSED' });
        },
      },
      async (caller) => {
        const { error } = await caller.call('odd');
        expect(error).toMatchObject({ name: 'OddError', message: 'odd', code: 'ERR_ODD', type: 'Error' });
        expect(error!.stack).toContain('remote-tasks.test.ts');
        expect((await caller.call('range')).error).toMatchObject({ name: 'RangeError', type: 'RangeError' });
        expect((await caller.call('system')).error).toMatchObject({ name: 'Error', code: 'ECONNREFUSED' });
      },
    ));

  test('may be anything that was thrown', () =>
    withEventLoop(async (loop) => {
      const remote = new LoopRemote(
        loop.createRemote({
          fail: (value: unknown) => {
            throw value;
          },
          failOddly: () => {
            throw () => 1;
          },
        }),
      );
      for (const value of ['text', undefined, null, 5, { a: 1 }]) {
        await expect(remote.call('fail', value)).rejects.toEqual(value);
      }
      await expect(remote.call('failOddly')).rejects.toThrow('cannot be passed on');
    }));

  test('is what a result that cannot be passed on becomes', () =>
    withEventLoop(async (loop) => {
      const remote = new LoopRemote(loop.createRemote({ give: () => () => 1 }));
      await expect(remote.call('give')).rejects.toThrow('could not be cloned');
    }));

  test('with a cause that cannot be passed on comes without it', () =>
    withEventLoop(async (loop) => {
      const remote = new LoopRemote(
        loop.createRemote({
          fail: () => {
            throw new TypeError('outer', { cause: () => 1 });
          },
        }),
      );
      await expect(remote.call('fail')).rejects.toMatchObject({ name: 'TypeError', message: 'outer' });
    }));

  test('of the caller’s arguments is thrown at once, and leaves nothing behind', () =>
    withEventLoop(async (loop) => {
      const remote = new LoopRemote(loop.createRemote({ note: () => undefined }, { capacityBytes: 1024 }));
      expect(() => remote.call('note', () => 1)).toThrow('could not be cloned');
      expect(() => remote.call('note', Buffer.alloc(1024))).toThrow(
        expect.objectContaining({ code: 'ERR_OUT_OF_RANGE' }),
      );
      expect(() => remote.call('other')).toThrow(expect.objectContaining({ code: 'ERR_OUT_OF_RANGE' }));
    }));
});

describe('cancel()', () => {
  test('cancels the task, which gets the reason and may clean up', () => {
    const log: unknown[] = [];
    return withCaller(
      {
        async wait() {
          try {
            await sleep(60_000);
          } catch (error) {
            log.push((error as CancelledError).reason);
            await sleep(1);
            throw error;
          }
        },
      },
      async (caller, loop) => {
        const { error } = await caller.order({ call: ['wait'], cancel: { why: 'enough' }, afterMs: 20 });
        expect(error).toMatchObject({ type: 'CancelledError', code: 'ABORT_ERR', reason: { why: 'enough' } });
        expect(log).toEqual([{ why: 'enough' }]);
        expect(loop.statistics()).toMatchObject({ tasks: 0, timers: 0 });
      },
    );
  });

  test('cancels a generator and a future, and passes on to a task', () =>
    withEventLoop(async (loop) => {
      const futures: Future<unknown>[] = [];
      const remote = new LoopRemote(
        loop.createRemote({
          *generator() {
            yield* sleep(60_000);
          },
          future: () => {
            futures.push(loop.createFuture());
            return futures[0];
          },
          task: () => {
            futures.push(loop.createTask(async () => await sleep(60_000)));
            return futures[1];
          },
        }),
      );
      for (const name of ['generator', 'future', 'task']) {
        const call = remote.call(name);
        const settled = expect(call).rejects.toMatchObject({ code: 'ABORT_ERR', reason: name });
        await until('it runs', () => loop.statistics().tasks > 0);
        for (let turn = 0; turn < 5; turn++) await nodeTurn();
        expect(call.cancel(name)).toBe(true);
        await settled;
        expect(call.cancel()).toBe(false);
      }
      expect(futures.map((future) => future.cancelled())).toEqual([true, true]);
    }));

  test('of a call that has not begun keeps it from beginning', () =>
    withEventLoop(async (loop) => {
      let calls = 0;
      const remote = new LoopRemote(loop.createRemote({ count: () => ++calls }));
      const call = remote.call('count');
      call.cancel('never mind');
      await expect(call).rejects.toBeInstanceOf(CancelledError);
      expect(calls).toBe(0);
    }));

  test('may be refused', () =>
    withCaller(
      {
        async stubborn() {
          for (;;) {
            try {
              return await sleep(30, 'done');
            } catch {
              // Goes on.
            }
          }
        },
      },
      async (caller) => {
        expect(await caller.order({ call: ['stubborn'], afterMs: 5 })).toEqual({ result: 'done' });
      },
    ));

  test('that comes too late changes nothing', () =>
    withCaller({ quick: () => 'quick' }, async (caller) => {
      expect(await caller.order({ call: ['quick'], afterMs: 20 })).toEqual({ result: 'quick' });
    }));

  test('on the loop’s side is a cancellation for the caller as well', () =>
    withCaller({ wait: async () => await sleep(60_000) }, async (caller, loop) => {
      const answer = caller.call('wait');
      await until('it runs', () => loop.statistics().timers === 1);
      const [task] = loop.allTasks();
      expect(task!.name).toBe('remote wait');
      task!.cancel(() => 'a reason that cannot be passed on');
      expect((await answer).error).toMatchObject({ type: 'CancelledError', reason: 'a function' });
    }));
});

describe('closing the loop rejects', () => {
  const closed = { error: { name: 'LoopClosedError', code: 'ERR_LOOP_CLOSED' } };

  async function withStoppedLoop(
    functions: RemoteFunctions,
    body: (caller: Caller, loop: EventLoop, finished: Promise<void>) => Promise<void>,
  ): Promise<void> {
    const loop = new EventLoop();
    loop.setExceptionHandler(() => undefined);
    const finished = loop.runForever();
    const caller = await Caller.start(loop.createRemote(functions));
    try {
      await body(caller, loop, finished);
    } finally {
      if (loop.isRunning()) await stopped(loop);
      loop.close();
      await caller.worker.terminate();
    }
  }

  test('calls that are under way', () =>
    withStoppedLoop({ wait: async () => await sleep(60_000) }, async (caller, loop) => {
      const answers = [caller.call('wait'), caller.call('wait')];
      await until('they run', () => loop.statistics().tasks === 2);
      await stopped(loop);
      loop.close();
      for (const answer of answers) expect(await answer).toMatchObject(closed);
      expect(await caller.call('wait')).toMatchObject(closed);
    }));

  test('calls that the loop has not seen', () =>
    withStoppedLoop({ count: () => expect.fail('ran') }, async (caller, loop) => {
      await stopped(loop);
      const answer = caller.order({ call: ['count'], blockMs: 1 });
      // The worker has called once it answers to something else.
      const later = caller.call('other');
      expect((await later).error!.code).toBe('ERR_OUT_OF_RANGE');
      loop.close();
      expect(await answer).toMatchObject(closed);
    }));

  test('calls of the thread itself', async () => {
    const loop = new EventLoop();
    const remote = new LoopRemote(loop.createRemote({ note: () => undefined }));
    const early = expect(remote.call('note')).rejects.toMatchObject(closed.error);
    loop.close();
    await early;
    await expect(remote.call('note')).rejects.toMatchObject(closed.error);
  });

  test('calls in run() as well, which cancels their tasks first', async () => {
    let answer: Promise<Answer> | undefined;
    let caller: Caller | undefined;
    await run(async () => {
      const loop = EventLoop.running();
      caller = await Caller.start(loop.createRemote({ wait: async () => await sleep(60_000) }));
      answer = caller.call('wait');
      await until('it runs', () => loop.statistics().tasks === 2);
    });
    expect((await answer)!.error).toMatchObject({ type: 'CancelledError' });
    expect(await caller!.call('wait')).toMatchObject(closed);
    await caller!.worker.terminate();
  });
});

test('a fatal error of a call ends the run, and the caller gets it as well', async () => {
  const loop = new EventLoop();
  const finished = loop.runForever();
  const remote = new LoopRemote(
    loop.createRemote({
      fail: () => {
        throw new FatalError('the end');
      },
    }),
  );
  const answer = expect(remote.call('fail')).rejects.toMatchObject({
    name: 'FatalError',
    message: 'the end',
  });
  await expect(finished).rejects.toThrow('the end');
  loop.close();
  await answer;
});

test('a loop whose thread is gone rejects calls that are under way', async () => {
  const worker = new Worker(
    `const { parentPort, workerData } = require('node:worker_threads');
     (async () => {
       const { EventLoop, sleep } = await import(workerData);
       const loop = new EventLoop();
       parentPort.postMessage(loop.createRemote({ wait: async () => {
         parentPort.postMessage('waits');
         await sleep(60_000);
       } }));
       loop.callLater(1e6, () => undefined);
       loop.runForever();
     })();`,
    { eval: true, workerData: distUrl('index') },
  );
  const [handle] = (await once(worker, 'message')) as [RemoteHandle];
  const remote = new LoopRemote(handle);
  const waits = once(worker, 'message');
  const call = remote.call('wait');
  const rejected = expect(call).rejects.toMatchObject({ code: 'ERR_LOOP_CLOSED' });
  await waits;
  await worker.terminate();
  await rejected;
  await expect(remote.call('wait')).rejects.toMatchObject({ code: 'ERR_LOOP_CLOSED' });
  expect(call.cancel()).toBe(false);
});

test('whenever the loop is closed, no call is left without an outcome', async () => {
  for (let round = 0; round < 5; round++) {
    const loop = new EventLoop();
    loop.setExceptionHandler(() => undefined);
    const finished = loop.runForever();
    const worker = new Worker(
      `const { parentPort, workerData } = require('node:worker_threads');
       (async () => {
         const { LoopRemote } = await import(workerData.module);
         const remote = new LoopRemote(workerData.remote);
         const counts = { done: 0, closed: 0, other: 0 };
         const calls = [];
         parentPort.postMessage('ready');
         while (counts.closed === 0) {
           for (let i = 0; i < 50; i++) {
             const call = remote.call(i % 2 === 0 ? 'quick' : 'slow', i);
             calls.push(call.then(() => counts.done++, ({ code }) => counts[code === 'ERR_LOOP_CLOSED' ? 'closed' : 'other']++));
           }
           await new Promise(setImmediate);
         }
         await Promise.all(calls);
         parentPort.postMessage({ ...counts, left: calls.length - counts.done - counts.closed - counts.other });
       })();`,
      {
        eval: true,
        workerData: {
          module: distUrl('core/remote'),
          remote: loop.createRemote(
            { quick: (i: number) => i, slow: async (i: number) => await sleep(i / 10) },
            { capacityBytes: 4096 },
          ),
        },
      },
    );
    await once(worker, 'message');
    const counted = once(worker, 'message');
    await later(loop, 5 + round);
    loop.stop();
    await finished;
    loop.close();
    const [counts] = (await counted) as [Record<string, number>];
    expect(counts).toMatchObject({ other: 0, left: 0 });
    expect(counts.closed).toBeGreaterThan(0);
    await worker.terminate();
  }
});

test('a caller that is terminated harms nobody', () =>
  withCaller({ wait: async () => await sleep(20, 'late') }, async (caller, loop) => {
    void caller.call('wait');
    await until('it runs', () => loop.statistics().timers === 1);
    await caller.worker.terminate();
    await until('it is over', () => loop.statistics().tasks === 0);
    const remote = new LoopRemote(loop.createRemote({ still: () => 'there' }));
    expect(await remote.call('still')).toBe('there');
  }));

test('a thread stays alive while it waits for an outcome, and no longer', async () => {
  await withEventLoop(async (loop) => {
    const worker = new Worker(
      `const { workerData } = require('node:worker_threads');
       (async () => {
         const { LoopRemote } = await import(workerData.module);
         const remote = new LoopRemote(workerData.remote);
         process.exitCode = await remote.call('wait');
         process.exitCode += await remote.call('wait');
       })();`,
      {
        eval: true,
        workerData: {
          module: distUrl('core/remote'),
          remote: loop.createRemote({ wait: async () => await sleep(20, 21) }),
        },
      },
    );
    expect(await once(worker, 'exit')).toEqual([42]);
  });
});
