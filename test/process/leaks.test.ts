// What many tasks, limits, shields, groups, scopes, combinators and waits leave behind: nothing. Each in a
// process of its own.
//
// With EVLOOP_LEAK_ROUNDS=1000000 in the environment the rounds are ten times as many.
import { expect, test } from 'vitest';
import { runChild } from '../support/child.js';

const ROUNDS = Number(process.env['EVLOOP_LEAK_ROUNDS'] ?? 100_000);
// A leak of 100 bytes a round would be more; what the engine keeps for itself is less.
const MARGIN_BYTES = 2e6;
const TIMEOUT_MS = 900_000;

// What is done again and again, in both forms; `signal` and `lasting` live for as long as the program.
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

// Several waits a round, so the rounds are fewer.
const WAITS_A_ROUND = 5;
const waitCases: Record<string, string> = {
  'races are won, lost and cancelled': `
    yield* race([sleep(0), shield(lasting)]);
    yield* firstSuccess([i % 2 ? fails : failsAsync, sleep(0), shield(lasting)]);
    yield* staggeredRace([failsAsync, quick, waits], i % 2 ? 0 : 1e6);
    try { yield* race([i % 2 ? failsAsync : fails, shield(lasting)]); } catch {}
    yield* cancelled(() => race([waits, waitsAsync, shield(lasting)]), i);`,
  'gathers end, fail and are cancelled': `
    yield* gather([quick, quickAsync, sleep(0)]);
    yield* gather([i % 2 ? fails : failsAsync, quick], { returnExceptions: true });
    try { yield* gather([i % 2 ? failsAsync : fails, quick]); } catch {}
    yield* cancelled(() => gather([waits, waitsAsync, shield(lasting)]), i);
    yield* cancelled(() => mapConcurrent([1, 2, 3], i % 3 ? waits : waitsAsync, { limit: 2 }), i);`,
  'a lasting task is waited for': `
    yield* wait([lasting], { timeout: 0 });
    yield* wait([lasting, createTask(i % 2 ? quick : quickAsync)], { returnWhen: 'FIRST_COMPLETED' });
    yield* cancelled(() => wait([lasting], { timeout: 1e6 }), i);
    for (const next of asCompleted([lasting, quick], { timeout: 1e6 })) { yield* next; break; }
    yield* cancelled(() => timeout(1e6, i % 3 ? eachDone : eachDoneAsync), i);`,
  'waits with a limit are over and cancelled': `
    yield* waitFor(i % 2 ? quick : quickAsync, 1e6);
    try { yield* waitFor(i % 2 ? waits : waitsAsync, 0); } catch {}
    try { yield* waitFor(shield(lasting), 0); } catch {}
    yield* cancelled(() => waitFor(i % 3 ? waits : waitsAsync, 1e6), i);`,
  'waits at queues and channels are cancelled': `
    yield* cancelled(() => empty.get(), i);
    yield* cancelled(() => full.put(1), i);
    yield* cancelled(() => full.join(), i);
    yield* cancelled(() => pipe.receive.receive(), i);
    yield* cancelled(() => pipe.send.send(1), i);
    pipe.send.clone().close();`,
  'waits for locks and the like are cancelled': `
    yield* cancelled(() => locked.acquire(), i);
    yield* cancelled(() => locked.withLock(quick), i);
    yield* cancelled(() => taken.acquire(), i);
    yield* cancelled(() => limiter.acquire({}), i);
    yield* cancelled(() => event.wait(), i);
    yield* cancelled(() => new Barrier(2).wait(), i);
    yield* cancelled(() => condition.withLock(() => condition.wait()), i);`,
  'events come, do not come, and are given up': `
    const comes = once(emitter, 'it', { signal });
    emitter.emit('it', i);
    yield* comes;
    yield* cancelled(() => once(emitter, 'it', { signal }), i);
    yield* cancelled(() => once(target, 'it', { signal }), i);
    const controller = new AbortController();
    const aborted = once(emitter, 'it', { signal: controller.signal });
    controller.abort();
    try { yield* aborted; } catch {}
    try { yield* waitFor(once(emitter, 'it'), 0); } catch {}
    try { yield* race([once(emitter, 'it', { signal }), once(target, 'it', { signal }), fails]); } catch {}`,
};

