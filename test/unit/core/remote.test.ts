import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { expect, test } from 'vitest';
import { LoopCore } from '../../../src/core/loop.js';
import { LoopClosedError } from '../../../src/base/errors.js';
import { abi } from '../../../src/native/abi.js';
import { LoopRemote, openMailbox, type RemoteHandle } from '../../../src/core/remote.js';
import { runChild } from '../../support/child.js';
import { distUrl } from '../../support/dist.js';
import {
  block,
  later,
  nodeTurn,
  oneTurn,
  soon,
  stopped,
  withIdleLoop,
  withLoop,
} from '../../support/loop.js';

interface Order {
  count?: number;
  size?: number;
  forever?: boolean;
}

interface Answer {
  posted: number;
  error?: { name: string; code: string; message: string };
}

class Poster {
  readonly worker: Worker;

  private constructor(worker: Worker) {
    this.worker = worker;
  }

  static async start(remote: RemoteHandle, id = 0): Promise<Poster> {
    const worker = new Worker(new URL('../../support/poster.mjs', import.meta.url), {
      workerData: { module: distUrl('core/remote'), remote, id },
    });
    await once(worker, 'message');
    return new Poster(worker);
  }

  async order(order: Order): Promise<Answer> {
    const answer = once(this.worker, 'message');
    this.worker.postMessage(order);
    return ((await answer) as [Answer])[0];
  }
}

/** Calls `body` with as many workers, which are terminated afterwards. */
async function withPosters(
  remote: RemoteHandle,
  count: number,
  body: (...posters: Poster[]) => Promise<void>,
): Promise<void> {
  const posters = await Promise.all(Array.from({ length: count }, (_, id) => Poster.start(remote, id)));
  try {
    await body(...posters);
  } finally {
    await Promise.all(posters.map((poster) => poster.worker.terminate()));
  }
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await nodeTurn();
}

const numbers = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

test('posts of one thread arrive in order, all of them', () =>
  withLoop(async (loop) => {
    const seen: number[] = [];
    const remote = openMailbox(loop, { record: (_id: number, n: number) => seen.push(n) });
    await withPosters(remote, 1, async (poster) => {
      expect(await poster.order({ count: 20_000 })).toEqual({ posted: 20_000 });
      await until(() => seen.length >= 20_000);
      expect(seen).toEqual(numbers(20_000));
      // A burst shares wake-ups.
      expect(loop.statistics().events).toBeLessThan(20_000);
    });
  }));

test('posts of several threads keep their order each, and none is lost', () =>
  withLoop(async (loop) => {
    const seen: number[][] = [[], [], []];
    const remote = openMailbox(
      loop,
      { record: (id: number, n: number, filler: Buffer) => seen[id]!.push(filler.length === 100 ? n : -1) },
      { capacityBytes: 4096 },
    );
    await withPosters(remote, 3, async (...posters) => {
      await Promise.all(posters.map((poster) => poster.order({ count: 2000, size: 100 })));
      await until(() => seen.every((list) => list.length === 2000));
      expect(seen).toEqual([numbers(2000), numbers(2000), numbers(2000)]);
    });
  }));

test('a full mailbox makes the thread wait until the loop has caught up', () =>
  withIdleLoop(async (loop) => {
    const seen: number[] = [];
    const remote = openMailbox(
      loop,
      { record: (_id: number, n: number) => seen.push(n) },
      { capacityBytes: 1024 },
    );
    await withPosters(remote, 1, async (poster) => {
      let answer: Answer | undefined;
      const answered = poster.order({ count: 1000, size: 50 }).then((it) => (answer = it));
      // Nobody empties it.
      await new Promise((resolve) => setTimeout(resolve, 30));
      expect(answer).toBeUndefined();
      expect(seen).toEqual([]);
      const finished = loop._start();
      await answered;
      expect(answer).toEqual({ posted: 1000 });
      await until(() => seen.length === 1000);
      expect(seen).toEqual(numbers(1000));
      loop.stop();
      await finished;
    });
  }));

