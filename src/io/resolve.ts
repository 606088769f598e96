// Host names to numeric addresses, for connections and servers: by the loop's resolver, or the system's.
import { isIP } from 'node:net';
import { EAI_NONAME, invalidReturnValue, systemError } from '../base/errors.js';
import type { LoopCore } from '../core/loop.js';
import type { Resolver } from '../core/resolver.js';
import { createTaskOn } from '../task/create.js';
import { toAddressQuery, type AddressInfo } from './address-query.js';
import { findAddresses } from './names.js';

type Family = 0 | 4 | 6;

/**
 * Gives the numeric addresses of a host, one or more, in the resolver's order: at once when it is numeric
 * itself, else while completions are reaped or in a turn. Says nothing when the loop was closed meanwhile.
 *
 * @param family - 4 or 6 for addresses of one kind only.
 * @returns Gives the look-up up: nothing is said any more.
 * @internal
 */
export function resolveOn(
  loop: LoopCore,
  host: string,
  onAddresses: (addresses: string[]) => void,
  onError: (error: unknown) => void,
  family: Family = 0,
): () => void {
  const known = isIP(host);
  if (known !== 0 && (family === 0 || family === known)) {
    onAddresses([host]);
    return () => undefined;
  }
  if (known === 0 && loop._resolver !== null) {
    return ask(loop, loop._resolver, host, family, onAddresses, onError);
  }
  const query = toAddressQuery(host, null, { family, type: 'stream' });
  const onFound = (found: AddressInfo[]): void =>
    onAddresses([...new Set(found.map((entry) => entry.address))]);
  return findAddresses(loop, query, onFound, onError);
}

function ask(
  loop: LoopCore,
  resolver: Resolver,
  host: string,
  family: Family,
  onAddresses: (addresses: string[]) => void,
  onError: (error: unknown) => void,
): () => void {
  let isWanted = true;
  const name = `resolve ${host}`;
  const task = createTaskOn(loop, async () => pick(await resolver.getAddrInfo(host, { family }), family), {
    name,
  });
  task.addDoneCallback(() => {
    let addresses: string[];
    try {
      addresses = task.result();
      if (addresses.length === 0) throw systemError(EAI_NONAME, 'getaddrinfo', { hostname: host });
    } catch (error) {
      if (isWanted) onError(error);
      return;
    }
    if (isWanted) onAddresses(addresses);
  });
  return () => {
    isWanted = false;
    task.cancel();
  };
}

function pick(found: unknown, family: Family): string[] {
  const wrong = (value: unknown): Error =>
    invalidReturnValue('options.resolver.getAddrInfo', 'an array of numeric addresses', value);
  if (!Array.isArray(found)) throw wrong(found);
  const picked = new Set<string>();
  for (const entry of found as ({ address?: unknown } | null | undefined)[]) {
    const address = entry?.address;
    if (typeof address !== 'string' || isIP(address) === 0) throw wrong(address);
    if (family === 0 || family === isIP(address)) picked.add(address);
  }
  return [...picked];
}
