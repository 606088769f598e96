// Descriptors that belong to somebody else: the loop says when they are ready, and does no more.
//
// One reader and one writer per descriptor, each of them a callback, told in every poll until the descriptor is
// not ready any more, or a future that waits for the next time.
import { ClosedResourceError, InvalidStateError, SystemError, systemError } from '../base/errors.js';
import { refuseCoroutine, validateDescriptor, validateFunction } from '../base/validate.js';
import { captureContext, type ContextSnapshot } from '../core/context.js';
import { CallbackHandle } from '../core/handle.js';
import type { CompletionTarget, LoopCore } from '../core/loop.js';
import { abi } from '../native/abi.js';
import { WATCH_READ, WATCH_WRITE } from '../native/binding.js';
import type { Future } from '../task/future.js';
import { awaitNatively } from '../task/native-await.js';
import { Request } from './request.js';

/** Hears of one direction. */
interface Watcher {
  /** In a turn, before its callbacks. */
  _onReady(): void;
  /** It hears of nothing any more. */
  _onRemoved(): void;
}

/** A callback, which runs again and again. */
class WatchHandle extends CallbackHandle implements Watcher {
  declare readonly _loop: LoopCore;

  constructor(
    loop: LoopCore,
    callback: (...args: never[]) => unknown,
    args: readonly unknown[],
    context: ContextSnapshot | null,
  ) {
    super(callback, args, context);
    this._loop = loop;
  }

  _onReady(): void {
    this._loop._push(this);
  }

  _onRemoved(): void {
    this.cancel();
  }
}

/** A wait for the next time. */
class Readiness extends Request<void> implements Watcher {
  static {
    awaitNatively(this.prototype);
  }

  _onReady(): void {
    this._stop?.();
    this.setResult();
  }

  // Whoever removes it says why.
  _onRemoved(): void {}
}

/** One descriptor. */
class Watch implements CompletionTarget {
  generation = 0;
  reader: Watcher | null = null;
  writer: Watcher | null = null;

  get interest(): number {
    return (this.reader === null ? 0 : WATCH_READ) | (this.writer === null ? 0 : WATCH_WRITE);
  }

  complete(kind: number, ready: number): void {
    if (kind !== abi.CQ_READY) return;
    if ((ready & WATCH_READ) !== 0) this.reader?._onReady();
    if ((ready & WATCH_WRITE) !== 0) this.writer?._onReady();
  }
}

type Direction = 'reader' | 'writer';

/** Puts a watcher in place of the one before, which is answered. */
function put(loop: LoopCore, fd: number, direction: Direction, watcher: Watcher): Watcher | null {
  const watches = loop._watches;
  const watch = (watches.get(fd) as Watch | undefined) ?? new Watch();
  const before = watch[direction];
  watch[direction] = watcher;
  const status = loop._native.watch(fd, watch.interest);
  if (status < 0) {
    watch[direction] = before;
    throw refusal(status, fd);
  }
  watch.generation = loop._rings.control[abi.CTL_RESULT_GENERATION]!;
  watches.set(fd, watch);
  // A waiter thread that sleeps does not know it yet, which this tells as well.
  loop._reference(before === null ? 1 : 0);
  return before;
}

function refusal(status: number, fd: number): Error {
  const error = systemError(status, 'watch');
  if (error.code === 'EEXIST') {
    return new InvalidStateError(`The descriptor ${String(fd)} is used by this loop itself`);
  }
  if (error.code !== 'EPERM') return error;
  return new SystemError(status, 'watch', {}, `regular files are always ready (descriptor ${String(fd)})`);
}

/** Takes a watcher away, and answers it. */
function take(loop: LoopCore, fd: number, direction: Direction): Watcher | null {
  const watch = loop._watches.get(fd) as Watch | undefined;
  const watcher = watch?.[direction] ?? null;
  if (watcher === null) return null;
  watch![direction] = null;
  loop._native.watch(fd, watch!.interest);
  if (watch!.interest === 0) loop._watches.delete(fd);
  loop._reference(-1);
  return watcher;
}

/** See `EventLoop.addReader` and `addWriter`. @internal */
export function addWatcher(
  loop: LoopCore,
  fd: number,
  direction: Direction,
  callback: (...args: never[]) => unknown,
  args: readonly unknown[],
): void {
  validateDescriptor('fd', fd);
  validateFunction('callback', callback);
  if (loop.debug) refuseCoroutine(callback);
  refuseWaiter(loop, fd, direction);
  put(loop, fd, direction, new WatchHandle(loop, callback, args, captureContext()))?._onRemoved();
}

/** See `EventLoop.removeReader` and `removeWriter`. @internal */
export function removeWatcher(loop: LoopCore, fd: number, direction: Direction): boolean {
  validateDescriptor('fd', fd);
  const watch = loop._watches.get(fd) as Watch | undefined;
  if (!(watch?.[direction] instanceof WatchHandle)) return false;
  take(loop, fd, direction)?._onRemoved();
  return true;
}

/** See `EventLoop.readable` and `writable`. @internal */
export function waitUntilReady(loop: LoopCore, fd: number, direction: Direction): Future<void> {
  validateDescriptor('fd', fd);
  refuseWaiter(loop, fd, direction);
  if ((loop._watches.get(fd) as Watch | undefined)?.[direction]) throw busy(fd, direction);
  const readiness = new Readiness(loop);
  put(loop, fd, direction, readiness);
  readiness._stop = () => take(loop, fd, direction);
  return readiness;
}

/** See `EventLoop.notifyClosing`. @internal */
export function notifyClosing(loop: LoopCore, fd: number): void {
  validateDescriptor('fd', fd);
  for (const direction of ['reader', 'writer'] as const) {
    const watcher = take(loop, fd, direction);
    watcher?._onRemoved();
    if (watcher instanceof Readiness) {
      watcher.setException(new ClosedResourceError(`The descriptor ${String(fd)} is being closed`));
    }
  }
}

function refuseWaiter(loop: LoopCore, fd: number, direction: Direction): void {
  const watch = loop._watches.get(fd) as Watch | undefined;
  if (watch?.[direction] instanceof Readiness) throw busy(fd, direction);
}

function busy(fd: number, direction: Direction): InvalidStateError {
  return new InvalidStateError(`The descriptor ${String(fd)} has a ${direction} already`);
}
