// The look-ups of one loop that the system's resolver works on, in threads of native.
//
// Equal questions share one look-up. When nobody waits for it any more it is dropped, unless a thread
// has begun it: then it goes on, holds nothing alive, and serves whoever asks the same meanwhile.
import type { LoopCore } from '../core/loop.js';
import type { AddressQuery, LookupAnswer, NameQuery } from '../native/binding.js';

/** Hears the answer, in no context of anybody: it must not call user code. */
type Listener = (answer: LookupAnswer) => void;

class Lookup {
  readonly id: number;
  readonly key: string;
  readonly listeners = new Set<Listener>();

  constructor(id: number, key: string) {
    this.id = id;
    this.key = key;
  }
}

class Lookups {
  readonly #loop: LoopCore;
  readonly #byId = new Map<number, Lookup>();
  readonly #byKey = new Map<string, Lookup>();
  #lastId = 0;

  constructor(loop: LoopCore) {
    this.#loop = loop;
    loop._native.openResolver(loop._dnsThreads);
    loop._addMailbox(() => this.#collect());
  }

  /** Answers how to leave: then `listener` hears nothing any more. */
  join(query: AddressQuery | NameQuery, listener: Listener): () => void {
    const key = JSON.stringify(query);
    const lookup = this.#byKey.get(key) ?? this.#begin(key, query, listener);
    if (lookup === null) return () => undefined;
    if (lookup.listeners.size === 0) this.#loop._reference(1);
    // The same function may come twice.
    const own: Listener = (answer) => listener(answer);
    lookup.listeners.add(own);
    return () => this.#leave(lookup, own);
  }

  // Null when it failed at once.
  #begin(key: string, query: AddressQuery | NameQuery, listener: Listener): Lookup | null {
    const native = this.#loop._native;
    const id = (this.#lastId = (this.#lastId + 1) >>> 0);
    const status = query.length === 3 ? native.lookUpName(id, ...query) : native.lookUp(id, ...query);
    if (status < 0) {
      listener([id, status]);
      return null;
    }
    const lookup = new Lookup(id, key);
    this.#byId.set(id, lookup);
    this.#byKey.set(key, lookup);
    return lookup;
  }

  #leave(lookup: Lookup, listener: Listener): void {
    if (!lookup.listeners.delete(listener) || lookup.listeners.size > 0 || this.#loop.isClosed()) return;
    this.#loop._reference(-1);
    if (this.#loop._native.dropLookup(lookup.id)) this.#forget(lookup);
  }

  #forget(lookup: Lookup): void {
    this.#byId.delete(lookup.id);
    this.#byKey.delete(lookup.key);
  }

  // Other threads notify the loop as well.
  #collect(): void {
    if (this.#byId.size === 0) return;
    const native = this.#loop._native;
    for (let answer = native.takeLookup(); answer !== undefined; answer = native.takeLookup()) {
      const lookup = this.#byId.get(answer[0])!;
      this.#forget(lookup);
      if (lookup.listeners.size > 0) this.#loop._reference(-1);
      const listeners = [...lookup.listeners];
      lookup.listeners.clear();
      for (const listener of listeners) listener(answer);
    }
  }
}

const lookupsOf = new WeakMap<LoopCore, Lookups>();

/**
 * Asks the system's resolver.
 *
 * @param listener - Hears the answer, once, unless what this returns is called before.
 * @internal
 */
export function lookUp(
  loop: LoopCore,
  query: AddressQuery | NameQuery,
  listener: (answer: LookupAnswer) => void,
): () => void {
  let lookups = lookupsOf.get(loop);
  if (lookups === undefined) lookupsOf.set(loop, (lookups = new Lookups(loop)));
  return lookups.join(query, listener);
}
