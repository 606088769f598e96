import { AsyncLocalStorage, AsyncResource } from 'node:async_hooks';
import { afterEach, expect, test } from 'vitest';
import { captureContext, concealFromSnapshots, isContextTracked } from '../../../src/core/context.js';
import { Handle, KIND_STEP } from '../../../src/core/handle.js';
import { LoopRemote, openMailbox } from '../../../src/core/remote.js';
import { later, oneTurn, soon, withIdleLoop, withLoop } from '../../support/loop.js';

class Step extends Handle {
  readonly #body: () => void;
  constructor(body: () => void) {
    super(KIND_STEP, null);
    this.#body = body;
  }
  _run(): void {
    this.#body();
  }
  _describe(): string {
    return 'a step';
  }
}

const storages: AsyncLocalStorage<unknown>[] = [];

// Storages that are left in use would make every test behind this one track contexts.
function makeStorage<T>(): AsyncLocalStorage<T> {
  const storage = new AsyncLocalStorage<T>();
  storages.push(storage);
  return storage;
}

afterEach(() => {
  for (const storage of storages.splice(0)) storage.disable();
});

test('callbacks and timers see the values of where they were scheduled', () =>
  withLoop(async (loop) => {
    const storage = makeStorage<string>();
    const seen: Record<string, string | undefined> = {};
    const note = (name: string): void => {
      seen[name] = storage.getStore();
    };
    storage.run('soon', () => loop.callSoon(note, 'callSoon'));
    storage.run('later', () => loop.callLater(1, note, 'callLater'));
    storage.run('at', () => loop.callAt(loop.time(), note, 'callAt'));
    storage.run('threadsafe', () => loop.callSoonThreadsafe(note, 'callSoonThreadsafe'));
    loop.callSoon(note, 'outside');
    await later(loop, 3);
    expect(seen).toEqual({
      callSoon: 'soon',
      callLater: 'later',
      callAt: 'at',
      callSoonThreadsafe: 'threadsafe',
      outside: undefined,
    });
  }));

test('a value travels on through callbacks that schedule others', () =>
  withLoop(async (loop) => {
    const storage = makeStorage<number>();
    const seen: (number | undefined)[] = [];
    await new Promise<void>((resolve) => {
      const innermost = (): void => {
        seen.push(storage.getStore());
        resolve();
      };
      storage.run(5, () => loop.callSoon(() => loop.callLater(0, () => loop.callSoon(innermost))));
    });
    expect(seen).toEqual([5]);
  }));

test('a timer keeps the context of where it was started when it is reset elsewhere', () =>
  withLoop(async (loop) => {
    const storage = makeStorage<string>();
    const seen: (string | undefined)[] = [];
    const timer = storage.run('start', () => loop.callLater(1e6, () => seen.push(storage.getStore())));
    storage.run('reset', () => timer.reset(0));
    await later(loop, 2);
    timer.reset(0);
    await later(loop, 2);
    expect(seen).toEqual(['start', 'start']);
  }));

test('enterWith of one callback does not reach the next', () =>
  withIdleLoop(async (loop) => {
    const storage = makeStorage<string>();
    const seen: (string | undefined)[] = [];
    // The first one finds the storage unused, the second one in use; neither captured a context.
    for (const name of ['a', 'b', 'c']) {
      loop.callSoon(() => {
        seen.push(storage.getStore());
        storage.enterWith(name);
      });
    }
    loop.callLater(0, () => seen.push(storage.getStore()));
    await oneTurn(loop);
    loop.callSoon(() => seen.push(storage.getStore()));
    await oneTurn(loop);
    expect(seen).toEqual([undefined, undefined, undefined, undefined, undefined]);
  }));

test('enterWith of a timer does not reach timers of the same turn, nor later turns', () =>
  withIdleLoop(async (loop) => {
    const storage = makeStorage<string>();
    const seen: (string | undefined)[] = [];
    loop.callLater(0, () => storage.enterWith('timer'));
    loop.callLater(0, () => seen.push(storage.getStore()));
    await oneTurn(loop);
    await oneTurn(loop);
    loop.callLater(0, () => seen.push(storage.getStore()));
    await oneTurn(loop);
    expect(seen).toEqual([undefined, undefined]);
  }));

