// One address that is being connected to.
import { systemError } from '../base/errors.js';
import type { CompletionTarget, LoopCore } from '../core/loop.js';
import { abi } from '../native/abi.js';
import type { SlotRef } from '../native/binding.js';

/** One attempt; its slot belongs to whoever takes the connection. @internal */
export class Attempt implements CompletionTarget {
  readonly generation: number;
  readonly #loop: LoopCore;
  readonly #index: number;
  readonly #settle: (error: Error | null, slot: SlotRef) => void;
  readonly #where: { address: string; port: number };
  #isOver = false;

  /** @throws SystemError - the system refuses at once, for instance because it has no route. */
  constructor(
    loop: LoopCore,
    where: { address: string; port: number },
    flags: number,
    settle: (error: Error | null, slot: SlotRef) => void,
  ) {
    this.#loop = loop;
    this.#where = where;
    this.#settle = settle;
    loop._openSlabs();
    const index = loop._native.connect(where.address, where.port, flags);
    if (index < 0) throw systemError(index, 'connect', where);
    this.#index = index;
    this.generation = loop._rings.control[abi.CTL_RESULT_GENERATION]!;
    loop._attach(index, this);
    loop._reference(1);
  }

  get slot(): SlotRef {
    return { index: this.#index, generation: this.generation };
  }

  complete(kind: number, result: number): void {
    if (kind === abi.CQ_CLOSED) {
      this.#loop._detach(this.#index, this);
      return;
    }
    if (kind !== abi.CQ_CONNECT || this.#isOver) return;
    this.#isOver = true;
    this.#loop._reference(-1);
    if (result < 0) this.#loop._rings.submit(abi.OP_RESET, this.#index, this.generation, 0, 0);
    this.#settle(result < 0 ? systemError(result, 'connect', this.#where) : null, this.slot);
  }

  /** Gives the attempt up, unless it is over. */
  abandon(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#loop._reference(-1);
    this.#loop._rings.submit(abi.OP_RESET, this.#index, this.generation, 0, 0);
  }
}
