// Draws the first metric of every table as bars with whiskers from the least to the greatest value.
import { formatNumber } from './report.mjs';
import { spread } from './statistics.mjs';

const WIDTH = 900;
const LABEL_WIDTH = 260;
const VALUE_WIDTH = 120;
const BAR_HEIGHT = 16;
const ROW_HEIGHT = 24;
const TITLE_HEIGHT = 46;
const MARGIN = 24;
const STYLE = `
  text { font: 13px system-ui, sans-serif; fill: #1f2328; }
  .title { font-weight: 600; font-size: 15px; }
  .unit, .note { fill: #59636e; font-size: 12px; }
  .own { fill: #1a7f37; }
  .rival { fill: #8c959f; }
  .spread { stroke: #1f2328; stroke-width: 1; }
`;

/** @param {string} text */
function escape(text) {
  return text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;');
}

/**
 * @param {import('./measure.mjs').Result} result
 * @param {number} top
 */
function drawTable({ table, rows }, top) {
  const [name, metric] = Object.entries(table.metrics)[0] ?? [];
  if (name === undefined || metric === undefined) throw new Error(`${table.id} has no metric`);
  const shown = rows.flatMap((row) => {
    const values = row.values[name] ?? [];
    return values.length === 0 ? [] : [{ name: row.name, ...spread(values) }];
  });
  const greatest = Math.max(Number.MIN_VALUE, ...shown.map(({ max }) => max));
  const scale = (WIDTH - 2 * MARGIN - LABEL_WIDTH - VALUE_WIDTH) / greatest;
  const left = MARGIN + LABEL_WIDTH;
  const direction = metric.better === 'higher' ? 'more is better' : 'less is better';
  const unit = metric.unit === '' ? '' : `, ${metric.unit}`;
  const lines = [
    `<text class="title" x="${MARGIN}" y="${top + 16}">${escape(table.title)}</text>`,
    `<text class="unit" x="${MARGIN}" y="${top + 34}">${escape(`${metric.title}${unit}; ${direction}`)}</text>`,
  ];
  shown.forEach(({ name: contender, median, min, max }, index) => {
    const y = top + TITLE_HEIGHT + index * ROW_HEIGHT;
    const middle = y + BAR_HEIGHT / 2;
    const kind = contender.startsWith('evloop') || contender === 'beside evloop' ? 'own' : 'rival';
    const value = formatNumber(median, metric.digits ?? 1);
    lines.push(
      `<text x="${left - 8}" y="${y + 13}" text-anchor="end">${escape(contender)}</text>`,
      `<rect class="${kind}" x="${left}" y="${y}" width="${(median * scale).toFixed(1)}" height="${BAR_HEIGHT}" rx="2"/>`,
      `<path class="spread" d="M${(left + min * scale).toFixed(1)} ${middle}H${(left + max * scale).toFixed(1)}"/>`,
      `<text x="${(left + max * scale + 8).toFixed(1)}" y="${y + 13}">${value}</text>`,
    );
  });
  return { lines, bottom: top + TITLE_HEIGHT + shown.length * ROW_HEIGHT + MARGIN };
}

/**
 * @param {readonly import('./measure.mjs').Result[]} results
 * @param {string} note one line about the machine
 */
export function drawResults(results, note) {
  const lines = [`<text class="note" x="${MARGIN}" y="${MARGIN}">${escape(note)}</text>`];
  let top = 2 * MARGIN;
  for (const result of results) {
    const drawn = drawTable(result, top);
    lines.push(...drawn.lines);
    top = drawn.bottom;
  }
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${top}" viewBox="0 0 ${WIDTH} ${top}">`,
    `<style>${STYLE}</style>`,
    `<rect width="${WIDTH}" height="${top}" fill="#ffffff"/>`,
    ...lines,
    '</svg>',
    '',
  ].join('\n');
}
