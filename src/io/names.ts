// Questions to the system's resolver: loop.getAddrInfo() and loop.getNameInfo().
import { EAI_ADDRFAMILY, EAI_NONAME, systemError } from '../base/errors.js';
import type { LoopCore } from '../core/loop.js';
import type { AddressQuery } from '../native/binding.js';
import type { Future } from '../task/future.js';
import {
  answerNumeric,
  answerNumericName,
  toAddresses,
  toAddressQuery,
  toNameQuery,
  toNames,
  toSystemQuery,
  type AddressAndPort,
  type AddressInfo,
  type AddressOptions,
  type NameFlag,
  type NameInfo,
} from './address-query.js';
import { lookUp } from './lookups.js';
import { Request } from './request.js';

const nothing = (): void => undefined;

/**
 * Finds addresses, one or more: at once when the host is numeric, else while completions are reaped.
 *
 * @returns Gives the look-up up: nothing is said any more.
 * @internal
 */
export function findAddresses(
  loop: LoopCore,
  query: AddressQuery,
  onFound: (found: AddressInfo[]) => void,
  onError: (error: Error) => void,
): () => void {
  const fail = (errno: number): void =>
    onError(systemError(errno, 'getaddrinfo', query[0] === null ? {} : { hostname: query[0] }));
  const numeric = answerNumeric(query);
  const asked = toSystemQuery(query);
  if (numeric !== null) {
    if (numeric.length > 0) onFound(numeric);
    else fail(EAI_ADDRFAMILY);
  } else if (asked === null) {
    fail(EAI_NONAME);
  } else {
    return lookUp(loop, asked, (answer) => {
      if (answer[1] === 0) onFound(toAddresses(query, answer));
      else fail(answer[1]);
    });
  }
  return nothing;
}

/** See `EventLoop.getAddrInfo`. @internal */
export function getAddrInfoOn(
  loop: LoopCore,
  host: string | null,
  port: number | string | null,
  options: AddressOptions,
): Future<AddressInfo[]> {
  const query = toAddressQuery(host, port, options);
  const request = new Request<AddressInfo[]>(loop);
  request._stop = findAddresses(
    loop,
    query,
    (found) => request.setResult(found),
    (error) => request.setException(error),
  );
  return request;
}

/** See `EventLoop.getNameInfo`. @internal */
export function getNameInfoOn(
  loop: LoopCore,
  where: AddressAndPort,
  flags: readonly NameFlag[],
): Future<NameInfo> {
  const query = toNameQuery(where, flags);
  const request = new Request<NameInfo>(loop);
  const numeric = answerNumericName(query);
  if (numeric !== null) {
    request.setResult(numeric);
    return request;
  }
  request._stop = lookUp(loop, query, (answer) => {
    if (answer[1] === 0) request.setResult(toNames(answer));
    else request.setException(systemError(answer[1], 'getnameinfo', { address: query[0], port: where.port }));
  });
  return request;
}