test('arguments come as they were, whatever their size', () =>
  withLoop(async (loop) => {
    const seen: unknown[][] = [];
    const remote = new LoopRemote(
      openMailbox(loop, { note: (...args: unknown[]) => seen.push(args) }, { capacityBytes: 1024 }),
    );
    const samples: unknown[][] = [
      [],
      [undefined],
      [null, true, 1.5, 'text', 10n],
      [{ a: [1, { b: new Map([['k', new Set([1])]]) }] }],
      [new Date(0), /x/g, new Error('error')],
    ];
    // Sizes that are no multiple of a word, in a ring that every record wraps around sooner or later.
    for (let size = 0; size < 300; size++) samples.push([Buffer.alloc(size, size)]);
    for (const sample of samples) {
      remote.post('note', ...sample);
      await soon(loop);
      await soon(loop);
    }
    await later(loop, 1);
    expect(seen).toEqual(samples);
  }));

test('calls are scheduled like callSoon: one that throws harms no other', () =>
  withLoop(async (loop) => {
    const errors: unknown[] = [];
    loop.setExceptionHandler((_, { exception }) => errors.push(exception));
    const seen: number[] = [];
    const remote = new LoopRemote(
      openMailbox(loop, {
        fail: () => {
          throw new Error('boom');
        },
        note: (n: number) => seen.push(n),
      }),
    );
    remote.post('note', 1);
    remote.post('fail');
    remote.post('note', 2);
    await until(() => seen.length === 2);
    expect(seen).toEqual([1, 2]);
    expect(errors).toMatchObject([{ message: 'boom' }]);
  }));

test('async functions may be called, in debug mode as well', () =>
  withLoop(
    async (loop) => {
      const seen: number[] = [];
      const remote = new LoopRemote(openMailbox(loop, { note: async (n: number) => void seen.push(n) }));
      remote.post('note', 1);
      remote.post('note', 2);
      await until(() => seen.length === 2);
      expect(seen).toEqual([1, 2]);
    },
    { debug: true },
  ));

test('a loop that waits is woken within 5 ms', () =>
  withLoop(async (loop) => {
    let arrivedMs = 0;
    const remote = openMailbox(loop, { record: () => (arrivedMs = loop.time()) });
    const dayAway = loop.callLater(24 * 3600 * 1000, () => undefined);
    await withPosters(remote, 1, async (poster) => {
      const latencies: number[] = [];
      for (let i = 0; i < 20; i++) {
        await later(loop, 1);
        const begin = loop.time();
        arrivedMs = 0;
        // This includes the message to the worker, which is slower than the way back.
        poster.worker.postMessage({ count: 1 });
        await until(() => arrivedMs !== 0);
        latencies.push(arrivedMs - begin);
      }
      expect(Math.min(...latencies)).toBeLessThan(5);
    });
    dayAway.cancel();
  }));

test('a closed loop throws in the thread that posts', async () => {
  const loop = new LoopCore();
  const remote = openMailbox(loop, { record: () => expect.fail('ran') });
  const here = new LoopRemote(remote);
  await withPosters(remote, 1, async (poster) => {
    here.post('record');
    loop.close();
    const closed = expect.objectContaining({ code: 'ERR_LOOP_CLOSED' });
    for (let i = 0; i < 3; i++) {
      expect(() => here.post('record')).toThrow(closed);
      expect(await poster.order({ count: 1 })).toMatchObject({ error: { code: 'ERR_LOOP_CLOSED' } });
    }
  });
});

test('a post that finds the mailbox being closed leaves what is in there to the loop', () =>
  withLoop((loop) => {
    const handle = openMailbox(loop, { poke: () => undefined });
    const remote = new LoopRemote(handle);
    const words = new Int32Array(handle.buffer);
    const head = words[abi.MAIL_HEAD];
    words[abi.MAIL_CLOSED] = 1;
    expect(() => remote.post('poke')).toThrow(LoopClosedError);
    expect(words[abi.MAIL_HEAD]).toBe(head);
    words[abi.MAIL_CLOSED] = 0;
  }));

test('closing the loop frees a thread that waits for room', async () => {
  const loop = new LoopCore();
  const remote = openMailbox(loop, { record: () => undefined }, { capacityBytes: 1024 });
  await withPosters(remote, 2, async (...posters) => {
    const answers = posters.map((poster) => poster.order({ count: 1000, size: 100 }));
    await new Promise((resolve) => setTimeout(resolve, 20));
    loop.close();
    for (const answer of await Promise.all(answers)) expect(answer.error?.code).toBe('ERR_LOOP_CLOSED');
  });
});

