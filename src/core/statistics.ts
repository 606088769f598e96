// A look at a loop at one moment.
import { abi } from '../native/abi.js';
import type { Rings } from '../native/rings.js';

/** Counters and gauges of a loop; a frozen snapshot. */
export interface LoopStatistics {
  /** How readiness is found: `epoll` or `poll`. */
  readonly backend: string;
  /** How Node's loop wakes this one: `uv` or `thread`. */
  readonly host: string;
  /** Handles in the ready queue. */
  readonly ready: number;
  /** Timers that wait for their deadline. */
  readonly timers: number;
  /** Milliseconds of `loop.time()` at which the next timer is due; Infinity without timers. */
  readonly nextDeadline: number;
  /** Tasks that are not done. */
  readonly tasks: number;
  /** Sockets and listeners. */
  readonly sockets: number;
  /** Things that keep the process alive. */
  readonly references: number;
  /** Turns of this loop. */
  readonly turns: number;
  /** Times the host woke this loop; one may bring several turns. */
  readonly wakeups: number;
  /** Calls of the poller. */
  readonly polls: number;
  /** Readiness events seen. */
  readonly events: number;
  /** Callback scopes opened in addition to one per turn, so that microtasks drain. */
  readonly drains: number;
  /** Handles that ran. */
  readonly handlesRun: number;
  /** Times work was put off because the completion ring was full. */
  readonly completionRingFull: number;
  /** Times a receive was put off because no slab was left. */
  readonly receiveSlabStarved: number;
  /** Milliseconds spent in turns. */
  readonly busyMs: number;
  /** Milliseconds since the loop started to run; 0 when it never did. */
  readonly runningMs: number;
  /** `busyMs` as a share of `runningMs`, 0 ... 1. */
  readonly utilization: number;
}

/** What only the loop itself knows. */
type Gauges = Pick<
  LoopStatistics,
  'backend' | 'host' | 'ready' | 'timers' | 'nextDeadline' | 'tasks' | 'handlesRun' | 'runningMs'
>;

/** Adds what native counts. @internal */
export function takeStatistics({ control, doubles }: Rings, gauges: Gauges): LoopStatistics {
  const busyMs = doubles[abi.CTL_F64_BUSY_MS]!;
  return Object.freeze({
    ...gauges,
    sockets: control[abi.CTL_SOCKETS]!,
    references: control[abi.CTL_REFERENCES]!,
    turns: control[abi.CTL_TURNS]!,
    wakeups: control[abi.CTL_WAKEUPS]!,
    polls: control[abi.CTL_POLLS]!,
    events: control[abi.CTL_EVENTS]!,
    drains: control[abi.CTL_DRAINS]!,
    completionRingFull: control[abi.CTL_COMPLETION_FULL]!,
    receiveSlabStarved: control[abi.CTL_SLAB_STARVED]!,
    busyMs,
    utilization: gauges.runningMs === 0 ? 0 : Math.min(1, busyMs / gauges.runningMs),
  });
}
