// The memory that JS and native share, and JS's ends of the two rings (layout: native/abi.h).
import { abi } from './abi.js';

const SUBMISSION_MASK = abi.SUBMISSION_CAPACITY - 1;
const GENERATION_MASK = 0x7fffffff;
const ENTRY_SHIFT = Math.log2(abi.ENTRY_WORDS);

/** What {@link Rings} needs of the loop it belongs to. */
export interface RingOwner {
  /** Empties the submission ring at once. */
  flush(): void;
  /** Asks for a turn; called when something is submitted outside of one. */
  requestTurn(): void;
}

/** Buffers of one loop; JS allocates them and keeps them alive as long as native may write. */
export class Rings {
  readonly memory: readonly [ArrayBuffer, ArrayBuffer, ArrayBuffer, ArrayBuffer];
  readonly control: Uint32Array;
  readonly doubles: Float64Array;
  readonly submissions: Uint32Array;
  readonly completions: Uint32Array;
  readonly results: Int32Array;
  readonly sendSlab: Buffer;
  readonly #doubles: Float64Array;
  readonly #owner: RingOwner;

  constructor(owner: RingOwner) {
    const entryBytes = abi.ENTRY_WORDS * 4;
    const control = new ArrayBuffer(abi.CONTROL_WORDS * 4);
    const submissions = new ArrayBuffer(abi.SUBMISSION_CAPACITY * entryBytes);
    const completions = new ArrayBuffer(abi.COMPLETION_CAPACITY * entryBytes);
    const sendSlab = new ArrayBuffer(abi.SEND_SLAB_BYTES);
    this.memory = [control, submissions, completions, sendSlab];
    this.control = new Uint32Array(control);
    this.doubles = new Float64Array(control);
    this.submissions = new Uint32Array(submissions);
    this.completions = new Uint32Array(completions);
    this.results = new Int32Array(completions);
    this.sendSlab = Buffer.from(sendSlab);
    this.#doubles = new Float64Array(submissions);
    this.#owner = owner;
  }

  /** Appends an entry; answers its position, which stays valid until native has drained it. */
  submit(op: number, index: number, generation: number, a: number, b: number): number {
    const position = this.#reserve();
    const entry = (position & SUBMISSION_MASK) << ENTRY_SHIFT;
    const words = this.submissions;
    words[entry] = op;
    words[entry + 1] = index;
    words[entry + 2] = generation;
    words[entry + 3] = a;
    words[entry + 4] = b;
    this.#publish(position);
    return position;
  }

  /**
   * Appends a timer start: `op` says whether `timeMs` is a deadline or a delay. Its generation is its
   * position in the ring, which also serves to take it back; 31 bits of it, so that the number stays
   * a small integer of the engine.
   */
  submitTimer(op: number, index: number, timeMs: number): number {
    // The most frequent submission, hence written out.
    const control = this.control;
    const position = control[abi.CTL_SUBMISSION_TAIL]!;
    if ((position - control[abi.CTL_SUBMISSION_HEAD]!) >>> 0 === abi.SUBMISSION_CAPACITY) this.#owner.flush();
    const generation = position & GENERATION_MASK;
    const entry = (position & SUBMISSION_MASK) << ENTRY_SHIFT;
    const words = this.submissions;
    words[entry] = op;
    words[entry + 1] = index;
    words[entry + 2] = generation;
    this.#doubles[(entry >> 1) + 3] = timeMs;
    control[abi.CTL_SUBMISSION_TAIL] = position + 1;
    if (control[abi.CTL_IN_HOST] === 0 && control[abi.CTL_WAKE_REQUESTED] === 0) this.#owner.requestTurn();
    return generation;
  }

  /** Takes a timer start back; false when native has already seen it. */
  withdrawTimer(index: number, generation: number): boolean {
    const control = this.control;
    const head = control[abi.CTL_SUBMISSION_HEAD]!;
    const tail = control[abi.CTL_SUBMISSION_TAIL]!;
    if (((generation - head) & GENERATION_MASK) >= (tail - head) >>> 0) return false;
    const entry = (generation & SUBMISSION_MASK) << ENTRY_SHIFT;
    const words = this.submissions;
    // Positions wrap, so an old one may name an entry of somebody else.
    const op = words[entry];
    if (op !== abi.OP_TIMER_START && op !== abi.OP_TIMER_START_IN) return false;
    if (words[entry + 1] !== index || words[entry + 2] !== generation) return false;
    if (((tail - 1) & GENERATION_MASK) === generation) {
      control[abi.CTL_SUBMISSION_TAIL] = tail - 1;
    } else {
      words[entry] = abi.OP_NOP;
    }
    return true;
  }

  /**
   * Gives the timer starts from position `first` on their deadlines: those that wait here are counted
   * from `nowMs`, for the others native has written down what it took.
   */
  settleTimers(
    first: number,
    nowMs: number,
    onSettled: (index: number, generation: number, deadlineMs: number) => void,
  ): void {
    const tail = this.control[abi.CTL_SUBMISSION_TAIL]!;
    const words = this.submissions;
    const doubles = this.#doubles;
    // Nothing, when all of them were withdrawn.
    for (let left = (tail - first) | 0, position = first; left > 0; left--, position = (position + 1) >>> 0) {
      const entry = (position & SUBMISSION_MASK) << ENTRY_SHIFT;
      const time = (entry + 6) >> 1;
      if (words[entry] === abi.OP_TIMER_START_IN) {
        words[entry] = abi.OP_TIMER_START;
        doubles[time]! += nowMs;
      } else if (words[entry] !== abi.OP_TIMER_START) {
        continue;
      }
      onSettled(words[entry + 1]!, words[entry + 2]!, doubles[time]!);
    }
  }

  /** Lengthens the newest entry when it is such a send of the same socket that ends at `offset`. */
  extendSend(op: number, index: number, generation: number, offset: number, length: number): boolean {
    const control = this.control;
    const tail = control[abi.CTL_SUBMISSION_TAIL]!;
    if (tail === control[abi.CTL_SUBMISSION_HEAD]) return false;
    const entry = ((tail - 1) & SUBMISSION_MASK) << ENTRY_SHIFT;
    const words = this.submissions;
    if (
      words[entry] !== op ||
      words[entry + 1] !== index ||
      words[entry + 2] !== generation ||
      words[entry + 3]! + words[entry + 4]! !== offset
    ) {
      return false;
    }
    words[entry + 4]! += length;
    return true;
  }

  #reserve(): number {
    const control = this.control;
    const pending = (control[abi.CTL_SUBMISSION_TAIL]! - control[abi.CTL_SUBMISSION_HEAD]!) >>> 0;
    if (pending === abi.SUBMISSION_CAPACITY) this.#owner.flush();
    return control[abi.CTL_SUBMISSION_TAIL]!;
  }

  #publish(position: number): void {
    const control = this.control;
    control[abi.CTL_SUBMISSION_TAIL] = position + 1;
    if (control[abi.CTL_IN_HOST] === 0 && control[abi.CTL_WAKE_REQUESTED] === 0) this.#owner.requestTurn();
  }
}
