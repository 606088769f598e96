// Fills a table: round after round, every contender once, so that all see the same weather.
import { spread } from './statistics.mjs';

/** A sample is disturbed when others used more than this share of a processor. */
const NOISY_SHARE = 0.1;

/**
 * @typedef {object} Row
 * @property {string} name
 * @property {Record<string, number[]>} values by metric, one for each round
 * @property {number[]} otherShares
 */

/**
 * @typedef {object} Result
 * @property {import('./table.mjs').Table} table
 * @property {Row[]} rows
 */

/**
 * @param {import('./table.mjs').Table} table
 * @param {object} options
 * @param {boolean} options.isQuick
 * @param {(contender: import('./table.mjs').Contender) => boolean} options.isWanted
 * @param {number} options.retries how often a disturbed sample is taken again
 * @param {(text: string) => void} options.onProgress
 * @returns {Promise<Result>}
 */
export async function measureTable(table, { isQuick, isWanted, retries, onProgress }) {
  const settings = /** @type {import('./table.mjs').Settings} */ ({
    ...table.settings,
    ...(isQuick ? table.quick : {}),
  });
  const contenders = table.contenders().filter((contender) => contender !== null && isWanted(contender));
  /** @type {Map<string, Row>} */
  const rows = new Map();
  for (let round = 0; round < settings.rounds; round++) {
    // Nobody always comes first, or behind the same rival.
    const order = contenders.map((_, place) => contenders[(place + round) % contenders.length]);
    for (const contender of order) {
      if (!contender) continue;
      onProgress(`${table.id}: round ${round + 1} of ${settings.rounds}, ${contender.name}`);
      const { metrics, otherShare } = await takeSample(contender, settings, retries);
      const row = rows.get(contender.name) ?? { name: contender.name, values: {}, otherShares: [] };
      rows.set(contender.name, row);
      for (const [name, value] of Object.entries(metrics)) (row.values[name] ??= []).push(value);
      row.otherShares.push(otherShare);
    }
  }
  const listed = contenders.map((contender) => rows.get(contender?.name ?? ''));
  return { table, rows: listed.filter((row) => row !== undefined) };
}

/**
 * The least disturbed of up to 1 + retries samples.
 *
 * @param {import('./table.mjs').Contender} contender
 * @param {import('./table.mjs').Settings} settings
 * @param {number} retries
 */
async function takeSample(contender, settings, retries) {
  let best = await contender.sample(settings);
  for (let retry = 0; retry < retries && best.otherShare > NOISY_SHARE; retry++) {
    const sample = await contender.sample(settings);
    if (sample.otherShare < best.otherShare) best = sample;
  }
  return best;
}

/** @param {Result} result */
export function noiseOf({ rows }) {
  const shares = rows.flatMap((row) => row.otherShares);
  return {
    ...spread(shares),
    noisy: shares.filter((share) => share > NOISY_SHARE).length,
    samples: shares.length,
  };
}
