import { describe, expect, test } from 'vitest';
import { cancelScope } from '../../../src/task/cancel-scope.js';
import { currentDeadline, decodeDeadline, encodeDeadline } from '../../../src/task/deadline.js';
import type { CancelScope } from '../../../src/task/scope.js';
import { sleep } from '../../../src/task/sleep.js';
import { timeoutAt, type Timeout } from '../../../src/task/timeout.js';
import { FakeClock } from '../../support/clock.js';
import { pairs } from '../../support/forms.js';
import { withLoop } from '../../support/loop.js';

describe.each(pairs)('%s', (_, host, body) => {
  test('deadline inheritance: the earliest of all limits around counts, as long as it is there', async () => {
    await withLoop(async (loop) => {
      const now = Math.trunc(loop.time());
      const log: number[] = [];
      const note = (): number => log.push(Math.round((currentDeadline() - now) / 1e6));
      const task = host.start(function* () {
        note();
        yield timeoutAt(
          now + 2e6,
          body.coroutine(function* (limit: Timeout) {
            note();
            yield cancelScope(
              { deadline: now + 1e6 },
              body.coroutine(function* (scope: CancelScope) {
                note();
                yield sleep(0);
                yield timeoutAt(
                  now + 3e6,
                  body.coroutine(function* () {
                    note();
                    scope.deadline = now + 4e6;
                    note();
                    limit.reschedule(null);
                    note();
                  }),
                );
                note();
              }),
            );
            note();
          }),
        );
      });
      await task;
      expect(log).toEqual([Infinity, 2, 1, 1, 2, 3, 4, Infinity]);
    });
  });

  test('deadline inheritance: a shield has only its own, a cancelled scope none left', async () => {
    await withLoop(async (loop) => {
      const when = loop.time() + 60_000;
      const task = host.start(function* () {
        return yield cancelScope(
          {},
          body.coroutine(function* (scope: CancelScope) {
            scope.cancel();
            const outside = currentDeadline();
            const inside: unknown = yield cancelScope(
              { shield: true, deadline: when },
              body.coroutine(function* () {
                return currentDeadline() === when;
              }),
            );
            return [outside, inside];
          }),
        );
      });
      expect(await task).toEqual([-Infinity, true]);
    });
  });
});

describe('headers', () => {
  const NOW = 1000;
  const at = (use: () => void): Promise<void> =>
    withLoop(
      () => {
        use();
      },
      { clock: new FakeClock(NOW) },
    );

  test.each([
    [0, '0m'],
    [-5, '0m'],
    [1, '1m'],
    [1500, '1500m'],
    [0.5, '500000n'],
    [99_999_999, '99999999m'],
    [100_000_000, '100000S'],
    [100_000_000.5, '100001S'],
    [3.6e6 * 99_999_999, '99999999H'],
    [1e300, '99999999H'],
  ])('deadline inheritance: %d ms left are encoded as %s', async (leftMs, header) => {
    await at(() => expect(encodeDeadline(NOW + leftMs)).toBe(header));
  });

  test('deadline inheritance: what is encoded never ends before the deadline', async () => {
    await at(() => {
      for (const leftMs of [1e-6, 0.1234567, 12.3456789, 99.999, 1234.56789, 1e7 + 0.1, 1e11 + 0.3]) {
        const deadline = NOW + leftMs;
        const header = encodeDeadline(deadline)!;
        expect(header).toMatch(/^\d{1,8}[numSMH]$/);
        expect(decodeDeadline(header)).toBeGreaterThanOrEqual(deadline - 1e-9);
      }
    });
  });

  test('deadline inheritance: no limit has no header', async () => {
    await at(() => {
      expect(encodeDeadline()).toBe(undefined);
      expect(encodeDeadline(Infinity)).toBe(undefined);
      expect(encodeDeadline(-Infinity)).toBe('0m');
    });
  });

  test.each([
    ['1H', 3_600_000],
    ['2M', 120_000],
    ['3S', 3000],
    ['1500m', 1500],
    ['500u', 0.5],
    ['1000000n', 1],
    ['0m', 0],
    ['99999999S', 99_999_999_000],
  ])('deadline inheritance: %s is decoded', async (header, durationMs) => {
    await at(() => expect(decodeDeadline(header) - NOW).toBeCloseTo(durationMs, 6));
  });
});