test('a handle that runs more than once keeps what it entered, whoever used a storage first', () =>
  withLoop(async (loop) => {
    const storage = makeStorage<string>();
    const seen: (string | undefined)[] = [];
    const entering = new Step(() => {
      seen.push(storage.getStore());
      storage.enterWith('entered');
    });
    const other = new Step(() => seen.push(storage.getStore()));
    for (let round = 0; round < 2; round++) {
      loop._push(entering);
      loop._push(other);
      await soon(loop);
    }
    expect(seen).toEqual([undefined, undefined, 'entered', undefined]);
  }));

test('what the loop reports runs in the context of the loop, whatever callbacks entered before', () =>
  withLoop(async (loop) => {
    const storage = makeStorage<string>();
    loop._push(new Step(() => storage.enterWith('leaked')));
    await soon(loop);
    // Mailboxes are emptied where sockets report as well: outside of every handle.
    const reported = new Promise<string | undefined>((resolve) => {
      const remote = openMailbox(loop, { note: () => resolve(storage.getStore()) });
      loop.callSoonWith({ context: null }, () => new LoopRemote(remote).post('note'));
    });
    expect(await reported).toBeUndefined();
  }));

test('what a callback enters, it hands to what it schedules', () =>
  withLoop(async (loop) => {
    const storage = makeStorage<string>();
    const seen: (string | undefined)[] = [];
    loop.callSoon(() => {
      storage.enterWith('entered');
      loop.callSoon(() => seen.push(storage.getStore()));
      void Promise.resolve().then(() => seen.push(storage.getStore()));
    });
    await soon(loop);
    await soon(loop);
    expect(seen).toEqual(['entered', 'entered']);
  }));

test("callSoonWith takes a context of the caller's choice", () =>
  withLoop(async (loop) => {
    const storage = makeStorage<string>();
    const seen: unknown[] = [];
    const context = storage.run('chosen', captureContext)!;
    const resource = storage.run('resource', () => new AsyncResource('TEST'));
    storage.run('current', () => {
      loop.callSoonWith({ context }, (n) => seen.push(n, storage.getStore()), 1);
      loop.callSoonWith({ context: resource }, () => seen.push(storage.getStore()));
      loop.callSoonWith({}, () => seen.push(storage.getStore()));
      loop.callSoonWith({ context: null }, () => seen.push(storage.getStore()));
    });
    await soon(loop);
    expect(seen).toEqual([1, 'chosen', 'resource', 'current', undefined]);
  }));

test('a snapshot is made only when it can matter', () => {
  if (!isContextTracked()) expect(captureContext()).toBeNull();
  const storage = makeStorage<string>();
  const snapshot = storage.run('value', captureContext);
  expect(snapshot).not.toBeNull();
  expect(snapshot!.runInAsyncScope(() => storage.getStore())).toBe('value');
  expect(storage.getStore()).toBeUndefined();
});

test('a concealed storage is left out of snapshots', () => {
  const concealed = makeStorage<string>();
  const other = makeStorage<string>();
  concealFromSnapshots(concealed);
  try {
    const snapshot = concealed.run('task', () => other.run('value', captureContext))!;
    snapshot.runInAsyncScope(() => {
      expect(concealed.getStore()).toBeUndefined();
      expect(other.getStore()).toBe('value');
    });
    expect(concealed.run('task', () => concealed.getStore())).toBe('task');
  } finally {
    concealFromSnapshots(null);
  }
});

test('a cancelled handle lets go of its context', () =>
  withLoop((loop) => {
    const storage = makeStorage<object>();
    const [handle, timer] = storage.run({}, () => [
      loop.callSoon(() => undefined),
      loop.callLater(1e6, () => undefined),
    ]);
    expect(handle.context).not.toBeNull();
    handle.cancel();
    timer.cancel();
    expect([handle.context, timer.context]).toEqual([null, null]);
  }));
