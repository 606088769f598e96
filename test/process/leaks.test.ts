// What many tasks, limits, shields, groups and scopes leave behind: nothing. Each in a process of its own.
//
// With EVLOOP_LEAK_ROUNDS=1000000 in the environment the rounds are ten times as many.
import { expect, test } from 'vitest';
import { runChild } from '../support/child.js';

const ROUNDS = Number(process.env['EVLOOP_LEAK_ROUNDS'] ?? 100_000);
// A leak of 100 bytes a round would be more; what the engine keeps for itself is less.
const MARGIN_BYTES = 8e6;
const TIMEOUT_MS = 300_000;

// What is done again and again, in both forms; `signal` lives for as long as the program.
const cases: Record<string, string> = {
  'tasks are spawned, by generators': 'yield* createTask(function* () { yield; }, { signal });',
  'tasks are spawned, by async functions': 'yield* createTask(async () => await sleep(0), { signal });',
  'tasks are cancelled': `
    const task = createTask(i % 2 ? waits : waitsAsync, { signal });
    if (i % 3) yield;
    task.cancel();
    try { yield* task; } catch {}`,
  'limits are over': `
    try { yield* timeout(0, i % 2 ? waits : waitsAsync); } catch {}
    try { yield* waitFor(lasting, i % 1000 ? 0 : 0.01); } catch {}
    lasting = new Future(loop);`,
  'limits are not over': 'yield* timeout(1e6, i % 2 ? quick : quickAsync);',
  'a lasting task is shielded': `
    const task = createTask(function* () { yield* shield(lasting); }, { signal });
    yield;
    task.cancel();
    try { yield* task; } catch {}`,
  'groups end and fail': `
    try {
      yield* taskGroup(function* (group) {
        group.createTask(quick, { signal });
        group.createTask(waits);
        yield;
        if (i % 2) throw new Error('fails'); else group.cancel();
        yield;
      });
    } catch {}`,
  'scopes end and are cancelled': `
    yield* cancelScope({ signal, deadline: loop.time() + 1e6 }, function* (scope) {
      if (i % 2) scope.cancel();
      yield* cleanup(1e6, i % 3 ? quick : quickAsync);
      yield;
    });
    fromSignal(signal).cancel();`,
};

test.each(Object.entries(cases))(
  'the heap is as before after many rounds: %s',
  async (_, step) => {
    const result = await runChild(
      `
      import { getEventListeners } from 'node:events';
      process.on('warning', (warning) => console.log(String(warning)));
      const { signal } = new AbortController();
      const loop = new EventLoop();
      let lasting = new Future(loop);
      function* waits() { yield* new Future(loop); }
      const waitsAsync = async () => { await new Future(loop); };
      function* quick() { yield; }
      const quickAsync = async () => { await sleep(0); };
      function* rounds(count) {
        for (let i = 0; i < count; i++) { ${step} }
      }
      const heap = async () => {
        // Finalizers and jobs that still hold something run between the collections.
        for (let round = 0; round < 4; round++) {
          gc();
          await new Promise((resolve) => setImmediate(resolve));
        }
        return process.memoryUsage().heapUsed;
      };
      await loop.runUntilComplete(rounds(${ROUNDS / 10}));
      const before = await heap();
      await loop.runUntilComplete(rounds(${ROUNDS}));
      const grown = (await heap()) - before;
      const { tasks, timers, ready } = loop.statistics();
      console.log(JSON.stringify({ tasks, timers, ready, listeners: getEventListeners(signal, 'abort').length }));
      console.log(grown < ${MARGIN_BYTES} ? 'as before' : 'grown by ' + grown);
      loop.close();
      `,
      { nodeArgs: ['--expose-gc'], timeoutMs: TIMEOUT_MS },
    );
    expect(result).toEqual({
      code: 0,
      signal: null,
      stdout: '{"tasks":0,"timers":0,"ready":0,"listeners":0}\nas before\n',
      stderr: '',
    });
  },
  TIMEOUT_MS,
);
