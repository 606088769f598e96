// The loop under the sockets of Node: one a thread, made when the first socket needs it. It runs next to whichever
// loop the program runs itself, and is nobody's current one.
import { Handle, KIND_CALLBACK } from '../core/handle.js';
import type { ContextSnapshot } from '../core/context.js';
import { LoopCore } from '../core/loop.js';
import { binding } from '../native/load.js';

let loop: LoopCore | null = null;

/** The loop of this thread's sockets. @internal */
export function faceLoop(): LoopCore {
  return (loop ??= open());
}

/** The loop if any socket has needed it. @internal */
export function openFaceLoop(): LoopCore | null {
  return loop;
}

function open(): LoopCore {
  const opened = new LoopCore({ debug: false });
  opened._startInBackground();
  opened._openSlabs();
  // What was written before process.exit() has left with Node's sockets.
  process.on('exit', () => opened._native.flush());
  return opened;
}

/** Something that a socket or server of Node hears of. What it throws is an uncaught exception, as with Node's own. @internal */
export abstract class FaceEvent extends Handle {
  constructor(context: ContextSnapshot | null) {
    super(KIND_CALLBACK, context);
  }

  _run(): void {
    try {
      this._deliver();
    } catch (error) {
      binding.raise(error);
    }
  }

  protected abstract _deliver(): void;

  _describe(): string {
    return this.constructor.name;
  }
}

/** An event that is told by calling a function. @internal */
export class FaceCall extends FaceEvent {
  readonly #call: () => void;

  constructor(context: ContextSnapshot | null, call: () => void) {
    super(context);
    this.#call = call;
  }

  protected _deliver(): void {
    this.#call();
  }
}
