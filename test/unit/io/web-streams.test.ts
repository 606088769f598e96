import { once } from 'node:events';
import { expect, test } from 'vitest';
import { createTask } from '../../../src/task/current.js';
import { turns } from '../../support/loop.js';
import { clientPair, pattern, received, settled, unreadBytes, withPair } from '../../support/net.js';

test('reads and writes; when both sides have ended the stream is closed', () =>
  withPair(clientPair, {}, async ({ stream, peer }) => {
    const { readable, writable } = stream.toWebStreams();
    const back = received(peer);
    peer.end('hello');
    const chunks: Uint8Array[] = [];
    for await (const chunk of readable) chunks.push(chunk);
    expect(String(Buffer.concat(chunks))).toBe('hello');
    expect(stream.isClosing()).toBe(false);
    const writer = writable.getWriter();
    await writer.write(Buffer.from('bye'));
    await writer.close();
    expect(String(await back)).toBe('bye');
    await stream.closed;
  }));

test('a reader that waits slows the peer down', () =>
  withPair(clientPair, { limit: 10_000 }, async ({ stream, peer }) => {
    const { readable, writable } = stream.toWebStreams();
    const bytes = pattern(8_000_000);
    peer.end(bytes);
    await settled(() => unreadBytes(stream));
    expect(peer.writableLength).toBeGreaterThan(0);
    const chunks: Uint8Array[] = [];
    for await (const chunk of readable) chunks.push(chunk);
    expect(Buffer.concat(chunks).equals(bytes)).toBe(true);
    await writable.close();
  }));

test('a broken connection fails both sides', () =>
  withPair(clientPair, {}, async ({ stream, peer }) => {
    const { readable, writable } = stream.toWebStreams();
    const reading = readable.getReader().read();
    peer.resetAndDestroy();
    await expect(reading).rejects.toMatchObject({ code: 'ECONNRESET' });
    await expect(writable.getWriter().write(Buffer.from('x'))).rejects.toMatchObject({ code: 'ECONNRESET' });
  }));

test('aborting the writable side resets; cancelling the readable one does not', () =>
  withPair(clientPair, {}, async ({ stream, peer }) => {
    const { readable, writable } = stream.toWebStreams();
    await readable.cancel();
    expect(stream.isClosing()).toBe(false);
    const failed = once(peer, 'error').catch((error: unknown) => [error]);
    await writable.abort();
    const [error] = (await failed) as [NodeJS.ErrnoException];
    expect(error.code).toBe('ECONNRESET');
  }));

test('cancelling a task that reads or writes leaves them alone', () =>
  withPair(clientPair, {}, async ({ stream, peer }, loop) => {
    const { readable, writable } = stream.toWebStreams();
    const reader = readable.getReader();
    const writer = writable.getWriter();
    const bytes = pattern(8_000_000);
    let reading: Promise<{ value?: Uint8Array | undefined }> | undefined;
    const task = createTask(async () => {
      reading = reader.read();
      await Promise.all([reading, writer.write(bytes)]);
    });
    await turns(loop);
    task.cancel();
    const back = received(peer);
    peer.end('still here');
    expect(String(Buffer.from((await reading!).value!))).toBe('still here');
    await writer.close();
    expect((await back).equals(bytes)).toBe(true);
    expect((await reader.read()).done).toBe(true);
    await stream.closed;
    await task.catch(() => undefined);
  }));
