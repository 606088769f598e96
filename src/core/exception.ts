// What happens to an error that nobody can catch any more.
import { inspect } from 'node:util';
import { validateObject, validateString } from '../base/validate.js';
import type { Handle } from './handle.js';

/**
 * What is known about an error that reached the loop.
 *
 * @source CPython 3.13 asyncio `loop.call_exception_handler`
 */
export interface ExceptionContext {
  /** What went wrong, in a sentence. */
  message: string;
  /** What was thrown; may be any value. */
  exception?: unknown;
  /** The callback that threw. */
  handle?: Handle;
  /** The future concerned. */
  future?: unknown;
  /** The task concerned. */
  task?: unknown;
  /** The protocol that was called. */
  protocol?: unknown;
  /** The stream or connection that was served. */
  transport?: unknown;
  /** The socket concerned. */
  socket?: unknown;
  /** The asynchronous generator concerned. */
  asyncGenerator?: unknown;
  /** The server that accepts. */
  server?: unknown;
  /** Where the object was made, in debug mode. */
  sourceTraceback?: string | undefined;
}

/** @throws TypeError `ERR_INVALID_ARG_TYPE` - `context` is no object with a message. @internal */
export function validateExceptionContext(context: unknown): void {
  validateObject('context', context);
  validateString('context.message', (context as Partial<ExceptionContext>).message);
}

/**
 * Writes the context to standard error.
 *
 * @throws TypeError `ERR_INVALID_ARG_TYPE` - `context` is no object with a message.
 */
export function reportException(context: ExceptionContext): void {
  validateExceptionContext(context);
  const lines = [`evloop: ${context.message}`];
  for (const [key, value] of Object.entries(context)) {
    if (key === 'message' || key === 'exception' || value === undefined) continue;
    lines.push(`  ${key}: ${typeof value === 'string' ? value : inspect(value, { depth: 0 })}`);
  }
  if ('exception' in context) lines.push(inspect(context.exception));
  console.error(lines.join('\n'));
}
