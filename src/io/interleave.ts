// The order in which the addresses of a host are tried.

/**
 * Lets the address families take turns, the first one first, so that one that leads nowhere costs one
 * attempt and not many. Within a family the order stays.
 *
 * @param firstFamilyCount - Addresses of the first family before the first of the other; 0 changes nothing.
 * @source CPython 3.13 asyncio/base_events.py `_interleave_addrinfos`, RFC 8305 section 4
 * @internal
 */
export function interleave(addresses: readonly string[], firstFamilyCount: number): readonly string[] {
  if (firstFamilyCount === 0 || addresses.length < 2) return addresses;
  const isFirstFamily = (address: string): boolean => isIPv6(address) === isIPv6(addresses[0]!);
  const first = addresses.filter(isFirstFamily);
  const other = addresses.filter((address) => !isFirstFamily(address));
  const ordered = first.splice(0, firstFamilyCount - 1);
  for (let i = 0; i < first.length || i < other.length; i++) {
    if (i < first.length) ordered.push(first[i]!);
    if (i < other.length) ordered.push(other[i]!);
  }
  return ordered;
}

function isIPv6(address: string): boolean {
  return address.includes(':');
}
