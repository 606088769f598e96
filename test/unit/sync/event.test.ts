import { describe, expect, test } from 'vitest';
import { AsyncEvent, createTask, Event } from '../../../src/index.js';
import { forms } from '../../support/forms.js';
import { soon, withLoop } from '../../support/loop.js';

describe.each(forms)('$name', ({ start }) => {
  test('Event: wait() gives true to everybody who waits, and at once while the flag is up', async () => {
    await withLoop(async (loop) => {
      const event = new Event();
      const waiters = [1, 2].map(() =>
        start(function* () {
          return yield event.wait();
        }),
      );
      await soon(loop);
      await soon(loop);
      expect(event.statistics()).toEqual({ isSet: false, waiters: 2 });
      event.set();
      event.set();
      expect(event.statistics()).toEqual({ isSet: true, waiters: 0 });
      for (const waiter of waiters) expect(await waiter).toBe(true);
      const log: string[] = [];
      loop.callSoon(() => log.push('next turn'));
      const late = start(function* () {
        yield event.wait();
        log.push('waited');
      });
      await late;
      expect(log).toEqual(['next turn', 'waited']);
    });
  });

  test('Event: a cancelled waiter leaves at once, and clear() makes others wait again', async () => {
    await withLoop(async (loop) => {
      const event = new Event();
      event.set();
      event.clear();
      expect(event.isSet).toBe(false);
      const waiter = start(function* () {
        yield event.wait();
      });
      await soon(loop);
      await soon(loop);
      waiter.cancel();
      expect(event.statistics()).toEqual({ isSet: false, waiters: 0 });
      await expect(waiter.toPromise()).rejects.toMatchObject({ code: 'ABORT_ERR' });
    });
  });
});

test('Event: wait() of a raised flag suspends nobody', async () => {
  await withLoop(async (loop) => {
    const event = new Event();
    event.set();
    const task = createTask(function* () {
      let isLater = false;
      loop.callSoon(() => (isLater = true));
      yield* event.wait();
      return isLater;
    });
    expect(await task).toBe(false);
  });
});

test('Event: goes by the name of AsyncEvent as well', () => {
  expect(AsyncEvent).toBe(Event);
});
