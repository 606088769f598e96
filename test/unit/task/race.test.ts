// race(), firstSuccess() and staggeredRace(): one outcome, and nothing left behind.
import { describe, expect, test } from 'vitest';
import { CancelledError, InvalidStateError } from '../../../src/base/errors.js';
import { ExceptionGroup } from '../../../src/base/exception-group.js';
import { LoopCore } from '../../../src/core/loop.js';
import { currentTask } from '../../../src/task/current.js';
import { Future } from '../../../src/task/future.js';
import { firstSuccess, race } from '../../../src/task/race.js';
import { sleep } from '../../../src/task/sleep.js';
import { staggeredRace } from '../../../src/task/staggered-race.js';
import { wait } from '../../../src/task/wait.js';
import { collect } from '../../support/garbage.js';
import { forms, outcome } from '../../support/forms.js';
import { withLoop } from '../../support/loop.js';

// Runs until it is cancelled, and takes a while to end.
function patient(log: string[], name: string): () => Generator<unknown, string> {
  return function* () {
    log.push(`${name} began`);
    try {
      yield* sleep(60_000);
    } finally {
      yield* sleep(1);
      log.push(`${name} ended`);
    }
    return name;
  };
}

// An item that goes back to where it came from when nobody got it.
class Item extends Future<string> {
  lost = 0;

  override _lose(): void {
    super._lose();
    this.lost++;
  }
}

describe.each(forms)('$name', ({ call }) => {
  test('race / first success: losers are cancelled and have ended before the outcome is there', async () => {
    await withLoop(async (loop) => {
      const log: string[] = [];
      const fast = async (): Promise<string> => await sleep(1, 'fast');
      expect(await call(() => race([patient(log, 'slow'), fast, patient(log, 'other')]))).toBe('fast');
      expect(log).toEqual(['slow began', 'other began', 'slow ended', 'other ended']);
      expect(loop.statistics().tasks).toBe(0);
    });
  });

  test('race / first success: the first one may fail', async () => {
    await withLoop(async () => {
      const log: string[] = [];
      const error = new Error('first');
      const failing = async (): Promise<never> => {
        await sleep(1);
        throw error;
      };
      expect(await outcome(call(() => race([patient(log, 'slow'), failing])))).toBe(error);
      expect(log).toEqual(['slow began', 'slow ended']);
    });
  });

  test('race / first success: futures that lose are cancelled at once', async () => {
    await withLoop(async (loop) => {
      const futures = [new Future<string>(loop), new Future<string>(loop)] as const;
      loop.callLater(1, () => futures[1].setResult('second'));
      expect(await call(() => race(futures))).toBe('second');
      expect(futures[0].cancelled()).toBe(true);
    });
  });

  test('race / first success: the outcome of a cancelled future is that cancellation', async () => {
    await withLoop(async (loop) => {
      const future = new Future<string>(loop);
      loop.callLater(1, () => future.cancel('why'));
      const error = await outcome(call(() => race([future, new Future<string>(loop)])));
      expect(error).toMatchObject({ name: 'CancelledError', reason: 'why' });
    });
  });

  test('race / first success: an item that came in the same turn as the first goes back', async () => {
    await withLoop(async (loop) => {
      const items = [new Item(loop), new Item(loop)] as const;
      loop.callLater(1, () => items.forEach((item, i) => item.setResult(`item ${String(i)}`)));
      expect(await call(() => race(items))).toBe('item 0');
      expect(items.map((item) => item.lost)).toEqual([0, 1]);
    });
  });

  test('race / first success: an item goes back when the task is cancelled before it gets it', async () => {
    await withLoop(async (loop) => {
      const item = new Item(loop);
      const task = call(() => race([item, new Future<string>(loop)]));
      await sleep(1);
      item.setResult('item');
      loop.callSoon(() => loop.callSoon(() => undefined));
      loop.callSoon(() => task.cancel());
      expect(await outcome(task)).toBeInstanceOf(CancelledError);
      expect(item.lost).toBe(1);
    });
  });

  test('race / first success: cancelling it cancels all and waits for their end', async () => {
    await withLoop(async () => {
      const log: string[] = [];
      const task = call(() => race([patient(log, 'one'), patient(log, 'two')]));
      await sleep(1);
      task.cancel('why');
      expect(await outcome(task)).toMatchObject({ name: 'CancelledError', reason: 'why' });
      expect(log).toEqual(['one began', 'two began', 'one ended', 'two ended']);
      expect(task.cancelled()).toBe(true);
    });
  });

  test('race / first success: of the same future twice', async () => {
    await withLoop(async (loop) => {
      const future = new Future<string>(loop);
      loop.callLater(1, () => future.setResult('it'));
      expect(await call(() => race([future, future]))).toBe('it');
    });
  });

  test('race / first success: of done futures, the first', async () => {
    await withLoop(async (loop) => {
      const futures = [new Future<number>(loop), new Future<number>(loop)];
      futures.forEach((future, i) => future.setResult(i));
      expect(await call(() => race(futures))).toBe(0);
    });
  });

  test('race / first success: firstSuccess passes over errors', async () => {
    await withLoop(async (loop) => {
      const log: string[] = [];
      const futures = [new Future<string>(loop), new Future<string>(loop)] as const;
      loop.callLater(1, () => futures[0].setException(new Error('first')));
      loop.callLater(2, () => futures[1].setResult('second'));
      expect(await call(() => firstSuccess([...futures, patient(log, 'slow')]))).toBe('second');
      expect(log).toEqual(['slow began', 'slow ended']);
    });
  });

  test('race / first success: all fail, which is a group in the order of the start', async () => {
    await withLoop(async (loop) => {
      const futures = [new Future<string>(loop), new Future<string>(loop), new Future<string>(loop)] as const;
      const errors = [new Error('0'), new Error('1')] as const;
      const task = call(() => firstSuccess(futures));
      await sleep(1);
      futures[1].setException(errors[1]);
      await sleep(0);
      futures[2].cancel('cancelled');
      await sleep(0);
      futures[0].setException(errors[0]);
      const group = (await outcome(task)) as ExceptionGroup;
      expect(group).toBeInstanceOf(ExceptionGroup);
      expect(group.message).toBe('All of firstSuccess() failed');
      expect(group.errors).toEqual([errors[0], errors[1], expect.any(CancelledError)]);
    });
  });

  test('race / first success: staggeredRace starts the next one after the delay', async () => {
    await withLoop(async (loop) => {
      const log: string[] = [];
      const third = async (): Promise<string> => await sleep(0, 'third');
      const started = loop.time();
      expect(await call(() => staggeredRace([patient(log, 'a'), patient(log, 'b'), third], 5))).toBe('third');
      expect(loop.time() - started).toBeGreaterThanOrEqual(10);
      expect(log).toEqual(['a began', 'b began', 'a ended', 'b ended']);
    });
  });

  test('race / first success: staggeredRace starts the next one when the last has failed', async () => {
    await withLoop(async () => {
      const log: number[] = [];
      const failing = (n: number) => async (): Promise<never> => {
        log.push(n);
        throw new Error(String(n));
      };
      const good = async (): Promise<string> => 'good';
      expect(await call(() => staggeredRace([failing(0), failing(1), good, failing(3)], Infinity))).toBe(
        'good',
      );
      expect(log).toEqual([0, 1]);
    });
  });

  test('race / first success: all of staggeredRace fail, which is a group', async () => {
    await withLoop(async () => {
      const failing = (n: number) => async (): Promise<never> => {
        throw new Error(String(n));
      };
      const group = await outcome(call(() => staggeredRace([failing(0), failing(1)], 1000)));
      expect((group as ExceptionGroup).errors.map((error) => (error as Error).message)).toEqual(['0', '1']);
    });
  });

  test('race / first success: a cancelled staggeredRace starts nothing more', async () => {
    await withLoop(async () => {
      const log: string[] = [];
      const task = call(() => staggeredRace([patient(log, 'a'), patient(log, 'b')], 60_000));
      await sleep(1);
      task.cancel();
      expect(await outcome(task)).toBeInstanceOf(CancelledError);
      expect(log).toEqual(['a began', 'a ended']);
    });
  });

  test('race / first success: its functions get their own tasks', async () => {
    await withLoop(async () => {
      const names = await call(() => firstSuccess([async () => currentTask()?.name]));
      expect(names).toMatch(/^Task-\d+$/);
    });
  });
});

