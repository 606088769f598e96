// Lets an AbortSignal cancel tasks and futures.
//
// However many hang on one signal it has one listener, so that a signal for the life of a server
// neither warns of a leak nor searches a long list when a task begins.

/** Something that a signal can cancel. @internal */
export interface Cancellable {
  cancel(reason?: unknown): boolean;
}

const cancellablesOf = new WeakMap<AbortSignal, Set<Cancellable>>();

function onAbort(event: Event): void {
  const signal = event.target as AbortSignal;
  const cancellables = cancellablesOf.get(signal);
  cancellablesOf.delete(signal);
  for (const cancellable of cancellables ?? []) cancellable.cancel(signal.reason);
}

/** Cancels when `signal` aborts, at once if it has, with its reason. @internal */
export function cancelOnAbort(signal: AbortSignal, cancellable: Cancellable): void {
  if (signal.aborted) {
    cancellable.cancel(signal.reason);
    return;
  }
  let cancellables = cancellablesOf.get(signal);
  if (cancellables === undefined) {
    cancellables = new Set();
    cancellablesOf.set(signal, cancellables);
    signal.addEventListener('abort', onAbort, { once: true });
  }
  cancellables.add(cancellable);
}

/** Takes back {@link cancelOnAbort}; the last one leaves no listener behind. @internal */
export function ignoreAbort(signal: AbortSignal, cancellable: Cancellable): void {
  const cancellables = cancellablesOf.get(signal);
  if (cancellables?.delete(cancellable) !== true || cancellables.size > 0) return;
  cancellablesOf.delete(signal);
  signal.removeEventListener('abort', onAbort);
}

/** Whether `error` is how an API told that it heeded `signal`: the reason, or an error because of it. @internal */
export function isAbortOf(signal: AbortSignal, error: unknown): boolean {
  if (!signal.aborted) return false;
  if (error === signal.reason) return true;
  return error instanceof Error && error.name === 'AbortError' && error.cause === signal.reason;
}
