// Makes the native side of a loop.
import { systemError } from '../base/errors.js';
import { abi } from './abi.js';
import { HOST_THREAD, HOST_UV, POLLERS, type NativeLoop } from './binding.js';
import { binding } from './load.js';
import type { Rings } from './rings.js';

/** How readiness is found. @internal */
export type Backend = keyof typeof POLLERS;

/** How the native side waits, and how Node's loop hears of it. @internal */
export interface NativeOptions {
  backend: Backend;
  host: 'uv' | 'thread';
}

/**
 * Opens a poller and its host. `turn` is called in a callback scope of `resource`.
 *
 * @throws SystemError - the system has no room for another poller (`EMFILE` ...), or the backend and
 *   host do not go together (`ENOTSUP`).
 * @internal
 */
export function openNative(
  { backend, host }: NativeOptions,
  rings: Rings,
  turn: () => void,
  resource: object,
): NativeLoop {
  const created = binding.createLoop(
    POLLERS[backend],
    host === 'uv' ? HOST_UV : HOST_THREAD,
    turn,
    resource,
    rings.memory,
  );
  if (typeof created === 'number') throw systemError(created, `open ${backend} on the ${host} host`);
  if (rings.control[abi.CTL_ABI_VERSION] !== abi.ABI_VERSION) {
    created.close();
    throw new Error('The native addon belongs to another version of evloop');
  }
  return created;
}