test('the thread of the loop is told that it would wait for itself', () =>
  withIdleLoop(async (loop) => {
    let calls = 0;
    const remote = new LoopRemote(openMailbox(loop, { note: () => calls++ }, { capacityBytes: 1024 }));
    let posted = 0;
    const fill = (): void => {
      for (;;) {
        remote.post('note');
        posted++;
      }
    };
    expect(fill).toThrow(expect.objectContaining({ code: 'ERR_INVALID_STATE' }));
    expect(posted).toBe(128);
    await withRun(loop, () => until(() => calls === posted));
    remote.post('note');
    await withRun(loop, () => until(() => calls === posted + 1));
  }));

async function withRun(loop: LoopCore, body: () => Promise<void>): Promise<void> {
  const finished = loop._start();
  await body();
  loop.stop();
  await finished;
}

test('what was posted to a stopped loop runs when it starts again', () =>
  withLoop(async (loop) => {
    const seen: number[] = [];
    const remote = new LoopRemote(openMailbox(loop, { note: (n: number) => seen.push(n) }));
    await soon(loop);
    await stopped(loop);
    remote.post('note', 1);
    await nodeTurn();
    expect(seen).toEqual([]);
    await withRun(loop, () => until(() => seen.length === 1));
    expect(seen).toEqual([1]);
  }));

test('several mailboxes of one loop do not mix', () =>
  withLoop(async (loop) => {
    const seen: string[] = [];
    const a = new LoopRemote(openMailbox(loop, { note: (text: string) => seen.push(`a ${text}`) }));
    const b = new LoopRemote(openMailbox(loop, { note: (text: string) => seen.push(`b ${text}`) }));
    a.post('note', '1');
    b.post('note', '1');
    a.post('note', '2');
    await until(() => seen.length === 3);
    expect(seen.sort()).toEqual(['a 1', 'a 2', 'b 1']);
  }));

test('a thread that is terminated while it posts takes nothing with it', () =>
  withLoop(async (loop) => {
    const last = new Map<number, number>();
    const remote = openMailbox(loop, {
      record: (id: number, n: number) => {
        // Every record is whole, and in order.
        expect(n).toBe((last.get(id) ?? -1) + 1);
        last.set(id, n);
      },
    });
    for (let round = 1; round <= 6; round++) {
      const poster = await Poster.start(remote, round);
      poster.worker.postMessage({ forever: true });
      await until(() => (last.get(round) ?? 0) > round * 100);
      await poster.worker.terminate();
    }
    await withPosters(remote, 1, async (poster) => {
      expect(await poster.order({ count: 100 })).toEqual({ posted: 100 });
      await until(() => last.get(0) === 99);
    });
  }));

test('a thread that is terminated while it waits for room takes nothing with it', () =>
  withIdleLoop(async (loop) => {
    const seen = new Map<number, number>();
    const remote = openMailbox(
      loop,
      { record: (id: number) => seen.set(id, (seen.get(id) ?? 0) + 1) },
      { capacityBytes: 1024 },
    );
    const waiting = await Poster.start(remote, 1);
    waiting.worker.postMessage({ forever: true });
    await new Promise((resolve) => setTimeout(resolve, 10));
    await waiting.worker.terminate();
    await withPosters(remote, 1, async (poster) => {
      const answer = poster.order({ count: 1000 });
      const finished = loop._start();
      expect(await answer).toEqual({ posted: 1000 });
      await until(() => seen.get(0) === 1000);
      loop.stop();
      await finished;
    });
  }));

test('a loop whose thread is gone refuses posts', async () => {
  const worker = new Worker(
    `const { parentPort, workerData } = require('node:worker_threads');
     (async () => {
       const { LoopCore } = await import(workerData.loop);
       const { openMailbox } = await import(workerData.remote);
       const loop = new LoopCore();
       const remote = openMailbox(loop, { note: () => parentPort.postMessage('called') }, { capacityBytes: 1024 });
       parentPort.postMessage(remote);
       loop.callLater(1e6, () => undefined);
       loop._start();
     })();`,
    { eval: true, workerData: { loop: distUrl('core/loop'), remote: distUrl('core/remote') } },
  );
  const [handle] = (await once(worker, 'message')) as [RemoteHandle];
  const remote = new LoopRemote(handle);
  const called = once(worker, 'message');
  remote.post('note');
  expect(await called).toEqual(['called']);
  await worker.terminate();
  const closed = expect.objectContaining({ code: 'ERR_LOOP_CLOSED' });
  for (let i = 0; i < 3; i++) expect(() => remote.post('note')).toThrow(closed);
});

