// Programs of groups, scopes, combinators and connections, with a cancellation at every place; see
// ../support/sweep.ts.
import { EventEmitter } from 'node:events';
import { describe, expect, test } from 'vitest';
import { AsyncDisposableStack } from '../../src/base/async-disposable-stack.js';
import { SystemError } from '../../src/base/errors.js';
import { ExceptionGroup } from '../../src/base/exception-group.js';
import { listen, connect } from '../../src/io/open.js';
import type { Server } from '../../src/io/server.js';
import type { Stream } from '../../src/io/stream.js';
import { Event } from '../../src/sync/event.js';
import { asCompleted } from '../../src/task/as-completed.js';
import { cancelScope, cleanup, moveOnAfter } from '../../src/task/cancel-scope.js';
import { closing } from '../../src/task/closing.js';
import { gather } from '../../src/task/gather.js';
import { interval } from '../../src/task/interval.js';
import { mapConcurrent } from '../../src/task/map-concurrent.js';
import { once } from '../../src/task/once.js';
import { firstSuccess, race } from '../../src/task/race.js';
import type { CancelScope } from '../../src/task/scope.js';
import { shield } from '../../src/task/shield.js';
import { sleep } from '../../src/task/sleep.js';
import { staggeredRace } from '../../src/task/staggered-race.js';
import { taskGroup, type TaskGroup } from '../../src/task/task-group.js';
import type { Task } from '../../src/task/task.js';
import { timeout } from '../../src/task/timeout.js';
import { wait } from '../../src/task/wait.js';
import { forms } from '../support/forms.js';
import { Boom, sweep, type Program, type Stage, type Steps, type SweepOptions } from '../support/sweep.js';

/** Counts who is at work, so that everybody who began must have ended. */
class Work {
  under = 0;
  began = 0;
  readonly #stage: Stage;

  constructor(stage: Stage) {
    this.#stage = stage;
    stage.onEnd(() => expect(this.under, 'work under way').toBe(0));
  }

  /** A coroutine function that works so long, and returns or throws. */
  for(delayMs: number, result: unknown = delayMs): () => Generator<unknown, any, unknown> {
    return this.#stage.body(() => this.steps(delayMs, result));
  }

  *steps(delayMs: number, result: unknown = delayMs): Steps<any> {
    this.began++;
    this.under++;
    try {
      yield sleep(delayMs);
      if (result instanceof Error) throw result;
      return result;
    } finally {
      this.under--;
    }
  }
}

function hasBoom(error: unknown): boolean {
  return error instanceof Boom || (error instanceof ExceptionGroup && error.errors.some(hasBoom));
}

const mayBoom: SweepOptions = {
  mayFail: (_, error) => hasBoom(error),
  mayEnd: (victim) => hasBoom(victim.exception()),
};
// A child that is cancelled is awaited by somebody, who goes on with another result or that error.
interface Case extends SweepOptions {
  program: Program;
}

