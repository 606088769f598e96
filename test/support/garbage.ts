// Makes the collector run, so that a test can see what is still held.
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { nodeTurn } from './loop.js';

setFlagsFromString('--expose-gc');
/** Collects now. */
export const collect = runInNewContext('gc') as () => void;

/** Whether the object is gone, or goes within a few collections. */
export async function isCollected(reference: WeakRef<object>): Promise<boolean> {
  for (let round = 0; round < 10; round++) {
    // A WeakRef holds its target until the job that looked at it has ended.
    await nodeTurn();
    collect();
    if (reference.deref() === undefined) return true;
  }
  return false;
}

/** Bytes of the heap and of array buffers that stay after several collections. */
export async function heldBytes(): Promise<number> {
  let least = Infinity;
  for (let round = 0; round < 5; round++) {
    collect();
    const { heapUsed, arrayBuffers } = process.memoryUsage();
    least = Math.min(least, heapUsed + arrayBuffers);
    // Array buffers are freed by a thread, some time after their collection.
    await nodeTurn();
  }
  return least;
}
