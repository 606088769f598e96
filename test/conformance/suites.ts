// All programs, by the test file of CPython that they answer to.
import type { Suite } from './support/program.js';
import { futures } from './test_futures.js';

export const suites: readonly Suite[] = [futures];
