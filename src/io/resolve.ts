// Host names to numeric addresses, by Node's resolver; numeric ones are answered without it.
import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import type { LoopCore } from '../core/loop.js';

/**
 * Gives the numeric addresses of a host, in the resolver's order: at once when it is numeric itself,
 * else from outside of a turn. Says nothing when the loop was closed meanwhile.
 *
 * @internal
 */
export function resolveOn(
  loop: LoopCore,
  host: string,
  onAddresses: (addresses: string[]) => void,
  onError: (error: unknown) => void,
): void {
  if (isIP(host) !== 0) return onAddresses([host]);
  lookup(host, { all: true, order: 'verbatim' }).then(
    (found) => loop.isClosed() || onAddresses([...new Set(found.map((entry) => entry.address))]),
    (error: unknown) => loop.isClosed() || onError(error),
  );
}
