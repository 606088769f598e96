// Medians with their spread.

/** @typedef {{ median: number, min: number, max: number }} Spread */

/** @param {readonly number[]} values at least one */
export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? NaN) + upper) / 2;
}

/**
 * @param {readonly number[]} values at least one
 * @returns {Spread}
 */
export function spread(values) {
  return { median: median(values), min: Math.min(...values), max: Math.max(...values) };
}

/**
 * The value below which `share` of all values lie.
 *
 * @param {readonly number[]} values at least one
 * @param {number} share 0 ... 1
 */
export function percentile(values, share) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? NaN;
}

/**
 * A share of its rival, round by round: what slows a whole round down cancels out.
 *
 * @param {readonly number[]} values one for each round
 * @param {readonly number[]} rivals of the same rounds
 */
export function ratios(values, rivals) {
  return spread(values.map((value, round) => value / (rivals[round] ?? NaN)));
}
