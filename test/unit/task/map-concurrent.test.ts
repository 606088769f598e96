// mapConcurrent(): never too many at once, and nothing left behind after an error.
import { describe, expect, test } from 'vitest';
import { CancelledError } from '../../../src/base/errors.js';
import { Future } from '../../../src/task/future.js';
import { mapConcurrent } from '../../../src/task/map-concurrent.js';
import { sleep } from '../../../src/task/sleep.js';
import { forms, outcome } from '../../support/forms.js';
import { nodeTurn, withLoop } from '../../support/loop.js';

function* numbers(count: number, log: string[]): Generator<number, void> {
  try {
    for (let i = 0; i < count; i++) {
      log.push(`item ${String(i)}`);
      yield i;
    }
  } finally {
    log.push('closed');
  }
}

async function* asyncNumbers(count: number, log: string[]): AsyncGenerator<number, void> {
  try {
    for (let i = 0; i < count; i++) {
      await sleep(0);
      log.push(`item ${String(i)}`);
      yield i;
    }
  } finally {
    await sleep(0);
    log.push('closed');
  }
}

const sources = { 'an iterable': numbers, 'an async iterable': asyncNumbers };

describe.each(forms)('$name', ({ call }) => {
  describe.each(Object.entries(sources))('of %s', (_name, source) => {
    test('map with concurrency: results in the order of the items, never more than the limit at once', async () => {
      await withLoop(async () => {
        let running = 0;
        let most = 0;
        const work = async (n: number, index: number): Promise<string> => {
          most = Math.max(most, ++running);
          await sleep((n * 7) % 3);
          running--;
          return `${String(n)}/${String(index)}`;
        };
        const results = await call(() => mapConcurrent(source(20, []), work, { limit: 3 }));
        expect(results).toEqual(Array.from({ length: 20 }, (_value, i) => `${String(i)}/${String(i)}`));
        expect(most).toBe(3);
      });
    });

    test('map with concurrency: unordered, results in the order in which they came', async () => {
      await withLoop(async (loop) => {
        const gates = [new Future<string>(loop), new Future<string>(loop), new Future<string>(loop)];
        const work = function* (n: number): Generator<unknown, string> {
          return yield* gates[n]!;
        };
        const task = call(() => mapConcurrent(source(3, []), work, { limit: Infinity, ordered: false }));
        for (const n of [2, 0, 1]) {
          await sleep(1);
          gates[n]!.setResult(String(n));
        }
        expect(await task).toEqual(['2', '0', '1']);
      });
    });

    test('map with concurrency: the source is asked only when there is a place', async () => {
      await withLoop(async (loop) => {
        const log: string[] = [];
        const gate = new Future<void>(loop);
        const task = call(() => mapConcurrent(source(9, log), async () => await gate, { limit: 2 }));
        for (let turn = 0; turn < 50; turn++) await sleep(0);
        expect(log).toEqual(['item 0', 'item 1']);
        gate.setResult();
        expect(await task).toHaveLength(9);
      });
    });

    test('map with concurrency: an error cancels the rest and closes the source', async () => {
      await withLoop(async (loop) => {
        const log: string[] = [];
        const work = async (n: number): Promise<void> => {
          if (n === 2) throw new Error('broken');
          try {
            await sleep(60_000);
          } finally {
            await sleep(1);
            log.push(`ended ${String(n)}`);
          }
        };
        const error = await outcome(call(() => mapConcurrent(source(9, log), work, { limit: 3 })));
        expect(error).toMatchObject({ message: 'broken' });
        expect(log).toEqual(['item 0', 'item 1', 'item 2', 'ended 0', 'ended 1', 'closed']);
        expect(loop.statistics().tasks).toBe(0);
      });
    });

    test('map with concurrency: a cancellation ends everything in the same way', async () => {
      await withLoop(async () => {
        const log: string[] = [];
        const task = call(() => mapConcurrent(source(9, log), () => sleep(60_000), { limit: 2 }));
        for (let turn = 0; turn < 50; turn++) await sleep(0);
        task.cancel('why');
        expect(await outcome(task)).toMatchObject({ name: 'CancelledError', reason: 'why' });
        expect(log).toEqual(['item 0', 'item 1', 'closed']);
      });
    });

    test('map with concurrency: of nothing', async () => {
      await withLoop(async () => {
        expect(await call(() => mapConcurrent(source(0, []), () => sleep(0), { limit: 1 }))).toEqual([]);
      });
    });
  });

  test('map with concurrency: an error of the source ends everything', async () => {
    await withLoop(async () => {
      const ends: number[] = [];
      async function* broken(): AsyncGenerator<number, void> {
        yield 0;
        await sleep(1);
        throw new Error('source');
      }
      const work = async (n: number): Promise<void> => {
        try {
          await sleep(60_000);
        } finally {
          ends.push(n);
        }
      };
      const error = await outcome(call(() => mapConcurrent(broken(), work, { limit: 2 })));
      expect(error).toMatchObject({ message: 'source' });
      expect(ends).toEqual([0]);
    });
  });

  test('map with concurrency: an error while the source awaits something of the library', async () => {
    await withLoop(async () => {
      const log: string[] = [];
      async function* slow(): AsyncGenerator<number, void> {
        try {
          yield 0;
          await sleep(60_000);
        } finally {
          log.push('closed');
        }
      }
      const work = async (): Promise<void> => {
        await sleep(1);
        throw new Error('broken');
      };
      const error = await outcome(call(() => mapConcurrent(slow(), work, { limit: 2 })));
      expect(error).toMatchObject({ message: 'broken' });
      expect(log).toEqual(['closed']);
    });
  });

  test('map with concurrency: an error is not held up by a source that awaits a foreign promise', async () => {
    await withLoop(async (loop) => {
      const log: string[] = [];
      let open!: () => void;
      const foreign = new Promise<void>((resolve) => (open = resolve));
      async function* deaf(): AsyncGenerator<number, void> {
        try {
          yield 0;
          await foreign;
          yield 1;
        } finally {
          log.push('closed');
        }
      }
      const work = async (): Promise<void> => {
        await sleep(1);
        throw new Error('broken');
      };
      const error = await outcome(call(() => mapConcurrent(deaf(), work, { limit: 2 })));
      expect(error).toMatchObject({ message: 'broken' });
      expect(log).toEqual([]);
      open();
      while (loop.statistics().tasks > 0) await nodeTurn();
      expect(log).toEqual(['closed']);
    });
  });

  test('map with concurrency: cancelled again while it ends, it still waits for the end', async () => {
    await withLoop(async (loop) => {
      const log: string[] = [];
      const work = async (): Promise<void> => {
        try {
          await sleep(60_000);
        } finally {
          try {
            await sleep(60_000);
          } catch {
            await sleep(1);
          }
          log.push('ended');
        }
      };
      const task = call(() => mapConcurrent([1], work, { limit: 1 }));
      await sleep(1);
      task.cancel('one');
      await sleep(1);
      task.cancel('two');
      expect(await outcome(task)).toBeInstanceOf(CancelledError);
      expect(log).toEqual(['ended']);
      expect(loop.statistics().tasks).toBe(0);
    });
  });
});
