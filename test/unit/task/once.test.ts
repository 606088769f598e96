// once(): one event, and no listener left.
import { EventEmitter } from 'node:events';
import { describe, expect, test } from 'vitest';
import { once } from '../../../src/task/once.js';
import { sleep } from '../../../src/task/sleep.js';
import { forms, outcome } from '../../support/forms.js';
import { withLoop } from '../../support/loop.js';

const listeners = (emitter: EventEmitter): number[] => [
  emitter.listenerCount('event'),
  emitter.listenerCount('error'),
];

describe.each(forms)('$name', ({ call }) => {
  test('events → async: the arguments of the event', async () => {
    await withLoop(async () => {
      const emitter = new EventEmitter();
      const task = call(() => once(emitter, 'event'));
      await sleep(1);
      expect(listeners(emitter)).toEqual([1, 1]);
      emitter.emit('event', 1, 'two');
      expect(listeners(emitter)).toEqual([0, 0]);
      expect(await task).toEqual([1, 'two']);
    });
  });

  test('events → async: an error event rejects', async () => {
    await withLoop(async () => {
      const emitter = new EventEmitter();
      const task = call(() => once(emitter, 'event'));
      await sleep(1);
      const error = new Error('broken');
      emitter.emit('error', error);
      expect(await outcome(task)).toBe(error);
      expect(listeners(emitter)).toEqual([0, 0]);
    });
  });

  test('events → async: an error event that is waited for is an event', async () => {
    await withLoop(async () => {
      const emitter = new EventEmitter();
      const task = call(() => once(emitter, 'error'));
      await sleep(1);
      emitter.emit('error', 'argument');
      expect(await task).toEqual(['argument']);
      expect(listeners(emitter)).toEqual([0, 0]);
    });
  });

  test('events → async: the listener is removed on cancel', async () => {
    await withLoop(async () => {
      const emitter = new EventEmitter();
      const task = call(() => once(emitter, 'event'));
      await sleep(1);
      task.cancel();
      expect(listeners(emitter)).toEqual([0, 0]);
      expect(await outcome(task)).toMatchObject({ name: 'CancelledError' });
    });
  });

  test('events → async: a signal cancels with its reason, before and while it waits', async () => {
    await withLoop(async () => {
      const emitter = new EventEmitter();
      const controller = new AbortController();
      const { signal } = controller;
      const task = call(() => once(emitter, 'event', { signal }));
      await sleep(1);
      controller.abort('why');
      expect(listeners(emitter)).toEqual([0, 0]);
      for (const one of [task, call(() => once(emitter, 'event', { signal }))]) {
        expect(await outcome(one)).toMatchObject({ name: 'CancelledError', reason: 'why' });
      }
      expect(listeners(emitter)).toEqual([0, 0]);
    });
  });

  test('events → async: of an EventTarget, the event', async () => {
    await withLoop(async () => {
      const target = new EventTarget();
      const task = call(() => once(target, 'event'));
      await sleep(1);
      const event = new Event('event');
      target.dispatchEvent(event);
      target.dispatchEvent(new Event('event'));
      const [got] = await task;
      expect(got).toBe(event);
    });
  });
});
