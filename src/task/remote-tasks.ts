// The loop's end of calls from other threads: each is a task, whose outcome goes back.
import { types } from 'node:util';
import { serialize } from 'node:v8';
import { BroadcastChannel } from 'node:worker_threads';
import { describe, type CancelledError } from '../base/errors.js';
import { readCallHeader, readCallValues, type Reply } from '../core/remote-calls.js';
import type { CallServer, RemoteFunction } from '../core/remote.js';
import type { LoopCore } from '../core/loop.js';
import { isGenerator, isThenable } from './coroutine.js';
import { createTaskOn } from './create.js';
import type { Coroutine, Task } from './task.js';

// The calls of one thread that are under way, and where their outcome goes.
interface Caller {
  readonly channel: BroadcastChannel;
  readonly tasks: Map<number, Task<unknown> | null>;
}

/** Runs the calls that come through one mailbox. @internal */
export class RemoteTasks implements CallServer {
  readonly #loop: LoopCore;
  readonly #functions: readonly RemoteFunction[];
  readonly #names: readonly string[];
  readonly #callers = new Map<string, Caller>();

  constructor(loop: LoopCore, names: readonly string[], functions: readonly RemoteFunction[]) {
    this.#loop = loop;
    this.#names = names;
    this.#functions = functions;
  }

  start(payload: Buffer): void {
    const { channel, id, functionId } = readCallHeader(payload);
    const callee = this.#functions[functionId]!;
    const { tasks } = this.#callerOf(channel);
    tasks.set(id, null);
    try {
      const call = (): unknown => toCoroutine(callee(...readCallValues(payload)));
      const name = `remote ${this.#names[functionId]!}`;
      const task = createTaskOn(this.#loop, call as Coroutine<unknown>, { name });
      tasks.set(id, task);
      task.addDoneCallback(() => this.#reply(channel, outcomeOf(id, task)));
    } catch (error) {
      // The task factory failed.
      this.#reply(channel, failure(id, error));
    }
  }

  cancel(payload: Buffer): void {
    const { channel, id } = readCallHeader(payload);
    const task = this.#callers.get(channel)?.tasks.get(id);
    task?.cancel(readCallValues(payload)[0]);
  }

  refuse(payload: Buffer): void {
    this.#callerOf(readCallHeader(payload).channel);
  }

  close(): void {
    for (const { channel, tasks } of this.#callers.values()) {
      // Their done callbacks will not run any more.
      for (const [id, task] of tasks) if (task?.done() === true) send(channel, outcomeOf(id, task));
      send(channel, { kind: 'closed' });
      channel.close();
    }
    this.#callers.clear();
  }

  #callerOf(name: string): Caller {
    let caller = this.#callers.get(name);
    if (caller === undefined) {
      // Whether anybody waits is the other thread's business.
      caller = { channel: new BroadcastChannel(name).unref(), tasks: new Map() };
      this.#callers.set(name, caller);
    }
    return caller;
  }

  #reply(name: string, reply: Reply & { id: number }): void {
    const caller = this.#callers.get(name);
    if (caller === undefined) return;
    send(caller.channel, reply);
    caller.tasks.delete(reply.id);
    if (caller.tasks.size > 0) return;
    caller.channel.close();
    this.#callers.delete(name);
  }
}

function send(channel: BroadcastChannel, reply: Reply): void {
  channel.postMessage(reply);
}

// A task wants something that takes its time.
function toCoroutine(value: unknown): unknown {
  return isGenerator(value) || isThenable(value) ? value : Promise.resolve(value);
}

function outcomeOf(id: number, task: Task<unknown>): Reply & { id: number } {
  if (task.cancelled()) return cancellation(id, (task._readError() as CancelledError).reason);
  try {
    if (task.exception() !== null) return failure(id, task._readError());
    return { id, kind: 'result', value: serialize(task.result()) };
  } catch (error) {
    // What cannot be serialized is an error of the call.
    return failure(id, error);
  }
}

function cancellation(id: number, reason: unknown): Reply & { id: number } {
  try {
    return { id, kind: 'cancelled', reason: serialize(reason) };
  } catch {
    return { id, kind: 'cancelled', reason: serialize(describe(reason)) };
  }
}

function failure(id: number, error: unknown): Reply & { id: number } {
  const { name, code } = Object(error) as { name?: unknown; code?: unknown };
  return {
    id,
    kind: 'error',
    error: serializeError(error),
    name: typeof name === 'string' ? name : undefined,
    code: typeof code === 'string' || typeof code === 'number' ? code : undefined,
  };
}

function serializeError(error: unknown): Uint8Array {
  try {
    return serialize(error);
  } catch {
    const isError = types.isNativeError(error);
    const plain = new Error(
      isError ? error.message : `Something that cannot be passed on was thrown: ${describe(error)}`,
    );
    if (isError && error.stack !== undefined) plain.stack = error.stack;
    return serialize(plain);
  }
}
