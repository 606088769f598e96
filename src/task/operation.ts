// Library calls that wait more than once, written as a generator and usable in both forms.
//
// Called by a step of a generator task, the steps are part of that task: `yield*` goes through them.
// Called by an async function of a task, they begin at once and are driven here, as part of that task:
// what they wait for is what the task waits for. Elsewhere they become a task of their own.
import { CancelledError, isCancelled } from '../base/errors.js';
import { KIND_STEP } from '../core/handle.js';
import { captureContext } from '../core/context.js';
import type { LoopCore } from '../core/loop.js';
import type { Awaitable } from './awaitable.js';
import { AwaitLink, waitingFrame, waitingTask } from './await.js';
import { BodyWait } from './body.js';
import { cancelInFrame, isCancelDue, takeCancellation } from './cancellation.js';
import { generatorNext, type GeneratorCoroutine } from './coroutine.js';
import { createTaskOn } from './create.js';
import { isSteppingGenerator, requireRunningLoop } from './current.js';
import type { Frame } from './frame.js';
import { badYield } from './mistakes.js';
import { takeAwaited, type Suspension } from './suspension.js';
import type { Task } from './task.js';
import { trackedBranch } from './tracking.js';

/** The steps of an operation. @internal */
export type Steps<T> = GeneratorCoroutine<T>;

/** What an async function has under way: one operation at a time is part of its task. */
interface Operating {
  _isOperating?: boolean;
  isOperating?: boolean;
}

/**
 * Runs `steps` as part of the code that calls.
 *
 * Suspends: never; what it returns does, where the steps do.
 *
 * @internal
 */
export function operate<T>(loop: LoopCore, steps: Steps<T>): Awaitable<T> {
  if (isSteppingGenerator(loop)) return new StepOperation(loop, steps);
  const task = waitingTask() as Task<unknown> | null;
  if (task === null || task._loop !== loop) return createTaskOn(loop, steps);
  const branch = trackedBranch();
  // A second one at the same time, as in `Promise.all`, would not know which cancellation is whose.
  if (branch === null ? task._isOperating : branch.isOperating) {
    return createTaskOn(loop, steps, { eagerStart: true, _frame: waitingFrame(task) });
  }
  let run!: InlineRun<T>;
  const promise = new Promise<T>((resolve, reject) => {
    run = new InlineRun(task, steps, resolve, reject);
  });
  run.begin();
  return asAwaitable(promise, run);
}

/** {@link operate} on the running loop. @throws {@link InvalidStateError} `ERR_INVALID_STATE` @internal */
export function operateHere<T>(makeSteps: (loop: LoopCore) => Steps<T>): Awaitable<T> {
  const loop = requireRunningLoop();
  return operate(loop, makeSteps(loop));
}

/** The task whose step runs; for steps of operations. @internal */
export function steppingTask(loop: LoopCore): Task<unknown> {
  return loop._currentTask as Task<unknown>;
}

// What a generator task gets: it goes through the steps itself.
class StepOperation<T> implements Awaitable<T> {
  readonly #loop: LoopCore;
  readonly #steps: Steps<T>;
  #task: Task<T> | null = null;

  constructor(loop: LoopCore, steps: Steps<T>) {
    this.#loop = loop;
    this.#steps = steps;
  }

  [Symbol.iterator](): Iterator<unknown, T, unknown> {
    return this.#task === null ? this.#steps : this.#task[Symbol.iterator]();
  }

  // Handed on to somebody who awaits it.
  then<R = T, E = never>(
    onFulfilled?: ((value: T) => R | PromiseLike<R>) | null,
    // eslint-disable-next-line @typescript-eslint/no-explicit-any -- as in PromiseLike
    onRejected?: ((error: any) => E | PromiseLike<E>) | null,
  ): PromiseLike<R | E> {
    this.#task ??= createTaskOn(this.#loop, this.#steps);
    return this.#task.then(onFulfilled, onRejected);
  }
}

const RUN = Symbol('run');

/** The promise of steps that run. */
interface Running<T> extends Promise<T> {
  [RUN]?: InlineRun<T>;
}

/**
 * Makes an operation the business of whoever waits for its promise: cancelling the task that began it does not
 * reach it any more, unless that waits for it as well. Returns whether it is the promise of one.
 *
 * @internal
 */
export function handOver(promise: PromiseLike<unknown>): boolean {
  const run = (promise as Running<unknown>)[RUN];
  run?.handOver();
  return run !== undefined;
}

/** Cancels the operation whose promise this is, and nothing else of its task. @internal */
export function cancelOperation(promise: PromiseLike<unknown>, reason: unknown): void {
  (promise as Running<unknown>)[RUN]?.interrupt(reason);
}

// A plain promise is what `await` is fastest with; a generator that gets one waits for it all the same.
function asAwaitable<T>(promise: Promise<T>, run: InlineRun<T>): Awaitable<T> {
  const awaitable = promise as Running<T> & { [Symbol.iterator]?: () => BodyWait<T> };
  awaitable[RUN] = run;
  awaitable[Symbol.iterator] = () => new BodyWait(requireRunningLoop(), promise);
  return awaitable as Awaitable<T>;
}

