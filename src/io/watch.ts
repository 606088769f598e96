// Descriptors that are somebody else's: callbacks and waits for when they are ready.
import { ClosedResourceError, systemError } from '../base/errors.js';
import { validateDescriptor, validateFunction } from '../base/validate.js';
import { captureContext, type ContextSnapshot } from '../core/context.js';
import { callWith, describeFunction, Handle, KIND_CALLBACK } from '../core/handle.js';
import type { CompletionTarget, LoopCore } from '../core/loop.js';
import { abi } from '../native/abi.js';
import { READY_HANGUP, READY_READ, READY_WRITE } from '../native/binding.js';
import { Future } from '../task/future.js';
import { awaitNatively } from '../task/native-await.js';

type AnyFunction = (...args: never[]) => unknown;

/** The callback of one direction. It is in the ready queue at most once at a time. */
class WatchHandle extends Handle {
  readonly #callback: AnyFunction;
  readonly #args: readonly unknown[];
  #isQueued = false;

  constructor(callback: AnyFunction, args: readonly unknown[], context: ContextSnapshot | null) {
    super(KIND_CALLBACK, context);
    this.#callback = callback;
    this.#args = args;
  }

  pushOn(loop: LoopCore): void {
    if (this.#isQueued) return;
    this.#isQueued = true;
    loop._push(this);
  }

  _run(): void {
    this.#isQueued = false;
    callWith(this.#callback, this.#args);
  }

  _describe(): string {
    return describeFunction(this.#callback);
  }
}

/** A wait for one direction; it watches for itself. */
class Readiness extends Future<void> {
  declare readonly _source: Watch;

  static {
    awaitNatively(this.prototype);
  }

  constructor(loop: LoopCore, watch: Watch) {
    super(loop);
    this._source = watch;
  }

  override cancel(reason?: unknown): boolean {
    if (!super.cancel(reason)) return false;
    this._source.relax();
    return true;
  }
}

// One direction of a descriptor: a callback, waits, or both.
class Direction {
  handle: WatchHandle | null = null;
  waits: Readiness[] = [];

  isWanted(): boolean {
    if (this.waits.length > 0) this.waits = this.waits.filter((wait) => !wait.done());
    return this.handle !== null || this.waits.length > 0;
  }

  tell(loop: LoopCore): void {
    this.handle?.pushOn(loop);
    for (const wait of this.waits.splice(0)) wait.setResultUnlessDone();
  }

  cancelHandle(): boolean {
    const handle = this.handle;
    this.handle = null;
    handle?.cancel();
    return handle !== null;
  }
}

/** A descriptor that is watched. It keeps its place as long as there is something to watch for. */
class Watch implements CompletionTarget {
  readonly reading = new Direction();
  readonly writing = new Direction();
  generation = 0;
  readonly #loop: LoopCore;
  readonly #watches: Map<number, Watch>;
  readonly #fd: number;
  #index = -1;
  #interest = 0;

  constructor(loop: LoopCore, watches: Map<number, Watch>, fd: number) {
    this.#loop = loop;
    this.#watches = watches;
    this.#fd = fd;
  }

  /**
   * Somebody wants to hear of it.
   *
   * @throws SystemError - the system refuses.
   */
  begin(): void {
    const interest = this.#wanted();
    // Also where it is watched for that already: the number may be that of another file by now.
    const status = this.#index < 0 ? this.#open(interest) : this.#change(interest);
    if (status < 0) throw refusal(status, this.#fd);
    this.#interest = interest;
    // A waiter thread that sleeps does not know yet.
    this.#loop._wantTurn();
  }

  /** Somebody does not want to hear of it any more. */
  relax(): void {
    const interest = this.#wanted();
    if (interest === this.#interest) return;
    this.#interest = interest;
    if (interest === 0) this.#end();
    else this.#change(interest);
  }

  #wanted(): number {
    return (this.reading.isWanted() ? READY_READ : 0) | (this.writing.isWanted() ? READY_WRITE : 0);
  }

  #open(interest: number): number {
    const loop = this.#loop;
    const index = loop._native.watch(this.#fd, interest);
    if (index < 0) return index;
    this.#index = index;
    this.generation = loop._rings.control[abi.CTL_RESULT_GENERATION]!;
    loop._attach(index, this);
    loop._reference(1);
    this.#watches.set(this.#fd, this);
    return 0;
  }

  #change(interest: number): number {
    return this.#loop._native.changeWatch(this.#index, this.generation, interest);
  }

  #end(): void {
    const index = this.#index;
    this.#loop._detach(index, this);
    this.#forget();
    this.#loop._native.unwatch(index, this.generation);
  }

  #forget(): void {
    this.#index = -1;
    this.#watches.delete(this.#fd);
    this.#loop._reference(-1);
  }

  complete(kind: number, result: number): void {
    // The loop is being closed.
    if (kind === abi.CQ_CLOSED) return this.#forget();
    const ready = (result & READY_HANGUP) === 0 ? result : READY_READ | READY_WRITE;
    const told = ready & this.#interest;
    if ((told & READY_READ) !== 0) this.reading.tell(this.#loop);
    if ((told & READY_WRITE) !== 0) this.writing.tell(this.#loop);
    // Whoever waited is told once.
    this.relax();
  }

  /** Ends everything: callbacks are not called, waits fail. */
  drop(error: Error): void {
    for (const direction of [this.reading, this.writing]) {
      direction.cancelHandle();
      for (const wait of direction.waits.splice(0)) if (!wait.done()) wait.setException(error);
    }
    this.relax();
  }
}

const watchesOf = new WeakMap<LoopCore, Map<number, Watch>>();

function findWatch(loop: LoopCore, fd: number): Watch | undefined {
  return watchesOf.get(loop)?.get(fd);
}

function watchOf(loop: LoopCore, fd: number): Watch {
  let watches = watchesOf.get(loop);
  if (watches === undefined) watchesOf.set(loop, (watches = new Map<number, Watch>()));
  return watches.get(fd) ?? new Watch(loop, watches, fd);
}

function refusal(status: number, fd: number): Error {
  const error = systemError(status, 'watch');
  if (error.code === 'EPERM') {
    error.message = `watch EPERM: descriptor ${String(fd)} is a regular file or directory, which is always ready`;
  }
  if (error.code === 'EEXIST') {
    error.message = `watch EEXIST: descriptor ${String(fd)} belongs to a stream or server of this loop`;
  }
  return error;
}

type Side = 'reading' | 'writing';

/** See `EventLoop.addReader`. @internal */
export function addCallback(
  loop: LoopCore,
  side: Side,
  fd: number,
  callback: AnyFunction,
  args: readonly unknown[],
): void {
  validateDescriptor('fd', fd);
  validateFunction('callback', callback);
  const watch = watchOf(loop, fd);
  const direction = watch[side];
  const before = direction.handle;
  direction.handle = new WatchHandle(callback, args, captureContext());
  try {
    watch.begin();
  } catch (error) {
    direction.handle = before;
    throw error;
  }
  before?.cancel();
}

/** See `EventLoop.removeReader`. @internal */
export function removeCallback(loop: LoopCore, side: Side, fd: number): boolean {
  validateDescriptor('fd', fd);
  const watch = findWatch(loop, fd);
  if (watch?.[side].cancelHandle() !== true) return false;
  watch.relax();
  return true;
}

/** See `EventLoop.readable`. @internal */
export function awaitReadiness(loop: LoopCore, side: Side, fd: number): Future<void> {
  validateDescriptor('fd', fd);
  const watch = watchOf(loop, fd);
  const wait = new Readiness(loop, watch);
  watch[side].waits.push(wait);
  try {
    watch.begin();
  } catch (error) {
    watch[side].waits.pop();
    throw error;
  }
  return wait;
}

/** See `EventLoop.notifyClosing`. @internal */
export function dropWatch(loop: LoopCore, fd: number): void {
  validateDescriptor('fd', fd);
  findWatch(loop, fd)?.drop(new ClosedResourceError(`Descriptor ${String(fd)} is being closed`));
}
