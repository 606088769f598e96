// The standard streams of the process.
import { requireRunningLoop } from '../task/current.js';
import { streamStandard } from './adopt.js';
import type { StreamOptions } from './limits.js';
import type { Stream } from './stream.js';

/**
 * A stream that reads what the process is given: a pipe, a terminal, a socket, or /dev/null. It works on a
 * descriptor of its own, so that neither `process.stdin` nor another process that shares it finds it non-blocking.
 *
 * Suspends: never.
 *
 * @param options - How the stream buffers.
 * @throws TypeError `ERR_INVALID_ARG_TYPE`, RangeError `ERR_OUT_OF_RANGE` - an option is wrong.
 * @throws {@link InvalidStateError} `ERR_INVALID_STATE` - no event loop is running.
 * @throws {@link SystemError} `EINVAL` - it is a regular file, which is always ready.
 * @example
 * ```ts
 * async function echo() {
 *   const input = stdin();
 *   for await (const line of input) console.log(String(line));
 * }
 * ```
 * @source CPython 3.13 `loop.connect_read_pipe` of `sys.stdin`. Differs: leaves no O_NONBLOCK behind.
 */
export function stdin(options: StreamOptions = {}): Stream {
  return streamStandard(requireRunningLoop(), 0, options);
}

/**
 * A stream that writes the process's output, as {@link stdin}.
 *
 * Suspends: never.
 *
 * @param options - How the stream buffers.
 * @throws As {@link stdin}.
 * @example
 * ```ts
 * async function greet() {
 *   const output = stdout();
 *   await output.send('hello\n');
 *   await output.close();
 * }
 * ```
 * @source CPython 3.13 `loop.connect_write_pipe` of `sys.stdout`. Differs: leaves no O_NONBLOCK behind.
 */
export function stdout(options: StreamOptions = {}): Stream {
  return streamStandard(requireRunningLoop(), 1, options);
}

/**
 * A stream that writes the process's error output, as {@link stdin}.
 *
 * Suspends: never.
 *
 * @param options - How the stream buffers.
 * @throws As {@link stdin}.
 * @source CPython 3.13 `loop.connect_write_pipe` of `sys.stderr`. Differs: leaves no O_NONBLOCK behind.
 */
export function stderr(options: StreamOptions = {}): Stream {
  return streamStandard(requireRunningLoop(), 2, options);
}
