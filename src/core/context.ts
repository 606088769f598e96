// Carries AsyncLocalStorage values from where work is scheduled to where it runs.
//
// A snapshot is an AsyncResource, which every supported Node restores. It is made only when it can
// matter: up to Node 22 stores travel by async hooks, whose counter says whether anybody uses them.
// Later versions keep them in a frame that never changes, and that can be seen on a resource only; so
// there one is always made (40 ns), but handles with the same stores may keep the same one.
import { AsyncLocalStorage, AsyncResource, executionAsyncId } from 'node:async_hooks';
import { invalidArgType } from '../base/errors.js';
import { nodeBinding } from './node-binding.js';

/** The async context of a moment; enter it with `runInAsyncScope`. */
export type ContextSnapshot = AsyncResource;

interface AsyncWrap {
  async_hook_fields?: Uint32Array;
  constants?: { kInit?: number };
}

const FIRST_MAJOR_WITH_FRAMES = 24;
const hasFrames = Number.parseInt(process.versions.node, 10) >= FIRST_MAJOR_WITH_FRAMES;

// The counters of installed async hooks, or null where they say nothing about stores.
function findHookCounters(): { fields: Uint32Array; init: number } | null {
  if (hasFrames) return null;
  try {
    // The one place where Node ≤ 22 shows whether hooks are installed.
    const wrap = nodeBinding('async_wrap') as AsyncWrap;
    const fields = wrap.async_hook_fields;
    const init = wrap.constants?.kInit;
    return fields instanceof Uint32Array && init !== undefined ? { fields, init } : null;
  } catch {
    // The permission model refuses it: then every snapshot is made.
    return null;
  }
}

const counters = findHookCounters();
const fields = counters?.fields ?? null;
const init = counters?.init ?? 0;

/** Whether a snapshot could differ from the loop's own context. */
export function isContextTracked(): boolean {
  return fields === null || fields[init] !== 0;
}

/**
 * Whether `enterWith` writes into the resource that is entered: then two handles that are entered
 * with one resource see what the other one wrote.
 *
 * @internal
 */
export function isContextWritable(): boolean {
  return fields !== null && fields[init] !== 0;
}

// Where resources keep their frame: a symbol of Node's own, from 24 on.
const frameKey = Object.getOwnPropertySymbols(new AsyncResource('EVLOOP_PROBE')).find(
  (symbol) => symbol.description === 'context_frame',
);

interface FrameClass {
  current?: () => object | undefined;
}

// Node's class of frames, which knows the current one; reached by way of a frame.
function findFrameClass(): FrameClass | null {
  if (frameKey === undefined || !hasFrames) return null;
  // In a scope of its own, as run() leaves another frame behind.
  const scope = new AsyncResource('EVLOOP_PROBE');
  const probe = scope.runInAsyncScope(() => new AsyncLocalStorage().run(true, makeSnapshot)) as Framed;
  const type = probe[frameKey]?.constructor as FrameClass | undefined;
  return typeof type?.current === 'function' ? type : null;
}

/** @throws TypeError `ERR_INVALID_ARG_TYPE` - `value` cannot be entered. @internal */
export function validateContext(name: string, value: unknown): void {
  if (typeof (value as Partial<AsyncResource> | null | undefined)?.runInAsyncScope !== 'function') {
    throw invalidArgType(name, 'an instance of AsyncResource', value);
  }
}

/**
 * What the option `context` of a call stands for: null is the loop's own, nothing the current one.
 *
 * @throws TypeError `ERR_INVALID_ARG_TYPE` - it cannot be entered.
 * @internal
 */
export function pickContext(option: ContextSnapshot | null | undefined): ContextSnapshot | null {
  if (option === undefined) return captureContext();
  if (option !== null) validateContext('options.context', option);
  return option;
}

let concealed: AsyncLocalStorage<unknown> | null = null;

/**
 * Keeps what `storage` holds out of every snapshot: a callback that a task schedules is no part of
 * the task.
 *
 * @internal
 */
export function concealFromSnapshots(storage: AsyncLocalStorage<unknown> | null): void {
  concealed = storage;
}

/** The current context, or null when nothing in this process would notice the difference. */
export function captureContext(): ContextSnapshot | null {
  if (!isContextTracked()) return null;
  if (concealed === null || concealed.getStore() === undefined) return makeSnapshot();
  return frameKey === undefined
    ? concealed.run(undefined, makeSnapshot)
    : concealedSnapshot(concealed, frameKey);
}

