// Errors that nobody looked at.
//
// A failed future is watched only while its error is unread and no task waits for it. It is reported
// once: when it is garbage collected, when its loop closes, or when the process exits.
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

const notesOfLoops = new Map<LoopCore, Map<FailureNote, WeakRef<object>>>();
const hookedLoops = new WeakSet<LoopCore>();
let collected: FinalizationRegistry<FailureNote> | null = null;

// What Node does with rejections nobody handles, if its user said so: `--unhandled-rejections=...`.
const nodePolicy = /--unhandled-rejections[= ](\S+)/.exec(
  [process.env.NODE_OPTIONS ?? '', ...process.execArgv].join(' '),
)?.[1];

/** Watches over the unread error of `future`. @internal */
export function watchFailure(future: object, note: FailureNote): void {
  if (note.loop.isClosed()) return report(note, future);
  if (collected === null) process.on('exit', () => [...notesOfLoops.keys()].forEach(reportAll));
  let notes = notesOfLoops.get(note.loop);
  if (notes === undefined) {
    notes = new Map();
    notesOfLoops.set(note.loop, notes);
    hook(note.loop);
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

function hook(loop: LoopCore): void {
  if (hookedLoops.has(loop)) return;
  hookedLoops.add(loop);
  loop._onClose.push(() => reportAll(loop));
}

function forget(note: FailureNote): boolean {
  const notes = notesOfLoops.get(note.loop);
  if (notes?.delete(note) !== true) return false;
  // A loop that nobody closes can be collected.
  if (notes.size === 0) notesOfLoops.delete(note.loop);
  return true;
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
  if (note.loop.getExceptionHandler() === null && nodePolicy === 'none') return;
  const tell = (): void => note.loop.callExceptionHandler(context);
  if (note.context === null) tell();
  else note.context.runInAsyncScope(tell);
  if (note.loop.getExceptionHandler() === null) followNode(note.error);
}

// The default handler has reported it; a user who asked Node to be strict wants the process to fail.
function followNode(error: unknown): void {
  if (nodePolicy === 'warn-with-error-code') process.exitCode = 1;
  if (nodePolicy !== 'strict' && nodePolicy !== 'throw') return;
  process.exitCode ??= 1;
  setImmediate(() => {
    throw error;
  });
}
