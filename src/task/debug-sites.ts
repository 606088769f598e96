// Where futures were made and awaited, in debug mode: for `createdAt` and for the stacks of tasks.
//
// A stack takes far longer to record than everything else about a future, so nothing is recorded
// otherwise; and the futures have no field for it.
const origins = new WeakMap<object, string>();
const awaitSites = new WeakMap<object, string>();
const TRACEBACK_FRAMES = 10;

// The lines above the caller of `recorder`, whose frame is always the same.
function stackAbove(recorder: (future: object) => void): string {
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = TRACEBACK_FRAMES + 1;
  const holder: { stack?: string } = {};
  Error.captureStackTrace(holder, recorder);
  Error.stackTraceLimit = limit;
  const lines = (holder.stack ?? '').split('\n');
  return lines.slice(2).join('\n');
}

/** `future` is being made by the caller. @internal */
export function recordOrigin(future: object): void {
  origins.set(future, stackAbove(recordOrigin));
}

/** Where `future` was made, in debug mode. @internal */
export function originOf(future: object): string | undefined {
  return origins.get(future);
}

/** `future` is being awaited by way of the caller. @internal */
export function recordAwait(future: object): void {
  awaitSites.set(future, stackAbove(recordAwait));
}

/** Where `future` was awaited last, in debug mode. @internal */
export function awaitSiteOf(future: object): string | undefined {
  return awaitSites.get(future);
}
