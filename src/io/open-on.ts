// What has to hear that its loop is being closed: native tells only of what is its own.
import type { LoopCore } from '../core/loop.js';

/** @internal */
export interface LoopBound {
  /** The loop is about to close, and runs nothing any more. */
  _onLoopClosed(): void;
}

const bound = new WeakMap<LoopCore, Set<LoopBound>>();

/** Those who hear of the end of `loop`, until they are taken out. @internal */
export function openOn(loop: LoopCore): Set<LoopBound> {
  let open = bound.get(loop);
  if (open === undefined) {
    const all = new Set<LoopBound>();
    bound.set(loop, all);
    loop._onClose.push(() => {
      for (const one of all) one._onLoopClosed();
    });
    open = all;
  }
  return open;
}
