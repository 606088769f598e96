// C-97 to C-99, C-118, C-119: how a run ends, and that no error is lost on the way.
import { describe, expect, test } from 'vitest';
import type { ExceptionContext } from '../../src/core/exception.js';
import { EventLoop } from '../../src/event-loop.js';
import { run } from '../../src/run.js';
import { createTaskOn } from '../../src/task/create.js';
import { createTask } from '../../src/task/current.js';
import { Future } from '../../src/task/future.js';
import { sleep } from '../../src/task/sleep.js';
import { runChild } from '../support/child.js';
import { fakeLoop } from '../support/fake-loop.js';
import { isCollected } from '../support/garbage.js';
import { nodeTurn } from '../support/loop.js';

// Each program in both forms: `W` stands for how it waits, `function F` for how it is written.
const forms: [form: string, write: (program: string) => string][] = [
  ['generator', (text) => text.replaceAll('W ', 'yield* ').replaceAll('function F', 'function*')],
  ['async function', (text) => text.replaceAll('W ', 'await ').replaceAll('function F', 'async function')],
];

describe.each(forms)('%s', (_form, write) => {
  test('C-97 runner: cancel all, wait for all, report errors, close; again for what was made meanwhile', async () => {
    const { code, stdout, stderr } = await runChild(
      write(`
      const log = (...words) => console.log(...words);
      let loop;
      const loopFactory = (options) => {
        loop = new EventLoop(options);
        loop.setExceptionHandler((_, context) => log(context.message, '-', context.exception?.message));
        return loop;
      };
      function F child(name, end) {
        try {
          W sleep(60_000);
        } finally {
          log(name, 'cancelled');
          W sleep(1);
          end();
        }
      }
      const value = await run(function F () {
        createTask(() => child('a', () => {
          createTask(() => child('made meanwhile', () => log('made meanwhile ends')));
        }));
        createTask(() => child('b', () => { throw new Error('of b'); }));
        createTask(() => child('c', () => log('c ends')));
        W sleep(1);
        log('main ends');
        return 'value';
      }, { loopFactory });
      log(value, loop.isClosed());
    `),
    );
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout.trimEnd().split('\n')).toEqual([
      'main ends',
      'a cancelled',
      'b cancelled',
      'c cancelled',
      'c ends',
      'unhandled exception during run() shutdown - of b',
      'made meanwhile cancelled',
      'made meanwhile ends',
      'value true',
    ]);
  });

  const interrupted = async (main: string, after = ''): Promise<[number | null, ...string[]]> => {
    const { code, stdout, stderr } = await runChild(
      write(`
      const log = (...words) => console.log(...words);
      const interrupt = () => process.kill(process.pid, 'SIGINT');
      function F pause() {
        interrupt();
        W sleep(60_000);
      }
      try {
        log(await run(function F () { ${main} }, { signals: ['SIGINT'] }));
      } catch (error) {
        log(error.name, error.reason);
      }
      log(process.listenerCount('SIGINT'));
      ${after}
    `),
    );
    expect(stderr).toBe('');
    return [code, ...stdout.trimEnd().split('\n')];
  };

  test('C-98 Ctrl-C: the first SIGINT cancels main, whose finally blocks run, and the exit code is 130', async () => {
    expect(
      await interrupted(`
        interrupt();
        try { W sleep(60_000); } finally { W sleep(1); log('cleaned up'); }`),
    ).toEqual([130, 'cleaned up', 'CancelledError SIGINT', '0']);
  });

  test('C-98 a main that throws a cancellation of its own was interrupted as well', async () => {
    expect(
      await interrupted(`
        interrupt();
        try { W sleep(60_000); } catch { throw new CancelledError('another'); }`),
    ).toEqual([130, 'CancelledError SIGINT', '0']);
  });

  test('C-98 a main that swallows it gives its value, and the process ends as ever', async () => {
    expect(
      await interrupted(`
        interrupt();
        try { W sleep(60_000); } catch (error) { return 'value after ' + error.reason; }`),
    ).toEqual([0, 'value after SIGINT', '0']);
  });

  test('C-98 a main that ends with an error gives that, and the process ends as ever', async () => {
    expect(
      await interrupted(`
        interrupt();
        try { W sleep(60_000); } catch { throw Object.assign(new Error(), { reason: 'its own' }); }`),
    ).toEqual([0, 'Error its own', '0']);
  });

  test('C-98 a main that somebody else cancelled too was not interrupted alone', async () => {
    expect(
      await interrupted(`
        const task = currentTask();
        process.once('SIGINT', () => task.cancel('by somebody else'));
        interrupt();
        W sleep(60_000);`),
    ).toEqual([0, expect.stringMatching(/^CancelledError/), '0']);
  });

  test('C-98 the second SIGINT ends the process at once', async () => {
    const { signal, stdout } = await runChild(
      write(`
      await run(function F () {
        process.kill(process.pid, 'SIGINT');
        try {
          W sleep(60_000);
        } finally {
          console.log('cleaning up');
          process.kill(process.pid, 'SIGINT');
          W sleep(60_000);
          console.log('not reached');
        }
      }, { signals: ['SIGINT'] });
    `),
    );
    expect({ signal, stdout }).toEqual({ signal: 'SIGINT', stdout: 'cleaning up\n' });
  });

  test('C-118 a main that can never go on ends with code 13, and says who waits for what', async () => {
    const { code, stdout, stderr } = await runChild(
      write(`
      (async () => {
        await run(function F () {
          const never = new Future(EventLoop.running());
          const inner = createTask(function F () { W never; }, { name: 'inner' });
          console.log('waits');
          W inner;
        });
        console.log('not reached');
      })();
    `),
    );
    expect({ code, stdout }).toEqual({ code: 13, stdout: 'waits\n' });
    expect(stderr).toContain('run() never ended: nothing is left that could wake its tasks');
    expect(stderr).toMatch(/<Task 'inner' pending awaiting <Future>>\n +awaiting <Future pending>/);
  });
});

