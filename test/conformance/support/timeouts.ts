// The calls that take a time, in the mode of the run: strict as asyncio is, or as they are by default.
//
// By default a value that is ready when the time is up wins, which takes a turn to find out.
import * as evloop from '../../../src/index.js';
import { timeoutMode } from './program.js';

export const timeout: typeof evloop.timeout = (ms, body) => evloop.timeout(ms, body, timeoutMode());
export const timeoutAt: typeof evloop.timeoutAt = (when, body) => evloop.timeoutAt(when, body, timeoutMode());
export const waitFor: typeof evloop.waitFor = (awaitable, ms) => evloop.waitFor(awaitable, ms, timeoutMode());
