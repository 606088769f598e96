// What a reader sees: tables of medians with their spread, and the verdicts on the bars.
import { noiseOf } from './measure.mjs';
import { spread } from './statistics.mjs';
import { describeBar } from './judge.mjs';

/**
 * @param {number} value
 * @param {number} digits
 */
export function formatNumber(value, digits) {
  return value.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

/**
 * Lines up columns; all but the first stand right.
 *
 * @param {readonly (readonly string[])[]} rows
 */
function align(rows) {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => (row[column] ?? '').length)),
  );
  return rows
    .map((row) =>
      row
        .map((cell, column) =>
          column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0),
        )
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/** @param {import('./measure.mjs').Result} result */
export function formatTable(result) {
  const { table, rows } = result;
  const metrics = Object.entries(table.metrics);
  const head = ['', ...metrics.map(([, { title, unit }]) => (unit === '' ? title : `${title} (${unit})`))];
  const body = rows.map((row) => [
    row.name,
    ...metrics.map(([name, { digits = 1 }]) => {
      const values = row.values[name] ?? [];
      if (values.length === 0 || values.some(Number.isNaN)) return '-';
      const { median, min, max } = spread(values);
      const middle = formatNumber(median, digits);
      if (values.length === 1) return middle;
      return `${middle} [${formatNumber(min, digits)} ... ${formatNumber(max, digits)}]`;
    }),
  ]);
  const { median, max, noisy, samples } = noiseOf(result);
  const disturbed = noisy === 0 ? '' : `; ${noisy} of ${samples} samples were disturbed`;
  const noise = `other programs used ${formatNumber(median, 2)} of a processor, at most ${formatNumber(max, 2)}${disturbed}`;
  return `${table.title}\n${align([head, ...body])}\n(${noise})\n`;
}

/** @param {readonly import('./judge.mjs').Verdict[]} verdicts */
export function formatVerdicts(verdicts) {
  const rows = verdicts.map(({ bar, measured, limit, isMet }) => [
    describeBar(bar),
    formatNumber(bar.limit, 3),
    measured === null ? '-' : formatNumber(measured.median, 3),
    measured === null ? '' : `[${formatNumber(measured.min, 3)} ... ${formatNumber(measured.max, 3)}]`,
    formatNumber(limit, 3),
    measured === null ? 'skipped' : isMet ? 'ok' : 'FAIL',
  ]);
  return align([['', 'bar', 'measured', 'spread', 'limit', ''], ...rows]);
}
