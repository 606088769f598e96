// Traps of descriptors: C-85.
import { closeSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { EventLoop } from '../../src/event-loop.js';
import { descriptors } from '../support/descriptors.js';
import { turns, withLoop } from '../support/loop.js';

async function withEventLoop(body: (loop: EventLoop) => unknown): Promise<void> {
  await withLoop<EventLoop>((loop) => body(loop), { make: (options) => new EventLoop(options) });
}

// Sizes that wait with native, and with the stream.
describe.each([
  ['small', 1000, 200],
  ['large', 300_000, 1],
])('%s writes', (_, size, count) => {
  test('C-85 a write pipe whose reader vanished with bytes unsent is lost with EPIPE', async () => {
    await withEventLoop(async (loop) => {
      const [read, write] = descriptors.pipe();
      const lost: (Error | null)[] = [];
      const [transport] = await loop.connectWritePipe(
        () => ({ connectionLost: (error: Error | null) => void lost.push(error) }),
        write,
      );
      for (let n = 0; n < count; n++) transport.write(Buffer.alloc(size));
      await turns(loop);
      expect(transport.getWriteBufferSize()).toBeGreaterThan(0);
      closeSync(read);
      while (lost.length === 0) await turns(loop);
      expect(lost).toMatchObject([{ code: 'EPIPE' }]);
    });
  });

  test('C-85 who drains a write pipe hears of EPIPE', async () => {
    await withEventLoop(async (loop) => {
      const [read, write] = descriptors.pipe();
      const pipe = loop.writePipe(write);
      for (let n = 0; n < count; n++) pipe.write(Buffer.alloc(size));
      const draining = loop.createTask(async () => await pipe.drain());
      await turns(loop);
      expect(draining.done()).toBe(false);
      closeSync(read);
      await expect(Promise.resolve(draining)).rejects.toMatchObject({ code: 'EPIPE' });
      await pipe.closed;
    });
  });
});

test('C-85 a write pipe whose reader vanished with nothing unsent closes cleanly', async () => {
  await withEventLoop(async (loop) => {
    const [read, write] = descriptors.pipe();
    const lost: (Error | null)[] = [];
    const [transport] = await loop.connectWritePipe(
      () => ({
        eofReceived: () => expect.unreachable('a write pipe has no input'),
        connectionLost: (error: Error | null) => void lost.push(error),
      }),
      write,
    );
    transport.write('taken by the pipe');
    await turns(loop);
    expect(lost).toEqual([]);
    closeSync(read);
    while (lost.length === 0) await turns(loop);
    expect(lost).toEqual([null]);
  });
});

test('C-85 a stream over a write pipe whose reader vanished closes cleanly', async () => {
  await withEventLoop(async (loop) => {
    const [read, write] = descriptors.pipe();
    const pipe = loop.writePipe(write);
    await pipe.send('taken by the pipe');
    closeSync(read);
    await pipe.closed;
  });
});
