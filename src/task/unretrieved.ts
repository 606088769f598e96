// Errors that nobody looked at.
//
// A failed future is watched only while its error is unread and no task waits for it. It is reported
// once: when it is garbage collected, or when its loop closes.
import type { ContextSnapshot } from '../core/context.js';
import type { ExceptionContext } from '../core/exception.js';
import type { LoopCore } from '../core/loop.js';

/** What is to be told about a failed future; must not hold the future itself. @internal */
export interface FailureNote {
  readonly loop: LoopCore;
  readonly error: unknown;
  /** `Future` or `Task`. */
  readonly kind: string;
  readonly description: string;
  readonly createdAt: string | undefined;
  /** The exception handler runs in the context of what failed. */
  readonly context: ContextSnapshot | null;
}

const notesOfLoops = new WeakMap<LoopCore, Map<FailureNote, WeakRef<object>>>();
let collected: FinalizationRegistry<FailureNote> | null = null;

/** Watches over the unread error of `future`. @internal */
export function watchFailure(future: object, note: FailureNote): void {
  if (note.loop.isClosed()) return report(note, future);
  let notes = notesOfLoops.get(note.loop);
  if (notes === undefined) {
    notes = new Map();
    notesOfLoops.set(note.loop, notes);
    note.loop._onClose.push(() => reportAll(note.loop));
  }
  notes.set(note, new WeakRef(future));
  collected ??= new FinalizationRegistry((gone) => {
    if (forget(gone)) report(gone, undefined);
  });
  collected.register(future, note, note);
}

/** Somebody read the error. @internal */
export function forgetFailure(note: FailureNote): void {
  if (forget(note)) collected?.unregister(note);
}

function forget(note: FailureNote): boolean {
  return notesOfLoops.get(note.loop)?.delete(note) ?? false;
}

function reportAll(loop: LoopCore): void {
  const notes = notesOfLoops.get(loop) ?? new Map<FailureNote, WeakRef<object>>();
  notesOfLoops.delete(loop);
  for (const [note, reference] of notes) {
    collected?.unregister(note);
    report(note, reference.deref());
  }
}

function report(note: FailureNote, future: object | undefined): void {
  const context: ExceptionContext = {
    message: `${note.kind} exception was never retrieved`,
    exception: note.error,
    future: future ?? note.description,
    sourceTraceback: note.createdAt,
  };
  const tell = (): void => note.loop.callExceptionHandler(context);
  if (note.context === null) tell();
  else note.context.runInAsyncScope(tell);
}
