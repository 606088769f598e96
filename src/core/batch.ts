// The ready queue, and the one place where handles are called.
//
// A batch is what was ready when it began; what it schedules is part of the next one. Some handles
// want `process.nextTick` and promise jobs to drain before the next one runs (drain.ts). Where only
// native can do that, the batch stops with TURN_DRAIN, and goes on when native comes back.
import { AsyncResource } from 'node:async_hooks';
import { channel } from 'node:diagnostics_channel';
import { abi } from '../native/abi.js';
import { binding } from '../native/load.js';
import type { Rings } from '../native/rings.js';
import { monotonicMs } from './clock.js';
import type { ContextSnapshot } from './context.js';
import { captureContext, contextAfterRun, isContextTracked, isContextWritable } from './context.js';
import { drainTicks } from './drain.js';
import {
  KIND_ASYNC_STEP,
  KIND_CALLBACK,
  KIND_STEP,
  KIND_WAKE_UP,
  type Handle,
  type HandleKind,
} from './handle.js';
import type { SchedulingPolicy } from './policy.js';

/** What a batch tells its loop, and asks it. @internal */
export interface BatchOwner {
  readonly debug: boolean;
  readonly slowCallbackDuration: number;
  /** Null when nobody but the channel wants to hear of slow callbacks. */
  readonly onSlowCallback: unknown;
  _onSlowCallback(handle: Handle, durationMs: number): void;
  _onCallbackError(handle: Handle, context: ContextSnapshot | null, error: unknown): void;
}

// Steps of a task run in the same context, with what they enter themselves.
function runHandle(handle: Handle, context: ContextSnapshot): void {
  handle._run();
  if (handle.kind === KIND_STEP) handle.context = contextAfterRun(context);
}

// A clock read costs as much as a handle or two.
const HANDLES_PER_CLOCK_READ = 32;

/** Hears of slow callbacks of every loop. @internal */
export const slowCallbackChannel = channel('evloop.slowCallback');

/** Runs what is ready, batch by batch. @internal */
export class Batch {
  readonly #owner: BatchOwner;
  readonly #rings: Rings;
  readonly #policy: SchedulingPolicy;
  readonly #maxBatch: number;
  readonly #isDrainedPerCallback: boolean;
  // The loop's own context, which nobody writes into.
  readonly #context = new AsyncResource('EVLOOP');
  // Handles of the batch that have not run.
  #left = 0;
  // Taken from the policy, but something has to drain before it.
  #held: Handle | null = null;
  #ranKind: HandleKind | -1 = -1;
  #ranInStay = 0;
  #stayEndsMs = 0;
  #handlesRun = 0;

  constructor(
    owner: BatchOwner,
    rings: Rings,
    options: { policy: SchedulingPolicy; maxBatch: number; isDrainedPerCallback: boolean },
  ) {
    this.#owner = owner;
    this.#rings = rings;
    this.#policy = options.policy;
    this.#maxBatch = options.maxBatch;
    this.#isDrainedPerCallback = options.isDrainedPerCallback;
  }

  /** Handles that are ready. */
  get size(): number {
    return this.#policy.size + (this.#held === null ? 0 : 1);
  }

  /** Whether a batch was interrupted. */
  get isUnderWay(): boolean {
    return this.#left > 0;
  }

  /** Handles that were run so far. */
  get handlesRun(): number {
    return this.#handlesRun + this.#ranInStay;
  }

  push(handle: Handle): void {
    this.#policy.push(handle);
  }