// What keeps a process, one program each.
const keepAlive: [title: string, program: string, code: number, stdout: string][] = [
  ['a loop without work does not keep the process', 'new EventLoop().runForever(); console.log(1);', 0, '1'],
  [
    'an unsettled top-level await ends with code 13',
    'const loop = new EventLoop(); await loop.runForever(); console.log(1);',
    13,
    '',
  ],
  [
    'nor does an unsettled async function keep it',
    '(async () => { await new EventLoop().runForever(); console.log(1); })();',
    0,
    '',
  ],
  [
    'run() whose program can never go on ends with code 13 as well',
    '(async () => { await run(async () => { await new Promise(() => {}); }); console.log(1); })();',
    13,
    '',
  ],
  [
    'a timer keeps it until it has run',
    'const loop = new EventLoop(); loop.runForever(); loop.callLater(20, () => console.log(1));',
    0,
    '1',
  ],
  [
    'an unreferenced timer does not',
    'const loop = new EventLoop(); loop.runForever(); loop.callLater(1e6, () => console.log(1)).unref();',
    0,
    '',
  ],
  [
    'neither does a timer that was cancelled',
    'const loop = new EventLoop(); loop.runForever(); loop.callLater(1e6, () => console.log(1)).cancel();',
    0,
    '',
  ],
  [
    'nor anything of an unreferenced loop',
    'const loop = new EventLoop(); loop.runForever(); loop.unref(); loop.callLater(1e6, () => console.log(1));',
    0,
    '',
  ],
  [
    'nor a timer of a loop that was never started',
    'const loop = new EventLoop(); loop.callLater(1e6, () => console.log(1)); loop.callSoon(() => console.log(2));',
    0,
    '',
  ],
  [
    'ready callbacks are run before the process ends',
    'const loop = new EventLoop(); loop.runForever(); setTimeout(() => loop.callSoon(() => console.log(1)), 5);',
    0,
    '1',
  ],
  [
    'a chain of them keeps it, as long as it goes on',
    `const loop = new EventLoop(); loop.runForever(); let left = 1000;
     loop.callSoon(function again() { if (--left > 0) loop.callSoon(again); else console.log(1); });`,
    0,
    '1',
  ],
];

test.each(keepAlive)('C-118 %s', async (_, program, code, stdout) => {
  const result = await runChild(program);
  expect({ ...result, stdout: result.stdout.trim() }).toMatchObject({ code, signal: null, stdout });
});

// More than a pipe holds, so a process that does not wait for its reader loses some of it. Node
// does not wait itself when nobody catches an error, so these catch it.
const MUCH = 1 << 20;
const SAY_MUCH = `process.stdout.write('x'.repeat(${MUCH - 1}) + '\\n');`;

