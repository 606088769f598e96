// Giving up a wait is cheap however many wait, and changes nothing for the others.
import { expect, test } from 'vitest';
import { Handle, KIND_CALLBACK } from '../../../src/core/handle.js';
import { Future } from '../../../src/task/future.js';
import { HandleList } from '../../../src/task/handle-list.js';
import { fakeLoop } from '../../support/fake-loop.js';

class Note extends Handle {
  constructor(
    readonly log: number[],
    readonly id: number,
  ) {
    super(KIND_CALLBACK, null);
  }

  _run(): void {
    this.log.push(this.id);
  }

  _describe(): string {
    return 'note';
  }
}

test('those that are left run in order, whoever was taken back', () => {
  const loop = fakeLoop();
  const future = new Future<void>(loop);
  const log: number[] = [];
  const notes = Array.from({ length: 200 }, (_, id) => new Note(log, id));
  for (const note of notes) future._addHandle(note);
  const kept = notes.filter(({ id }) => id % 7 === 3);
  for (const note of notes) if (!kept.includes(note)) future._dropHandle(note);
  future.addDoneCallback(() => log.push(-1));
  future.setResult();
  expect(loop.ready).toBe(kept.length + 1);
  loop.run();
  expect(log).toEqual([...kept.map(({ id }) => id), -1]);
});

test('cancelled handles do not pile up', () => {
  const list = new HandleList();
  let largest = 0;
  list.add(new Note([], -1));
  for (let i = 0; i < 10_000; i++) {
    const note = new Note([], i);
    list.add(note);
    note.cancel();
    list.noteCancelled();
    largest = Math.max(largest, list.size);
  }
  expect(largest).toBeLessThan(40);
});

test('an error that only a wait which was given up would have read is reported', () => {
  const loop = fakeLoop();
  const future = new Future<void>(loop);
  const reader = new Note([], 0);
  (reader as { kind: number }).kind = 1;
  future._addHandle(reader);
  future._dropHandle(reader);
  future.setException(new Error('unread'));
  loop.close();
  expect(loop.errors.map(({ message }) => message)).toEqual(['Future exception was never retrieved']);
});
