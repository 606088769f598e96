// Where the addresses of names come from.

/**
 * Finds the addresses of names in place of the system; an option of the loop.
 *
 * @example
 * ```ts
 * const hosts = new Map([['db.internal', '127.0.0.1']]);
 * const resolver: Resolver = {
 *   getAddrInfo: async (host, { family }) => {
 *     const address = hosts.get(host);
 *     return address === undefined ? EventLoop.running().getAddrInfo(host, null, { family }) : [{ address }];
 *   },
 * };
 * new EventLoop({ resolver }).close();
 * ```
 * @source trio 0.27 `trio.abc.HostnameResolver`. Differs: asked for connections and servers only;
 *   `loop.getAddrInfo()` asks the system.
 */
export interface Resolver {
  /**
   * Runs in a task of its own, which is cancelled when nobody wants the answer any more. Numeric hosts are
   * not asked for.
   *
   * @param host - The name as the user gave it.
   * @param options - `family`: 4 or 6 for addresses of one kind only, which are picked from the answer
   *   anyway, 0 for both.
   * @returns Numeric addresses, the preferred one first; none if there is no such name.
   */
  getAddrInfo(
    host: string,
    options: { family: 0 | 4 | 6 },
  ): PromiseLike<readonly { readonly address: string }[]>;
}