test('race / first success: the error of a race nobody waits for is reported', async () => {
  const reports: unknown[] = [];
  await withLoop(async (loop) => {
    const future = new Future<void>(loop);
    const outcome = race([future]);
    loop.setExceptionHandler((_, context) => reports.push(context.message));
    future.setException(new Error('unread'));
    await sleep(1);
    expect(outcome.done()).toBe(true);
  });
  expect(reports).toEqual(['race exception was never retrieved']);
});

test('a future of another loop is refused before anything begins', async () => {
  await withLoop(async () => {
    const other = new LoopCore();
    const foreign = new Future<void>(other);
    let hasBegun = false;
    const begin = async (): Promise<void> => {
      hasBegun = true;
    };
    expect(() => race([begin, foreign])).toThrow(InvalidStateError);
    expect(() => wait([foreign])).toThrow('attached to a different loop');
    await sleep(1);
    expect(hasBegun).toBe(false);
    other.close();
  });
});

async function grownBy(rounds: number, step: (loop: LoopCore) => Generator<unknown, void>): Promise<number> {
  let bytes = 0;
  await withLoop(async (loop) => {
    const repeat = async (times: number): Promise<void> => {
      const { Task } = await import('../../../src/task/task.js');
      await new Task(loop, function* () {
        for (let i = 0; i < times; i++) yield* step(loop);
      });
      collect();
    };
    await repeat(rounds / 10);
    const before = process.memoryUsage().heapUsed;
    await repeat(rounds);
    bytes = process.memoryUsage().heapUsed - before;
  });
  return bytes;
}

test('leak-free race with a long-lived promise: waiting for a pending future again and again holds nothing', async () => {
  let stop: Future<void> | undefined;
  const bytes = await grownBy(20_000, function* (loop) {
    stop ??= new Future<void>(loop);
    const tick = new Future<void>(loop);
    tick.setResult();
    yield* wait([stop, tick], { returnWhen: 'FIRST_COMPLETED' });
  });
  // A callback that stays would take more than 100 bytes each.
  expect(bytes).toBeLessThan(20_000 * 50);
}, 30_000);

test('leak-free race with a long-lived promise: races against one who waits for a pending future hold nothing', async () => {
  let stop: Future<void> | undefined;
  const bytes = await grownBy(10_000, function* (loop) {
    stop ??= new Future<void>(loop);
    const tick = new Future<void>(loop);
    tick.setResult();
    yield* race([tick, () => wait([stop!])]);
  });
  expect(stop!.done()).toBe(false);
  expect(bytes).toBeLessThan(10_000 * 50);
}, 30_000);
