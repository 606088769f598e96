// Drains `process.nextTick` and promise jobs between two callbacks of one batch.
//
// Node does this after each of its own timers and immediates with a function that it also keeps as
// `process._tickCallback`. Calling it costs 40 ns; leaving to native so that a callback scope closes
// and opens again costs 300. Where a runtime lacks it, the batch takes the long way.

/** Runs what `process.nextTick` and promises have queued; null when only native can. */
export const drainTicks: (() => void) | null = findDrain();

function findDrain(): (() => void) | null {
  // With --pending-deprecation it is wrapped by a warning that says nothing to a user of this package.
  const isWarned =
    process.execArgv.includes('--pending-deprecation') || process.env.NODE_PENDING_DEPRECATION === '1';
  if (isWarned || process.versions.bun !== undefined || 'Deno' in globalThis) return null;
  const { _tickCallback: tickCallback } = process as unknown as { _tickCallback?: unknown };
  return typeof tickCallback === 'function' ? (tickCallback as () => void) : null;
}
