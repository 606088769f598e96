// All programs, by the test file of CPython that they answer to.
import type { Suite } from './support/program.js';
import { baseEvents } from './test_base_events.js';
import { eagerTasks } from './test_eager_task_factory.js';
import { futures } from './test_futures.js';
import { locks } from './test_locks.js';
import { queues } from './test_queues.js';
import { runners } from './test_runners.js';
import { taskGroups } from './test_taskgroups.js';
import { tasks } from './test_tasks.js';
import { timeouts } from './test_timeouts.js';
import { waitFors } from './test_waitfor.js';

export const suites: readonly Suite[] = [
  baseEvents,
  futures,
  tasks,
  eagerTasks,
  taskGroups,
  timeouts,
  waitFors,
  locks,
  queues,
  runners,
];
