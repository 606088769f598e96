// All programs, by the test file of CPython that they answer to.
import type { Suite } from './support/program.js';
import { futures } from './test_futures.js';
import { taskGroups } from './test_taskgroups.js';
import { tasks } from './test_tasks.js';
import { timeouts } from './test_timeouts.js';

export const suites: readonly Suite[] = [futures, tasks, taskGroups, timeouts];
