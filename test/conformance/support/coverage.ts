// Which of CPython's own tests are answered by which programs.
import { fileURLToPath } from 'node:url';
import { outOfScope } from './out-of-scope.js';
import type { Suite } from './program.js';
import type { Cases } from './python.js';

const OPEN = 'open';

export const readmeFile = fileURLToPath(new URL('../README.md', import.meta.url));

const HEADER = `# Programs that CPython and evloop both run

Each program is written twice, in Python for asyncio and in TypeScript, side by side in one file per test
file of CPython. Both sides print a trace: the time, the turn of the loop since then, what happened. The
traces have to be equal, line by line; a program that deviates says why and shows the trace it has here.

    node scripts/conformance.mjs            runs both sides, with the Python that is there
    node scripts/conformance.mjs --record   records the Python side and writes this file

\`npm test\` compares with what was recorded. The tables are generated from the programs.
`;

/** `README.md`. @throws Error - a program names a case that is not there. */
export function describeCoverage(suites: readonly Suite[], cases: Cases): string {
  const parts = suites.map((suite) =>
    describeSuite(suite, { ...cases[suite.module], ...cases[suite.also ?? ''] }),
  );
  const programs = suites.flatMap((suite) => suite.programs);
  const deviations = programs.filter(({ deviation }) => deviation !== undefined);
  const counts = `${String(programs.length)} programs, of which ${String(deviations.length)} deviate.`;
  const declared = deviations.map(({ name, deviation }) => {
    const { reason, since } = deviation!;
    return `- ${name}: ${reason}${since === undefined ? '' : `, as in CPython since ${since}`}`;
  });
  return [HEADER, counts, '', '## Deviations', '', ...declared, '', ...parts].join('\n');
}

function describeSuite({ module, programs }: Suite, classes: Record<string, string[]>): string {
  const covered = new Map<string, string[]>();
  for (const { name, covers } of programs) {
    for (const one of parseCovers(covers ?? '')) {
      const [type, test] = one.split('.') as [string, string];
      if (classes[type]?.includes(test) !== true) throw new Error(`${module} has no case ${one} (${name})`);
      covered.set(one, [...(covered.get(one) ?? []), name]);
    }
  }
  const all = Object.entries(classes).flatMap(([type, tests]) => tests.map((test) => `${type}.${test}`));
  const rest = all.filter((one) => !covered.has(one));
  const reasons = groupByReason(rest);
  const open = reasons.get(OPEN)?.length ?? 0;
  const rows = all
    .filter((one) => covered.has(one))
    .map((one) => `| \`${one}\` | ${covered.get(one)!.join('; ')} |`);
  return [
    `## ${module}`,
    '',
    `${String(programs.length)} programs; ${String(covered.size)} of ${String(all.length)} cases covered, ` +
      `${String(rest.length - open)} out of scope, ${String(open)} open.`,
    '',
    '| case of CPython | programs |',
    '| --- | --- |',
    ...rows,
    '',
    ...[...reasons].map(([reason, names]) => `- ${reason}: ${names.map((one) => `\`${one}\``).join(', ')}`),
    '',
  ].join('\n');
}

function groupByReason(names: readonly string[]): Map<string, string[]> {
  const groups = new Map<string, string[]>();
  for (const name of names) {
    const reason = outOfScope(name) ?? OPEN;
    groups.set(reason, [...(groups.get(reason) ?? []), name]);
  }
  return groups;
}

/** `A: x, y; B: z` as `A.test_x`, `A.test_y`, `B.test_z`. */
function parseCovers(covers: string): string[] {
  return covers
    .split(';')
    .filter((part) => part.trim() !== '')
    .flatMap((part) => {
      const [type, tests] = part.split(':') as [string, string];
      return tests.split(',').map((test) => `${type.trim()}.test_${test.trim()}`);
    });
}
