// Compares results with the bars.
import { REFERENCE_STEP_NS } from '../bars.mjs';
import { ratios, spread } from './statistics.mjs';

/** @typedef {import('../bars.mjs').Bar} Bar */

/**
 * @typedef {object} Verdict
 * @property {Bar} bar
 * @property {import('./statistics.mjs').Spread | null} measured null: a contender is not on this machine
 * @property {number} limit
 * @property {boolean} isMet
 */

/** @param {Bar} bar */
export function describeBar({ table, metric, contender, rival }) {
  return `${table} ${metric}: ${contender}${rival === undefined ? '' : ` / ${rival}`}`;
}

/**
 * @param {Bar} bar
 * @param {import('./measure.mjs').Result} result of the bar's table
 * @param {{ withMargin: boolean, stepNs: number }} options `stepNs`: a bare generator step on this machine
 * @returns {Verdict}
 */
export function judge(bar, { rows }, { withMargin, stepNs }) {
  const valuesOf = (/** @type {string} */ name) => rows.find((row) => row.name === name)?.values[bar.metric];
  const scale = bar.isScaled === true ? Math.max(1, stepNs / REFERENCE_STEP_NS) : 1;
  const limit = bar.limit * scale * (withMargin ? bar.margin : 1);
  const values = valuesOf(bar.contender);
  const rivals = bar.rival === undefined ? undefined : valuesOf(bar.rival);
  const isMissing = values === undefined || (bar.rival !== undefined && rivals === undefined);
  // Tools that count may be missing as well.
  if (isMissing || values.some(Number.isNaN)) return { bar, measured: null, limit, isMet: true };
  const measured = rivals === undefined ? spread(values) : ratios(values, rivals);
  return { bar, measured, limit, isMet: measured.median <= limit };
}
