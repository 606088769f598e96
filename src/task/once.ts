// Waiting for an event.
import type { EventEmitter } from 'node:events';
import { invalidArgType } from '../base/errors.js';
import { validateAbortSignal, validateObject } from '../base/validate.js';
import type { LoopCore } from '../core/loop.js';
import { cancelOnAbort, ignoreAbort } from './abort.js';
import { requireRunningLoop } from './current.js';
import { Future } from './future.js';
import { awaitNatively } from './native-await.js';

/** How {@link once} waits. */
export interface OnceOptions {
  /** Cancels when it aborts, with its reason. */
  signal?: AbortSignal;
}

type EventName = string | symbol;

/** Settled by an event; has no listeners any more once it is done. */
class Occurrence extends Future<unknown[]> {
  declare readonly _emitter: EventEmitter | EventTarget;
  declare readonly _name: EventName;
  declare readonly _onEvent: (...args: unknown[]) => void;
  declare readonly _onError: ((error: unknown) => void) | null;
  declare readonly _signal: AbortSignal | null;

  static {
    awaitNatively(this.prototype);
  }

  constructor(loop: LoopCore, emitter: EventEmitter | EventTarget, name: EventName, signal?: AbortSignal) {
    super(loop);
    this._emitter = emitter;
    this._name = name;
    this._onEvent = (...args) => {
      this._stopListening();
      this.setResultUnlessDone(args);
    };
    this._onError =
      isTarget(emitter) || name === 'error'
        ? null
        : (error) => {
            this._stopListening();
            if (!this.done()) this.setException(error);
          };
    this._signal = signal ?? null;
    if (signal?.aborted !== true) this._listen();
    if (signal !== undefined) cancelOnAbort(signal, this);
  }

  _listen(): void {
    const emitter = this._emitter;
    if (isTarget(emitter)) {
      emitter.addEventListener(this._name as string, this._onEvent);
    } else {
      emitter.on(this._name, this._onEvent);
      if (this._onError !== null) emitter.on('error', this._onError);
    }
  }

  _stopListening(): void {
    const emitter = this._emitter;
    if (isTarget(emitter)) {
      emitter.removeEventListener(this._name as string, this._onEvent);
    } else {
      emitter.removeListener(this._name, this._onEvent);
      if (this._onError !== null) emitter.removeListener('error', this._onError);
    }
    if (this._signal !== null) ignoreAbort(this._signal, this);
  }

  override cancel(reason?: unknown): boolean {
    if (!super.cancel(reason)) return false;
    this._stopListening();
    return true;
  }
}

// An emitter may be both; then it is an emitter, as to Node.
function isTarget(emitter: EventEmitter | EventTarget): emitter is EventTarget {
  return typeof (emitter as Partial<EventEmitter>).on !== 'function';
}

function validateEmitter(value: unknown): asserts value is EventEmitter | EventTarget {
  const emitter = (value ?? {}) as Partial<EventEmitter & EventTarget>;
  const isEmitter = typeof emitter.on === 'function' && typeof emitter.removeListener === 'function';
  if (isEmitter || typeof emitter.addEventListener === 'function') return;
  throw invalidArgType('emitter', 'an EventEmitter or an EventTarget', value);
}

/**
 * Waits for an event. Listening begins with the call and ends with the event, with an `'error'` event or
 * with a cancellation; then no listener is left.
 *
 * Suspends: always. A cancel point.
 *
 * @param emitter - An EventEmitter or an EventTarget.
 * @param name - The event.
 * @param options - `signal`: cancels when it aborts.
 * @returns What the listener gets: the arguments, or the event object alone.
 * @throws TypeError `ERR_INVALID_ARG_TYPE` - an argument is wrong.
 * @throws {@link InvalidStateError} `ERR_INVALID_STATE` - no loop is running.
 * @throws What comes with an `'error'` event of an EventEmitter, unless that is what is waited for.
 * @example
 * ```ts
 * const target = new EventTarget();
 * loop.callSoon(() => target.dispatchEvent(new globalThis.Event('ready')));
 * const [event] = await once(target, 'ready');
 * console.log(event.type);
 * ```
 * @source Node `events.once`. Differs: a signal cancels with its own reason.
 */
export function once(emitter: EventTarget, name: string, options?: OnceOptions): Future<[Event]>;
export function once<A extends unknown[] = unknown[]>(
  emitter: EventEmitter,
  name: EventName,
  options?: OnceOptions,
): Future<A>;
export function once(
  emitter: EventEmitter | EventTarget,
  name: EventName,
  options: OnceOptions = {},
): Future<unknown[]> {
  validateEmitter(emitter);
  if (typeof name !== 'symbol' && typeof name !== 'string') {
    throw invalidArgType('name', 'a string or a symbol', name);
  }
  validateObject('options', options);
  const { signal } = options;
  if (signal !== undefined) validateAbortSignal('options.signal', signal);
  return new Occurrence(requireRunningLoop(), emitter, name, signal);
}
