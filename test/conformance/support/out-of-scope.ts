// Cases of CPython that no program can answer, and why.

const REASONS: readonly [pattern: RegExp, reason: string][] = [
  [/repr|_str\b|_format|generic_alias/, 'the text of Python objects'],
];

/** Why a case is answered by no program; null when it is open. */
export function isOutOfScope(_module: string, name: string): string | null {
  return REASONS.find(([pattern]) => pattern.test(name))?.[1] ?? null;
}