/** What async hooks, and the tools that are built on them, see of a task. */
const TASK_RESOURCE = 'LOOPTASK';

class TaskResource extends AsyncResource {
  constructor(triggerAsyncId?: number) {
    super(TASK_RESOURCE, triggerAsyncId);
  }
}

/**
 * The context for the next run of what ran in `context`, asked for in there: with what it entered. Up to Node 22
 * `enterWith` writes into the resource itself.
 *
 * @internal
 */
export function contextAfterRun(context: ContextSnapshot): ContextSnapshot {
  if (frameClass === null) return context;
  const frame = frameClass.current!();
  if (frame === (context as Framed)[frameKey!]) return context;
  // Other snapshots are shared.
  if (!(context instanceof TaskResource)) return makeSnapshot();
  (context as Framed)[frameKey!] = frame;
  return context;
}

/**
 * A context that is a resource of its own, triggered by whoever runs now: with the values of `context`,
 * or else with the current ones.
 *
 * @internal
 */
export function makeTaskContext(context: ContextSnapshot | undefined): ContextSnapshot {
  if (context !== undefined) return makeTaskContextIn(context);
  if (concealed === null || concealed.getStore() === undefined) return new TaskResource();
  if (frameKey === undefined || !hasFrames) return concealed.run(undefined, makeTaskResource);
  // Making it in the other frame would take twice as long.
  const resource = new TaskResource();
  const { [frameKey]: frame } = resource as Framed;
  (resource as Framed)[frameKey] = (snapshotWithout(concealed, resource, frame!) as Framed)[frameKey];
  return resource;
}

function makeTaskContextIn(context: ContextSnapshot): ContextSnapshot {
  return context.runInAsyncScope(makeTaskResource, undefined, executionAsyncId());
}

function makeTaskResource(triggerAsyncId?: number): ContextSnapshot {
  return new TaskResource(triggerAsyncId);
}

/** Whether a context is made for each task anyway; then one of its own costs nothing more. */
export function isTaskContextFree(): boolean {
  return hasFrames;
}

// What every resource has. Nothing else of a resource is known here.
const idSymbols = Object.getOwnPropertySymbols(new AsyncResource('EVLOOP_PROBE')).filter((symbol) =>
  ['async_id_symbol', 'trigger_async_id_symbol'].includes(symbol.description ?? ''),
);
const [idSymbol, triggerSymbol] = idSymbols;

/**
 * Whether entering `context` makes no difference to anybody: it holds no value of a storage. Up to Node 22 these are
 * properties of the resource; later, snapshots share what holds them, and there is nothing to gain.
 *
 * @internal
 */
export function isContextEmpty(context: ContextSnapshot): boolean {
  if (hasFrames) return false;
  const keys = Reflect.ownKeys(context);
  for (let i = 0; i < keys.length; i++) {
    const key = keys[i] as symbol;
    if (key !== idSymbol && key !== triggerSymbol && (context as Framed)[key] !== undefined) return false;
  }
  return true;
}

type Framed = ContextSnapshot & Record<symbol, object | undefined>;

function makeSnapshot(): ContextSnapshot {
  return new AsyncResource('EVLOOP_HANDLE');
}

const concealedSnapshots = new WeakMap<object, ContextSnapshot>();

// A task schedules many callbacks in one frame, and making another frame takes ten times as long as
// finding the one made before.
function concealedSnapshot(storage: AsyncLocalStorage<unknown>, key: symbol): ContextSnapshot {
  const current = makeSnapshot();
  const frame = (current as Framed)[key];
  // Node 22 has the place and keeps its stores elsewhere.
  return frame === undefined
    ? storage.run(undefined, makeSnapshot)
    : snapshotWithout(storage, current, frame);
}

// `frame` is that of `current`.
function snapshotWithout(
  storage: AsyncLocalStorage<unknown>,
  current: ContextSnapshot,
  frame: object,
): ContextSnapshot {
  let snapshot = concealedSnapshots.get(frame);
  if (snapshot === undefined) {
    // A storage's run() leaves an equal but new frame behind; a resource's scope puts back the old one.
    snapshot = current.runInAsyncScope(() => storage.run(undefined, makeSnapshot));
    concealedSnapshots.set(frame, snapshot);
  }
  return snapshot;
}

// Last, as it makes a snapshot.
const frameClass = findFrameClass();
