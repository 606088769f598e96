// The handle of a task in the ready queue and in the callbacks of what it waits for: always the same.
import type { ContextSnapshot } from '../core/context.js';
import { Handle, type HandleKind } from '../core/handle.js';

/** What is known here of a task. @internal */
export interface Steppable {
  _step(): void;
  _describe(): string;
}

/** @internal */
export class StepHandle extends Handle {
  readonly task: Steppable;

  constructor(kind: HandleKind, context: ContextSnapshot | null, task: Steppable) {
    super(kind, context);
    this.task = task;
  }

  _run(): void {
    this.task._step();
  }

  _describe(): string {
    return `step of ${this.task._describe()}`;
  }
}