const rounds = [
  ...Object.entries(cases).map(([name, step]) => [name, step, ROUNDS] as const),
  ...Object.entries(waitCases).map(([name, step]) => [name, step, ROUNDS / WAITS_A_ROUND] as const),
];

test.each(rounds)(
  'the heap is as before after many rounds: %s',
  async (_, step, count) => {
    const result = await runChild(
      `
      import { EventEmitter, getEventListeners } from 'node:events';
      process.on('warning', (warning) => console.log(String(warning)));
      const { signal } = new AbortController();
      const loop = new EventLoop();
      let lasting = new Future(loop);
      function* waits() { yield* new Future(loop); }
      const waitsAsync = async () => { await new Future(loop); };
      function* quick() { yield; }
      const quickAsync = async () => { await sleep(0); };
      function* fails() { yield; throw new Error('fails'); }
      const failsAsync = async () => { await sleep(0); throw new Error('fails'); };
      function* eachDone() { for (const next of asCompleted([lasting])) yield* next; }
      const eachDoneAsync = async () => { for (const next of asCompleted([lasting])) await next; };
      const emitter = new EventEmitter();
      const target = new EventTarget();
      const empty = new Queue(1);
      const full = new Queue(1);
      const pipe = channel(0);
      const locked = new Lock();
      const taken = new Semaphore(1);
      const limiter = new CapacityLimiter(1);
      const event = new AsyncEvent();
      const condition = new Condition();
      // Cancelled while it waits, in either form; before it waits, and behind its end, now and then.
      function* cancelled(use, i) {
        const task = createTask(i % 2 ? function* () { yield* use(); } : async () => { await use(); });
        if (i % 5) yield;
        if (i % 7 === 0) yield;
        task.cancel();
        try { yield* task; } catch {}
      }
      function* prepare() {
        yield* full.put(0);
        yield* locked.acquire();
        yield* taken.acquire();
        yield* limiter.acquire(limiter);
      }
      await loop.runUntilComplete(prepare());
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
      await loop.runUntilComplete(rounds(${count / 10}));
      const before = await heap();
      await loop.runUntilComplete(rounds(${count}));
      const grown = (await heap()) - before;
      const { tasks, timers, ready } = loop.statistics();
      const listeners = [signal, target].flatMap((one) => [...getEventListeners(one, 'abort'), ...getEventListeners(one, 'it')]);
      const waiters = [locked, taken, limiter, event, condition].map((one) => one.statistics().waiters);
      const { tasksWaitingGet } = empty.statistics();
      const { tasksWaitingPut, tasksWaitingJoin } = full.statistics();
      const { tasksWaitingSend, tasksWaitingReceive, openSenders } = pipe.send.statistics();
      waiters.push(tasksWaitingGet, tasksWaitingPut, tasksWaitingJoin, tasksWaitingSend, tasksWaitingReceive, openSenders - 1);
      console.log(JSON.stringify({
        tasks, timers, ready,
        listeners: listeners.length + emitter.eventNames().length,
        waiters: Math.max(...waiters),
      }));
      console.log(grown < ${MARGIN_BYTES} ? 'as before' : 'grown by ' + grown);
      loop.close();
      `,
      { nodeArgs: ['--expose-gc'], timeoutMs: TIMEOUT_MS },
    );
    expect(result).toEqual({
      code: 0,
      signal: null,
      stdout: '{"tasks":0,"timers":0,"ready":0,"listeners":0,"waiters":0}\nas before\n',
      stderr: '',
    });
  },
  TIMEOUT_MS,
);