const cases: Record<string, Case> = {
  'a group whose child fails ends with the failure': {
    ...mayBoom,
    program: (stage) => {
      const work = new Work(stage);
      let hasFailed = false;
      const main = stage.start('main', function* () {
        yield taskGroup(
          stage.body(function* (group: TaskGroup) {
            group.createTask(work.for(3));
            group.createTask(
              stage.body(function* () {
                yield sleep(1);
                hasFailed = true;
                throw new Boom();
              }),
            );
            yield sleep(2);
          }),
        );
      });
      stage.onEnd(() => {
        if (hasFailed) expect(main.cancelled()).toBe(false);
        if (hasFailed) expect(hasBoom(main.exception())).toBe(true);
      });
    },
  },

  'groups within groups wait for their own': {
    program: (stage) => {
      const work = new Work(stage);
      stage.start('main', function* () {
        yield taskGroup(
          stage.body(function* (outer: TaskGroup) {
            outer.createTask(work.for(2));
            yield taskGroup(
              stage.body(function* (inner: TaskGroup) {
                inner.createTask(work.for(1));
                inner.createTask(work.for(3));
                yield sleep(0);
              }),
            );
            outer.createTask(work.for(1));
          }),
        );
        expect(work.under).toBe(0);
      });
    },
  },

  'a limit around a group ends the group': {
    program: (stage) => {
      const work = new Work(stage);
      stage.start('main', function* () {
        try {
          yield timeout(
            2,
            stage.body(function* () {
              yield taskGroup(
                stage.body(function* (group: TaskGroup) {
                  group.createTask(work.for(1));
                  group.createTask(work.for(5));
                  yield sleep(0);
                }),
              );
            }),
          );
        } catch (error) {
          if ((error as Error).name !== 'TimeoutError') throw error;
          expect(work.under).toBe(0);
        }
      });
    },
  },

  'a task of a group says when it is ready': {
    program: (stage) => {
      const work = new Work(stage);
      stage.start('main', function* () {
        yield taskGroup(
          stage.body(function* (group: TaskGroup) {
            const value: number = yield group.start(
              stage.body(function* (ready: (value: number) => void) {
                yield* work.steps(1);
                ready(7);
                yield* work.steps(1);
              }) as never,
            );
            expect(value).toBe(7);
            yield sleep(0);
          }),
        );
      });
    },
    // Whoever waits for it hears that the task ended without being ready.
    mayFail: (_, error) =>
      error instanceof ExceptionGroup || (error as { code?: string }).code === 'ERR_INVALID_STATE',
  },

  'scopes and shields nest': {
    program: (stage) => {
      let undone = 0;
      stage.start('main', function* () {
        yield moveOnAfter(
          4,
          stage.body(function* () {
            yield cancelScope(
              {},
              stage.body(function* (scope: CancelScope) {
                undone++;
                try {
                  yield sleep(1);
                  scope.cancel();
                  yield sleep(1);
                } finally {
                  yield cleanup(
                    100,
                    stage.body(function* () {
                      yield sleep(1);
                      undone--;
                    }),
                  );
                }
              }),
            );
            yield cancelScope(
              { shield: true },
              stage.body(() => sleepSteps(1)),
            );
            yield sleep(5);
          }),
        );
        yield sleep(1);
      });
      // A second cancellation would be needed to end the cleaning up.
      stage.onEnd(() => expect(undone).toBe(0));
    },
  },

  'a task behind a shield goes on': {
    program: (stage) => {
      const work = new Work(stage);
      let hasSaved = false;
      const save = stage.start('save', function* () {
        yield* work.steps(2);
        hasSaved = true;
      });
      stage.start('main', function* () {
        yield shield(save);
        expect(hasSaved).toBe(true);
      });
      stage.onEnd(() => expect(hasSaved).toBe(stage.victim !== save));
    },
  },

  'gather and map wait for all': {
    program: (stage) => {
      const work = new Work(stage);
      stage.start('main', function* () {
        expect(yield gather([work.for(2), work.for(1), sleep(1, 'c')])).toEqual([2, 1, 'c']);
        const twice: number[] = yield mapConcurrent(
          [1, 2, 3],
          stage.body(function* (item: number) {
            yield* work.steps(item);
            return 2 * item;
          }),
          { limit: 2 },
        );
        expect(twice).toEqual([2, 4, 6]);
      });
    },
  },

  'wait and asCompleted tell what is done': {
    program: (stage) => {
      const work = new Work(stage);
      const tasks = [3, 1, 2].map((delayMs) =>
        stage.start(`for ${String(delayMs)}`, () => work.steps(delayMs)),
      );
      stage.start('main', function* () {
        const { done, pending } = (yield wait(tasks, { returnWhen: 'FIRST_COMPLETED' })) as Record<
          'done' | 'pending',
          Set<Task<unknown>>
        >;
        expect(done.size + pending.size).toBe(3);
        let count = 0;
        for (const next of asCompleted(tasks)) {
          try {
            yield next;
          } catch (error) {
            // One of those it waits for, or itself.
            if (main.cancelling() > 0) throw error;
          }
          count++;
        }
        expect(count).toBe(3);
      });
      const main = [...stage.loop.allTasks()].at(-1)!;
    },
  },

  'races end with the first one': {
    ...mayBoom,
    program: (stage) => {
      const work = new Work(stage);
      stage.start('main', function* () {
        yield race([work.for(2), work.for(1), work.for(1)]);
        yield firstSuccess([work.for(1, new Boom()), work.for(2), work.for(5)]);
        yield staggeredRace([work.for(1, new Boom()), work.for(5), work.for(2)], 2);
      });
    },
    // All of them failed, or were cancelled.
    mayFail: (_, error) => hasBoom(error) || error instanceof ExceptionGroup,
  },

  'a ticker ticks until it is closed': {
    program: (stage) => {
      const ticker = interval(2);
      const ticks: number[] = [];
      stage.start('main', function* () {
        try {
          for (let i = 0; i < 3; i++) ticks.push(yield ticker.tick());
        } finally {
          ticker.close();
        }
      });
      stage.onRest(() => ticker.close());
      stage.onEnd(() => expect(ticks).toEqual([0, 2, 4].slice(0, ticks.length)));
    },
  },

  'events of an emitter are waited for': {
    program: (stage) => {
      const emitter = new EventEmitter();
      const isReady = stage.watch(new Event());
      const { signal } = new AbortController();
      for (const name of ['a', 'b']) {
        stage.start(`listener ${name}`, function* () {
          const event = once(emitter, 'it', { signal });
          isReady.set();
          expect(yield event).toEqual([7]);
        });
      }
      stage.start('emitter', function* () {
        yield isReady.wait();
        yield sleep(1);
        emitter.emit('it', 7);
      });
      stage.onRest(() => emitter.emit('it', 7));
      stage.onEnd(() => expect(emitter.eventNames()).toEqual([]));
    },
  },

  'an asynchronous generator is closed': {
    mayEnd: (victim) => victim.exception() === null,
    program: (stage) => {
      let open = 0;
      async function* lines() {
        open++;
        try {
          for (let i = 0; i < 5; i++) {
            await sleep(1);
            yield i;
          }
        } finally {
          open--;
        }
      }
      stage.start('main', function* () {
        const closed = closing(lines());
        try {
          for (let i = 0; i < 2; i++) yield closed.next();
        } finally {
          yield cleanup(
            100,
            stage.body(function* () {
              yield closed.close();
            }),
          );
        }
      });
      stage.onEnd(() => expect(open).toBe(0));
    },
  },

  'a stack releases what was taken': {
    program: (stage) => {
      const released: number[] = [];
      let taken = 0;
      stage.start('main', function* () {
        const stack = new AsyncDisposableStack();
        try {
          for (let i = 0; i < 3; i++) {
            stack.defer(async () => {
              await sleep(1);
              released.push(i);
            });
            taken++;
            yield sleep(1);
          }
        } finally {
          yield cleanup(100, async () => await stack.disposeAsync());
        }
      });
      stage.onEnd(() => expect(released).toEqual(Array.from({ length: taken }, (_, i) => taken - 1 - i)));
    },
  },

  'clients talk to an echo server': {
    real: true,
    program: (stage) => {
      const serve = stage.body(function* (stream: Stream) {
        try {
          for (;;) {
            const bytes: Buffer = yield stream.read();
            if (bytes.length === 0) break;
            stream.write(bytes);
            yield stream.drain();
          }
        } catch (error) {
          // A client that was cancelled aborts its connection.
          if (!(error instanceof SystemError)) throw error;
        } finally {
          yield cleanup(
            1000,
            stage.body(function* () {
              yield stream.close();
            }),
          );
        }
      });
      stage.start('main', function* () {
        const server: Server = yield listen(serve, { host: '127.0.0.1' });
        try {
          yield taskGroup(
            stage.body(function* (group: TaskGroup) {
              for (const text of ['one', 'two']) {
                group.createTask(
                  stage.body(function* () {
                    const stream: Stream = yield connect({ host: '127.0.0.1', port: server.port });
                    try {
                      stream.write(text);
                      yield stream.drain();
                      const bytes: Buffer = yield stream.read();
                      if (bytes.length > 0) expect(String(bytes)).toBe(text);
                    } finally {
                      stream.abort();
                    }
                  }),
                );
              }
              yield sleep(0);
            }),
          );
        } finally {
          yield cleanup(
            1000,
            stage.body(function* () {
              yield server.close();
            }),
          );
        }
      });
    },
    mayFail: (_, error) => error instanceof ExceptionGroup,
  },
};

function* sleepSteps(delayMs: number): Steps<void> {
  yield sleep(delayMs);
}

describe.each(forms)('with tasks of a $name', (form) => {
  test.each(Object.entries(cases))(
    'nothing is lost or left wherever a task is cancelled: %s',
    async (_, { program, ...options }) => {
      expect(await sweep(form, program, options)).toBeGreaterThan(3);
    },
    60_000,
  );
});
