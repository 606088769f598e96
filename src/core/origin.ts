// Where handles were made, for messages; known in debug mode only.
import type { Handle } from './handle.js';

const origins = new WeakMap<Handle, string>();
const ORIGIN_FRAMES = 10;

/** Remembers the stack above `loop[method]`. @internal */
export function recordOrigin(
  loop: object,
  handle: Handle,
  method: 'callSoon' | 'callSoonWith' | 'callLater' | 'callAt',
): void {
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = ORIGIN_FRAMES;
  const holder: { stack?: string } = {};
  Error.captureStackTrace(holder, Reflect.get(loop, method) as () => unknown);
  Error.stackTraceLimit = limit;
  origins.set(handle, holder.stack ?? '');
}

/** Names a handle, and in debug mode where it was made. @internal */
export function describeHandle(handle: Handle): string {
  const origin = origins.get(handle);
  return origin === undefined
    ? handle._describe()
    : `${handle._describe()} created at${origin.replace(/^[^\n]*/, '')}`;
}

/** Where a handle was made. @internal */
export function originOf(handle: Handle): string | undefined {
  return origins.get(handle);
}