test.each<[how: string, program: string, code: number]>([
  ['returns', `await run(async () => { ${SAY_MUCH} });`, 0],
  [
    'throws',
    `await run(async () => { ${SAY_MUCH} throw new Error(); }).catch(() => { process.exitCode = 4; });`,
    4,
  ],
  [
    'is interrupted',
    `await run(async () => {
       process.kill(process.pid, 'SIGTERM');
       try { await sleep(60_000); } finally { ${SAY_MUCH} }
     }, { signals: ['SIGTERM'] }).catch((error) => isCancelled(error));`,
    143,
  ],
  [
    'leaves a task that does not end',
    `await run(async () => {
       createTask(async () => { for (;;) try { await sleep(60_000); } catch {} });
       ${SAY_MUCH}
       await sleep(1);
     }, { graceMs: 5 });`,
    0,
  ],
  ['can never go on', `await run(async () => { ${SAY_MUCH} await new Promise(() => {}); });`, 13],
])('C-119 a main that %s loses nothing it wrote to a pipe', async (_, program, code) => {
  const result = await runChild(program);
  expect([result.code, result.signal, result.stdout.length]).toEqual([code, null, MUCH]);
});

test('C-99 an unread error is reported when the future is collected, once', async () => {
  const loop = fakeLoop();
  const reference = (() => {
    const task = createTaskOn(loop, function* () {
      throw new Error('unread');
    });
    loop.run();
    return new WeakRef(task);
  })();
  expect(await isCollected(reference)).toBe(true);
  for (let round = 0; round < 100 && loop.errors.length === 0; round++) await nodeTurn();
  loop.close();
  expect(loop.errors).toMatchObject([
    { message: 'Task exception was never retrieved', exception: { message: 'unread' } },
  ]);
});

test('C-99 a late cancel() does not silence the report', () => {
  const loop = fakeLoop();
  const future = new Future(loop);
  future.setException(new Error('unread'));
  expect(future.cancel()).toBe(false);
  const task = createTaskOn(loop, function* () {
    throw new Error('unread too');
  });
  loop.run();
  expect(task.cancel()).toBe(false);
  loop.close();
  expect(loop.errors.map((context) => (context.exception as Error).message)).toEqual([
    'unread',
    'unread too',
  ]);
});

test.each(['result()', 'exception()', 'await'])('C-99 %s reads the error', async (how) => {
  const loop = fakeLoop();
  const future = new Future(loop);
  future.setException(new Error('read'));
  if (how === 'result()') expect(() => future.result()).toThrow('read');
  else if (how === 'exception()') expect(future.exception()).toMatchObject({ message: 'read' });
  else await expect((async () => await future)()).rejects.toThrow('read');
  loop.close();
  expect(loop.errors).toEqual([]);
});

test('C-99 at the end of run() every error reaches somebody, exactly once', async () => {
  const reports: ExceptionContext[] = [];
  const loopFactory = (options: object): EventLoop => {
    const loop = new EventLoop(options);
    loop.setExceptionHandler((_loop, context) => reports.push(context));
    return loop;
  };
  const held: unknown[] = [];
  const fail = (message: string): never => {
    throw new Error(message);
  };
  const result = run(
    async () => {
      held.push(createTask(async () => fail('before the end')));
      held.push(
        createTask(async () => {
          try {
            await sleep(60_000);
          } finally {
            fail('while cleaning up');
          }
        }),
      );
      await expect(createTask(async () => fail('awaited')).toPromise()).rejects.toThrow('awaited');
      await sleep(1);
      fail('main');
    },
    { loopFactory },
  );
  await expect(result).rejects.toThrow('main');
  expect(reports.map(({ message, exception }) => [message, (exception as Error).message]).sort()).toEqual([
    ['Task exception was never retrieved', 'before the end'],
    ['unhandled exception during run() shutdown', 'while cleaning up'],
  ]);
});

test('C-99 an error that nobody read is told of when the process exits, late cancel() or not', async () => {
  const { code, stderr } = await runChild(`
    const loop = new EventLoop();
    globalThis.future = loop.createFuture();
    globalThis.task = loop.createTask(function* () { throw new Error('of the task'); });
    loop.runForever();
    const end = () => {
      if (!task.done()) return setTimeout(end, 1);
      future.setException(new Error('of the future'));
      console.log(task.cancel(), future.cancel());
      loop.stop();
    };
    end();
  `);
  expect(code).toBe(0);
  for (const what of ['Task', 'Future']) {
    expect(stderr.split(`${what} exception was never retrieved`)).toHaveLength(2);
  }
});
