// One address that is being connected to.
import { systemError } from '../base/errors.js';
import type { CompletionTarget, LoopCore } from '../core/loop.js';
import { abi } from '../native/abi.js';
import type { SlotRef } from '../native/binding.js';

/** What all attempts of one connection share. @internal */
export interface ConnectPlan {
  /** 0 when the addresses are paths. */
  readonly port: number;
  readonly flags: number;
  readonly keepAliveSeconds: number;
  /** `''` and 0 where the system picks. */
  readonly localAddress: string;
  readonly localPort: number;
}

/** One attempt; its slot belongs to whoever takes the connection. @internal */
export class Attempt implements CompletionTarget {
  readonly generation: number;
  readonly #loop: LoopCore;
  readonly #index: number;
  readonly #settle: (error: Error | null, slot: SlotRef) => void;
  readonly #where: { address: string; port?: number };
  #isOver = false;

  /** @throws SystemError - the system refuses at once, for instance because it has no route. */
  constructor(
    loop: LoopCore,
    address: string,
    plan: ConnectPlan,
    settle: (error: Error | null, slot: SlotRef) => void,
  ) {
    this.#loop = loop;
    this.#where = plan.port === 0 ? { address } : { address, port: plan.port };
    this.#settle = settle;
    loop._openSlabs();
    const { port, flags, keepAliveSeconds, localAddress, localPort } = plan;
    const index = loop._native.connect(address, port, flags, keepAliveSeconds, localAddress, localPort);
    if (index < 0) throw systemError(index, 'connect', this.#where);
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

  /** Gives the attempt up, unless it is over; whoever has accepted it already sees a reset. */
  abandon(): void {
    this.#giveUp(abi.OP_RESET);
  }

  /** As {@link Attempt.abandon}, but whoever has accepted it already sees an end. */
  close(): void {
    this.#giveUp(abi.OP_CLOSE);
  }

  #giveUp(operation: number): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#loop._reference(-1);
    // 1: at once.
    this.#loop._rings.submit(operation, this.#index, this.generation, 1, 0);
  }
}