// Drives steps as part of the task of an async function.
class InlineRun<T> extends AwaitLink {
  #awaited: Suspension | null = null;
  readonly #task: Task<unknown>;
  readonly #operating: Operating;
  readonly #steps: Steps<T>;
  readonly #resolve: (value: T) => void;
  readonly #reject: (error: unknown) => void;
  #frame: Frame | null;
  #mistake: Error | null = null;
  #isContextKnown = false;
  #isHandedOver = false;
  #isOver = false;

  constructor(
    task: Task<unknown>,
    steps: Steps<T>,
    resolve: (value: T) => void,
    reject: (error: unknown) => void,
  ) {
    super(KIND_STEP, null);
    this.#task = task;
    this.#steps = steps;
    this.#resolve = resolve;
    this.#reject = reject;
    this.#operating = trackedBranch() ?? task;
    this.#frame = waitingFrame(task);
  }

  // Asked for only while it is linked.
  get future(): Suspension {
    return this.#awaited!;
  }

  begin(): void {
    this.#setOperating(true);
    this.#step(false);
  }

  /** Cancels these steps at their wait, and nothing else; a body they wait for goes on. */
  interrupt(reason: unknown): void {
    const awaited = this.#awaited;
    if (awaited === null || awaited.cancel(reason) || awaited.cancelled()) return;
    // Woken already: thrown in by the next step.
    this.#mistake = new CancelledError(reason);
  }

  handOver(): void {
    if (this.#isHandedOver || this.#isOver) return;
    this.#setOperating(false);
    this.#isHandedOver = true;
    this.unlink();
  }

  #isCancelDue(): boolean {
    if (this.#isHandedOver || this.#awaited?._isTaken === true) return false;
    return isCancelDue(this.#task, this.#frame);
  }

  #setOperating(isOperating: boolean): void {
    if (this.#isHandedOver) return;
    const operating = this.#operating;
    if (operating === this.#task) this.#task._isOperating = isOperating;
    else operating.isOperating = isOperating;
  }

  _run(): void {
    this.unlink();
    this.#step(true);
  }

  // Goes on to the next wait. While it does, the task is that of a generator, in the frame of these steps.
  #step(isCancelDelivered: boolean): void {
    const task = this.#task;
    const loop = task._loop;
    const { _generator: outerGenerator, _frame: outerFrame } = task;
    const caller = loop._currentTask;
    loop._currentTask = task;
    task._generator = this.#steps;
    task._frame = this.#frame;
    let step: IteratorResult<unknown, T>;
    try {
      step =
        (isCancelDelivered && this.#isCancelDue()) || this.#mistake !== null
          ? this.#steps.throw(this.#takeInterruption())
          : (generatorNext.call(this.#steps) as IteratorResult<unknown, T>);
    } catch (error) {
      this.#end();
      this.#reject(error);
      return;
    } finally {
      this.#frame = task._frame;
      task._frame = outerFrame;
      task._generator = outerGenerator;
      loop._currentTask = caller;
    }
    if (step.done === true) {
      this.#end();
      this.#resolve(step.value);
    } else {
      this.#stopAt(step.value);
    }
  }

  #end(): void {
    this.#isOver = true;
    this.#awaited = null;
    this.#setOperating(false);
  }

  #takeInterruption(): unknown {
    const mistake = this.#mistake;
    this.#mistake = null;
    if (this.#isCancelDue()) return takeCancellation(this.#task, this.#awaited);
    if (isCancelled(mistake)) this.#awaited?._lose();
    return mistake;
  }

  #stopAt(value: unknown): void {
    this.#awaited = null;
    if (value === undefined) return this.#pause();
    const awaited = takeAwaited(value);
    if (awaited instanceof BodyWait) {
      // What the body awaits is linked by itself, and the end of a body is no place to cancel.
      awaited.onSettled(() => this.#step(false));
      return;
    }
    const mistake = awaited === null ? badYield(this.#task, value) : this.#mistakeOf(awaited);
    if (mistake !== null) return this.#throwLater(mistake);
    this.#waitFor(awaited!);
  }

  #mistakeOf(awaited: Suspension): Error | null {
    if (awaited._loop === this.#task._loop && awaited !== (this.#task as Suspension)) return null;
    return awaited._waitMistake(this.#task);
  }

  #pause(): void {
    this.#knowContext();
    const mistake = this.#task._dueInFrame(this.#frame);
    if (mistake !== null) this.#mistake = mistake;
    this.#task._loop._push(this);
  }

  #throwLater(mistake: Error): void {
    this.#knowContext();
    this.#mistake = mistake;
    this.#task._loop._push(this);
  }

  #waitFor(awaited: Suspension): void {
    this.#knowContext();
    this.#awaited = awaited;
    awaited._addHandle(this);
    if (this.#isHandedOver) {
      if (this.#frame !== null) cancelInFrame(this.#frame, awaited);
    } else if (!this.#task.done()) {
      this.link(this.#task, this.#frame);
      this.cancelIfDue(this.#task);
    }
  }

  // The steps go on in the context of the call; one that never waits needs none.
  #knowContext(): void {
    if (this.#isContextKnown) return;
    this.#isContextKnown = true;
    this.context = captureContext();
  }

  _describe(): string {
    return `step of ${this.#task._describe()}`;
  }
}
