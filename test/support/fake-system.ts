// The system's resolver as a test wants it: it answers when it is told to.
import type { EventLoop } from '../../src/event-loop.js';
import type { AddressQuery, LookupAnswer, NameQuery, NativeLoop } from '../../src/native/binding.js';
import { binding } from '../../src/native/load.js';

type Query = AddressQuery | NameQuery;
type Rest = (number | string)[];

/** Stands in for native's threads. */
export class FakeSystem {
  /** Every question, in order. */
  readonly asked: Query[] = [];
  /** What a look-up answers that is to fail at once. */
  refusal = 0;
  /** Whether threads have begun what was asked, so that it cannot be dropped. */
  isBusy = false;
  readonly dropped: number[] = [];
  readonly #pending = new Map<number, Query>();
  readonly #finished: LookupAnswer[] = [];
  readonly #loop: EventLoop;

  constructor(loop: EventLoop) {
    this.#loop = loop;
    const lookUp = (id: number, ...query: unknown[]): number => {
      this.asked.push(query as unknown as Query);
      if (this.refusal === 0) this.#pending.set(id, query as unknown as Query);
      return this.refusal;
    };
    const replaced: Partial<NativeLoop> = {
      lookUp,
      lookUpName: lookUp,
      dropLookup: (id) => {
        if (!this.isBusy && this.#pending.delete(id)) this.dropped.push(id);
        return !this.isBusy;
      },
      takeLookup: () => this.#finished.shift(),
    };
    const fields = Object.entries(replaced).map(([name, value]) => [name, { value }]);
    const native = Object.create(
      loop._native,
      Object.fromEntries(fields) as PropertyDescriptorMap,
    ) as unknown;
    Object.assign(loop, { _native: native });
  }

  /** How many questions have no answer yet. */
  get pending(): number {
    return this.#pending.size;
  }

  /** Answers the oldest question about a host. */
  answer(host: string | null, status: number, ...rest: Rest): void {
    for (const [id, query] of this.#pending) {
      if (query[0] !== host) continue;
      this.#pending.delete(id);
      this.#finished.push([id, status, ...rest]);
      binding.notify(this.#loop._native.notifierId);
      return;
    }
    throw new Error(`Nobody asked for ${String(host)}`);
  }

  /** Answers with addresses of streams. */
  find(host: string | null, ...addresses: string[]): void {
    const rows = addresses.map((address) => [address.includes(':') ? 6 : 4, 1, 6, '', address, 0]);
    this.answer(host, 0, ...rows.flat());
  }
}
