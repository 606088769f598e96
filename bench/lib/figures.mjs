// The table of README.md: every bar, and what was measured.
import { formatNumber } from './report.mjs';

/**
 * What `--json` wrote, as far as it is read here.
 *
 * @typedef {object} Report
 * @property {string} date
 * @property {{ cpu: string, cpus: number, kernel: string, node: string }} machine
 * @property {{ id: string, title: string, metrics: Record<string, { title: string, unit: string }> }[]} tables
 * @property {{ table: string, metric: string, contender: string, rival?: string, limit: number,
 *   measured: { median: number, min: number, max: number } | null }[]} bars
 */

/** @param {number} value */
function short(value) {
  if (value === 0 || value >= 20) return formatNumber(value, 0);
  return formatNumber(value, value < 0.2 ? 3 : 2);
}

/**
 * Markdown; a pure function of the report, so that a test can tell whether README.md is up to date.
 *
 * @param {Report} report
 */
export function figures({ date, machine, tables, bars }) {
  const rows = bars.map(({ table: id, metric, contender, rival, limit, measured }) => {
    const table = tables.find((candidate) => candidate.id === id);
    const { title = metric, unit = '' } = table?.metrics[metric] ?? {};
    const of = rival === undefined ? '' : ` ÷ ${rival}`;
    const suffix = rival === undefined && unit !== '' ? ` ${unit}` : '';
    const value =
      measured === null
        ? 'not measured'
        : `${short(measured.median)}${suffix} (${short(measured.min)} ... ${short(measured.max)})`;
    return `| ${table?.title ?? id}: ${title} | ${contender}${of} | ${value} | ${short(limit)}${suffix} |`;
  });
  const { cpu, cpus, kernel, node } = machine;
  return [
    `${cpu}, ${cpus} processors, ${kernel}, Node ${node}, ${date.slice(0, 10)}:`,
    '',
    '| what | of whom | median (least ... greatest round) | aim: at most |',
    '|---|---|---|---|',
    ...rows,
  ].join('\n');
}

/** Where the table stands in README.md. */
export const BLOCK = /(?<=<!-- figures: node bench\/readme\.mjs -->\n\n)[^]*?(?=\n\n<!-- end of figures -->)/;
