// What native reports, and who hears of it.
import { abi } from '../native/abi.js';
import type { Rings } from '../native/rings.js';
import type { Handle } from './handle.js';
import type { WheelTimers } from './wheel-timers.js';

/** Something native reports about. @internal */
export interface CompletionTarget {
  readonly generation: number;
  complete(kind: number, result: number, a: number, b: number): void;
}

const MASK = abi.COMPLETION_CAPACITY - 1;
const WARM_MASK = 31;

/** The completion ring of one loop, and the targets by slot. @internal */
export class Completions {
  readonly #rings: Rings;
  readonly #wheel: WheelTimers;
  readonly #push: (handle: Handle) => void;
  readonly #targets: (CompletionTarget | undefined)[] = [];
  readonly #mailboxes = new Set<() => void>();
  /** Foreign descriptors that are watched. */
  readonly watches = new Map<number, CompletionTarget>();

  /** `push` makes a handle ready. */
  constructor(rings: Rings, wheel: WheelTimers, push: (handle: Handle) => void) {
    this.#rings = rings;
    this.#wheel = wheel;
    this.#push = push;
  }

  /** Sends completions of a slot to `target`. */
  attach(index: number, target: CompletionTarget): void {
    this.#targets[index] = target;
  }

  detach(index: number, target: CompletionTarget): void {
    if (this.#targets[index] === target) this.#targets[index] = undefined;
  }

  /** Calls `collect` in the turn after another thread notified the loop; the answer takes that back. */
  addMailbox(collect: () => void): () => void {
    this.#mailboxes.add(collect);
    return () => this.#mailboxes.delete(collect);
  }

  /** Tells every target that it is closed: native will report no more. */
  close(): void {
    for (const target of this.#targets) target?.complete(abi.CQ_CLOSED, 0, 0, 0);
    this.watches.clear();
    this.#mailboxes.clear();
  }

  /** Delivers what has come. */
  reap(): void {
    const { control, completions: words, results } = this.#rings;
    let head = control[abi.CTL_COMPLETION_HEAD]!;
    const tail = control[abi.CTL_COMPLETION_TAIL]!;
    for (; head !== tail; head = (head + 1) >>> 0) {
      const entry = (head & MASK) * abi.ENTRY_WORDS;
      const kind = words[entry]!;
      const index = words[entry + 1]!;
      const generation = words[entry + 2]!;
      if (kind === abi.CQ_TIMER) {
        if ((head & WARM_MASK) === 0) {
          if (this.#wheel.warm(head, Math.min((tail - head) >>> 0, WARM_MASK + 1)) < 0) break;
        }
        const timer = this.#wheel.take(index, generation);
        if (timer !== undefined) this.#push(timer);
      } else if (kind === abi.CQ_NOTIFY) {
        for (const collect of this.#mailboxes) collect();
      } else {
        const target = kind === abi.CQ_READY ? this.watches.get(index) : this.#targets[index];
        if (target !== undefined && target.generation === generation) {
          target.complete(kind, results[entry + 3]!, words[entry + 4]!, words[entry + 5]!);
        } else if (kind === abi.CQ_ACCEPT && results[entry + 3]! >= 0) {
          // The listener was closed after native accepted for it.
          this.#rings.submit(abi.OP_RESET, results[entry + 3]!, words[entry + 4]!, 0, 0);
        }
      }
    }
    control[abi.CTL_COMPLETION_HEAD] = tail;
  }
}
