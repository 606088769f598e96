// What happens between a turn and the next one, and what outlives the loop.
import { expect, test } from 'vitest';
import type { SlowCallback } from '../../../src/core/loop.js';
import { EventLoop } from '../../../src/event-loop.js';
import { runChild } from '../../support/child.js';
import { withLoop } from '../../support/loop.js';

test.each([0, 5])('nextTick and promise jobs run before the next turn, budgetMs %d', (budgetMs) =>
  withLoop(
    async (loop) => {
      for (let round = 0; round < 50; round++) {
        const order = await new Promise<string[]>((resolve) => {
          const seen: string[] = [];
          loop.callSoon(() => {
            // Something to submit makes the turn end here.
            const timer = loop.callLater(50, () => undefined);
            process.nextTick(() => seen.push('tick'));
            queueMicrotask(() => seen.push('job'));
            loop.callSoon(() => {
              seen.push('next');
              timer.cancel();
              resolve(seen);
            });
          });
        });
        expect(order).toEqual(['tick', 'job', 'next']);
      }
    },
    { budgetMs },
  ),
);

function block(durationMs: number): void {
  const end = performance.now() + durationMs;
  while (performance.now() < end);
}

test('a step of an async function that blocks behind an await is a slow callback', async () => {
  const loop = new EventLoop();
  const slow: SlowCallback[] = [];
  loop.onSlowCallback = (event) => slow.push(event);
  await loop.runUntilComplete(async () => {
    const future = loop.createFuture();
    loop.callSoon(() => future.setResult());
    await future;
    block(120);
  });
  loop.close();
  expect(slow).toHaveLength(1);
  expect(slow[0]!.durationMs).toBeGreaterThanOrEqual(119);
});

test('time that promise jobs take is time the loop was busy', async () => {
  const loop = new EventLoop();
  const { busyMs } = await loop.runUntilComplete(async () => {
    const future = loop.createFuture();
    loop.callSoon(() => future.setResult());
    await future;
    block(60);
    const second = loop.createFuture();
    loop.callLater(5, () => second.setResult());
    await second;
    return loop.statistics();
  });
  loop.close();
  expect(busyMs).toBeGreaterThanOrEqual(59);
});

test('a loop that nobody closed, runs or knows gives its descriptors back', async () => {
  const { code, stdout } = await runChild(
    `
    const { readdirSync } = await import('node:fs');
    const descriptors = () => readdirSync('/proc/self/fd').length;
    const before = descriptors();
    let most = before;
    for (let i = 0; i < 40; i++) {
      const loop = new EventLoop();
      if (i % 2 === 1) await loop.runUntilComplete(function* () { yield; });
      most = Math.max(most, descriptors());
    }
    for (let i = 0; i < 20; i++) {
      gc();
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    // The loop that made a task last is remembered.
    console.log(most - before >= 20, descriptors() - before <= 8);
    `,
    { nodeArgs: ['--expose-gc'] },
  );
  expect([code, stdout.trim()]).toEqual([0, 'true true']);
});

const FAILING = `
  const loop = new EventLoop();
  loop.runForever();
  loop.createTask(function* () { throw new Error('unread'); });
  loop.callLater(20, () => loop.stop());
`;

test.each([
  ['without a flag', [], 0],
  ['with --unhandled-rejections=strict', ['--unhandled-rejections=strict'], 1],
  ['with --unhandled-rejections=warn-with-error-code', ['--unhandled-rejections=warn-with-error-code'], 1],
] as const)('an error nobody read is told when the process exits, %s', async (_title, nodeArgs, exitCode) => {
  const { code, stderr } = await runChild(FAILING, { nodeArgs });
  expect(stderr).toContain('Task exception was never retrieved');
  expect(stderr).toContain('unread');
  expect(code).toBe(exitCode);
});

test('--unhandled-rejections=none silences what the default handler would say', async () => {
  expect(await runChild(FAILING, { nodeArgs: ['--unhandled-rejections=none'] })).toMatchObject({
    code: 0,
    stderr: '',
  });
});
