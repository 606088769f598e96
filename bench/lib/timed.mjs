// Measures a body of many operations, inside the process that runs it.
import process from 'node:process';

const WARM_UPS = 4;

/**
 * Calls `body` a few times to warm up and once for the measurement: what counts is how a server runs
 * that has been up for a while. Nothing is collected by force between them, as that throws optimized code
 * away; each call pays for the garbage of the one before.
 *
 * @param {number} operations
 * @param {(operations: number) => unknown} body does that many; what it returns is awaited
 * @returns {Promise<{ cpuNs: number, ns: number }>} of one operation: processor time of all threads, and
 *   elapsed time
 */
export async function timed(operations, body) {
  await settle();
  for (let i = 0; i < WARM_UPS; i++) await body(Math.ceil(operations / 2));
  return timedOnce(operations, () => body(operations));
}

/**
 * Like {@link timed} without a warm-up.
 *
 * @param {number} operations
 * @param {() => unknown} body
 */
export async function timedOnce(operations, body) {
  const cpu = process.cpuUsage();
  const begin = process.hrtime.bigint();
  await body();
  const elapsed = Number(process.hrtime.bigint() - begin);
  const used = process.cpuUsage(cpu);
  return { cpuNs: ((used.user + used.system) * 1000) / operations, ns: elapsed / operations };
}

/** Collects garbage where that can be asked for, and lets the loop turn. */
export async function settle() {
  /** @type {{ gc?: () => void }} */ (globalThis).gc?.();
  await new Promise((resolve) => setImmediate(resolve));
}
