// What is done for somebody ends when that somebody is gone.
import type { Writable } from 'node:stream';
import { connectionLost, invalidArgType } from '../base/errors.js';
import { validateFunction } from '../base/validate.js';
import type { Awaitable } from '../task/awaitable.js';
import type { Body } from '../task/body.js';
import { cancelScope } from '../task/cancel-scope.js';
import type { CancelScope } from '../task/scope.js';
import { taskGroup, type TaskGroup } from '../task/task-group.js';
import { Stream } from './stream.js';

/** Whom a request came from: a stream, or a response or socket of Node. */
export type Requester = Stream | Writable;

// Returns what stops listening.
function cancelWithStream(stream: Stream, scope: CancelScope): () => void {
  const closed = stream._closed.wait();
  const cancel = (): void => void scope.cancel(stream._error ?? connectionLost('read'));
  closed.addDoneCallback(cancel);
  return () => {
    closed.removeDoneCallback(cancel);
    closed.cancel();
  };
}

function cancelWithWritable(writable: Writable, scope: CancelScope): () => void {
  const cancel = (): void => {
    // Node tells of the end of a whole response in the same way; one of HTTP/2 that was reset counts as finished.
    const isWhole = writable.writableEnded && writable.writableFinished;
    if (!isWhole) scope.cancel(writable.errored ?? connectionLost('read'));
  };
  writable.once('close', cancel);
  if (writable.destroyed) cancel();
  return () => void writable.removeListener('close', cancel);
}

/**
 * Runs `body` in a task group that is cancelled when the connection closes: nothing goes on for somebody who
 * is gone. Everything that waits inside then gets a `CancelledError`, at every wait anew, whose `reason` is
 * what broke the connection; errors of other kinds are the group's.
 *
 * A stream counts as closed when it broke or was closed by this side; a peer that has only ended what it sends
 * may still wait for the answer. A response of Node counts when its connection closes before it was
 * sent whole (`writableFinished`).
 *
 * Suspends: until the body and every task of the group is through. A cancel point, which cancels them all.
 *
 * @param requester - A {@link Stream}, or a `http.ServerResponse`, `net.Socket` or another Writable of Node.
 * @param body - A generator function or an async function; gets the {@link TaskGroup}.
 * @returns What `body` returns; undefined when the connection closed and that ended the body.
 * @throws {@link ExceptionGroup} (rejects) - as {@link taskGroup}.
 * @throws TypeError `ERR_INVALID_ARG_TYPE` - an argument is wrong; a request of Node, which closes as soon
 *   as it is read, is none.
 * @throws {@link InvalidStateError} `ERR_INVALID_STATE` - no loop is running.
 * @example
 * ```ts
 * const [client, server] = streamPair();
 * const request = createTask(async () => {
 *   await requestScope(server, async (group) => {
 *     group.createTask(async () => await sleep(1000));
 *   });
 *   console.log('nobody waits for it');
 * });
 * client.abort();
 * await request;
 * ```
 * @source ours
 */
export function requestScope<T>(requester: Requester, body: Body<[TaskGroup], T>): Awaitable<T | undefined> {
  if (!(requester instanceof Stream) && !isWritable(requester)) {
    throw invalidArgType('requester', "a Stream or one of Node's Writables", requester);
  }
  validateFunction('body', body);
  return cancelScope({}, function* (scope): Generator<unknown, T> {
    const forget =
      requester instanceof Stream ? cancelWithStream(requester, scope) : cancelWithWritable(requester, scope);
    try {
      return yield* taskGroup(body);
    } finally {
      forget();
    }
  });
}

function isWritable(value: unknown): value is Writable {
  return typeof value === 'object' && value !== null && 'writableFinished' in value && 'once' in value;
}
