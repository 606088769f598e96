// Host names to numeric addresses, by Node's resolver; numeric ones are answered without it.
import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';

/** Numeric addresses of a host, in the resolver's order; without a host those that mean "any". */
export async function resolveHost(host: string): Promise<string[]> {
  const found = await lookup(host, { all: true, order: 'verbatim' });
  return [...new Set(found.map((entry) => entry.address))];
}

/** The address itself when the host is numeric already. */
export function numericHost(host: string): string | null {
  return isIP(host) === 0 ? null : host;
}