  clear(): void {
    while (this.#policy.pop() !== undefined);
  }

  /** Native called: whatever ran before, its promise jobs have run as well. */
  enter(): void {
    this.#ranKind = -1;
  }

  /** Node's own work has had its turn. */
  beginStay(): void {
    this.#ranInStay = 0;
    this.#stayEndsMs = 0;
  }

  /** What is ready now is the next batch. */
  begin(): void {
    this.#left = this.#policy.size;
  }

  /** Calls `body` in the loop's own context if it could be left in another one. */
  inOwnContext(owner: object, body: () => void): void {
    if (isContextWritable()) this.#context.runInAsyncScope(body, owner);
    else body.call(owner);
  }

  /** Lets the promise jobs of the batch run if it needs that; false when only native can. */
  settle(): boolean {
    if (this.#ranKind === KIND_STEP) return true;
    if (!this.#drain()) return false;
    this.#ranKind = -1;
    return true;
  }

  /** Lets everything run that the turn has queued with Node; false when only native can. */
  leave(): boolean {
    return this.#drain();
  }

  /** Runs the batch, or the rest of it. Answers a TURN_ number of abi.h. */
  run(): number {
    const policy = this.#policy;
    const isFifo = policy.isFifo === true;
    const maxBatch = this.#maxBatch;
    const isTimed =
      this.#owner.debug || this.#owner.onSlowCallback !== null || slowCallbackChannel.hasSubscribers;
    let left = this.#left;
    let ranKind = this.#ranKind;
    while (left > 0) {
      const held = this.#held;
      const handle = held ?? policy.pop();
      if (held !== null) this.#held = null;
      if (handle === undefined) {
        // The policy dropped some.
        left = 0;
        break;
      }
      if (handle.cancelled()) {
        left--;
        continue;
      }
      if (ranKind !== -1 && ranKind !== handle.kind && this.#isDrainedPerCallback) {
        this.#held = handle;
        this.#left = left;
        if (!this.#drain()) return abi.TURN_DRAIN;
        ranKind = -1;
        continue;
      }
      left--;
      ranKind = handle.kind;
      if (isTimed) {
        this.#runTimed(handle);
      } else {
        this.#run(handle);
        if (ranKind === KIND_WAKE_UP) handle._release();
      }
      const ran = this.#ranInStay + 1;
      this.#ranInStay = ran;
      if (left === 0) break;
      if ((ran % HANDLES_PER_CLOCK_READ === 0 || ran >= maxBatch) && this.#isOverBudget()) {
        this.#left = left;
        return abi.TURN_YIELD;
      }
      if (this.#isDrainedPerCallback && (ranKind === KIND_CALLBACK || (ranKind !== KIND_STEP && !isFifo))) {
        this.#left = left;
        if (!this.#drain()) return abi.TURN_DRAIN;
        ranKind = -1;
      }
    }
    this.#left = 0;
    this.#ranKind = ranKind;
    this.#handlesRun += this.#ranInStay;
    this.#ranInStay = 0;
    return abi.TURN_DONE;
  }

  // Lets nextTick and promise jobs run; false when native has to do it.
  #drain(): boolean {
    if (drainTicks === null) return false;
    try {
      drainTicks();
      return true;
    } catch (error) {
      // Thrown on through a context that was entered, it would find Node's stack of contexts changed.
      binding.raise(error);
      return false;
    }
  }

  // Whether this batch has kept Node's own work waiting for long enough.
  #isOverBudget(): boolean {
    const ran = this.#ranInStay;
    if (ran < this.#maxBatch) {
      const now = monotonicMs();
      if (this.#stayEndsMs === 0) {
        this.#stayEndsMs = now + this.#rings.doubles[abi.CTL_F64_BUDGET_MS]!;
        return false;
      }
      if (now < this.#stayEndsMs) return false;
    }
    this.#handlesRun += ran;
    this.beginStay();
    return true;
  }

  #run(handle: Handle): void {
    const isWakeUp = handle.kind === KIND_WAKE_UP;
    if (handle.context === null && !isWakeUp && isContextTracked()) handle.context = this.#ownContext();
    const { context } = handle;
    try {
      if (isWakeUp) {
        handle._run();
      } else if (context !== null) {
        context.runInAsyncScope(runHandle, undefined, handle, context);
      } else {
        handle._run();
        // It began to use a storage; what it entered is there when it runs again.
        if (isContextTracked()) handle.context = captureContext();
      }
    } catch (error) {
      this.#owner._onCallbackError(handle, context, error);
    }
  }

  // The context of a handle that has none: the loop's, or where `enterWith` would write into that, a copy.
  #ownContext(): ContextSnapshot | null {
    return isContextWritable() ? this.#context.runInAsyncScope(captureContext) : this.#context;
  }

  #runTimed(handle: Handle): void {
    const begin = monotonicMs();
    this.#run(handle);
    // The handle has only settled a promise: the step itself is the job that follows.
    const hasJobs = handle.kind === KIND_WAKE_UP || handle.kind === KIND_ASYNC_STEP;
    if (hasJobs && this.#isDrainedPerCallback) this.#drain();
    const durationMs = monotonicMs() - begin;
    if (durationMs >= this.#owner.slowCallbackDuration) this.#owner._onSlowCallback(handle, durationMs);
  }
}
