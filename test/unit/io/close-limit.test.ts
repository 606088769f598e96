// close() of a connection whose peer takes nothing any more.
import { describe, expect, test } from 'vitest';
import type { Carrier } from '../../../src/io/carrier.js';
import { CloseLimit } from '../../../src/io/close-limit.js';
import { Future } from '../../../src/task/future.js';
import { forms } from '../../support/forms.js';
import { withLoop } from '../../support/loop.js';
import { clientPair, pattern, serverPair, withPair } from '../../support/net.js';

describe.each(forms)('close/abort: in a $name', ({ call }) => {
  test.each([
    ['connected', clientPair],
    ['accepted', serverPair],
  ])('a peer that reads nothing is reset after the time, from the %s side', (_, make) =>
    withPair(make, { closeTimeout: 20 }, async ({ stream, peer }, loop) => {
      peer.pause();
      stream.write(pattern(20_000_000));
      const closed = stream.close();
      expect(stream.writeBufferSize).toBeGreaterThan(0);
      await call(() => closed);
      expect(loop.statistics()).toMatchObject({ timers: 0 });
    }),
  );
});

test('close/abort: what is sent in time leaves no timer behind', () =>
  withPair(serverPair, { closeTimeout: 60_000 }, async ({ stream, peer }, loop) => {
    peer.resume();
    stream.write(pattern(20_000_000));
    const closed = stream.close();
    expect(stream.writeBufferSize).toBeGreaterThan(0);
    await closed;
    expect(loop.statistics().timers).toBe(0);
  }));

test('close/abort: as long as a peer takes something, it has time', async () => {
  await withLoop(async (loop) => {
    const reset = new Future<void>(loop);
    // What is unsent each time that somebody looks: less twice, then no more.
    const sizes = [100, 90, 90, 50, 50, 50];
    const carrier = {
      loop,
      get bufferedBytes() {
        return sizes.shift();
      },
      reset: () => reset.setResult(),
    };
    new CloseLimit(carrier as unknown as Carrier, 1);
    await reset;
    expect(sizes).toEqual([]);
  });
});
