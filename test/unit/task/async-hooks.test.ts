// Tasks as tools see them that look at async hooks, with the option `asyncHooks`.
import {
  AsyncLocalStorage,
  AsyncResource,
  createHook,
  executionAsyncId,
  triggerAsyncId,
} from 'node:async_hooks';
import { describe, expect, test } from 'vitest';
import { EventLoop } from '../../../src/event-loop.js';
import { createTask } from '../../../src/task/current.js';
import { sleep } from '../../../src/task/sleep.js';
import type { Coroutine } from '../../../src/task/task.js';
import { withLoop } from '../../support/loop.js';

interface Made {
  id: number;
  type: string;
  trigger: number;
}

// The resources that a body makes.
async function resourcesOf(body: () => Promise<unknown>): Promise<Made[]> {
  const made: Made[] = [];
  const hook = createHook({
    init: (id, type, trigger) => made.push({ id, type, trigger }),
  }).enable();
  try {
    await body();
  } finally {
    hook.disable();
  }
  return made;
}

/** Keeps the span of each resource: what an APM does with async hooks. */
class Spans {
  readonly #spanOf = new Map<number, string>();
  readonly #stack: (string | undefined)[] = [];
  readonly #hook = createHook({
    init: (id) => {
      const span = this.active();
      if (span !== undefined) this.#spanOf.set(id, span);
    },
    before: (id) => this.#stack.push(this.#spanOf.get(id)),
    after: () => this.#stack.pop(),
  }).enable();

  active(): string | undefined {
    return this.#stack.at(-1);
  }

  /** Runs `body` in a span below the one that is active. */
  in<R>(name: string, body: () => R): R {
    const parent = this.active();
    this.#stack.push(parent === undefined ? name : `${parent}/${name}`);
    try {
      return body();
    } finally {
      this.#stack.pop();
    }
  }

  end(): void {
    this.#hook.disable();
  }
}

const onLoop = (asyncHooks: boolean | undefined, body: (loop: EventLoop) => unknown): Promise<void> =>
  withLoop<EventLoop>(body, {
    make: (options) => new EventLoop(asyncHooks === undefined ? options : { ...options, asyncHooks }),
  });

// `yield x` in a body stands for `yield* x` in a generator and `await x` in an async function.
const forms: Record<string, (before: () => void, after: () => void) => Coroutine<void>> = {
  generator: (before, after) =>
    function* () {
      before();
      yield* sleep(1);
      after();
    },
  'async function': (before, after) => async () => {
    before();
    await sleep(1);
    after();
  },
};

describe.each(Object.keys(forms))('%s', (form) => {
  const nothing = (): void => undefined;
  const coroutine = (before = nothing, after = nothing): Coroutine<void> => forms[form]!(before, after);

  test('AsyncResource / async_hooks: each task is a LOOPTASK with an id of its own, triggered by its creator', () =>
    onLoop(true, async (loop) => {
      const ids: number[][] = [];
      const note = (): unknown => ids.push([executionAsyncId(), triggerAsyncId()]);
      let creator = -1;
      const made = await resourcesOf(async () => {
        const outer = loop.createTask(function* () {
          creator = executionAsyncId();
          const tasks = [createTask(coroutine(note)), createTask(coroutine(note))];
          for (const task of tasks) yield* task;
        });
        await outer;
      });
      const tasks = made.filter(({ type }) => type === 'LOOPTASK');
      expect(tasks).toHaveLength(3);
      expect(tasks[0]!.id).toBe(creator);
      expect(tasks.slice(1).map(({ trigger }) => trigger)).toEqual([creator, creator]);
      expect(ids).toEqual(tasks.slice(1).map(({ id }) => [id, creator]));
      expect(new Set(tasks.map(({ id }) => id)).size).toBe(3);
    }));

  test('AsyncResource / async_hooks: spans have the parent that a tracing tool expects, across waits', () =>
    onLoop(true, async (loop) => {
      const spans = new Spans();
      const seen: Record<string, (string | undefined)[]> = {};
      const work = (name: string): Coroutine<void> => {
        const note = (): void => void (seen[name] ??= []).push(spans.active());
        return coroutine(() => {
          note();
          spans.in('inner', () => void (seen[name] ??= []).push(spans.active()));
        }, note);
      };
      try {
        const requests = ['GET', 'PUT'].map((request) =>
          spans.in(request, () =>
            loop.createTask(function* () {
              const tasks = ['a', 'b'].map((name) =>
                spans.in(name, () => createTask(work(`${request} ${name}`))),
              );
              for (const task of tasks) yield* task;
              (seen[request] ??= []).push(spans.active());
            }),
          ),
        );
        for (const request of requests) await request;
      } finally {
        spans.end();
      }
      const around = (path: string): string[] => [path, `${path}/inner`, path];
      expect(seen).toEqual({
        'GET a': around('GET/a'),
        'GET b': around('GET/b'),
        'PUT a': around('PUT/a'),
        'PUT b': around('PUT/b'),
        GET: ['GET'],
        PUT: ['PUT'],
      });
    }));

  test.each([true, false])('values of storages travel as ever: asyncHooks %s', (asyncHooks) =>
    onLoop(asyncHooks, async (loop) => {
      const storage = new AsyncLocalStorage<string>();
      const seen: (string | undefined)[] = [];
      const note = (): unknown => seen.push(storage.getStore());
      const context = storage.run('chosen', () => new AsyncResource('TEST'));
      await storage.run('outer', () =>
        loop.createTask(async () => {
          const plain = createTask(coroutine(note, note));
          const other = storage.run('other', () => createTask(coroutine(note, note)));
          const chosen = createTask(coroutine(note, note), { context });
          for (const task of [plain, other, chosen]) await task;
          note();
        }),
      );
      expect(seen).toEqual(['outer', 'other', 'chosen', 'outer', 'other', 'chosen', 'outer']);
      storage.disable();
    }),
  );

  test('what one task enters, no other one sees, though both have the same context', () =>
    onLoop(true, async (loop) => {
      const storage = new AsyncLocalStorage<string>();
      const seen: (string | undefined)[] = [];
      const context = storage.run('chosen', () => new AsyncResource('TEST'));
      const first = loop.createTask(
        coroutine(() => storage.enterWith('entered')),
        { context },
      );
      const second = loop.createTask(
        coroutine(() => seen.push(storage.getStore())),
        { context },
      );
      for (const task of [first, second]) await task;
      expect(seen).toEqual(['chosen']);
      storage.disable();
    }));
});

test('without the option tasks are resources where that costs nothing', () =>
  onLoop(undefined, async (loop) => {
    const made = await resourcesOf(async () => {
      await loop.createTask(function* () {
        yield;
      });
    });
    const isFree = Number.parseInt(process.versions.node, 10) >= 24;
    expect(made.some(({ type }) => type === 'LOOPTASK')).toBe(isFree);
  }));