test('a thread that waits for room of a loop whose thread is gone is told', async () => {
  const worker = new Worker(
    `const { parentPort, workerData } = require('node:worker_threads');
     (async () => {
       const { LoopCore } = await import(workerData.loop);
       const { openMailbox } = await import(workerData.remote);
       const remote = openMailbox(new LoopCore(), { record: () => undefined }, { capacityBytes: 1024 });
       parentPort.postMessage(remote);
       parentPort.on('message', () => undefined);
     })();`,
    { eval: true, workerData: { loop: distUrl('core/loop'), remote: distUrl('core/remote') } },
  );
  const [handle] = (await once(worker, 'message')) as [RemoteHandle];
  await withPosters(handle, 1, async (poster) => {
    const answer = poster.order({ count: 1000, size: 10 });
    await new Promise((resolve) => setTimeout(resolve, 20));
    await worker.terminate();
    expect((await answer).error?.code).toBe('ERR_LOOP_CLOSED');
  });
});

test('mailboxes and remotes check what they are given', () =>
  withIdleLoop((loop) => {
    const type = expect.objectContaining({ name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' });
    const range = expect.objectContaining({ name: 'RangeError', code: 'ERR_OUT_OF_RANGE' });
    const nothing = (): void => undefined;
    expect(() => openMailbox(loop, null as never)).toThrow(type);
    expect(() => openMailbox(loop, { note: 1 } as never)).toThrow(type);
    expect(() => openMailbox(loop, { note: nothing }, { capacityBytes: 1023 })).toThrow(range);
    expect(() => openMailbox(loop, { note: nothing }, { capacityBytes: '9' as never })).toThrow(type);
    expect(() => openMailbox(loop, { note: nothing }, 5 as never)).toThrow(type);
    const handle = openMailbox(loop, { note: nothing }, { capacityBytes: 1024 });
    for (const bad of [null, 5, [], {}]) expect(() => new LoopRemote(bad as never)).toThrow(type);
    expect(() => new LoopRemote({ ...handle, notifierId: '1' as never })).toThrow(type);
    expect(() => new LoopRemote({ ...handle, notifierId: 0 })).toThrow(range);
    expect(() => new LoopRemote({ ...handle, names: 'note' as never })).toThrow(type);
    expect(() => new LoopRemote({ ...handle, names: [1] as never })).toThrow(type);
    expect(() => new LoopRemote({ ...handle, buffer: new ArrayBuffer(2048) as never })).toThrow(type);
    expect(() => new LoopRemote({ ...handle, threadId: '0' as never })).toThrow(type);
    const remote = new LoopRemote(handle);
    expect(() => remote.post(5 as never)).toThrow(type);
    expect(() => remote.post('other')).toThrow(range);
    expect(() => remote.post('note', Buffer.alloc(2000))).toThrow(range);
    expect(() => remote.post('note', nothing)).toThrow(/could not be cloned/);
  }));

test('a burst is delivered in one turn', () =>
  withLoop(
    async (loop) => {
      const turns = new Set<number>();
      const remote = new LoopRemote(openMailbox(loop, { note: () => turns.add(loop.statistics().turns) }));
      await soon(loop);
      for (let i = 0; i < 100; i++) remote.post('note');
      block(1);
      await until(() => turns.size > 0);
      await later(loop, 2);
      expect(turns.size).toBe(1);
    },
    { budgetMs: 1000 },
  ));

test('posts from the own thread wake a loop that does not turn by itself', () =>
  withLoop(async (loop) => {
    const arrived = new Promise<void>((resolve) => {
      const remote = new LoopRemote(openMailbox(loop, { note: resolve }));
      setTimeout(() => remote.post('note'), 1);
    });
    await arrived;
    await oneTurnLater(loop);
  }));

async function oneTurnLater(loop: LoopCore): Promise<void> {
  await stopped(loop);
  await oneTurn(loop);
}

test('a post that comes when nothing keeps the process is delivered before it exits', async () => {
  const { code, stdout } = await runChild(`
    await run(function* () {
      const loop = EventLoop.running();
      const result = loop.createFuture();
      process.once('beforeExit', () => new LoopRemote(handle).post('finish', 42));
      const handle = loop.createRemote({ finish: (value) => result.setResult(value) });
      console.log(yield* result);
    });
  `);
  expect([code, stdout]).toEqual([0, '42\n']);
});
